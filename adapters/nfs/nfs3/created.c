/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

void
nfs3_put_created(struct nfs_call *call, enum nfs3_proc_number proc, enum dfs_status status,
		 const struct dfs_attr *attr, const struct dfs_wcc *dir_wcc)
{
	nfs3_put_status(call, proc, status);
	if (status == DFS_OK) {
		nfs3_put_post_fh(&call->out, call->ctx.share, attr);
		nfs3_put_post_op(&call->out, call->ctx.share, attr);
	}
	nfs3_put_wcc(&call->out, call->ctx.share, dir_wcc);
}
