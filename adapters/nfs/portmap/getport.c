/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"

/* RFC 1833 3.2: the port, 0 when there is none.  Version 2 knows IPv4 alone. */
enum dfs_status
portmap2_getport(struct nfs_call *call)
{
	const struct nfs_map_entry *e;
	uint32_t program = xdr_u32(&call->args), version = xdr_u32(&call->args);
	uint32_t protocol = xdr_u32(&call->args);

	xdr_u32(&call->args); /* port, without a meaning here */
	if (call->args.bad)
		return DFS_INVAL;
	e = protocol > UINT8_MAX ? NULL
				 : nfs_map_find(call->access->service->map, program, version, false,
						(uint8_t)protocol, AF_INET, &call->access->local);
	xdr_put_u32(&call->out, e ? nfs_address_port(&e->address) : 0);
	return DFS_OK;
}
