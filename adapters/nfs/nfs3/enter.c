/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"
#include "runtime/runtime.h"

enum dfs_status
nfs3_enter_second(struct nfs_call *call, const struct nfs3_fh *fh, struct dfs_ref *ref)
{
	struct dfs_share *other;
	uint32_t slot;
	enum dfs_status status = nfs_handle_slot(fh->data, fh->len, &slot);

	if (status != DFS_OK)
		return status;
	if (slot == call->ctx.share->slot)
		return nfs_handle_open(call->ctx.share, fh->data, ref);
	other = dfs_runtime_share_by_slot(call->access->service->runtime, slot);
	if (!other)
		return DFS_STALE;
	status = nfs_handle_open(other, fh->data, ref);
	dfs_share_unref(other);
	return status == DFS_OK ? DFS_XDEV : status;
}
