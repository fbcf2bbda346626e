/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.2.  The guard compares the whole ctime; core/fs does it in the critical section of
 * the change. */
enum dfs_status
nfs3_setattr(struct nfs_call *call)
{
	struct nfs3_fh fh;
	struct dfs_ref ref;
	struct dfs_setattr set;
	struct dfs_wcc wcc;
	bool guarded, valid = true;
	int64_t guard = 0;
	enum dfs_status status, arguments;

	nfs3_get_fh(&call->args, &fh);
	arguments = nfs3_get_sattr(&call->args, &set);
	guarded = nfs3_get_bool(&call->args);
	if (guarded)
		guard = nfs3_get_time(&call->args, &valid);
	if (call->args.bad)
		return DFS_INVAL;
	if (!valid)
		arguments = DFS_INVAL;
	wcc.pre_valid = wcc.post_valid = false;
	status = nfs3_enter(call, &fh, &ref);
	if (status == DFS_OK)
		status = arguments;
	if (status == DFS_OK)
		status = dfs_fs_setattr(&call->ctx, &ref, &set, guarded ? &guard : NULL, &wcc);
	if (status == DFS_AGAIN)
		return status;
	nfs3_put_status(call, NFS3_SETATTR, status);
	nfs3_put_wcc(&call->out, call->ctx.share, &wcc);
	return DFS_OK;
}
