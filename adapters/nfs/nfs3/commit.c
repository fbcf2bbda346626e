/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.21.  A range that passes the largest file is the whole file: committing more than
 * was asked for is always right. */
enum dfs_status
nfs3_commit(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_wcc wcc;
	uint64_t offset, verifier = 0;
	uint32_t count;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	offset = xdr_u64(&call->args);
	count = xdr_u32(&call->args);
	if (call->args.bad)
		return DFS_INVAL;
	if (offset > INT64_MAX || offset + count > INT64_MAX)
		offset = count = 0;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = dfs_fs_commit(&call->ctx, &ref, offset, count, &verifier, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_COMMIT, status);
	nfs3_put_wcc(&call->out, call->ctx.share, &wcc);
	if (status == DFS_OK)
		xdr_put_u64(&call->out, verifier);
	return DFS_OK;
}
