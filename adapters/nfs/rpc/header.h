/* SPDX-License-Identifier: MIT
 *
 * The head of an ONC RPC message (RFC 5531): calls in, replies out.
 *
 * Pure functions over spans; the credential is parsed only when its bytes differ from those of the
 * connection's last one.
 */
#ifndef NFS_RPC_HEADER_H
#define NFS_RPC_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/nfs/xdr.h"
#include "base/ctx.h"

#define RPC_MARK_SIZE 4u
#define RPC_MARK_LAST 0x80000000u
#define RPC_AUTH_MAX 400u  /* bytes of a credential or verifier body, RFC 5531 8.2 */
#define RPC_REPLY_SIZE 24u /* an accepted reply up to and with accept_stat, null verifier */
#define RPC_REPLY_MAX 40u  /* the largest head of any reply, with its trailing words */

enum rpc_flavor { RPC_AUTH_NONE = 0, RPC_AUTH_SYS = 1, RPC_AUTH_GSS = 6, RPC_AUTH_TLS = 7 };

enum rpc_accept_stat {
	RPC_SUCCESS = 0,
	RPC_PROG_UNAVAIL = 1,
	RPC_PROG_MISMATCH = 2,
	RPC_PROC_UNAVAIL = 3,
	RPC_GARBAGE_ARGS = 4,
	RPC_SYSTEM_ERR = 5,
};

enum rpc_auth_stat {
	RPC_AUTH_OK = 0,
	RPC_AUTH_BADCRED = 1,      /* the credential does not decode */
	RPC_AUTH_REJECTEDCRED = 2, /* of a flavour that is not offered */
	RPC_AUTH_BADVERF = 3,      /* a verifier where none belongs */
};

/* Spans point into the record. */
struct rpc_call {
	uint32_t xid, rpcvers, program, version, procedure;
	uint32_t cred_flavor, cred_len, verf_flavor, verf_len;
	const unsigned char *cred;
};

/* The credential that a connection sent last. */
struct rpc_cred_cache {
	uint32_t len;
	bool valid; /* id is what AUTH_SYS body says */
	unsigned char body[RPC_AUTH_MAX];
	struct dfs_identity id;
};

enum rpc_parse {
	RPC_PARSE_OK,
	RPC_PARSE_SHORT,   /* it ends inside the head */
	RPC_PARSE_NOCALL,  /* a REPLY, or no message type at all */
	RPC_PARSE_VERSION, /* not RPC version 2; xid is set */
	RPC_PARSE_CRED,    /* credential or verifier over RPC_AUTH_MAX; xid is set */
};

/* Read a head; in then stands at the arguments. */
enum rpc_parse rpc_call_parse(struct xdr_in *in, struct rpc_call *call);

/* Who calls.  AUTH_NONE gives uid and gid 65534 (the share's rules make it anonymous). */
enum rpc_auth_stat rpc_authenticate(struct rpc_cred_cache *cache, const struct rpc_call *call,
				    struct dfs_identity *id);

/* Encoders append after the record mark's place; the mark is written last, by rpc_put_mark. */
void rpc_put_accepted(struct xdr_out *out, uint32_t xid, enum rpc_accept_stat stat);
void rpc_put_prog_mismatch(struct xdr_out *out, uint32_t xid, uint32_t low, uint32_t high);
void rpc_put_rpc_mismatch(struct xdr_out *out, uint32_t xid);
void rpc_put_auth_error(struct xdr_out *out, uint32_t xid, enum rpc_auth_stat stat);

/* The head of every successful reply: RPC_REPLY_SIZE bytes at `at`, unchecked. */
static inline void
rpc_store_success(unsigned char *at, uint32_t xid)
{
	uint32_t head[6] = {__builtin_bswap32(xid), __builtin_bswap32(1), 0, 0, 0, 0};

	memcpy(at, head, sizeof head);
}

/* len: bytes of the record without the mark. */
static inline void
rpc_put_mark(unsigned char *at, uint32_t len)
{
	uint32_t v = __builtin_bswap32(RPC_MARK_LAST | len);
	memcpy(at, &v, 4);
}

static inline uint32_t
rpc_get_word(const unsigned char *at)
{
	uint32_t v;
	memcpy(&v, at, 4);
	return __builtin_bswap32(v);
}

#endif
