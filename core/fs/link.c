/* SPDX-License-Identifier: MIT
 *
 * LINK (RFC 1813 3.3.15).
 */
#include <string.h>

#include "fs/op.h"

/* Both are locked; *dir_attr and *attr become the new ones. */
static enum dfs_status
link_locked(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr, struct dfs_inode *dir,
	    struct dfs_attr *dir_attr, struct dfs_name name)
{
	struct dfs_dirent d;
	enum dfs_status status;

	if (!dfs_may(&op->ctx->id, dir_attr, DFS_MAY_EXEC))
		return DFS_ACCESS;
	status = dfs_dirent_find(op->ctx, dir, name, dfs_dirent_cookie(op->ns, name), &d);
	if (status != DFS_OK)
		return status;
	if (d.fileid)
		return DFS_EXIST;
	if (!dfs_may(&op->ctx->id, dir_attr, DFS_MAY_WRITE))
		return DFS_ACCESS;
	if (attr->nlink == 0) /* open, but without a name: stays so */
		return DFS_STALE;
	if (attr->nlink >= DFS_LINK_MAX)
		return DFS_MLINK;
	status = op_begin(op);
	if (status != DFS_OK)
		return status;
	op_touch(attr, op->now, false);
	attr->nlink++;
	op_stage_attr(op, inode, attr);
	status = op_put(op, inode);
	if (status == DFS_OK)
		status = dfs_dirent_add(op->ns, op->txn, dir->fileid, name, &d, inode->fileid,
					inode->type);
	op_touch(dir_attr, op->now, true);
	op_stage_lazy(op, dir, dir_attr);
	status = op_commit(op, status);
	if (status == DFS_OK)
		op_name_set(dir, name, &d);
	return status;
}

static enum dfs_status
link_once(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_ref *dir_ref,
	  struct dfs_name name, struct dfs_attr *attr, struct dfs_wcc *wcc)
{
	INODE_REF inode = NULL;
	INODE_REF dir = NULL;
	struct dfs_inode *set[2];
	struct dfs_attr dir_attr;
	struct op op;
	enum dfs_status status = op_start(&op, ctx, true);

	if (status == DFS_OK)
		status = op_get(ctx, ref, &inode, attr);
	if (status == DFS_OK)
		status = op_get(ctx, dir_ref, &dir, &dir_attr);
	if (status != DFS_OK)
		return status;
	if (dir_attr.type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	if (attr->type == DFS_TYPE_DIR)
		return DFS_ISDIR;
	status = op_check_name(name);
	if (status != DFS_OK)
		return status;
	if (op_is_dot(name) || op_is_dotdot(name))
		return DFS_EXIST;
	status = dfs_metadata_room(op.store, ctx);
	if (status != DFS_OK)
		return status;
	set[0] = dir;
	set[1] = inode;
	status = dfs_inode_lock_set(ctx, set, 2);
	if (status != DFS_OK)
		return status;
	dfs_inode_attr(inode, attr);
	dfs_inode_attr(dir, &dir_attr);
	op_wcc_pre(wcc, &dir_attr);
	status = op_gone(inode) || dir_attr.nlink == 0
			 ? DFS_STALE
			 : link_locked(&op, inode, attr, dir, &dir_attr, name);
	if (status != DFS_OK) {
		dfs_inode_attr(dir, &dir_attr);
		dfs_inode_attr(inode, attr);
	}
	op_wcc_post(wcc, &dir_attr);
	dfs_inode_unlock_set(set, 2);
	return status;
}

enum dfs_status
dfs_fs_link(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct dfs_ref *dir,
	    struct dfs_name name, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	enum dfs_status status;
	unsigned tries = 0;

	do {
		attr->type = DFS_TYPE_NONE;
		memset(dir_wcc, 0, offsetof(struct dfs_wcc, post));
		status = link_once(ctx, ref, dir, name, attr, dir_wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK)
		op_wcc_known(dir_wcc, ctx, dir);
	return status;
}
