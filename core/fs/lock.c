/* SPDX-License-Identifier: MIT
 *
 * Locks of a file: who may ask, and that the file is there and stays.
 *
 * The inode's lock is held while the lock manager is asked for something: a removal, which looks
 * whether the file has a record there, comes before or after.
 */
#include "fs/op.h"

/* Who may read, write or owns the file, as Linux decides for NLM: what a lock is for is known to the
 * client alone. */
static enum dfs_status
check(struct dfs_ctx *ctx, const struct dfs_attr *attr, bool writes)
{
	if (attr->type != DFS_TYPE_REG)
		return attr->type == DFS_TYPE_DIR ? DFS_ISDIR : DFS_INVAL;
	if (!dfs_may_read_content(&ctx->id, attr) && !dfs_may_write_content(&ctx->id, attr))
		return DFS_ACCESS;
	if (writes && (ctx->read_only || ctx->share->read_only))
		return DFS_ROFS;
	return DFS_OK;
}

static enum dfs_status
find(struct dfs_ctx *ctx, const struct dfs_ref *ref, bool writes, struct dfs_inode **inode)
{
	struct dfs_namespace *ns = ctx->share->ns;
	struct dfs_attr attr;
	enum dfs_status status;

	/* The locks that count are those of the server that writes. */
	if (ns->lease.follow || atomic_load_explicit(&ns->fenced, memory_order_relaxed))
		return DFS_NOTSUP;
	status = op_get(ctx, ref, inode, &attr);
	return status == DFS_OK ? check(ctx, &attr, writes) : status;
}

static bool
valid(const struct dfs_lock_who *who, const struct dfs_lock_range *range)
{
	return who->client_len > 0 && who->client_len <= DFS_LOCK_CLIENT_MAX &&
	       who->owner_len > 0 && who->owner_len <= DFS_LOCK_OWNER_MAX &&
	       range->start <= range->end;
}

/* DFS_OK: the inode is locked. */
static enum dfs_status
admit_and_lock(struct dfs_ctx *ctx, struct dfs_lock_owner *owner, struct dfs_inode *inode,
	       uint32_t flags)
{
	struct dfs_attr attr;
	enum dfs_status status =
		dfs_locks_admit(ctx->share->locks, ctx, owner, flags & DFS_LOCK_RECLAIM,
				!(flags & DFS_LOCK_PASSING));

	return status == DFS_OK ? op_lock(ctx, inode, &attr) : status;
}

enum dfs_status
dfs_fs_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
	    const struct dfs_lock_range *range, uint32_t flags, struct dfs_lock_wait *wait,
	    struct dfs_lock_conflict *conflict)
{
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner;
	struct dfs_lock_done done;
	INODE_REF inode = NULL;
	enum dfs_status status;

	if (!valid(who, range))
		return DFS_INVAL;
	status = find(ctx, ref, range->exclusive, &inode);
	if (status == DFS_OK)
		status = dfs_lock_owner_get(locks, who, &owner);
	if (status != DFS_OK)
		return status;
	dfs_lock_done_init(&done);
	status = admit_and_lock(ctx, owner, inode, flags);
	if (status == DFS_OK) {
		status = dfs_locks_lock(locks, owner, ref->fileid, range, wait, conflict, &done);
		dfs_inode_unlock(inode);
	}
	dfs_lock_owner_put(locks, owner);
	dfs_lock_done_run(locks, &done);
	return status;
}

enum dfs_status
dfs_fs_test_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
		 const struct dfs_lock_range *range, struct dfs_lock_conflict *conflict)
{
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner;
	INODE_REF inode = NULL;
	enum dfs_status status;

	if (!valid(who, range))
		return DFS_INVAL;
	status = find(ctx, ref, false, &inode);
	if (status != DFS_OK)
		return status;
	if (dfs_locks_in_grace(locks))
		return DFS_GRACE;
	owner = dfs_lock_owner_find(locks, who);
	status = dfs_locks_test(locks, owner, ref->fileid, range, conflict);
	dfs_lock_owner_put(locks, owner);
	return status;
}

bool
dfs_fs_held_of(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
	       const struct dfs_lock_range *range, struct dfs_lock_range *held)
{
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner;
	bool holds;

	if (!valid(who, range))
		return false;
	owner = dfs_lock_owner_find(locks, who);
	holds = owner && dfs_locks_held_of(locks, owner, ref->fileid, range, held);
	dfs_lock_owner_put(locks, owner);
	return holds;
}

/* What takes something back from an owner; `absent` where nothing is known of it. */
static enum dfs_status
take_back(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
	  const struct dfs_lock_range *range, enum dfs_status absent,
	  enum dfs_status (*how)(struct dfs_locks *locks, struct dfs_lock_owner *owner,
				 uint64_t fileid, const struct dfs_lock_range *range,
				 struct dfs_lock_done *done))
{
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner;
	struct dfs_lock_done done;
	enum dfs_status status;

	if (!valid(who, range))
		return DFS_INVAL;
	owner = dfs_lock_owner_find(locks, who);
	if (!owner)
		return absent;
	dfs_lock_done_init(&done);
	status = how(locks, owner, ref->fileid, range, &done);
	dfs_lock_owner_put(locks, owner);
	dfs_lock_done_run(locks, &done);
	return status;
}

enum dfs_status
dfs_fs_unlock(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
	      const struct dfs_lock_range *range)
{
	return take_back(ctx, ref, who, range, DFS_OK, dfs_locks_unlock);
}

enum dfs_status
dfs_fs_cancel_lock(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
		   const struct dfs_lock_range *range)
{
	return take_back(ctx, ref, who, range, DFS_NOENT, dfs_locks_cancel);
}

enum dfs_status
dfs_fs_share(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who,
	     uint32_t access, uint32_t deny, uint32_t flags)
{
	static const struct dfs_lock_range all = {0, DFS_LOCK_EOF, false};
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner;
	struct dfs_lock_done done;
	struct dfs_attr attr;
	INODE_REF inode = NULL;
	enum dfs_status status;

	if (!valid(who, &all) || (access | deny) & ~(DFS_SHARE_READ | DFS_SHARE_WRITE))
		return DFS_INVAL;
	status = find(ctx, ref, access & DFS_SHARE_WRITE, &inode);
	if (status != DFS_OK)
		return status;
	dfs_inode_attr(inode, &attr);
	if (((access & DFS_SHARE_READ) && !dfs_may_read_content(&ctx->id, &attr)) ||
	    ((access & DFS_SHARE_WRITE) && !dfs_may_write_content(&ctx->id, &attr)))
		return DFS_ACCESS;
	status = dfs_lock_owner_get(locks, who, &owner);
	if (status != DFS_OK)
		return status;
	dfs_lock_done_init(&done);
	status = admit_and_lock(ctx, owner, inode, flags);
	if (status == DFS_OK) {
		status = dfs_locks_share(locks, owner, ref->fileid, access, deny, &done);
		dfs_inode_unlock(inode);
	}
	dfs_lock_owner_put(locks, owner);
	dfs_lock_done_run(locks, &done);
	return status;
}

void
dfs_fs_unshare(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_lock_who *who)
{
	struct dfs_locks *locks = ctx->share->locks;
	struct dfs_lock_owner *owner = dfs_lock_owner_find(locks, who);
	struct dfs_lock_done done;

	if (!owner)
		return;
	dfs_lock_done_init(&done);
	dfs_locks_unshare(locks, owner, ref->fileid, &done);
	dfs_lock_owner_put(locks, owner);
	dfs_lock_done_run(locks, &done);
}
