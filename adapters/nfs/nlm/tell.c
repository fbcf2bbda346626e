/* SPDX-License-Identifier: MIT
 *
 * Telling a client that its LOCK is granted: by a worker, once the grant would survive a restart.
 *
 * mu is taken for moments, and is not held over the lock manager or a call.
 */
#include "adapters/nfs/nlm/state.h"
#include "adapters/nfs/nlm/table.h"
#include "base/container.h"
#include "runtime/runtime.h"

#define SYNC_WAIT (30 * DFS_SECOND)
#define ARGS_MAX (16u + 3 * (4 + NLM_STRING_MAX) + 32u)

static enum dfs_status
unlock(struct nlm_block *block)
{
	struct dfs_share *share = dfs_runtime_share_by_slot(block->nlm->runtime, block->slot);
	struct dfs_lock_who who = nlm_block_who(block);
	struct dfs_ctx ctx = {.share = share};
	enum dfs_status status;

	if (!share)
		return DFS_OK;
	status = dfs_fs_unlock(&ctx, &block->ref, &who, &block->range);
	dfs_share_unref(share);
	return status;
}

static void
give_up(struct nlm_block *block)
{
	struct nlm *nlm = block->nlm;
	enum dfs_status status = unlock(block);

	dfs_lock_acquire(&nlm->mu);
	if (status == DFS_OK) {
		nlm_grant_remove_locked(block);
	} else {
		block->state = NLM_BLOCK_RESTING;
		block->due = nlm_next_due(block);
	}
	dfs_lock_release(&nlm->mu);
	if (status == DFS_OK)
		nlm_block_free(block);
}

void
nlm_telling_ends(struct nlm_block *block, enum nlm_outcome outcome)
{
	struct nlm *nlm = block->nlm;
	enum nlm_block_state state;

	dfs_lock_acquire(&nlm->mu);
	nlm_telling_ends_locked(block, outcome);
	state = block->state;
	dfs_lock_release(&nlm->mu);
	if (state == NLM_BLOCK_GIVING_UP)
		give_up(block);
	else if (state == NLM_BLOCK_OVER)
		nlm_block_free(block);
}

static enum nlm_outcome
outcome_of(const struct nlm_block *block, enum dfs_status status, struct xdr_in *reply)
{
	struct nlm_bytes cookie;
	uint32_t stat;

	if (status == DFS_OK && !block->message) {
		nlm_get_res(reply, &cookie, &stat);
		return reply->bad ? NLM_OUTCOME_UNANSWERED : nlm_outcome_of_stat(stat);
	}
	switch (status) {
	case DFS_OK:
	case DFS_TIMEDOUT:
	case DFS_IO:
	case DFS_CORRUPT:
	case DFS_SHUTDOWN: /* its answer may be on the way */
		return NLM_OUTCOME_UNANSWERED;
	default:
		return NLM_OUTCOME_MISSED;
	}
}

static void
told(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	nlm_telling_ends(arg, outcome_of(arg, status, reply));
}

/* What is settled must not be told: it could be taken for the grant of a new wait for the same.  Nor is there
 * time for it at a stop. */
static bool
is_wanted(void *arg)
{
	struct nlm_block *block = arg;
	bool wanted;

	dfs_lock_acquire(&block->nlm->mu);
	wanted = block->state == NLM_BLOCK_TELLING && !block->nlm->stopping;
	dfs_lock_release(&block->nlm->mu);
	return wanted;
}

static enum dfs_status
send_granted(struct nlm_block *block)
{
	struct nlm *nlm = block->nlm;
	struct nfs_target target = {.peer = block->peer,
				    .local = block->local,
				    .program = NLM_PROGRAM,
				    .version = block->version,
				    .protocol = block->datagram ? IPPROTO_UDP : IPPROTO_TCP,
				    .once = true,
				    .wanted = is_wanted};
	unsigned char bytes[ARGS_MAX];
	struct xdr_out out = {.base = bytes, .p = bytes, .end = bytes + sizeof bytes};

	nlm_put_testargs(&out, block->version, &block->args);
	return nlm->outside.send(
		nlm->outside.arg, &target, block->message ? NLM_GRANTED_MSG : NLM_GRANTED, bytes,
		(uint32_t)(out.p - bytes), dfs_clock_mono() + nlm_answer_wait(block), told, block);
}

/* The grant must not be known before it would survive a restart.  DFS_STALE: it is none any more:
 * the owner may have let go of it, or of a part, before it was in the table. */
static enum dfs_status
wait_remembered(struct nlm_block *block)
{
	struct dfs_share *share = dfs_runtime_share_by_slot(block->nlm->runtime, block->slot);
	struct dfs_lock_who who = nlm_block_who(block);
	struct dfs_lock_owner *owner;
	enum dfs_status status;

	if (!share)
		return DFS_STALE;
	owner = dfs_lock_owner_find(share->locks, &who);
	if (owner && dfs_locks_holds(share->locks, owner, block->ref.fileid, &block->range))
		status = dfs_locks_remembered(share->locks, owner, dfs_clock_mono() + SYNC_WAIT);
	else
		status = DFS_STALE;
	dfs_lock_owner_put(share->locks, owner);
	dfs_share_unref(share);
	return status;
}

void
nlm_tell(struct dfs_task *task)
{
	struct nlm_block *block = DFS_CONTAINER_OF(task, struct nlm_block, task);
	enum dfs_status status = is_wanted(block) ? wait_remembered(block) : DFS_NOENT;

	/* It may have been settled while that waited. */
	if (status == DFS_STALE)
		nlm_telling_ends(block, NLM_OUTCOME_GONE);
	else if (status != DFS_OK || !is_wanted(block) || send_granted(block) != DFS_OK)
		nlm_telling_ends(block, NLM_OUTCOME_MISSED);
}
