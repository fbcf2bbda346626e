/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"

enum dfs_status
portmap_null(struct nfs_call *call)
{
	(void)call;
	return DFS_OK;
}

enum dfs_status
portmap_refuse(struct nfs_call *call)
{
	xdr_put_u32(&call->out, 0);
	return DFS_OK;
}
