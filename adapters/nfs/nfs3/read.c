/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

_Static_assert(DFS_READ_SPANS <= XDR_REFS, "a reply takes every span of a READ");
_Static_assert(NFS3_IO_MAX <= DFS_READ_MAX, "one READ is one dfs_fs_read");

/* RFC 1813 3.3.6.  The data is not copied: the reply refers to the cache's pages. */
enum dfs_status
nfs3_read(struct nfs_call *call)
{
	static const unsigned char zeros[4];
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_attr attr;
	struct dfs_read data;
	uint64_t offset;
	uint32_t count;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	offset = xdr_u64(&call->args);
	count = xdr_u32(&call->args);
	if (call->args.bad)
		return DFS_INVAL;
	attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK && (offset > INT64_MAX || offset + count > INT64_MAX))
		status = DFS_INVAL;
	if (status == DFS_OK)
		status = dfs_fs_read(&call->ctx, &ref, offset,
				     count < NFS3_IO_MAX ? count : NFS3_IO_MAX, &data, &attr);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_READ, status);
	nfs3_put_post_op(&call->out, call->ctx.share, &attr);
	if (status != DFS_OK)
		return DFS_OK;
	xdr_put_u32(&call->out, data.len);
	xdr_put_u32(&call->out, data.eof);
	xdr_put_u32(&call->out, data.len);
	for (uint32_t i = 0; i < data.n; i++)
		xdr_put_ref(&call->out, data.spans[i].buf, data.spans[i].data, data.spans[i].len);
	if (data.len & 3) {
		uint32_t pad = 4 - (data.len & 3);
		unsigned char *p = nfs3_room(&call->out, pad);
		if (p) {
			memcpy(p, zeros, pad);
			call->out.p = p + pad;
		}
	}
	return DFS_OK;
}
