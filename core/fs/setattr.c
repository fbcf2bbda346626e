/* SPDX-License-Identifier: MIT
 *
 * SETATTR (RFC 1813 3.3.2): all of it or nothing.
 *
 * Rules: only uid 0 gives files away (chown_restricted); an owner may choose a group that he
 * is in; a change of owner or length by somebody else than uid 0 clears set-user-ID and
 * set-group-ID; a client's own times need ownership, the server's time only write permission.
 */
#include <string.h>

#include "base/failpoint.h"
#include "fs/setattr.h"
#include "metadata/charge.h"
#include "payload/payload.h"

static enum dfs_status
check(const struct dfs_identity *id, const struct dfs_attr *a, const struct dfs_setattr *set)
{
	bool owner = id->uid == 0 || id->uid == a->uid;

	if ((set->mask & DFS_SET_MODE) && !owner)
		return DFS_PERM;
	if ((set->mask & DFS_SET_UID) && id->uid != 0 && (!owner || set->uid != a->uid))
		return DFS_PERM;
	if ((set->mask & DFS_SET_GID) && id->uid != 0 &&
	    (!owner || (set->gid != a->gid && !dfs_in_group(id, set->gid))))
		return DFS_PERM;
	if (set->set_atime == DFS_TIME_CLIENT || set->set_mtime == DFS_TIME_CLIENT) {
		if (!owner)
			return DFS_PERM;
	} else if ((set->set_atime || set->set_mtime) && !owner && !dfs_may(id, a, DFS_MAY_WRITE)) {
		return DFS_ACCESS;
	}
	if (set->mask & DFS_SET_LENGTH) {
		if (a->type == DFS_TYPE_DIR)
			return DFS_ISDIR;
		if (a->type != DFS_TYPE_REG)
			return DFS_INVAL;
		if (set->length > DFS_FILE_LENGTH_MAX)
			return DFS_FBIG;
		if (!dfs_may_write_content(id, a))
			return DFS_ACCESS;
	}
	return DFS_OK;
}

static void
apply(const struct dfs_identity *id, struct dfs_attr *a, const struct dfs_setattr *set, int64_t now)
{
	bool chown = set->mask & (DFS_SET_UID | DFS_SET_GID), cut = set->mask & DFS_SET_LENGTH;

	if (set->mask & DFS_SET_UID)
		a->uid = set->uid;
	if (set->mask & DFS_SET_GID)
		a->gid = set->gid;
	if (set->mask & DFS_SET_MODE) {
		a->mode = set->mode & 07777;
		if (id->uid != 0 && a->type != DFS_TYPE_DIR && !dfs_in_group(id, a->gid))
			a->mode &= ~DFS_MODE_SGID;
	} else if ((chown || cut) && id->uid != 0 && a->type == DFS_TYPE_REG) {
		a->mode = dfs_mode_without_suid(a->mode);
	}
	op_touch(a, now, cut);
	if (set->mask & DFS_SET_LENGTH)
		a->length = set->length;
	if (set->set_atime)
		a->atime = set->set_atime == DFS_TIME_CLIENT ? set->atime : a->ctime;
	if (set->set_mtime)
		a->mtime = set->set_mtime == DFS_TIME_CLIENT ? set->mtime : a->ctime;
}

/* The inode is locked; *attr: before, then after. */
static enum dfs_status
setattr_locked(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr,
	       const struct dfs_setattr *set)
{
	uint64_t old_length = attr->length;
	bool cut = set->mask & DFS_SET_LENGTH;
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);
	struct dfs_inode_image image;
	struct dfs_log_cut logged;
	int64_t rows = 0;
	enum dfs_status status;

	if (cut && set->length != old_length && !file) {
		file = op_file(op->ctx, inode);
		if (!file)
			return DFS_DELAY;
	}
	if (cut && set->length < old_length) {
		dfs_inode_image(inode, &image);
		logged = image.cut;
		status = dfs_file_truncate_log(op->ctx, file, set->length, &logged);
		if (status != DFS_OK)
			return status;
		DFS_FAILPOINT("truncate-logged");
	}
	status = op_begin(op);
	if (status != DFS_OK)
		return status;
	if (set->mask & (DFS_SET_UID | DFS_SET_GID)) {
		status = op_reserve_move(op, attr, set->mask & DFS_SET_UID ? set->uid : attr->uid,
					 set->mask & DFS_SET_GID ? set->gid : attr->gid);
		if (status != DFS_OK)
			return op_commit(op, status);
	}
	/* The new length and its rows are written together, or not at all: nobody else puts the staged inode. */
	status = dfs_charge_known(inode, op->txn);
	if (status == DFS_OK && !dfs_charge_hold(inode, op->txn))
		status = DFS_AGAIN;
	if (status != DFS_OK)
		return op_commit(op, status);
	if (cut && file)
		status = dfs_file_truncate_rows(op->ctx, file, op->txn, old_length, set->length,
						&rows);
	apply(&op->ctx->id, attr, set, op->now);
	dfs_inode_image(inode, &image);
	if (!set->set_atime)
		attr->atime = image.attr.atime;
	attr->used = image.attr.used;
	image.attr = *attr;
	if (cut)
		image.stable_length = set->length;
	if (cut && set->length < old_length) {
		dfs_file_truncate_cut(file, &logged);
		image.cut = logged;
	}
	if (cut)
		atomic_fetch_add(&inode->cuts, 1);
	if (status == DFS_OK) {
		op_stage(op, inode, &image);
		status = cut ? dfs_inode_put_rows(inode, op->txn, rows) : op_put(op, inode);
	}
	status = op_commit(op, status);
	if (cut)
		DFS_FAILPOINT("truncate-committed");
	if (cut && file)
		dfs_file_truncate_pages(file, old_length,
					status == DFS_OK ? set->length : old_length);
	if (cut)
		atomic_fetch_add(&inode->cuts, 1);
	if (status != DFS_OK)
		return status;
	if (cut && file) {
		dfs_inode_publish(inode, attr,
				  DFS_PUBLISH_USED |
					  (set->length < old_length ? DFS_PUBLISH_LAZY : 0));
	}
	return DFS_OK;
}

enum dfs_status
op_setattr(struct dfs_ctx *ctx, struct dfs_inode *inode, const struct dfs_setattr *set,
	   const int64_t *guard_ctime, struct dfs_wcc *wcc)
{
	struct dfs_attr attr;
	struct op op;
	enum dfs_status status = op_start(&op, ctx, true);

	if (status == DFS_OK)
		status = op_lock(ctx, inode, &attr);
	if (status != DFS_OK)
		return status;
	op_wcc_pre(wcc, &attr);
	if (guard_ctime && *guard_ctime != attr.ctime)
		status = DFS_NOTSYNC;
	else
		status = check(&ctx->id, &attr, set);
	if (status == DFS_OK && (set->mask || set->set_atime || set->set_mtime))
		status = setattr_locked(&op, inode, &attr, set);
	if (status != DFS_OK)
		dfs_inode_attr(inode, &attr);
	op_wcc_post(wcc, &attr);
	dfs_inode_unlock(inode);
	return status;
}

enum dfs_status
dfs_fs_setattr(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_setattr *set,
	       const int64_t *guard_ctime, struct dfs_wcc *wcc)
{
	enum dfs_status status;
	unsigned tries = 0;

	do {
		INODE_REF inode = NULL;
		struct dfs_attr attr;

		memset(wcc, 0, offsetof(struct dfs_wcc, post));
		status = op_get(ctx, ref, &inode, &attr);
		if (status == DFS_OK)
			status = op_setattr(ctx, inode, set, guard_ctime, wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK)
		op_wcc_known(wcc, ctx, ref);
	return status;
}
