/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.5.  The text is the client's, kept and returned as it came. */
enum dfs_status
nfs3_readlink(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	char text[DFS_SYMLINK_MAX];
	uint32_t len = 0;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_readlink(&call->ctx, &ref, text, &len, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_READLINK, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status == DFS_OK)
		xdr_put_opaque(&call->out, text, len);
	return DFS_OK;
}
