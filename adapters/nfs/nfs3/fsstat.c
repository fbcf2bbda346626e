/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.18. */
enum dfs_status
nfs3_fsstat(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	struct dfs_statfs st;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_statfs(&call->ctx, &ref, &st, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_FSSTAT, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status != DFS_OK)
		return DFS_OK;
	xdr_put_u64(&call->out, st.bytes_total);
	xdr_put_u64(&call->out, st.bytes_free);
	xdr_put_u64(&call->out, st.bytes_avail);
	xdr_put_u64(&call->out, st.files_total);
	xdr_put_u64(&call->out, st.files_free);
	xdr_put_u64(&call->out, st.files_avail);
	xdr_put_u32(&call->out, 0); /* invarsec: may change at any moment */
	return DFS_OK;
}
