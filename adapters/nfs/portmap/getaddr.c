/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"

/* RFC 1833 2.2.1: the universal address, empty when there is none.  The network is the one that
 * r_netid names; without a name that we know it is the one over which the call came. */
static enum dfs_status
answer(struct nfs_call *call, bool exact)
{
	const struct nfs_access *access = call->access;
	uint8_t protocol = access->datagram ? IPPROTO_UDP : IPPROTO_TCP;
	sa_family_t family = access->local.sa.sa_family;
	const struct nfs_map_entry *e;
	const unsigned char *netid;
	union nfs_address found;
	char text[NFS_UADDR_MAX];
	uint32_t program = xdr_u32(&call->args), version = xdr_u32(&call->args), len, skip;

	netid = xdr_opaque(&call->args, PORTMAP_STRING_MAX, &len);
	xdr_opaque(&call->args, PORTMAP_STRING_MAX, &skip); /* r_addr */
	xdr_opaque(&call->args, PORTMAP_STRING_MAX, &skip); /* r_owner */
	if (call->args.bad)
		return DFS_INVAL;
	nfs_netid_parse(netid, len, &protocol, &family);
	e = nfs_map_find(access->service->map, program, version, exact, protocol, family,
			 &access->local);
	if (!e) {
		xdr_put_u32(&call->out, 0);
		return DFS_OK;
	}
	found = e->address;
	if (nfs_address_wildcard(&found) && access->local.sa.sa_family == family) {
		found = access->local;
		nfs_address_set_port(&found, nfs_address_port(&e->address));
	}
	nfs_uaddr_text(&found, text);
	xdr_put_opaque(&call->out, text, (uint32_t)strlen(text));
	return DFS_OK;
}

enum dfs_status
rpcbind_getaddr(struct nfs_call *call)
{
	return answer(call, false);
}

/* RFC 1833 2.2.1: as GETADDR, of this very version. */
enum dfs_status
rpcbind_getversaddr(struct nfs_call *call)
{
	return answer(call, true);
}
