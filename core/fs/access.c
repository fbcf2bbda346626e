/* SPDX-License-Identifier: MIT
 *
 * RFC 1813 3.3.4: the answer comes from the code that the operations ask.
 */
#include "fs/op.h"

enum dfs_status
dfs_fs_access(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint32_t wanted, uint32_t *granted,
	      struct dfs_attr *attr)
{
	enum dfs_status status = dfs_fs_getattr(ctx, ref, attr);
	bool writable = !ctx->read_only && !ctx->share->read_only;
	uint32_t may = 0;

	*granted = 0;
	if (status != DFS_OK) {
		attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (dfs_may(&ctx->id, attr, DFS_MAY_READ))
		may |= DFS_ACCESS_READ;
	if (attr->type == DFS_TYPE_DIR) {
		if (dfs_may(&ctx->id, attr, DFS_MAY_EXEC))
			may |= DFS_ACCESS_LOOKUP;
		if (writable && dfs_may(&ctx->id, attr, DFS_MAY_WRITE))
			may |= DFS_ACCESS_MODIFY | DFS_ACCESS_EXTEND | DFS_ACCESS_DELETE;
	} else {
		if (dfs_may(&ctx->id, attr, DFS_MAY_EXEC))
			may |= DFS_ACCESS_EXECUTE;
		if (writable && dfs_may(&ctx->id, attr, DFS_MAY_WRITE))
			may |= DFS_ACCESS_MODIFY | DFS_ACCESS_EXTEND;
	}
	*granted = may & wanted;
	return DFS_OK;
}
