/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/mount/mount.h"

/* RFC 1813 5.2.4. */
enum dfs_status
mount3_umntall(struct nfs_call *call)
{
	char host[INET6_ADDRSTRLEN];

	mount3_peer(call->access, host);
	nfs_mounts_remove_all(call->access->service->mounts, host);
	return DFS_OK;
}
