/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/rpc/header.h"

#define CALL 0u
#define REPLY 1u
#define MSG_ACCEPTED 0u
#define MSG_DENIED 1u
#define RPC_MISMATCH 0u
#define AUTH_ERROR 1u
#define RPC_VERSION 2u
#define MACHINE_NAME_MAX 255u
#define NOBODY 65534u

enum rpc_parse
rpc_call_parse(struct xdr_in *in, struct rpc_call *call)
{
	uint32_t type;

	call->xid = xdr_u32(in);
	type = xdr_u32(in);
	if (in->bad)
		return RPC_PARSE_SHORT;
	if (type != CALL)
		return RPC_PARSE_NOCALL;
	call->rpcvers = xdr_u32(in);
	if (!in->bad && call->rpcvers != RPC_VERSION)
		return RPC_PARSE_VERSION;
	call->program = xdr_u32(in);
	call->version = xdr_u32(in);
	call->procedure = xdr_u32(in);
	call->cred_flavor = xdr_u32(in);
	call->cred_len = xdr_u32(in);
	if (in->bad)
		return RPC_PARSE_SHORT;
	if (call->cred_len > RPC_AUTH_MAX)
		return RPC_PARSE_CRED;
	call->cred = xdr_fixed(in, call->cred_len);
	call->verf_flavor = xdr_u32(in);
	call->verf_len = xdr_u32(in);
	if (in->bad)
		return RPC_PARSE_SHORT;
	if (call->verf_len > RPC_AUTH_MAX)
		return RPC_PARSE_CRED;
	xdr_fixed(in, call->verf_len);
	return in->bad ? RPC_PARSE_SHORT : RPC_PARSE_OK;
}

static void
identity_copy(struct dfs_identity *to, const struct dfs_identity *from)
{
	to->uid = from->uid;
	to->gid = from->gid;
	to->ngids = from->ngids;
	memcpy(to->gids, from->gids, from->ngids * sizeof from->gids[0]);
}

/* RFC 5531 appendix A. */
static bool
auth_sys_parse(const unsigned char *body, uint32_t len, struct dfs_identity *id)
{
	struct xdr_in in = {body, body + len, false};
	uint32_t n;

	xdr_u32(&in); /* stamp */
	xdr_opaque(&in, MACHINE_NAME_MAX, &n);
	id->uid = xdr_u32(&in);
	id->gid = xdr_u32(&in);
	id->ngids = xdr_u32(&in);
	if (in.bad || id->ngids > DFS_GIDS_MAX)
		return false;
	for (uint32_t i = 0; i < id->ngids; i++)
		id->gids[i] = xdr_u32(&in);
	return !in.bad && in.p == in.end;
}

enum rpc_auth_stat
rpc_authenticate(struct rpc_cred_cache *cache, const struct rpc_call *call, struct dfs_identity *id)
{
	if (call->cred_flavor == RPC_AUTH_SYS) {
		if (!cache->valid || cache->len != call->cred_len ||
		    memcmp(cache->body, call->cred, call->cred_len) != 0) {
			cache->valid = false;
			if (!auth_sys_parse(call->cred, call->cred_len, &cache->id))
				return RPC_AUTH_BADCRED;
			cache->len = call->cred_len;
			memcpy(cache->body, call->cred, call->cred_len);
			cache->valid = true;
		}
		identity_copy(id, &cache->id);
	} else if (call->cred_flavor == RPC_AUTH_NONE || call->procedure == 0) {
		/* NULL is for probing: any flavour will do, but for those that ask for more. */
		if (call->cred_flavor == RPC_AUTH_GSS || call->cred_flavor == RPC_AUTH_TLS)
			return RPC_AUTH_REJECTEDCRED;
		id->uid = id->gid = NOBODY;
		id->ngids = 0;
		if (call->cred_flavor != RPC_AUTH_NONE)
			return RPC_AUTH_OK;
	} else {
		return RPC_AUTH_REJECTEDCRED;
	}
	return call->verf_flavor == RPC_AUTH_NONE && call->verf_len == 0 ? RPC_AUTH_OK
									 : RPC_AUTH_BADVERF;
}

void
rpc_put_accepted(struct xdr_out *out, uint32_t xid, enum rpc_accept_stat stat)
{
	uint32_t head[6] = {
		__builtin_bswap32(xid), __builtin_bswap32(REPLY), MSG_ACCEPTED, RPC_AUTH_NONE, 0,
		__builtin_bswap32(stat)};

	xdr_put_fixed(out, head, sizeof head);
}

void
rpc_put_prog_mismatch(struct xdr_out *out, uint32_t xid, uint32_t low, uint32_t high)
{
	rpc_put_accepted(out, xid, RPC_PROG_MISMATCH);
	xdr_put_u32(out, low);
	xdr_put_u32(out, high);
}

void
rpc_put_rpc_mismatch(struct xdr_out *out, uint32_t xid)
{
	xdr_put_u32(out, xid);
	xdr_put_u32(out, REPLY);
	xdr_put_u32(out, MSG_DENIED);
	xdr_put_u32(out, RPC_MISMATCH);
	xdr_put_u32(out, RPC_VERSION);
	xdr_put_u32(out, RPC_VERSION);
}

void
rpc_put_auth_error(struct xdr_out *out, uint32_t xid, enum rpc_auth_stat stat)
{
	xdr_put_u32(out, xid);
	xdr_put_u32(out, REPLY);
	xdr_put_u32(out, MSG_DENIED);
	xdr_put_u32(out, AUTH_ERROR);
	xdr_put_u32(out, stat);
}
