/* SPDX-License-Identifier: MIT
 *
 * The procedures: a reply or a message around an operation, and the few that are neither.
 */
#include "adapters/nfs/nlm/service.h"

static enum dfs_status
null(struct nfs_call *call)
{
	(void)call;
	return DFS_OK;
}

/* A reply and a message for each. */
#define OPERATION(name)                                                                            \
	static enum dfs_status name(struct nfs_call *call)                                         \
	{                                                                                          \
		return nlm_run(call, &nlm_op_##name);                                              \
	}
#define MESSAGE(name)                                                                              \
	static enum dfs_status name##_msg(struct nfs_call *call)                                   \
	{                                                                                          \
		return nlm_run_message(call, &nlm_op_##name);                                      \
	}
OPERATION(test)
OPERATION(lock)
OPERATION(cancel)
OPERATION(unlock)
OPERATION(share)
OPERATION(unshare)
OPERATION(nm_lock)
MESSAGE(test)
MESSAGE(lock)
MESSAGE(cancel)
MESSAGE(unlock)

/* This server waits for nobody's lock. */
static enum dfs_status
granted(struct nfs_call *call)
{
	struct nlm_result res = {.stat = NLM_DENIED};
	struct nlm_args args = {0};

	nlm_get_test(&call->args, call->version, &args);
	if (call->args.bad)
		return DFS_INVAL;
	nlm_put_res(&call->out, call->version, &args, &res);
	return DFS_OK;
}

static enum dfs_status
granted_msg(struct nfs_call *call)
{
	struct nlm_args args = {0};

	nlm_get_test(&call->args, call->version, &args);
	return call->args.bad ? DFS_INVAL : DFS_OK;
}

/* Answers to messages that were never sent. */
static enum dfs_status
ignored_res(struct nfs_call *call)
{
	struct nlm_bytes cookie;
	uint32_t stat;

	nlm_get_res(&call->args, &cookie, &stat);
	return call->args.bad ? DFS_INVAL : DFS_OK;
}

static enum dfs_status
granted_res(struct nfs_call *call)
{
	struct nlm_bytes cookie;
	union nfs_address peer;
	uint32_t stat;

	nlm_get_res(&call->args, &cookie, &stat);
	if (call->args.bad)
		return DFS_INVAL;
	nfs_address_set(&peer, &call->access->peer.sa);
	nlm_grants_answer(nlm_of(call), &peer, &cookie, stat);
	return DFS_OK;
}

/* The caller's locks only: by its address, too. */
static enum dfs_status
free_all(struct nfs_call *call)
{
	char name[NLM_STRING_MAX + 1];
	const unsigned char *bytes;
	union nfs_address peer;
	uint32_t len;

	bytes = xdr_opaque(&call->args, NLM_STRING_MAX, &len);
	xdr_u32(&call->args); /* state */
	if (call->args.bad || memchr(bytes, 0, len))
		return DFS_INVAL;
	if (call->ctx.nonblock)
		return DFS_AGAIN;
	memcpy(name, bytes, len);
	name[len] = '\0';
	nfs_address_set(&peer, &call->access->peer.sa);
	nlm_peer_restarted(nlm_of(call), &peer, name);
	return DFS_OK;
}

/* No cookie is at hand here; over a connection the xid tells which call it was. */
static void
fail_res(struct xdr_out *out, enum dfs_status status)
{
	xdr_put_u32(out, 0);
	xdr_put_u32(out, nlm_status(3, status));
}

static void
fail_shareres(struct xdr_out *out, enum dfs_status status)
{
	fail_res(out, status);
	xdr_put_u32(out, 0);
}

const struct nfs_proc nlm_procs[NLM_PROCS] = {
	[NLM_NULL] = {"nlm_null", null, 0, 0, NULL},
	[NLM_TEST] = {"nlm_test", test, NLM_TESTRES_MAX, 0, fail_res},
	[NLM_LOCK] = {"nlm_lock", lock, NLM_RES_MAX, 0, fail_res},
	[NLM_CANCEL] = {"nlm_cancel", cancel, NLM_RES_MAX, 0, fail_res},
	[NLM_UNLOCK] = {"nlm_unlock", unlock, NLM_RES_MAX, 0, fail_res},
	[NLM_GRANTED] = {"nlm_granted", granted, NLM_RES_MAX, 0, fail_res},
	[NLM_TEST_MSG] = {"nlm_test_msg", test_msg, 0, 0, NULL},
	[NLM_LOCK_MSG] = {"nlm_lock_msg", lock_msg, 0, 0, NULL},
	[NLM_CANCEL_MSG] = {"nlm_cancel_msg", cancel_msg, 0, 0, NULL},
	[NLM_UNLOCK_MSG] = {"nlm_unlock_msg", unlock_msg, 0, 0, NULL},
	[NLM_GRANTED_MSG] = {"nlm_granted_msg", granted_msg, 0, 0, NULL},
	[NLM_TEST_RES] = {"nlm_test_res", ignored_res, 0, 0, NULL},
	[NLM_LOCK_RES] = {"nlm_lock_res", ignored_res, 0, 0, NULL},
	[NLM_CANCEL_RES] = {"nlm_cancel_res", ignored_res, 0, 0, NULL},
	[NLM_UNLOCK_RES] = {"nlm_unlock_res", ignored_res, 0, 0, NULL},
	[NLM_GRANTED_RES] = {"nlm_granted_res", granted_res, 0, 0, NULL},
	[NLM_SHARE] = {"nlm_share", share, NLM_RES_MAX, 0, fail_shareres},
	[NLM_UNSHARE] = {"nlm_unshare", unshare, NLM_RES_MAX, 0, fail_shareres},
	[NLM_NM_LOCK] = {"nlm_nm_lock", nm_lock, NLM_RES_MAX, 0, fail_res},
	[NLM_FREE_ALL] = {"nlm_free_all", free_all, 0, 0, NULL},
};
