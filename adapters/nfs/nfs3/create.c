/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.8. */
enum dfs_status
nfs3_create(struct nfs_call *call)
{
	struct nfs3_diropargs where;
	struct dfs_setattr set = {0};
	struct dfs_ref dir;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	uint64_t verifier = 0;
	uint32_t how;
	enum dfs_status status, arguments = DFS_OK;

	nfs3_get_diropargs(&call->args, &where);
	how = xdr_u32(&call->args);
	if (how == DFS_CREATE_EXCLUSIVE)
		verifier = xdr_u64(&call->args);
	else if (how <= DFS_CREATE_GUARDED)
		arguments = nfs3_get_sattr(&call->args, &set);
	if (call->args.bad || how > DFS_CREATE_EXCLUSIVE)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &where.dir, &dir);
	if (status == DFS_OK)
		status = arguments;
	if (status == DFS_OK)
		status = dfs_fs_create(&call->ctx, &dir, where.name, how, &set, verifier, &attr,
				       &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_created(call, NFS3_CREATE, status, &attr, &wcc);
	return DFS_OK;
}
