/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/mount/mount.h"

/* RFC 1813 5.2.3.  Always succeeds. */
enum dfs_status
mount3_umnt(struct nfs_call *call)
{
	char path[MOUNT3_PATH_MAX + 1], host[INET6_ADDRSTRLEN];
	const unsigned char *bytes;
	uint32_t len;

	bytes = xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	if (mount3_path(bytes, len, path) == DFS_OK) {
		mount3_peer(call->access, host);
		nfs_mounts_remove(call->access->service->mounts, host, path);
	}
	return DFS_OK;
}
