/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nsm/nsm.h"

enum dfs_status
nsm1_null(struct nfs_call *call)
{
	(void)call;
	return DFS_OK;
}
