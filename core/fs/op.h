/* SPDX-License-Identifier: MIT
 *
 * What the operations have in common: finding the file, changing it inside a transaction with a
 * way back, weak cache consistency, retries.
 *
 * A mutating operation is written as a function that runs once, and a loop with dfs_metadata_again
 * around it.  Inside: lock, check everything, op_begin, op_stage (memory takes the new state),
 * op_put (records from memory), op_commit.  Memory changes before the commit so that a concurrent
 * writer of the same record, whose transaction comes later, writes our state and not the one
 * before; a failed commit puts the old state back.
 */
#ifndef DFS_FS_OP_H
#define DFS_FS_OP_H

#include "base/clock.h"
#include "fs/fs.h"
#include "metadata/dirent.h"
#include "metadata/ns.h"
#include "metadata/permission.h"
#include "metadata/quota.h"
#include "metadata/writeback.h"

#define OP_STAGES 4

struct op {
	struct dfs_ctx *ctx;
	struct dfs_namespace *ns;
	struct dfs_metadata_store *store;
	struct dfs_txn *txn; /* NULL: none open */
	int64_t now;
	struct dfs_quota_charge reserved; /* kinds 0: nothing */
	struct dfs_quota_charge kept; /* of the owner before, as long as the transaction may fail */
	unsigned n_staged;
	struct {
		struct dfs_inode *inode;
		struct dfs_inode_image before;
	} staged[OP_STAGES];
};

static inline void
op_inode_cleanup(struct dfs_inode **inode)
{
	dfs_inode_unref(*inode);
}

/* A local reference that ends with its scope. */
#define INODE_REF __attribute__((cleanup(op_inode_cleanup))) struct dfs_inode *

/* Before anything else, with no lock held.  write: read-only rules, and the dirty list's bound. */
enum dfs_status op_start(struct op *op, struct dfs_ctx *ctx, bool write);
/* The same for a change of the entry `name` in a directory, with a reference to it, its attributes
 * and the name's chain.  DFS_NOTDIR, and what op_get and op_check_name answer. */
enum dfs_status op_start_entry(struct op *op, struct dfs_ctx *ctx, const struct dfs_ref *ref,
			       struct dfs_name name, struct dfs_inode **dir,
			       struct dfs_attr *dir_attr, uint64_t *chain);
/* A reference, and its attributes now.  DFS_STALE: not there, or of another generation. */
enum dfs_status op_get(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_inode **inode,
		       struct dfs_attr *attr);
/* The same by id, where the id comes from a directory entry. */
enum dfs_status op_get_id(struct dfs_ctx *ctx, uint64_t fileid, struct dfs_inode **inode,
			  struct dfs_attr *attr);
/* Lock and read again: DFS_STALE when the inode was removed meanwhile. */
enum dfs_status op_lock(struct dfs_ctx *ctx, struct dfs_inode *inode, struct dfs_attr *attr);
/* True: removed for good (bucket state, no lock needed but the inode's). */
bool op_gone(struct dfs_inode *inode);

enum dfs_status op_begin(struct op *op);
/* Memory takes `image`; undone when the commit fails. */
void op_stage(struct op *op, struct dfs_inode *inode, const struct dfs_inode_image *image);
/* Reserve of the quotas what a new inode, or new bytes, of this owner take; given back when the
 * transaction fails.  DFS_NOSPC, DFS_DQUOT. */
enum dfs_status op_reserve(struct op *op, uint32_t uid, uint32_t gid, uint64_t bytes,
			   unsigned files);
/* The same for giving the file to other owners; before the stage that does it.  Until the transaction
 * has ended both owners are charged, so that there is a way back. */
enum dfs_status op_reserve_move(struct op *op, const struct dfs_attr *now, uint32_t uid,
				uint32_t gid);
/* The same with other attributes; those that no lock guards, atime and used, stay as they are and
 * are read into *attr. */
void op_stage_attr(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr);
/* The same for what is written by the next write-back.  It is queued before the commit draws its
 * position, so the sync that covers the commit covers it too. */
void op_stage_lazy(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr);
enum dfs_status op_put(struct op *op, struct dfs_inode *inode);
/* Ends the transaction.  status: what came before; not DFS_OK: aborts and answers it. */
enum dfs_status op_commit(struct op *op, enum dfs_status status);

/* ctime and change move strictly; mtime too when content is true. */
void op_touch(struct dfs_attr *attr, int64_t now, bool content);

/* DFS_OK, DFS_INVAL, DFS_NAMETOOLONG. */
enum dfs_status op_check_name(struct dfs_name name);
static inline bool
op_is_dot(struct dfs_name name)
{
	return name.len == 1 && name.bytes[0] == '.';
}
static inline bool
op_is_dotdot(struct dfs_name name)
{
	return name.len == 2 && name.bytes[0] == '.' && name.bytes[1] == '.';
}

void op_wcc_pre(struct dfs_wcc *wcc, const struct dfs_attr *attr);
void op_wcc_post(struct dfs_wcc *wcc, const struct dfs_attr *attr);
/* Nothing happened: what the cache knows, for a failure before the lock. */
void op_wcc_known(struct dfs_wcc *wcc, struct dfs_ctx *ctx, const struct dfs_ref *ref);

/* Neither of the share's stores ever blocks. */
bool op_memory_speed(const struct dfs_ctx *ctx);

/* The inode's content object, made if need be; NULL: no memory. */
struct dfs_file *op_file(struct dfs_ctx *ctx, struct dfs_inode *inode);
/* After a committed unlink, all locks released: forget memory, reclaim or queue. */
void op_reclaim(struct dfs_ctx *ctx, struct dfs_inode *inode);
/* True: the file may have rows or objects. */
bool op_has_content(struct dfs_inode *inode, const struct dfs_attr *attr);

/* The chain of name; what is known of it comes nearer meanwhile. */
uint64_t op_name_prefetch(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name);
/* The entry of `name` changed: count, then tell the cache. */
void op_name_set(struct dfs_inode *dir, struct dfs_name name, const struct dfs_dirent *d);

#endif
