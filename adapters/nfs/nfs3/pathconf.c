/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.20. */
enum dfs_status
nfs3_pathconf(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_getattr(&call->ctx, &ref, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_PATHCONF, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status != DFS_OK)
		return DFS_OK;
	xdr_put_u32(&call->out, DFS_LINK_MAX);
	xdr_put_u32(&call->out, DFS_NAME_MAX);
	xdr_put_u32(&call->out, 1); /* no_trunc */
	xdr_put_u32(&call->out, 1); /* chown_restricted */
	xdr_put_u32(&call->out, 0); /* case_insensitive */
	xdr_put_u32(&call->out, 1); /* case_preserving */
	return DFS_OK;
}
