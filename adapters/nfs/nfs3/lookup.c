/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.3. */
enum dfs_status
nfs3_lookup(struct nfs_call *call)
{
	struct nfs3_diropargs what;
	struct dfs_ref dir;
	struct dfs_attr attr, dir_attr;
	enum dfs_status status;
	unsigned char *p;

	nfs3_get_diropargs(&call->args, &what);
	if (call->args.bad)
		return DFS_INVAL;
	dir_attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &what.dir, &dir);
	if (status == DFS_OK)
		status = dfs_fs_lookup(&call->ctx, &dir, what.name, &attr, &dir_attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_LOOKUP, status);
	if (status == DFS_OK) {
		const struct dfs_share *share = call->ctx.share;
		p = nfs3_room(&call->out, 4 + NFS_HANDLE_SIZE + NFS3_POST_OP_SIZE);
		if (!p)
			return DFS_OK;
		p = nfs3_store32(p, NFS_HANDLE_SIZE);
		nfs_handle_make(share, attr.fileid, attr.generation, p);
		p = nfs3_store32(p + NFS_HANDLE_SIZE, 1);
		call->out.p = nfs3_store_fattr(p, share->fsid, &attr);
	}
	nfs3_put_post_op(&call->out, call->ctx.share, &dir_attr);
	return DFS_OK;
}
