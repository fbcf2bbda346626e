/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.11.  The union's other arms are void: files, directories and links are BADTYPE. */
enum dfs_status
nfs3_mknod(struct nfs_call *call)
{
	struct nfs3_diropargs where;
	struct dfs_setattr set = {0};
	struct dfs_ref dir;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	uint32_t type, major = 0, minor = 0;
	enum dfs_status status, arguments = DFS_OK;

	nfs3_get_diropargs(&call->args, &where);
	type = xdr_u32(&call->args);
	switch (type) {
	case DFS_TYPE_CHR:
	case DFS_TYPE_BLK:
		arguments = nfs3_get_sattr(&call->args, &set);
		major = xdr_u32(&call->args);
		minor = xdr_u32(&call->args);
		break;
	case DFS_TYPE_SOCK:
	case DFS_TYPE_FIFO:
		arguments = nfs3_get_sattr(&call->args, &set);
		break;
	default:
		arguments = DFS_BADTYPE;
		break;
	}
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &where.dir, &dir);
	if (status == DFS_OK)
		status = arguments;
	if (status == DFS_OK)
		status = dfs_fs_mknod(&call->ctx, &dir, where.name, type, major, minor, &set, &attr,
				      &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_created(call, NFS3_MKNOD, status, &attr, &wcc);
	return DFS_OK;
}
