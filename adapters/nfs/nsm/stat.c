/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nsm/nsm.h"

/* Whether a host can be monitored: any with a name can, as it is only remembered.  Answers this
 * server's state. */
enum dfs_status
nsm1_stat(struct nfs_call *call)
{
	uint32_t len;

	xdr_opaque(&call->args, NSM_STRING_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	xdr_put_u32(&call->out, len == 0);
	xdr_put_u32(&call->out, nfs_nsm_state(call->access->service->nsm));
	return DFS_OK;
}
