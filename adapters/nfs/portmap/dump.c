/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"

#define OWNER "dittofs"

/* The last word of a list takes 4 bytes. */
static bool
has_room(const struct xdr_out *out, size_t bytes)
{
	return (size_t)(out->end - out->p) >= bytes + 4;
}

/* RFC 1833 3.2.  Version 2 knows IPv4 alone. */
enum dfs_status
portmap2_dump(struct nfs_call *call)
{
	const struct nfs_map *map = call->access->service->map;
	struct xdr_out *out = &call->out;

	for (uint32_t i = 0; i < map->n && has_room(out, 20); i++) {
		const struct nfs_map_entry *e = &map->entries[i];
		if (e->address.sa.sa_family != AF_INET)
			continue;
		xdr_put_u32(out, 1);
		xdr_put_u32(out, e->program);
		xdr_put_u32(out, e->version);
		xdr_put_u32(out, e->protocol);
		xdr_put_u32(out, nfs_address_port(&e->address));
	}
	xdr_put_u32(out, 0);
	return DFS_OK;
}

/* RFC 1833 2.2.1. */
enum dfs_status
rpcbind_dump(struct nfs_call *call)
{
	const struct nfs_map *map = call->access->service->map;
	struct xdr_out *out = &call->out;
	size_t size = 4 * 3 + 4 + NFS_NETID_MAX + 4 + NFS_UADDR_MAX + 3 + 4 + sizeof OWNER;

	for (uint32_t i = 0; i < map->n && has_room(out, size); i++) {
		const struct nfs_map_entry *e = &map->entries[i];
		const char *netid = nfs_netid(e->protocol, e->address.sa.sa_family);
		char uaddr[NFS_UADDR_MAX];

		nfs_uaddr_text(&e->address, uaddr);
		xdr_put_u32(out, 1);
		xdr_put_u32(out, e->program);
		xdr_put_u32(out, e->version);
		xdr_put_opaque(out, netid, (uint32_t)strlen(netid));
		xdr_put_opaque(out, uaddr, (uint32_t)strlen(uaddr));
		xdr_put_opaque(out, OWNER, sizeof OWNER - 1);
	}
	xdr_put_u32(out, 0);
	return DFS_OK;
}
