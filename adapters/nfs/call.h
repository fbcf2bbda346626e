/* SPDX-License-Identifier: MIT
 *
 * One RPC call as a procedure sees it, and the table that describes the procedures.
 *
 * A procedure decodes call->args, calls core/fs, encodes its results into call->out and returns:
 *   DFS_OK     the reply's body is encoded (an NFS error status included);
 *   DFS_AGAIN  nothing happened: run it again on a worker (args and out are reset by the caller);
 *   DFS_INVAL  the arguments do not decode: GARBAGE_ARGS.
 * It runs unchanged on loops and on workers.  It sets ctx.share through access.h, which also says
 * what the dispatcher does about that reference after each run.
 */
#ifndef NFS_CALL_H
#define NFS_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/nfs/xdr.h"
#include "base/ctx.h"
#include "fs/fs.h"

#define NFS_PROGRAM 100003
#define MOUNT_PROGRAM 100005

struct nfs_server; /* server.h */
struct nfs_conn;   /* rpc/conn.h: per-connection state, embeds a struct nfs_access */
struct nfs_access; /* access.h */

struct nfs_call {
	struct dfs_ctx ctx; /* id is the credential as sent until nfs_call_share() squashes it */
	struct nfs_server *server;
	struct nfs_conn *conn;
	struct nfs_access *access; /* the connection's peer and its cached decisions */
	uint32_t xid, program, version, procedure;
	uint32_t flavor; /* 0 AUTH_NONE, 1 AUTH_SYS */
	struct xdr_in args;
	struct xdr_out out;
	/* WRITE: the data, received into pages already; else NULL.  args then end with the data's
	 * length word.  The procedure sets NULL when core/fs has consumed it; what is left at the
	 * end of the call the dispatcher cancels. */
	struct dfs_write *direct;
	bool share_held; /* ctx.share is a reference of this call's own, see access.h */
};

#define NFS_PROC_CACHED (1u << 0) /* not idempotent: the duplicate request cache keeps its reply */
#define NFS_PROC_DIRECT (1u << 1) /* takes WRITE3args: large data may come in call->direct */

struct nfs_proc {
	const char *name;
	enum dfs_status (*run)(struct nfs_call *call);
	uint32_t max_reply; /* bytes of body to reserve; READ data does not count */
	uint32_t flags;
	/* The body of a reply that says only `status`, every optional attribute absent: what the
	 * dispatcher sends when a lane is full or memory short (DFS_DELAY), a deadline passed, or
	 * the sync behind a finished reply failed (DFS_IO).  NULL: SYSTEM_ERR instead. */
	void (*fail)(struct xdr_out *out, enum dfs_status status);
};

extern const struct nfs_proc nfs3_procs[22];
extern const struct nfs_proc mount3_procs[6];

#endif
