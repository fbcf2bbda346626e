/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/mount/mount.h"

/* RFC 1813 5.2.0. */
enum dfs_status
mount3_null(struct nfs_call *call)
{
	return DFS_OK;
}
