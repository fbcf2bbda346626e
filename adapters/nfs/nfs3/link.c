/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.15. */
enum dfs_status
nfs3_link(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct nfs3_diropargs where;
	struct dfs_ref ref, dir;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	nfs3_get_diropargs(&call->args, &where);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = nfs3_enter_second(call, &where.dir, &dir);
	if (status == DFS_OK)
		status = dfs_fs_link(&call->ctx, &ref, &dir, where.name, &attr, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_LINK, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	nfs3_put_wcc(&call->out, call->ctx.share, &wcc);
	return DFS_OK;
}
