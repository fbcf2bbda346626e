/* SPDX-License-Identifier: MIT */
#include "fs/op.h"

/* The file that an entry named; it may have been removed since the entry was read. */
static enum dfs_status
child_attr(struct dfs_ctx *ctx, uint64_t fileid, struct dfs_attr *attr)
{
	struct dfs_inode *child;
	enum dfs_status status;

	if (dfs_inode_peek(ctx->share->ns, fileid, attr) && attr->nlink)
		return DFS_OK;
	status = op_get_id(ctx, fileid, &child, attr);
	if (status == DFS_OK)
		dfs_inode_unref(child);
	return status == DFS_STALE ? DFS_NOENT : status;
}

static enum dfs_status
dot_dot(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_attr *attr)
{
	INODE_REF dir = NULL;
	struct dfs_inode_image image;
	enum dfs_status status = op_get(ctx, ref, &dir, attr);

	if (status != DFS_OK)
		return status;
	dfs_inode_image(dir, &image);
	return child_attr(ctx, image.parent, attr);
}

/* The entry is not in the cache. */
static enum dfs_status
from_store(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_name name, uint64_t chain,
	   struct dfs_dirent *d)
{
	INODE_REF dir = NULL;
	struct dfs_attr attr;
	enum dfs_status status = op_get(ctx, ref, &dir, &attr);

	return status == DFS_OK ? dfs_dirent_find(ctx, dir, name, chain, d) : status;
}

enum dfs_status
dfs_fs_lookup(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      struct dfs_attr *attr, struct dfs_attr *dir_attr)
{
	struct dfs_namespace *ns = ctx->share->ns;
	struct dfs_dirent d;
	enum dfs_status status;
	uint64_t chain = op_name_prefetch(ctx, dir, name);

	status = dfs_fs_getattr(ctx, dir, dir_attr);
	if (status != DFS_OK) {
		dir_attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (dir_attr->type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	status = op_check_name(name);
	if (status != DFS_OK)
		return status;
	if (!dfs_may(&ctx->id, dir_attr, DFS_MAY_EXEC))
		return DFS_ACCESS;
	if (name.bytes[0] == '.') {
		if (op_is_dot(name)) {
			*attr = *dir_attr;
			return DFS_OK;
		}
		if (op_is_dotdot(name))
			return dot_dot(ctx, dir, attr);
	}
	for (unsigned tries = 0; tries < 4; tries++) {
		if (!dfs_name_cache_find(ns, dir->fileid, name, chain, &d)) {
			status = from_store(ctx, dir, name, chain, &d);
			if (status != DFS_OK)
				return status;
		}
		if (d.fileid == 0)
			return DFS_NOENT;
		/* An entry without its file: it was removed between the two; look again. */
		status = child_attr(ctx, d.fileid, attr);
		if (status != DFS_NOENT)
			return status;
	}
	return DFS_NOENT;
}
