/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.9. */
enum dfs_status
nfs3_mkdir(struct nfs_call *call)
{
	struct nfs3_diropargs where;
	struct dfs_setattr set;
	struct dfs_ref dir;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	enum dfs_status status, arguments;

	nfs3_get_diropargs(&call->args, &where);
	arguments = nfs3_get_sattr(&call->args, &set);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &where.dir, &dir);
	if (status == DFS_OK)
		status = arguments;
	if (status == DFS_OK)
		status = dfs_fs_mkdir(&call->ctx, &dir, where.name, &set, &attr, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_created(call, NFS3_MKDIR, status, &attr, &wcc);
	return DFS_OK;
}
