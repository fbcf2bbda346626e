/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/mount/mount.h"

/* A reply that is full lists no more: it is soft state, and UMNT does not depend on it. */
static bool
put_row(void *arg, const char *host, const char *path)
{
	struct xdr_out *out = arg;
	size_t host_len = strlen(host), path_len = strlen(path);

	if ((size_t)(out->end - out->p) < 12 + host_len + 3 + path_len + 3 + 4)
		return false;
	xdr_put_u32(out, 1);
	xdr_put_opaque(out, host, (uint32_t)host_len);
	xdr_put_opaque(out, path, (uint32_t)path_len);
	return true;
}

/* RFC 1813 5.2.2. */
enum dfs_status
mount3_dump(struct nfs_call *call)
{
	nfs_mounts_each(call->access->service->mounts, put_row, &call->out);
	xdr_put_u32(&call->out, 0);
	return DFS_OK;
}
