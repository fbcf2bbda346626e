/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.10. */
enum dfs_status
nfs3_symlink(struct nfs_call *call)
{
	struct nfs3_diropargs where;
	struct dfs_setattr set;
	struct dfs_ref dir;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	const char *text;
	uint32_t len;
	enum dfs_status status, arguments;

	nfs3_get_diropargs(&call->args, &where);
	arguments = nfs3_get_sattr(&call->args, &set);
	text = (const char *)xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	if (len > DFS_SYMLINK_MAX)
		arguments = DFS_NAMETOOLONG;
	attr.type = DFS_TYPE_NONE;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &where.dir, &dir);
	if (status == DFS_OK)
		status = arguments;
	if (status == DFS_OK)
		status = dfs_fs_symlink(&call->ctx, &dir, where.name, text, len, &set, &attr, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_created(call, NFS3_SYMLINK, status, &attr, &wcc);
	return DFS_OK;
}
