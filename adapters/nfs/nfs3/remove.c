/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.12. */
enum dfs_status
nfs3_remove(struct nfs_call *call)
{
	struct nfs3_diropargs object;
	struct dfs_ref dir;
	struct dfs_wcc wcc;
	enum dfs_status status;

	nfs3_get_diropargs(&call->args, &object);
	if (call->args.bad)
		return DFS_INVAL;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &object.dir, &dir);
	if (status == DFS_OK)
		status = dfs_fs_remove(&call->ctx, &dir, object.name, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_REMOVE, status);
	nfs3_put_wcc(&call->out, call->ctx.share, &wcc);
	return DFS_OK;
}
