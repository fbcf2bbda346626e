/* SPDX-License-Identifier: MIT */
#include "fs/op.h"

enum dfs_status
dfs_fs_getattr(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_attr *attr)
{
	struct dfs_inode *inode;
	enum dfs_status status;

	if (dfs_inode_peek(ctx->share->ns, ref->fileid, attr) && attr->nlink)
		return attr->generation == ref->generation ? DFS_OK : DFS_STALE;
	status = op_get(ctx, ref, &inode, attr);
	if (status == DFS_OK)
		dfs_inode_unref(inode);
	return status;
}
