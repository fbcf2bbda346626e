/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"
#include "base/clock.h"

/* RFC 1833 2.2.1: seconds since 1970. */
enum dfs_status
rpcbind_gettime(struct nfs_call *call)
{
	xdr_put_u32(&call->out, (uint32_t)(dfs_clock_real() / DFS_SECOND));
	return DFS_OK;
}
