/* SPDX-License-Identifier: MIT
 *
 * What the procedures do, whichever way they are answered.
 */
#include "adapters/nfs/nlm/service.h"

static enum dfs_status
run_test(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	return dfs_fs_test_lock(&call->ctx, &r->ref, &r->who, &r->range, &res->holder);
}

/* Only another's lock is DENIED here: that tells a holder. */
static enum dfs_status
tested(enum dfs_status status)
{
	return status == DFS_PERM || status == DFS_NOENT ? DFS_ACCESS : status;
}

/* What an UNLOCK or UNSHARE answers.  XNFS chapter 10 (NLM_UNLOCK) allows GRANTED where nothing was
 * locked.  So a refusal for the file's sake helps nobody, and what cannot be there is not held; what
 * may go better next time, or is no range at all, is told. */
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

/* A request that may wait has its block before it is asked: it may be granted before dfs_fs_lock is back. */
static enum dfs_status
lock(struct nfs_call *call, struct nlm_request *r, uint32_t flags)
{
	struct nlm *nlm = nlm_of(call);
	struct nlm_block *block = NULL;
	struct dfs_lock_range held;
	enum dfs_status status;

	if (r->args->reclaim)
		flags |= DFS_LOCK_RECLAIM;
	if (r->args->block && !r->args->reclaim && nlm->outside.send) {
		block = nlm_block_new(call, r);
		if (!block)
			return DFS_NOMEM;
	}
	if (!nlm_lock_begin(nlm, r, block)) {
		nlm_block_free(block);
		return DFS_DELAY;
	}
	/* The grant will not tell it from what is new. */
	if (block && dfs_fs_held_of(&call->ctx, &r->ref, &r->who, &r->range, &held))
		nlm_block_held(nlm, block, &held);
	status = dfs_fs_lock(&call->ctx, &r->ref, &r->who, &r->range, flags,
			     block ? &block->wait : NULL, NULL);
	if (status == DFS_BUSY && block) {
		block = NULL; /* it waits, and the block is not ours any more */
		status = DFS_EXIST;
	}
	nlm_lock_end(nlm, r, block, status == DFS_OK);
	nlm_block_free(block);
	return status;
}

static enum dfs_status
run_lock(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	(void)res;
	return lock(call, r, 0);
}

/* For clients without a status monitor: nobody is remembered, and FREE_ALL says what it has lost. */
static enum dfs_status
run_nm_lock(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	(void)res;
	return lock(call, r, DFS_LOCK_PASSING);
}

/* What of the range lies before or behind `kept`. */
static enum dfs_status
unlock_around(struct nfs_call *call, const struct nlm_request *r, const struct dfs_lock_range *kept)
{
	struct dfs_lock_range before = r->range, behind = r->range;
	enum dfs_status status = DFS_OK;

	if (kept->end < kept->start)
		return dfs_fs_unlock(&call->ctx, &r->ref, &r->who, &r->range);
	if (kept->start > r->range.start) {
		before.end = kept->start - 1;
		status = dfs_fs_unlock(&call->ctx, &r->ref, &r->who, &before);
	}
	if (status == DFS_OK && kept->end < r->range.end) {
		behind.start = kept->end + 1;
		status = dfs_fs_unlock(&call->ctx, &r->ref, &r->who, &behind);
	}
	return status;
}

/* A request that waits, or one that was granted while this was on its way; of exactly these bytes and
 * this kind (XNFS chapter 10, NLM_CANCEL).  What its owner held before stays, if more exclusively. */
static enum dfs_status
run_cancel(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	enum dfs_status status = dfs_fs_cancel_lock(&call->ctx, &r->ref, &r->who, &r->range);
	struct dfs_lock_range kept;

	(void)res;
	if (status == DFS_NOENT && nlm_grants_cancelled(nlm_of(call), r, &kept))
		status = unlock_around(call, r, &kept);
	return status;
}

/* Also ends the wait for that same range. */
static enum dfs_status
run_unlock(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	(void)res;
	for (unsigned exclusive = 0; exclusive < 2; exclusive++) {
		r->range.exclusive = exclusive;
		dfs_fs_cancel_lock(&call->ctx, &r->ref, &r->who, &r->range);
	}
	nlm_grants_unlocked(nlm_of(call), r);
	return dfs_fs_unlock(&call->ctx, &r->ref, &r->who, &r->range);
}

static enum dfs_status
run_share(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	(void)res;
	return dfs_fs_share(&call->ctx, &r->ref, &r->who, r->args->access, r->args->deny,
			    r->args->reclaim ? DFS_LOCK_RECLAIM : 0);
}

static enum dfs_status
run_unshare(struct nfs_call *call, struct nlm_request *r, struct nlm_result *res)
{
	(void)res;
	dfs_fs_unshare(&call->ctx, &r->ref, &r->who);
	return DFS_OK;
}

const struct nlm_operation nlm_op_test = {
	.get = nlm_get_test,
	.run = run_test,
	.answer_of = tested,
	.put = nlm_put_testres,
	.message = NLM_TEST_RES,
};
const struct nlm_operation nlm_op_lock = {
	.get = nlm_get_lock,
	.monitored = true,
	.run = run_lock,
	.put = nlm_put_res,
	.message = NLM_LOCK_RES,
};
const struct nlm_operation nlm_op_nm_lock = {
	.get = nlm_get_lock,
	.run = run_nm_lock,
	.put = nlm_put_res,
};
const struct nlm_operation nlm_op_cancel = {
	.get = nlm_get_cancel,
	.gives_back = true,
	.run = run_cancel,
	.put = nlm_put_res,
	.message = NLM_CANCEL_RES,
};
const struct nlm_operation nlm_op_unlock = {
	.get = nlm_get_unlock,
	.gives_back = true,
	.run = run_unlock,
	.answer_of = released,
	.put = nlm_put_res,
	.message = NLM_UNLOCK_RES,
};
const struct nlm_operation nlm_op_share = {
	.get = nlm_get_share,
	.share = true,
	.monitored = true,
	.run = run_share,
	.put = nlm_put_shareres,
};
const struct nlm_operation nlm_op_unshare = {
	.get = nlm_get_share,
	.share = true,
	.gives_back = true,
	.run = run_unshare,
	.answer_of = released,
	.put = nlm_put_shareres,
};
