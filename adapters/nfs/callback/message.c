/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/rpc/header.h"

#define REPLY 1u
#define MSG_ACCEPTED 0u
#define MSG_DENIED 1u
#define AUTH_ERROR 1u
#define PMAP_GETPORT 3u
#define RPCB_GETADDR 3u

static const char machine[] = "dittofs";

void
nfs_message_put_call(struct xdr_out *out, const struct nfs_call_head *head)
{
	xdr_put_u32(out, head->xid);
	xdr_put_u32(out, 0); /* CALL */
	xdr_put_u32(out, 2);
	xdr_put_u32(out, head->program);
	xdr_put_u32(out, head->version);
	xdr_put_u32(out, head->procedure);
	if (head->auth_sys) {
		xdr_put_u32(out, RPC_AUTH_SYS);
		xdr_put_u32(out, 4 + 4 + 8 + 12);
		xdr_put_u32(out, 0); /* stamp */
		xdr_put_opaque(out, machine, sizeof machine - 1);
		xdr_put_u32(out, 0); /* uid */
		xdr_put_u32(out, 0); /* gid */
		xdr_put_u32(out, 0); /* no more groups */
	} else {
		xdr_put_u32(out, RPC_AUTH_NONE);
		xdr_put_u32(out, 0);
	}
	xdr_put_u32(out, RPC_AUTH_NONE);
	xdr_put_u32(out, 0);
}

static enum dfs_status
accepted(struct xdr_in *in)
{
	uint32_t len, stat;

	xdr_u32(in); /* the verifier's flavour */
	xdr_opaque(in, RPC_AUTH_MAX, &len);
	stat = xdr_u32(in);
	if (in->bad)
		return DFS_CORRUPT;
	switch (stat) {
	case RPC_SUCCESS:
		return DFS_OK;
	case RPC_PROG_UNAVAIL:
		return DFS_NOENT;
	case RPC_PROG_MISMATCH:
	case RPC_PROC_UNAVAIL:
		return DFS_NOTSUP;
	case RPC_GARBAGE_ARGS:
		return DFS_INVAL;
	case RPC_SYSTEM_ERR:
		return DFS_IO;
	default:
		return DFS_CORRUPT;
	}
}

enum dfs_status
nfs_message_reply(struct xdr_in *in, uint32_t *xid)
{
	uint32_t type, stat;

	*xid = xdr_u32(in);
	type = xdr_u32(in);
	if (in->bad || type != REPLY)
		return DFS_AGAIN;
	stat = xdr_u32(in);
	if (in->bad)
		return DFS_CORRUPT;
	if (stat == MSG_ACCEPTED)
		return accepted(in);
	if (stat != MSG_DENIED)
		return DFS_CORRUPT;
	stat = xdr_u32(in);
	if (in->bad)
		return DFS_CORRUPT;
	return stat == AUTH_ERROR ? DFS_ACCESS : DFS_NOTSUP;
}

void
nfs_message_put_lookup(struct xdr_out *out, const union nfs_address *peer, uint32_t program,
		       uint32_t version, uint8_t protocol, uint32_t *rpcbind_version,
		       uint32_t *procedure)
{
	union nfs_address at = *peer;
	char text[NFS_UADDR_MAX];

	xdr_put_u32(out, program);
	xdr_put_u32(out, version);
	if (peer->sa.sa_family == AF_INET) {
		*rpcbind_version = 2;
		*procedure = PMAP_GETPORT;
		xdr_put_u32(out, protocol);
		xdr_put_u32(out, 0);
		return;
	}
	*rpcbind_version = 4;
	*procedure = RPCB_GETADDR;
	xdr_put_opaque(out, protocol == IPPROTO_UDP ? "udp6" : "tcp6", 4);
	/* By which address of its own it shall answer: the one that it is asked at. */
	nfs_address_set_port(&at, RPCBIND_PORT);
	nfs_uaddr_text(&at, text);
	xdr_put_opaque(out, text, (uint32_t)strlen(text));
	xdr_put_opaque(out, "", 0); /* r_owner */
}

enum dfs_status
nfs_message_port(struct xdr_in *in, const union nfs_address *peer, uint16_t *port)
{
	union nfs_address found;
	const unsigned char *text;
	uint32_t n;

	if (peer->sa.sa_family == AF_INET) {
		n = xdr_u32(in);
		if (in->bad || n > UINT16_MAX)
			return DFS_CORRUPT;
		*port = (uint16_t)n;
		return n ? DFS_OK : DFS_NOENT;
	}
	text = xdr_opaque(in, NFS_UADDR_MAX, &n);
	if (in->bad)
		return DFS_CORRUPT;
	if (n == 0)
		return DFS_NOENT;
	if (!nfs_uaddr_parse(text, n, &found) || nfs_address_port(&found) == 0)
		return DFS_CORRUPT;
	*port = nfs_address_port(&found);
	return DFS_OK;
}
