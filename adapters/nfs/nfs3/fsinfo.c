/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

#define IO_MULTIPLE 4096u
#define DIR_PREFERRED 65536u
#define PROPERTIES 0x1bu /* LINK, SYMLINK, HOMOGENEOUS, CANSETTIME */

/* RFC 1813 3.3.19. */
enum dfs_status
nfs3_fsinfo(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_getattr(&call->ctx, &ref, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_FSINFO, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status != DFS_OK)
		return DFS_OK;
	xdr_put_u32(&call->out, NFS3_IO_MAX); /* rtmax, rtpref, rtmult */
	xdr_put_u32(&call->out, NFS3_IO_MAX);
	xdr_put_u32(&call->out, IO_MULTIPLE);
	xdr_put_u32(&call->out, NFS3_IO_MAX); /* wtmax, wtpref, wtmult */
	xdr_put_u32(&call->out, NFS3_IO_MAX);
	xdr_put_u32(&call->out, IO_MULTIPLE);
	xdr_put_u32(&call->out, DIR_PREFERRED);
	xdr_put_u64(&call->out, INT64_MAX); /* maxfilesize */
	xdr_put_u32(&call->out, 0);         /* time_delta: one nanosecond */
	xdr_put_u32(&call->out, 1);
	xdr_put_u32(&call->out, PROPERTIES);
	return DFS_OK;
}
