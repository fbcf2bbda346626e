/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

_Static_assert(NFS3_IO_MAX <= DFS_WRITE_MAX, "one WRITE is one dfs_fs_write");

/* RFC 1813 3.3.7.  Large data has been received straight into pages (call->direct), small data
 * lies in the arguments.  Not in the duplicate request cache: it is idempotent, and dear. */
enum dfs_status
nfs3_write(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_wcc wcc;
	uint64_t offset, verifier = 0;
	uint32_t count, stable, len;
	const unsigned char *data = NULL;
	enum dfs_stable committed = DFS_UNSTABLE;
	enum dfs_status status;

	nfs3_get_fh(&call->args, &fh);
	offset = xdr_u64(&call->args);
	count = xdr_u32(&call->args);
	stable = xdr_u32(&call->args);
	if (call->direct)
		len = xdr_u32(&call->args);
	else
		data = xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad || stable > DFS_FILE_SYNC || (call->direct && call->direct->len != len))
		return DFS_INVAL;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK && (count != len || offset > INT64_MAX))
		status = DFS_INVAL;
	if (count > NFS3_IO_MAX && !call->direct)
		count = NFS3_IO_MAX; /* a short write: the client sends the rest again */
	if (status == DFS_OK && offset + count > INT64_MAX)
		status = DFS_FBIG;
	if (status == DFS_OK && call->direct) {
		status = dfs_fs_write_commit(&call->ctx, &ref, call->direct, stable, &committed,
					     &verifier, &wcc);
		if (status != DFS_AGAIN)
			call->direct = NULL;
	} else if (status == DFS_OK) {
		status = dfs_fs_write(&call->ctx, &ref, offset, data, count, stable, &committed,
				      &verifier, &wcc);
	}
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_WRITE, status);
	nfs3_put_wcc(&call->out, call->ctx.share, &wcc);
	if (status == DFS_OK) {
		xdr_put_u32(&call->out, count);
		xdr_put_u32(&call->out, committed);
		xdr_put_u64(&call->out, verifier);
	}
	return DFS_OK;
}
