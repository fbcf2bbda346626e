/* SPDX-License-Identifier: MIT
 *
 * Between universal addresses and those of this host (RFC 1833 2.2.1), which are its socket
 * addresses, as a struct netbuf: room, and bytes.
 */
#include "adapters/nfs/portmap/portmap.h"

/* What is no address becomes an empty one. */
enum dfs_status
rpcbind_uaddr2taddr(struct nfs_call *call)
{
	union nfs_address a;
	uint32_t len;
	const unsigned char *text = xdr_opaque(&call->args, PORTMAP_STRING_MAX, &len);
	bool good;

	if (call->args.bad)
		return DFS_INVAL;
	good = nfs_uaddr_parse(text, len, &a);
	len = good ? nfs_address_len(&a) : 0;
	xdr_put_u32(&call->out, len);
	xdr_put_opaque(&call->out, &a, len);
	return DFS_OK;
}

enum dfs_status
rpcbind_taddr2uaddr(struct nfs_call *call)
{
	union nfs_address a = {.sa.sa_family = AF_UNSPEC};
	char text[NFS_UADDR_MAX];
	const unsigned char *bytes;
	uint32_t len;

	xdr_u32(&call->args); /* the room */
	bytes = xdr_opaque(&call->args, PORTMAP_STRING_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	if (len == sizeof a.in || len == sizeof a.in6)
		memcpy(&a, bytes, len);
	if (a.sa.sa_family != AF_UNSPEC && len != nfs_address_len(&a))
		a.sa.sa_family = AF_UNSPEC;
	nfs_uaddr_text(&a, text);
	xdr_put_opaque(&call->out, text, (uint32_t)strlen(text));
	return DFS_OK;
}
