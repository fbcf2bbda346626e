/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/nfs3.h"

/* RFC 1813 3.3.0: clients' ping. */
enum dfs_status
nfs3_null(struct nfs_call *call)
{
	return DFS_OK;
}
