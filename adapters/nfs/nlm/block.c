/* SPDX-License-Identifier: MIT
 *
 * LOCKs that wait, and telling the client when they are granted.
 *
 * A grant is told by GRANTED, or by GRANTED_MSG to who asked by LOCK_MSG, first at once and then
 * every 10 s until the client answers, or is seen to know: it asks for the lock again (Linux
 * does every 30 s), unlocks or cancels.  A client that refuses at the first telling has given up: the
 * lock goes.  One that refuses later may have accepted a telling whose answer was lost, so the lock
 * stays its own; as it does when there is no answer at all but one telling may have arrived.  Such
 * a lock ends as any other of a dead client: by its restart.
 */
#include <stdlib.h>

#include "adapters/nfs/nlm/service.h"
#include "base/container.h"
#include "base/log.h"
#include "runtime/runtime.h"

#define TELL_WAIT (10 * DFS_SECOND) /* for an answer */
#define TRIES_MAX 12
#define SYNC_WAIT (30 * DFS_SECOND)
#define ARGS_MAX (16u + 3 * (4 + NLM_STRING_MAX) + 32u)

static void task_run(struct dfs_task *task);
static void granted(struct dfs_lock_wait *wait, enum dfs_status status);

static const unsigned char *
keep(unsigned char **at, const struct nlm_bytes *from)
{
	unsigned char *to = *at;

	if (from->len)
		memcpy(to, from->data, from->len);
	*at += from->len;
	return to;
}

/* The counter of an address; its hash is keyed: nobody chooses with whom it shares one. */
static _Atomic uint32_t *
counter_of(struct nlm *nlm, const struct nlm_client *client)
{
	uint64_t hash = dfs_siphash(&nlm->peer_key, client->bytes, NLM_CLIENT_HEAD);

	return &nlm->n_blocks_of[hash % NLM_BLOCK_COUNTERS];
}

static bool
count(_Atomic uint32_t *n, uint32_t max)
{
	if (atomic_fetch_add_explicit(n, 1, memory_order_relaxed) < max)
		return true;
	atomic_fetch_sub_explicit(n, 1, memory_order_relaxed);
	return false;
}

static bool
count_block(struct nlm *nlm, _Atomic uint32_t *of_address)
{
	if (!count(&nlm->n_blocks, NLM_BLOCKS_MAX))
		return false;
	if (count(of_address, NLM_BLOCKS_ADDRESS_MAX))
		return true;
	atomic_fetch_sub_explicit(&nlm->n_blocks, 1, memory_order_relaxed);
	return false;
}

struct nlm_block *
nlm_block_new(struct nfs_call *call, const struct nlm_args *args, const struct dfs_ref *ref,
	      const struct dfs_lock_range *range, bool message)
{
	struct nlm *nlm = nlm_of(call);
	struct nlm_block *block =
		calloc(1, sizeof *block + args->caller.len + args->fh.len + args->oh.len);
	unsigned char *at;

	if (!block)
		return NULL;
	nfs_address_set(&block->peer, &call->access->peer.sa);
	nfs_address_set_port(&block->peer, 0);
	nlm_client_of(&block->client, &block->peer, args->caller.data, args->caller.len);
	block->of_address = counter_of(nlm, &block->client);
	if (!count_block(nlm, block->of_address)) {
		free(block);
		return NULL;
	}
	at = block->bytes;
	block->wait.done = granted;
	block->wait.session = nlm;
	block->task.run = task_run;
	block->nlm = nlm;
	block->local = call->access->local;
	block->datagram = call->access->datagram;
	block->version = call->version;
	block->message = message;
	block->slot = call->ctx.share->slot;
	block->ref = *ref;
	block->range = *range;
	block->cookie = atomic_fetch_add(&nlm->cookie, 1);
	block->args = *args;
	block->args.caller.data = keep(&at, &args->caller);
	block->args.fh.data = keep(&at, &args->fh);
	block->args.oh.data = keep(&at, &args->oh);
	block->args.cookie = (struct nlm_bytes){(const unsigned char *)&block->cookie, 8};
	block->owner_len = nlm_lock_owner(args, block->owner);
	return block;
}

void
nlm_block_free(struct nlm_block *block)
{
	if (!block)
		return;
	atomic_fetch_sub_explicit(block->of_address, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&block->nlm->n_blocks, 1, memory_order_relaxed);
	free(block);
}

static struct dfs_lock_who
who_of(const struct nlm_block *block)
{
	return (struct dfs_lock_who){block->client.bytes, block->owner, block->client.len,
				     block->owner_len};
}

static struct nlm_block **
bucket_of(struct nlm *nlm, uint64_t fileid)
{
	return &nlm->grants[dfs_hash_u64(fileid, 0) % NLM_GRANT_BUCKETS];
}

static _Atomic uint64_t *
given_up_of(struct nlm *nlm, uint64_t fileid)
{
	return &nlm->given_up[bucket_of(nlm, fileid) - nlm->grants];
}

static void
unlink_locked(struct nlm_block *block)
{
	*block->prev = block->next;
	if (block->next)
		block->next->prev = block->prev;
	block->nlm->n_grants--;
}

/* Out of the table; whoever holds it frees it. */
static void
end_locked(struct nlm_block *block)
{
	unlink_locked(block);
	block->over = true;
	if (!block->busy)
		nlm_block_free(block);
}

/* Have a worker tell the client. */
static void
submit_locked(struct nlm_block *block)
{
	block->busy = nlm_submit_locked(block->nlm, &block->task);
}

static void
granted(struct dfs_lock_wait *wait, enum dfs_status status)
{
	struct nlm_block *block = (struct nlm_block *)wait;
	struct nlm *nlm = block->nlm;
	struct nlm_block **head = bucket_of(nlm, block->ref.fileid);

	if (status != DFS_OK) {
		nlm_block_free(block);
		return;
	}
	dfs_lock_acquire(&nlm->mu);
	block->next = *head;
	block->prev = head;
	if (block->next)
		block->next->prev = &block->next;
	*head = block;
	nlm->n_grants++;
	submit_locked(block);
	dfs_lock_release(&nlm->mu);
}

/* Unlock what block was granted. */
static void
unlock(struct nlm_block *block)
{
	struct dfs_share *share = dfs_runtime_share_by_slot(block->nlm->runtime, block->slot);
	struct dfs_lock_who who = who_of(block);
	struct dfs_ctx ctx = {.share = share};

	if (!share)
		return;
	dfs_fs_unlock(&ctx, &block->ref, &who, &block->range);
	dfs_share_unref(share);
}

/* GONE: the owner does not hold it any more. */
/* The lock goes: the client does not want it, or cannot be told.  Until it is gone the block stays in
 * the table, busy and giving_up, for a LOCK of the same owner to see. */
static void
give_up(struct nlm_block *block)
{
	struct nlm *nlm = block->nlm;

	unlock(block);
	dfs_lock_acquire(&nlm->mu);
	atomic_fetch_add(given_up_of(nlm, block->ref.fileid), 1);
	unlink_locked(block);
	dfs_lock_release(&nlm->mu);
	nlm_block_free(block);
}

enum outcome { NOT_TOLD, PERHAPS_TOLD, TOLD, ACCEPTED, REFUSED, GONE };

static enum outcome
outcome_of_stat(uint32_t stat)
{
	/* In its own grace period Linux asks for another telling. */
	if (stat == NLM_DENIED_GRACE)
		return NOT_TOLD;
	return stat == NLM_GRANTED_STAT ? ACCEPTED : REFUSED;
}

/* The holder of block is done with a telling. */
static void
finish(struct nlm_block *block, enum outcome outcome)
{
	struct nlm *nlm = block->nlm;
	bool drop = false;

	dfs_lock_acquire(&nlm->mu);
	block->busy = false;
	if (block->over) {
		dfs_lock_release(&nlm->mu);
		nlm_block_free(block);
		return;
	}
	if (block->answered && outcome != GONE)
		outcome = outcome_of_stat(block->stat);
	block->answered = false;
	block->tries++;
	switch (outcome) {
	case ACCEPTED:
	case GONE:
		drop = true;
		break;
	case REFUSED:
		drop = true;
		block->giving_up = !block->unsure;
		break;
	case TOLD:
	case PERHAPS_TOLD:
		block->unsure = true;
		/* fall through */
	case NOT_TOLD:
		block->due = dfs_clock_mono() + nlm->try_every;
		drop = block->tries >= TRIES_MAX || nlm->stopping;
		block->giving_up = drop && !block->unsure;
	}
	block->busy = block->giving_up;
	if (drop && !block->giving_up)
		unlink_locked(block);
	dfs_lock_release(&nlm->mu);
	if (!drop)
		return;
	if (block->giving_up)
		give_up(block);
	else
		nlm_block_free(block);
}

static enum outcome
outcome_of(const struct nlm_block *block, enum dfs_status status, struct xdr_in *reply)
{
	struct nlm_bytes cookie;
	uint32_t stat;

	if (status == DFS_OK && block->message)
		return TOLD;
	if (status == DFS_OK) {
		nlm_get_res(reply, &cookie, &stat);
		if (reply->bad)
			return PERHAPS_TOLD;
		return outcome_of_stat(stat);
	}
	return status == DFS_TIMEDOUT || status == DFS_IO || status == DFS_CORRUPT ? PERHAPS_TOLD
										   : NOT_TOLD;
}

static void
told(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	finish(arg, outcome_of(arg, status, reply));
}

static enum dfs_status
send_granted(struct nlm_block *block)
{
	struct nlm *nlm = block->nlm;
	struct nfs_target target = {.peer = block->peer,
				    .local = block->local,
				    .program = NLM_PROGRAM,
				    .version = block->version,
				    .protocol = block->datagram ? IPPROTO_UDP : IPPROTO_TCP};
	unsigned char bytes[ARGS_MAX];
	struct xdr_out out = {.base = bytes, .p = bytes, .end = bytes + sizeof bytes};

	nlm_put_testargs(&out, block->version, &block->args);
	return nlm->outside.send(
		nlm->outside.arg, &target, block->message ? NLM_GRANTED_MSG : NLM_GRANTED, bytes,
		(uint32_t)(out.p - bytes), dfs_clock_mono() + TELL_WAIT, told, block);
}

/* The grant must not be known before it would survive a restart.  DFS_STALE: it is none any more:
 * before the grant was in the table, the owner may have let it go, and another may have taken it. */
static enum dfs_status
wait_remembered(struct nlm_block *block)
{
	struct dfs_share *share = dfs_runtime_share_by_slot(block->nlm->runtime, block->slot);
	struct dfs_lock_who who = who_of(block);
	struct dfs_lock_owner *owner;
	enum dfs_status status;

	if (!share)
		return DFS_STALE;
	owner = dfs_lock_owner_find(share->locks, &who);
	if (owner &&
	    dfs_locks_test(share->locks, owner, block->ref.fileid, &block->range, NULL) == DFS_OK)
		status = dfs_locks_remembered(share->locks, owner, dfs_clock_mono() + SYNC_WAIT);
	else
		status = DFS_STALE;
	dfs_lock_owner_put(share->locks, owner);
	dfs_share_unref(share);
	return status;
}

static void
task_run(struct dfs_task *task)
{
	struct nlm_block *block = DFS_CONTAINER_OF(task, struct nlm_block, task);
	enum dfs_status status;
	bool over;

	dfs_lock_acquire(&block->nlm->mu);
	over = block->over;
	dfs_lock_release(&block->nlm->mu);
	if (over) {
		finish(block, NOT_TOLD);
		return;
	}
	status = wait_remembered(block);
	if (status == DFS_STALE)
		finish(block, GONE);
	else if (status != DFS_OK || send_granted(block) != DFS_OK)
		finish(block, NOT_TOLD);
}

static bool
same_owner(const struct nlm_block *block, const struct dfs_lock_who *who)
{
	return block->client.len == who->client_len && block->owner_len == who->owner_len &&
	       memcmp(block->client.bytes, who->client, who->client_len) == 0 &&
	       memcmp(block->owner, who->owner, who->owner_len) == 0;
}

/* Out of the table, unless it is being unlocked: a LOCK that comes now is to see that. */
static void
settle_one_locked(struct nlm_block *block)
{
	if (!block->giving_up)
		end_locked(block);
}

static bool
settle_locked(struct nlm *nlm, uint32_t slot, const struct dfs_ref *ref,
	      const struct dfs_lock_who *who, const struct dfs_lock_range *range)
{
	struct nlm_block *next;
	bool found = false;

	for (struct nlm_block *b = *bucket_of(nlm, ref->fileid); b; b = next) {
		next = b->next;
		if (b->slot != slot || b->ref.fileid != ref->fileid || !same_owner(b, who) ||
		    b->range.start < range->start || b->range.end > range->end)
			continue;
		found |= b->range.start == range->start && b->range.end == range->end;
		settle_one_locked(b);
	}
	return found;
}

bool
nlm_grants_settle(struct nlm *nlm, uint32_t slot, const struct dfs_ref *ref,
		  const struct dfs_lock_who *who, const struct dfs_lock_range *range)
{
	bool found;

	dfs_lock_acquire(&nlm->mu);
	found = settle_locked(nlm, slot, ref, who, range);
	dfs_lock_release(&nlm->mu);
	return found;
}

uint64_t
nlm_grants_given_up(struct nlm *nlm, const struct dfs_ref *ref)
{
	return atomic_load(given_up_of(nlm, ref->fileid));
}

bool
nlm_grants_keep(struct nlm *nlm, uint32_t slot, const struct dfs_ref *ref,
		const struct dfs_lock_who *who, const struct dfs_lock_range *range, uint64_t since)
{
	bool keep;

	dfs_lock_acquire(&nlm->mu);
	keep = nlm_grants_given_up(nlm, ref) == since;
	for (struct nlm_block *b = *bucket_of(nlm, ref->fileid); b && keep; b = b->next)
		keep = !b->giving_up || b->slot != slot || b->ref.fileid != ref->fileid ||
		       !same_owner(b, who) || b->range.start > range->end ||
		       b->range.end < range->start;
	if (keep)
		settle_locked(nlm, slot, ref, who, range);
	dfs_lock_release(&nlm->mu);
	return keep;
}

void
nlm_grants_drop(struct nlm *nlm, const struct nlm_client *client)
{
	struct nlm_block *next;

	dfs_lock_acquire(&nlm->mu);
	for (unsigned i = 0; i < NLM_GRANT_BUCKETS; i++)
		for (struct nlm_block *b = nlm->grants[i]; b; b = next) {
			next = b->next;
			if (!client || (b->client.len == client->len &&
					memcmp(b->client.bytes, client->bytes, client->len) == 0))
				settle_one_locked(b);
		}
	dfs_lock_release(&nlm->mu);
}

static struct nlm_block *
find_cookie_locked(struct nlm *nlm, const union nfs_address *peer, const struct nlm_bytes *cookie)
{
	for (unsigned i = 0; cookie->len == 8 && i < NLM_GRANT_BUCKETS; i++)
		for (struct nlm_block *b = nlm->grants[i]; b; b = b->next)
			if (b->message && memcmp(cookie->data, &b->cookie, 8) == 0 &&
			    nfs_address_same(&b->peer, peer))
				return b;
	return NULL;
}

void
nlm_grants_answer(struct nlm *nlm, const union nfs_address *peer, const struct nlm_bytes *cookie,
		  uint32_t stat)
{
	struct nlm_block *block;
	bool ours = false;

	dfs_lock_acquire(&nlm->mu);
	block = find_cookie_locked(nlm, peer, cookie);
	if (block) {
		ours = !block->busy; /* else whoever holds it will find the answer */
		block->busy = true;
		block->answered = true;
		block->stat = stat;
		block->unsure &= block->tries > 1; /* an earlier telling than this one */
	}
	dfs_lock_release(&nlm->mu);
	if (ours)
		finish(block, TOLD);
}

uint32_t
nlm_grants(struct nlm *nlm)
{
	uint32_t n;

	dfs_lock_acquire(&nlm->mu);
	n = nlm->n_grants;
	dfs_lock_release(&nlm->mu);
	return n;
}

void
nlm_grants_due(struct nlm *nlm)
{
	int64_t now = dfs_clock_mono();

	dfs_lock_acquire(&nlm->mu);
	for (unsigned i = 0; nlm->n_grants && i < NLM_GRANT_BUCKETS; i++)
		for (struct nlm_block *b = nlm->grants[i]; b; b = b->next)
			if (!b->busy && b->due <= now)
				submit_locked(b);
	dfs_lock_release(&nlm->mu);
}
