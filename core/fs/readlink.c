/* SPDX-License-Identifier: MIT */
#include "fs/op.h"

enum dfs_status
dfs_fs_readlink(struct dfs_ctx *ctx, const struct dfs_ref *ref, char *buf, uint32_t *len,
		struct dfs_attr *attr)
{
	struct dfs_namespace *ns = ctx->share->ns;
	enum dfs_status status = dfs_fs_getattr(ctx, ref, attr);
	unsigned tries = 0;

	if (status != DFS_OK) {
		attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (attr->type != DFS_TYPE_LNK)
		return DFS_INVAL;
	do {
		struct dfs_txn *txn;

		status = dfs_metadata_begin(ns->store, ctx, DFS_TXN_READ, &txn);
		if (status != DFS_OK)
			continue;
		*len = DFS_SYMLINK_MAX;
		status = ns->store->ops.get_symlink(ns->store->inst, txn, ns->rec.id, ref->fileid,
						    buf, len);
		dfs_metadata_abort(ns->store, txn);
	} while (dfs_metadata_again(ctx, &status, &tries));
	return status == DFS_NOENT ? DFS_STALE : status;
}
