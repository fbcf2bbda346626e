/* SPDX-License-Identifier: MIT
 *
 * enum dfs_status as nfsstat3, per procedure.
 *
 * RFC 1813 calls its lists a guide (3.3), and clients map every number to an errno; so the
 * lists here are the RFC's and, beyond them, what the operation's POSIX meaning needs (a sticky
 * directory's EPERM, a late ENOSPC of COMMIT).  JUKEBOX is allowed everywhere, and so is ACCES:
 * every procedure names a file of a share, and no rule may admit the peer.
 */
#include <stdatomic.h>

#include "adapters/nfs/nfs3/nfs3.h"
#include "base/clock.h"
#include "base/log.h"

#define BIT(s) (UINT64_C(1) << DFS_##s)

#define ALL (BIT(IO) | BIT(STALE) | BIT(BADHANDLE) | BIT(ACCESS) | BIT(DELAY) | BIT(NOTSUP))
#define NAME (BIT(NOTDIR) | BIT(NAMETOOLONG) | BIT(INVAL) | BIT(NOENT))
#define SPACE (BIT(NOSPC) | BIT(DQUOT) | BIT(ROFS))
#define MAKE (ALL | NAME | SPACE | BIT(EXIST) | BIT(PERM) | BIT(MLINK))

static const uint64_t allowed[NFS3_PROCS] = {
	[NFS3_GETATTR] = ALL,
	[NFS3_SETATTR] =
		ALL | SPACE | BIT(PERM) | BIT(INVAL) | BIT(NOTSYNC) | BIT(FBIG) | BIT(ISDIR),
	[NFS3_LOOKUP] = ALL | NAME,
	[NFS3_ACCESS] = ALL,
	[NFS3_READLINK] = ALL | BIT(INVAL),
	[NFS3_READ] = ALL | BIT(INVAL) | BIT(ISDIR),
	[NFS3_WRITE] = ALL | SPACE | BIT(INVAL) | BIT(FBIG) | BIT(ISDIR),
	[NFS3_CREATE] = MAKE | BIT(FBIG) | BIT(ISDIR),
	[NFS3_MKDIR] = MAKE,
	[NFS3_SYMLINK] = MAKE,
	[NFS3_MKNOD] = MAKE | BIT(BADTYPE),
	[NFS3_REMOVE] = ALL | NAME | SPACE | BIT(PERM) | BIT(ISDIR),
	[NFS3_RMDIR] = ALL | NAME | SPACE | BIT(PERM) | BIT(EXIST) | BIT(NOTEMPTY),
	[NFS3_RENAME] = MAKE | BIT(ISDIR) | BIT(NOTEMPTY) | BIT(XDEV),
	[NFS3_LINK] = MAKE | BIT(ISDIR) | BIT(XDEV),
	[NFS3_READDIR] = ALL | BIT(NOTDIR) | BIT(BADCOOKIE) | BIT(TOOSMALL),
	[NFS3_READDIRPLUS] = ALL | BIT(NOTDIR) | BIT(BADCOOKIE) | BIT(TOOSMALL),
	[NFS3_FSSTAT] = ALL,
	[NFS3_FSINFO] = ALL,
	[NFS3_PATHCONF] = ALL,
	[NFS3_COMMIT] = ALL | SPACE | BIT(INVAL) | BIT(FBIG) | BIT(ISDIR),
};

/* What a status is on the wire, and which one to try where it is not allowed. */
static const struct {
	uint32_t wire;
	enum dfs_status instead;
} rows[] = {
	[DFS_NOENT] = {2, DFS_STALE},
	[DFS_EXIST] = {17, DFS_INVAL},
	[DFS_NOTDIR] = {20, DFS_INVAL},
	[DFS_ISDIR] = {21, DFS_INVAL},
	[DFS_NOTEMPTY] = {66, DFS_EXIST},
	[DFS_PERM] = {1, DFS_ACCESS},
	[DFS_ACCESS] = {13, DFS_IO},
	[DFS_INVAL] = {22, DFS_IO},
	[DFS_NAMETOOLONG] = {63, DFS_INVAL},
	[DFS_NOSPC] = {28, DFS_IO},
	[DFS_DQUOT] = {69, DFS_NOSPC},
	[DFS_FBIG] = {27, DFS_INVAL},
	[DFS_ROFS] = {30, DFS_ACCESS},
	[DFS_MLINK] = {31, DFS_NOSPC},
	[DFS_XDEV] = {18, DFS_INVAL},
	[DFS_STALE] = {70, DFS_IO},
	[DFS_BADHANDLE] = {10001, DFS_IO},
	[DFS_IO] = {5, DFS_IO},
	[DFS_NOTSUP] = {10004, DFS_IO},
	[DFS_TOOSMALL] = {10005, DFS_IO},
	[DFS_BADCOOKIE] = {10003, DFS_IO},
	[DFS_NOTSYNC] = {10002, DFS_IO},
	[DFS_BADTYPE] = {10007, DFS_INVAL},
	[DFS_DELAY] = {10008, DFS_DELAY},
	/* What passes by itself is worth another try of the client's; a damaged store is not. */
	[DFS_AGAIN] = {0, DFS_DELAY},
	[DFS_TIMEDOUT] = {0, DFS_DELAY},
	[DFS_BUSY] = {0, DFS_DELAY},
	[DFS_NOMEM] = {0, DFS_DELAY},
	[DFS_SHUTDOWN] = {0, DFS_DELAY},
	[DFS_TOOBIG] = {0, DFS_FBIG},
	[DFS_CORRUPT] = {0, DFS_IO},
	[DFS_CONFIG] = {0, DFS_IO},
	[DFS_VERSION] = {0, DFS_IO},
	/* The file lives on, elsewhere: never STALE, which clients take for its end. */
	[DFS_FENCED] = {0, DFS_IO},
};

static const char *const names[NFS3_PROCS] = {
	"NULL",    "GETATTR",     "SETATTR", "LOOKUP", "ACCESS",   "READLINK", "READ",   "WRITE",
	"CREATE",  "MKDIR",       "SYMLINK", "MKNOD",  "REMOVE",   "RMDIR",    "RENAME", "LINK",
	"READDIR", "READDIRPLUS", "FSSTAT",  "FSINFO", "PATHCONF", "COMMIT",
};

/* The client learns a number only; whoever runs the server learns why.  At most once a second. */
static void
tell(enum nfs3_proc_number proc, enum dfs_status status)
{
	static _Atomic int64_t last;
	int64_t now = dfs_clock_mono(), before = atomic_load(&last);

	if ((before && now - before < DFS_SECOND) ||
	    !atomic_compare_exchange_strong(&last, &before, now))
		return;
	dfs_log(DFS_LOG_ERROR, "%s is answered with an input/output error (%s): %s", names[proc],
		dfs_status_name(status), dfs_fail_text());
}

uint32_t
nfs3_status(enum nfs3_proc_number proc, enum dfs_status status)
{
	if (status == DFS_IO || status == DFS_CORRUPT)
		tell(proc, status);
	for (unsigned hops = 0; hops < 4; hops++) {
		if ((unsigned)status >= sizeof rows / sizeof *rows)
			break;
		if (allowed[proc] & UINT64_C(1) << status)
			return rows[status].wire;
		status = rows[status].instead;
	}
	return rows[DFS_IO].wire;
}
