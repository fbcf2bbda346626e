/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.14.  Two wcc_data, in failure too. */
enum dfs_status
nfs3_rename(struct nfs_call *call)
{
	struct nfs3_diropargs from, to;
	struct dfs_ref from_dir, to_dir;
	struct dfs_wcc from_wcc, to_wcc;
	enum dfs_status status;

	nfs3_get_diropargs(&call->args, &from);
	nfs3_get_diropargs(&call->args, &to);
	if (call->args.bad)
		return DFS_INVAL;
	from_wcc.pre_valid = from_wcc.post_valid = false;
	to_wcc.pre_valid = to_wcc.post_valid = false;
	status = nfs3_enter(call, &from.dir, &from_dir);
	if (status == DFS_OK)
		status = nfs3_enter_second(call, &to.dir, &to_dir);
	if (status == DFS_OK)
		status = dfs_fs_rename(&call->ctx, &from_dir, from.name, &to_dir, to.name,
				       &from_wcc, &to_wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_RENAME, status);
	nfs3_put_wcc(&call->out, call->ctx.share, &from_wcc);
	nfs3_put_wcc(&call->out, call->ctx.share, &to_wcc);
	return DFS_OK;
}
