/* SPDX-License-Identifier: MIT
 *
 * The one file-operation layer: what every adapter calls, for metadata and content alike.
 *
 * Every function checks permissions of ctx->id (uid 0 passes all but the read-only and immutable
 * rules), runs on any thread, and with ctx->nonblock answers DFS_AGAIN before any side effect
 * instead of waiting.  A reference names a file of ctx->share by id and generation; DFS_STALE:
 * it is gone.  Mutators leave tickets in ctx (base/ctx.h) and fill the weak cache consistency
 * of RFC 1813 2.6 from inside their critical section, also when they fail (valid flags say what
 * is known).  Attributes are copies.  What allocates, creates or gives away answers DFS_NOSPC where
 * a quota of the share does not allow it and DFS_DQUOT where one of a user or a group does not,
 * and has done nothing then.
 */
#ifndef DFS_FS_FS_H
#define DFS_FS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <dittofs/metadata_store.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "fs/share.h"
#include "metadata/attr.h"
#include "metadata/lock/lock.h"
#include "payload/transfer.h"

/* Attributes of a changed object just before and just after, or not known. */
struct dfs_wcc {
	bool pre_valid, post_valid;
	uint64_t pre_length;
	int64_t pre_mtime, pre_ctime;
	struct dfs_attr post;
};

enum dfs_set_time { DFS_TIME_KEEP = 0, DFS_TIME_SERVER = 1, DFS_TIME_CLIENT = 2 };

#define DFS_SET_MODE (1u << 0)
#define DFS_SET_UID (1u << 1)
#define DFS_SET_GID (1u << 2)
#define DFS_SET_LENGTH (1u << 3)

struct dfs_setattr {
	uint32_t mask; /* DFS_SET_* */
	uint32_t mode, uid, gid;
	uint64_t length;
	uint8_t set_atime, set_mtime; /* enum dfs_set_time */
	int64_t atime, mtime;         /* ns, for DFS_TIME_CLIENT */
};

/* Access bits of RFC 1813 3.3.4. */
#define DFS_ACCESS_READ 0x01u
#define DFS_ACCESS_LOOKUP 0x02u
#define DFS_ACCESS_MODIFY 0x04u
#define DFS_ACCESS_EXTEND 0x08u
#define DFS_ACCESS_DELETE 0x10u
#define DFS_ACCESS_EXECUTE 0x20u

enum dfs_status dfs_fs_getattr(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			       struct dfs_attr *attr);
/* guard_ctime (NULL: none) must equal the current ctime, else DFS_NOTSYNC and no change. */
enum dfs_status dfs_fs_setattr(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			       const struct dfs_setattr *set, const int64_t *guard_ctime,
			       struct dfs_wcc *wcc);
/* dir_attr->type is DFS_TYPE_NONE when not known; so for every optional attribute output below. */
enum dfs_status dfs_fs_lookup(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			      struct dfs_attr *attr, struct dfs_attr *dir_attr);
/* *granted: the bits of `wanted` that the caller has. */
enum dfs_status dfs_fs_access(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint32_t wanted,
			      uint32_t *granted, struct dfs_attr *attr);
/* buf takes DFS_SYMLINK_MAX bytes. */
enum dfs_status dfs_fs_readlink(struct dfs_ctx *ctx, const struct dfs_ref *ref, char *buf,
				uint32_t *len, struct dfs_attr *attr);

/* len is clipped to DFS_READ_MAX. */
enum dfs_status dfs_fs_read(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset,
			    uint32_t len, struct dfs_read *out, struct dfs_attr *attr);

enum dfs_stable { DFS_UNSTABLE = 0, DFS_DATA_SYNC = 1, DFS_FILE_SYNC = 2 };

/* A WRITE whose bytes are received straight into cache pages: reserve lends fresh pages, aligned as
 * offset is, dfs_fs_write_commit makes them the file's content, dfs_fs_write_cancel gives them
 * back.  A reservation knows no file, holds no lock and may be committed from another thread than
 * it was made on; permission is checked at commit.  DFS_DELAY: no memory now. */
enum dfs_status dfs_fs_write_reserve(uint64_t offset, uint32_t len, struct dfs_write *w);
void dfs_fs_write_cancel(struct dfs_write *w);
/* *committed >= stable.  *verifier: random per process start, drawn again when unstable data is
 * lost at run time.  Consumes w unless DFS_AGAIN. */
enum dfs_status dfs_fs_write_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref,
				    struct dfs_write *w, enum dfs_stable stable,
				    enum dfs_stable *committed, uint64_t *verifier,
				    struct dfs_wcc *wcc);
/* The same from bytes in memory (copied); for small writes. */
enum dfs_status dfs_fs_write(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset,
			     const void *data, uint32_t len, enum dfs_stable stable,
			     enum dfs_stable *committed, uint64_t *verifier, struct dfs_wcc *wcc);
/* Make earlier writes of the file stable, size and times included; len 0: to the end. */
enum dfs_status dfs_fs_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset,
			      uint32_t len, uint64_t *verifier, struct dfs_wcc *wcc);

/* Bytes [dst_offset, +length) of dst become those of src, by sharing their storage (RFC 7862 15.13);
 * length 0: to the source's end.  Stable as a change of attributes is.  Offsets are multiples of 4096;
 * so is the length unless the range ends at the source's end and not inside dst.  DFS_INVAL: not
 * aligned, beyond the source's end, or ranges of one file that overlap; DFS_FBIG.  DFS_DELAY: what is
 * dirty could not be written through in time. */
enum dfs_status dfs_fs_clone(struct dfs_ctx *ctx, const struct dfs_ref *src, uint64_t src_offset,
			     const struct dfs_ref *dst, uint64_t dst_offset, uint64_t length,
			     struct dfs_wcc *dst_wcc);

enum dfs_create_how { DFS_CREATE_UNCHECKED = 0, DFS_CREATE_GUARDED = 1, DFS_CREATE_EXCLUSIVE = 2 };

/* A regular file.  verifier: for EXCLUSIVE; set: ignored then. */
enum dfs_status dfs_fs_create(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			      enum dfs_create_how how, const struct dfs_setattr *set,
			      uint64_t verifier, struct dfs_attr *attr, struct dfs_wcc *dir_wcc);
enum dfs_status dfs_fs_mkdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			     const struct dfs_setattr *set, struct dfs_attr *attr,
			     struct dfs_wcc *dir_wcc);
enum dfs_status dfs_fs_symlink(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			       const char *text, uint32_t len, const struct dfs_setattr *set,
			       struct dfs_attr *attr, struct dfs_wcc *dir_wcc);
/* type: BLK, CHR (uid 0 only), SOCK, FIFO. */
enum dfs_status dfs_fs_mknod(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			     enum dfs_file_type type, uint32_t rdev_major, uint32_t rdev_minor,
			     const struct dfs_setattr *set, struct dfs_attr *attr,
			     struct dfs_wcc *dir_wcc);
/* DFS_MLINK: it has DFS_LINK_MAX names. */
#define DFS_LINK_MAX 65000u
enum dfs_status dfs_fs_link(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			    const struct dfs_ref *dir, struct dfs_name name, struct dfs_attr *attr,
			    struct dfs_wcc *dir_wcc);
/* Anything but a directory: DFS_ISDIR. */
enum dfs_status dfs_fs_remove(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			      struct dfs_wcc *dir_wcc);
enum dfs_status dfs_fs_rmdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
			     struct dfs_wcc *dir_wcc);
enum dfs_status dfs_fs_rename(struct dfs_ctx *ctx, const struct dfs_ref *from_dir,
			      struct dfs_name from, const struct dfs_ref *to_dir,
			      struct dfs_name to, struct dfs_wcc *from_wcc, struct dfs_wcc *to_wcc);

/* One entry of a listing; "." has cookie 1, ".." cookie 2.  attr: NULL unless asked for; for an
 * entry whose inode vanished meanwhile it is NULL too. */
struct dfs_dir_entry {
	struct dfs_name name;
	uint64_t fileid, cookie;
	const struct dfs_attr *attr;
};
/* Return false when the entry does not fit: it will come again with the same cookie. */
typedef bool (*dfs_dir_fn)(void *arg, const struct dfs_dir_entry *entry);
/* Entries after cookie (0: from the start) until fn answers false or the end (*eof). */
enum dfs_status dfs_fs_readdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, uint64_t cookie,
			       bool want_attrs, dfs_dir_fn fn, void *arg, bool *eof,
			       struct dfs_attr *dir_attr);

struct dfs_statfs {
	uint64_t bytes_total, bytes_free, bytes_avail;
	uint64_t files_total, files_free, files_avail;
};
enum dfs_status dfs_fs_statfs(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_statfs *st,
			      struct dfs_attr *attr);

/* Opens keep an unlinked file alive until the last close; for stateful protocols and tests. */
struct dfs_open;
enum dfs_status dfs_fs_open(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint32_t access,
			    struct dfs_open **open);
enum dfs_status dfs_fs_close(struct dfs_ctx *ctx, struct dfs_open *open);

/* Byte-range locks and share modes of regular files (DFS_ISDIR, DFS_INVAL: another type), for those
 * who may read or write the file or own it.  A file that loses its last name while anything of it is
 * locked or waited for stays until that is over.  metadata/lock/lock.h tells the rules.
 *
 * DFS_OK; DFS_BUSY: another's lock is in the way, *conflict (may be NULL) says which, and with wait
 * the request is queued: wait->done will be called, possibly before the return.  With wait also
 * DFS_EXIST: that same request waits already; DFS_DEADLOCK.  DFS_NOMEM: a limit.  DFS_GRACE and, for
 * a reclaim, DFS_PERM.  DFS_ROFS: an exclusive lock where nothing can be written.
 * DFS_NOTSUP: another server writes to the share, and knows nothing of locks here. */
#define DFS_LOCK_RECLAIM (1u << 0) /* held before the server's restart */
#define DFS_LOCK_PASSING (1u << 1) /* the client is not remembered for reclaims */
enum dfs_status dfs_fs_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			    const struct dfs_lock_who *who, const struct dfs_lock_range *range,
			    uint32_t flags, struct dfs_lock_wait *wait,
			    struct dfs_lock_conflict *conflict);
/* DFS_OK: it could be had.  DFS_BUSY: *conflict says why not.  DFS_GRACE. */
enum dfs_status dfs_fs_test_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref,
				 const struct dfs_lock_who *who, const struct dfs_lock_range *range,
				 struct dfs_lock_conflict *conflict);
/* As dfs_locks_held_of. */
bool dfs_fs_held_of(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
		    const struct dfs_lock_range *range, struct dfs_lock_range *held);
/* These three ask for no permission and look at no file: who holds nothing changes nothing.
 * DFS_NOMEM: as of dfs_locks_unlock. */
enum dfs_status dfs_fs_unlock(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			      const struct dfs_lock_who *who, const struct dfs_lock_range *range);
/* DFS_NOENT: nobody waits for exactly this. */
enum dfs_status dfs_fs_cancel_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref,
				   const struct dfs_lock_who *who,
				   const struct dfs_lock_range *range);
void dfs_fs_unshare(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who);
/* access, deny: DFS_SHARE_*.  Who reads must be able to, and likewise for writing.  Else as of
 * dfs_fs_lock. */
enum dfs_status dfs_fs_share(struct dfs_ctx *ctx, const struct dfs_ref *ref,
			     const struct dfs_lock_who *who, uint32_t access, uint32_t deny,
			     uint32_t flags);

/* Walk an absolute path below the share's root ("" or "/": the root), as uid 0; for MOUNT. */
enum dfs_status dfs_fs_resolve(struct dfs_ctx *ctx, const char *path, struct dfs_attr *attr);

#endif
