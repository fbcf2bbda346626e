/* SPDX-License-Identifier: MIT
 *
 * What the procedures do, whichever way they are answered.
 */
#include "adapters/nfs/nlm/service.h"

static enum dfs_status
answer(struct nfs_call *call, enum dfs_status status, struct nlm_result *res)
{
	if (status == DFS_AGAIN)
		return status;
	res->stat = nlm_status(call->version, status);
	return DFS_OK;
}

static enum dfs_status
run_test(struct nfs_call *call, const struct nlm_args *args, bool message, struct nlm_result *res)
{
	struct dfs_lock_range range;
	struct nlm_who who;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	(void)message;
	nlm_who_of(&who, call, args, false);
	if (status == DFS_OK)
		status = nlm_range(call->version, args, &range);
	if (status == DFS_OK)
		status = dfs_fs_test_lock(&call->ctx, &ref, &who.who, &range, &res->holder);
	/* Only another's lock is DENIED here: that tells a holder. */
	if (status == DFS_PERM || status == DFS_NOENT)
		status = DFS_ACCESS;
	return answer(call, status, res);
}

/* What an UNLOCK or UNSHARE answers: a refusal for the file's sake helps nobody; what may go better
 * next time, or is no range at all, is told. */
static enum dfs_status
released(enum dfs_status status)
{
	switch (status) {
	case DFS_AGAIN:
	case DFS_NOMEM:
	case DFS_DELAY:
	case DFS_TIMEDOUT:
	case DFS_FBIG:
		return status;
	default:
		return DFS_OK;
	}
}

/* In the order of their ends: what waits may be granted before dfs_fs_lock is back. */
static enum dfs_status
lock_or_wait(struct nfs_call *call, const struct nlm_args *args, const struct dfs_ref *ref,
	     const struct dfs_lock_range *range, uint32_t flags, bool message)
{
	struct nlm *nlm = nlm_of(call);
	uint64_t given_up = nlm_grants_given_up(nlm, ref);
	struct nlm_block *block = NULL;
	struct nlm_who who;
	enum dfs_status status;

	nlm_who_of(&who, call, args, false);
	if (args->block && !args->reclaim && nlm->outside.send) {
		block = nlm_block_new(call, args, ref, range, message);
		if (!block)
			return DFS_NOMEM;
	}
	status = dfs_fs_lock(&call->ctx, ref, &who.who, range, flags, block ? &block->wait : NULL,
			     NULL);
	if (status == DFS_BUSY && block)
		return DFS_EXIST; /* it waits, and the block is not ours any more */
	nlm_block_free(block);
	if (status == DFS_OK &&
	    !nlm_grants_keep(nlm, call->ctx.share->slot, ref, &who.who, range, given_up))
		return DFS_DELAY;
	return status;
}

static enum dfs_status
lock(struct nfs_call *call, const struct nlm_args *args, bool message, bool monitored,
     struct nlm_result *res)
{
	uint32_t flags =
		(args->reclaim ? DFS_LOCK_RECLAIM : 0) | (monitored ? 0 : DFS_LOCK_PASSING);
	struct nlm *nlm = nlm_of(call);
	struct dfs_lock_range range;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	if (status == DFS_OK)
		status = nlm_range(call->version, args, &range);
	if (status == DFS_OK && monitored)
		status = nlm_peer_enter(nlm, call, args);
	if (status != DFS_OK)
		return answer(call, status, res);
	status = lock_or_wait(call, args, &ref, &range, flags, message);
	if (monitored)
		nlm_peer_leave(nlm, call, args);
	return answer(call, status, res);
}

static enum dfs_status
run_lock(struct nfs_call *call, const struct nlm_args *args, bool message, struct nlm_result *res)
{
	return lock(call, args, message, true, res);
}

/* For clients without a status monitor: nobody is remembered, and FREE_ALL says what it has lost. */
static enum dfs_status
run_nm_lock(struct nfs_call *call, const struct nlm_args *args, bool message,
	    struct nlm_result *res)
{
	return lock(call, args, message, false, res);
}

/* A request that waits, or one that was granted while this was on its way. */
static enum dfs_status
run_cancel(struct nfs_call *call, const struct nlm_args *args, bool message, struct nlm_result *res)
{
	struct dfs_lock_range range;
	struct nlm_who who;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	(void)message;
	nlm_who_of(&who, call, args, false);
	if (status == DFS_OK)
		status = nlm_range(call->version, args, &range);
	if (status == DFS_OK) {
		status = dfs_fs_cancel_lock(&call->ctx, &ref, &who.who, &range);
		if (status == DFS_NOENT &&
		    nlm_grants_settle(nlm_of(call), call->ctx.share->slot, &ref, &who.who, &range))
			status = dfs_fs_unlock(&call->ctx, &ref, &who.who, &range);
	}
	return answer(call, status, res);
}

/* Also ends the wait for that same range.  What cannot be there is not held: granted. */
static enum dfs_status
run_unlock(struct nfs_call *call, const struct nlm_args *args, bool message, struct nlm_result *res)
{
	struct dfs_lock_range range;
	struct nlm_who who;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	(void)message;
	nlm_who_of(&who, call, args, false);
	if (status == DFS_OK)
		status = nlm_range(call->version, args, &range);
	if (status == DFS_OK) {
		for (unsigned exclusive = 0; exclusive < 2; exclusive++) {
			range.exclusive = exclusive;
			dfs_fs_cancel_lock(&call->ctx, &ref, &who.who, &range);
		}
		nlm_grants_settle(nlm_of(call), call->ctx.share->slot, &ref, &who.who, &range);
		status = dfs_fs_unlock(&call->ctx, &ref, &who.who, &range);
	}
	return answer(call, released(status), res);
}

static enum dfs_status
run_share(struct nfs_call *call, const struct nlm_args *args, bool message, struct nlm_result *res)
{
	struct nlm *nlm = nlm_of(call);
	struct nlm_who who;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	(void)message;
	nlm_who_of(&who, call, args, true);
	if (status == DFS_OK)
		status = nlm_peer_enter(nlm, call, args);
	if (status != DFS_OK)
		return answer(call, status, res);
	status = dfs_fs_share(&call->ctx, &ref, &who.who, args->access, args->deny,
			      args->reclaim ? DFS_LOCK_RECLAIM : 0);
	nlm_peer_leave(nlm, call, args);
	return answer(call, status, res);
}

static enum dfs_status
run_unshare(struct nfs_call *call, const struct nlm_args *args, bool message,
	    struct nlm_result *res)
{
	struct nlm_who who;
	struct dfs_ref ref;
	enum dfs_status status = nlm_enter(call, args, &ref);

	(void)message;
	nlm_who_of(&who, call, args, true);
	if (status == DFS_OK)
		dfs_fs_unshare(&call->ctx, &ref, &who.who);
	return answer(call, released(status), res);
}

const struct nlm_operation nlm_op_test = {nlm_get_test, run_test, nlm_put_testres, NLM_TEST_RES};
const struct nlm_operation nlm_op_lock = {nlm_get_lock, run_lock, nlm_put_res, NLM_LOCK_RES};
const struct nlm_operation nlm_op_nm_lock = {nlm_get_lock, run_nm_lock, nlm_put_res, NLM_NULL};
const struct nlm_operation nlm_op_cancel = {nlm_get_cancel, run_cancel, nlm_put_res,
					    NLM_CANCEL_RES};
const struct nlm_operation nlm_op_unlock = {nlm_get_unlock, run_unlock, nlm_put_res,
					    NLM_UNLOCK_RES};
const struct nlm_operation nlm_op_share = {nlm_get_share, run_share, nlm_put_shareres, NLM_NULL};
const struct nlm_operation nlm_op_unshare = {nlm_get_share, run_unshare, nlm_put_shareres,
					     NLM_NULL};
