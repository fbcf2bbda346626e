/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.1.  The only procedure whose failure is a bare status. */
enum dfs_status
nfs3_getattr(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	enum dfs_status status;
	unsigned char *p;

	nfs3_get_fh(&call->args, &fh);
	if (call->args.bad)
		return DFS_INVAL;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_getattr(&call->ctx, &ref, &attr);
	if (status == DFS_AGAIN)
		return status;
	if (status != DFS_OK) {
		nfs3_put_status(call, NFS3_GETATTR, status);
		return DFS_OK;
	}
	p = nfs3_room(&call->out, 4 + NFS3_FATTR_SIZE);
	if (p)
		call->out.p = nfs3_store_fattr(nfs3_store32(p, 0), call->ctx.share->fsid, &attr);
	return DFS_OK;
}
