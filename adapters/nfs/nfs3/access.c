/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

#define ACCESS_ALL                                                                                 \
	(DFS_ACCESS_READ | DFS_ACCESS_LOOKUP | DFS_ACCESS_MODIFY | DFS_ACCESS_EXTEND |             \
	 DFS_ACCESS_DELETE | DFS_ACCESS_EXECUTE)

/* RFC 1813 3.3.4.  The answer comes from the code that checks the operations themselves. */
enum dfs_status
nfs3_access(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	uint32_t wanted, granted = 0;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	wanted = xdr_u32(&call->args) & ACCESS_ALL;
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_access(&call->ctx, &ref, wanted, &granted, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_ACCESS, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status == DFS_OK)
		xdr_put_u32(&call->out, granted);
	return DFS_OK;
}
