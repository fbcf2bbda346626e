/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "fs/op.h"

#define PATH_BYTES_MAX 4096

enum dfs_status
dfs_fs_resolve(struct dfs_ctx *ctx, const char *path, struct dfs_attr *attr)
{
	struct dfs_ref at = {ctx->share->root_fileid, ctx->share->root_generation};
	struct dfs_identity id = ctx->id;
	struct dfs_attr dir;
	enum dfs_status status;

	if (strlen(path) > PATH_BYTES_MAX)
		return DFS_NAMETOOLONG;
	ctx->id = (struct dfs_identity){0};
	status = dfs_fs_getattr(ctx, &at, attr);
	while (status == DFS_OK) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0)
			break;
		status =
			dfs_fs_lookup(ctx, &at, (struct dfs_name){path, (uint32_t)len}, attr, &dir);
		at = (struct dfs_ref){attr->fileid, attr->generation};
		path += len;
	}
	ctx->id = id;
	return status;
}
