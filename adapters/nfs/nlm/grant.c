/* SPDX-License-Identifier: MIT
 *
 * The life of a LOCK that blocks, and telling its client that it is granted.
 *
 *   WAITING    the lock manager has it
 *   RESTING    granted, and to be told when it is due
 *   TELLING    a worker or its call has it
 *   ANSWERED   the same, but GRANTED_RES has come: what the call ends with does not count, nor does
 *              another GRANTED_RES once it was an accept
 *   GIVING_UP  whoever ended the telling unlocks the range
 *   OVER       forgotten; whoever tells frees it
 *
 * Events: the lock manager grants it, or ends the wait (CANCEL, UNLOCK, a restart, a limit, the share is
 * closed); the next telling is due; GRANTED_RES; the telling ends; the client is seen to know or to be
 * gone (LOCK, UNLOCK, CANCEL, a restart); the range is unlocked.  "-": it cannot come, "=": nothing
 * changes.
 *
 *              granted   ended   due       GRANTED_RES  told   settled  unlocked
 *   WAITING    TELLING*  freed   -         -            -      =        -
 *   RESTING    -         -       TELLING*  as told      -      freed    -
 *   TELLING    -         -       =         ANSWERED     next   OVER     -
 *   ANSWERED   -         -       =         ANSWERED     next   OVER     -
 *   GIVING_UP  -         -       =         =            -      =        freed, RESTING if that fails
 *   OVER       -         -       -         -            freed  -        -
 *
 *   * RESTING while too much waits for a worker, or the service stops
 *
 * next (after_telling): freed if the client has accepted, RESTING if it may be told better later, and
 * in the end GIVING_UP or freed.  It is told by GRANTED, or by GRANTED_MSG if it asked by LOCK_MSG,
 * first at once, then after 1, 2, 4 and 8 s, and then every 10 s; each of these is sent once, as a
 * client denies a copy of what it has accepted.  A client that refuses at the first telling has given
 * up: the lock goes, and so does the rest of one of which its owner has unlocked a part before it was
 * told.  One that refuses later may have accepted a telling whose answer was lost, so the lock stays
 * its own; as it does when there is no answer at all but one telling may have arrived, and where
 * another LOCK of its owner was granted, which may be the same one come again, until that is unlocked.
 * Such a lock ends as any other of a dead client: by its restart.
 *
 * A lock is not given up while its owner's LOCK is under way there, and no such LOCK begins while it is:
 * else it would be answered GRANTED, as its own already, and be gone a moment later.
 *
 * WAITING is in one table, the others but OVER in another.  States change under mu alone, with which no
 * lock of the lock manager is taken.
 */
#include "adapters/nfs/nlm/service.h"
#include "base/container.h"
#include "runtime/runtime.h"

#define TELL_WAIT (10 * DFS_SECOND) /* for an answer */
#define FIRST_WAIT DFS_SECOND       /* between the first two tellings; doubled up to try_every */
#define TRIES_MAX 15
#define SYNC_WAIT (30 * DFS_SECOND)
#define ARGS_MAX (16u + 3 * (4 + NLM_STRING_MAX) + 32u)

/* How a telling has ended.  MISSED: it has not arrived; GONE: the owner does not hold all of it any
 * more, and is not told. */
enum outcome { MISSED, UNANSWERED, ACCEPTED, REFUSED, GONE };

static struct dfs_lock_who
who_of(const struct nlm_block *block)
{
	return (struct dfs_lock_who){block->client.bytes, block->owner, block->client.len,
				     block->owner_len};
}

/* --- the table ---------------------------------------------------------------------------- */

static unsigned
bucket_of(uint64_t fileid)
{
	return dfs_hash_u64(fileid, 0) % NLM_GRANT_BUCKETS;
}

static void
link_locked(struct nlm_block *block, struct nlm_block **heads)
{
	struct nlm_block **head = &heads[bucket_of(block->ref.fileid)];

	block->next = *head;
	block->prev = head;
	if (block->next)
		block->next->prev = &block->next;
	*head = block;
}

static void
unlink_locked(struct nlm_block *block)
{
	*block->prev = block->next;
	if (block->next)
		block->next->prev = block->prev;
}

static void
remove_grant_locked(struct nlm_block *block)
{
	unlink_locked(block);
	block->nlm->n_grants--;
}

/* Bytes of a file, and whose. */
struct span {
	uint32_t slot;
	uint64_t fileid;
	struct dfs_lock_who who;
	const struct dfs_lock_range *range;
};

static struct span
span_of(const struct nlm_request *request)
{
	return (struct span){request->slot, request->ref.fileid, request->who, &request->range};
}

static struct span
span_of_block(const struct nlm_block *block)
{
	return (struct span){block->slot, block->ref.fileid, who_of(block), &block->range};
}

/* Whether block is of this owner and file. */
static bool
is_of(const struct nlm_block *block, const struct span *span)
{
	const struct dfs_lock_who *who = &span->who;

	return block->slot == span->slot && block->ref.fileid == span->fileid &&
	       block->client.len == who->client_len && block->owner_len == who->owner_len &&
	       memcmp(block->client.bytes, who->client, who->client_len) == 0 &&
	       memcmp(block->owner, who->owner, who->owner_len) == 0;
}

static bool
meets(const struct nlm_block *block, const struct span *span)
{
	return is_of(block, span) && block->range.start <= span->range->end &&
	       block->range.end >= span->range->start;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool
within(const struct dfs_lock_range *a, const struct dfs_lock_range *b)
{
	return a->start >= b->start && a->end <= b->end;
}

static bool
is_same(const struct dfs_lock_range *a, const struct dfs_lock_range *b)
{
	return a->start == b->start && a->end == b->end && a->exclusive == b->exclusive;
}

/* Whether a LOCK is under way to which the range may be granted as its owner's already. */
static bool
asked_for_locked(const struct nlm_block *block)
{
	const struct nlm_request *r = block->nlm->asking[bucket_of(block->ref.fileid)];
	struct span span;

	for (; r; r = r->next) {
		span = span_of(r);
		if (meets(block, &span))
			return true;
	}
	return false;
}

/* Of what meets span, but is not itself, that part may be known to the owner. */
static void
know_in_locked(struct nlm_block *head, const struct nlm_block *self, const struct span *span)
{
	for (struct nlm_block *b = head; b; b = b->next) {
		uint64_t start = larger(b->range.start, span->range->start);
		uint64_t end = smaller(b->range.end, span->range->end);

		if (b == self || !meets(b, span))
			continue;
		b->known.start = b->is_known ? smaller(b->known.start, start) : start;
		b->known.end = b->is_known ? larger(b->known.end, end) : end;
		b->is_known = true;
	}
}

static void
know_locked(struct nlm *nlm, const struct nlm_block *self, const struct span *span)
{
	unsigned bucket = bucket_of(span->fileid);

	know_in_locked(nlm->grants[bucket], self, span);
	know_in_locked(nlm->waits[bucket], self, span);
}

/* --- the states --------------------------------------------------------------------------- */

/* Granted, or due. */
static void
tell_locked(struct nlm_block *block)
{
	block->state = NLM_BLOCK_RESTING;
	if (!nlm_submit_locked(block->nlm, &block->task))
		return;
	block->state = NLM_BLOCK_TELLING;
	block->unsure |= block->told;
	block->told = false;
}

static enum outcome
outcome_of_stat(uint32_t stat)
{
	/* In its own grace period Linux asks for another telling. */
	if (stat == NLM_DENIED_GRACE)
		return MISSED;
	return stat == NLM_GRANTED_STAT ? ACCEPTED : REFUSED;
}

/* A client that has accepted waits no more, and denies the same call if it comes again. */
static bool
accepted_locked(const struct nlm_block *block)
{
	return block->state == NLM_BLOCK_ANSWERED && outcome_of_stat(block->stat) == ACCEPTED;
}

static enum nlm_block_state
after_telling_locked(struct nlm_block *block, enum outcome outcome)
{
	switch (outcome) {
	case ACCEPTED:
		return NLM_BLOCK_OVER;
	case UNANSWERED:
		block->told = true;
		/* fall through */
	case MISSED:
		if (block->tries < TRIES_MAX && !block->nlm->stopping)
			return NLM_BLOCK_RESTING;
		/* fall through */
	case REFUSED:
	case GONE:
		break;
	}
	if (block->told || block->unsure || block->is_known)
		return NLM_BLOCK_OVER;
	return asked_for_locked(block) ? NLM_BLOCK_RESTING : NLM_BLOCK_GIVING_UP;
}

static int64_t
doubled(int64_t first, uint32_t times, int64_t max)
{
	return times < 10 && first << times < max ? first << times : max;
}

static int64_t
next_due(const struct nlm_block *block)
{
	return dfs_clock_mono() + doubled(FIRST_WAIT, block->tries, block->nlm->try_every);
}

static void
finish_locked(struct nlm_block *block, enum outcome outcome)
{
	struct span span = span_of_block(block);

	if (block->state == NLM_BLOCK_OVER)
		return;
	if (block->state == NLM_BLOCK_ANSWERED)
		outcome = outcome_of_stat(block->stat);
	if (outcome == ACCEPTED || outcome == UNANSWERED)
		know_locked(block->nlm, block, &span);
	block->due = next_due(block);
	block->tries++;
	block->state = after_telling_locked(block, outcome);
	if (block->state == NLM_BLOCK_OVER)
		remove_grant_locked(block);
}

static void
settle_block_locked(struct nlm_block *block)
{
	switch (block->state) {
	case NLM_BLOCK_RESTING:
		remove_grant_locked(block);
		nlm_block_free(block);
		break;
	case NLM_BLOCK_TELLING:
	case NLM_BLOCK_ANSWERED:
		remove_grant_locked(block);
		block->state = NLM_BLOCK_OVER;
		break;
	case NLM_BLOCK_WAITING:
	case NLM_BLOCK_GIVING_UP:
	case NLM_BLOCK_OVER:
		break;
	}
}

/* True: whoever calls is to finish it. */
static bool
answer_locked(struct nlm_block *block, uint32_t stat)
{
	bool resting = block->state == NLM_BLOCK_RESTING;

	if (block->state == NLM_BLOCK_GIVING_UP || accepted_locked(block))
		return false;
	block->state = NLM_BLOCK_ANSWERED;
	block->stat = stat;
	block->told = false;
	return resting;
}

/* --- telling ------------------------------------------------------------------------------ */

static enum dfs_status
unlock(struct nlm_block *block)
{
	struct dfs_share *share = dfs_runtime_share_by_slot(block->nlm->runtime, block->slot);
	struct dfs_lock_who who = who_of(block);
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
		remove_grant_locked(block);
	} else {
		block->state = NLM_BLOCK_RESTING;
		block->due = next_due(block);
	}
	dfs_lock_release(&nlm->mu);
	if (status == DFS_OK)
		nlm_block_free(block);
}

/* By whoever tells. */
static void
finish(struct nlm_block *block, enum outcome outcome)
{
	struct nlm *nlm = block->nlm;
	enum nlm_block_state state;

	dfs_lock_acquire(&nlm->mu);
	finish_locked(block, outcome);
	state = block->state;
	dfs_lock_release(&nlm->mu);
	if (state == NLM_BLOCK_GIVING_UP)
		give_up(block);
	else if (state == NLM_BLOCK_OVER)
		nlm_block_free(block);
}

static enum outcome
outcome_of(const struct nlm_block *block, enum dfs_status status, struct xdr_in *reply)
{
	struct nlm_bytes cookie;
	uint32_t stat;

	if (status == DFS_OK && !block->message) {
		nlm_get_res(reply, &cookie, &stat);
		return reply->bad ? UNANSWERED : outcome_of_stat(stat);
	}
	switch (status) {
	case DFS_OK:
	case DFS_TIMEDOUT:
	case DFS_IO:
	case DFS_CORRUPT:
	case DFS_SHUTDOWN: /* its answer may be on the way */
		return UNANSWERED;
	default:
		return MISSED;
	}
}

static void
told(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	finish(arg, outcome_of(arg, status, reply));
}

/* A lost datagram is known by the silence alone. */
static int64_t
answer_wait(const struct nlm_block *block)
{
	return block->datagram ? doubled(2 * FIRST_WAIT, block->tries, TELL_WAIT) : TELL_WAIT;
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
		(uint32_t)(out.p - bytes), dfs_clock_mono() + answer_wait(block), told, block);
}

/* The grant must not be known before it would survive a restart.  DFS_STALE: it is none any more:
 * the owner may have let go of it, or of a part, before it was in the table. */
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
		finish(block, GONE);
	else if (status != DFS_OK || !is_wanted(block) || send_granted(block) != DFS_OK)
		finish(block, MISSED);
}

/* --- events ------------------------------------------------------------------------------- */

void
nlm_granted(struct dfs_lock_wait *wait, enum dfs_status status)
{
	struct nlm_block *block = (struct nlm_block *)wait;
	struct nlm *nlm = block->nlm;

	dfs_lock_acquire(&nlm->mu);
	unlink_locked(block);
	if (status == DFS_OK) {
		link_locked(block, nlm->grants);
		nlm->n_grants++;
		tell_locked(block);
	} else {
		nlm_block_free(block);
	}
	dfs_lock_release(&nlm->mu);
}

void
nlm_grants_due(struct nlm *nlm)
{
	int64_t now = dfs_clock_mono();

	dfs_lock_acquire(&nlm->mu);
	for (unsigned i = 0; nlm->n_grants && i < NLM_GRANT_BUCKETS; i++)
		for (struct nlm_block *b = nlm->grants[i]; b; b = b->next)
			if (b->state == NLM_BLOCK_RESTING && b->due <= now)
				tell_locked(b);
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
	bool ours;

	dfs_lock_acquire(&nlm->mu);
	block = find_cookie_locked(nlm, peer, cookie);
	ours = block && answer_locked(block, stat);
	dfs_lock_release(&nlm->mu);
	if (ours)
		finish(block, UNANSWERED);
}

/* Those that are exactly what span is, or also those that lie within.  True: there was an exact one. */
static bool
settle_locked(struct nlm *nlm, const struct span *span, bool exact)
{
	struct nlm_block *next;
	bool found = false;

	for (struct nlm_block *b = nlm->grants[bucket_of(span->fileid)]; b; b = next) {
		bool same = is_same(&b->range, span->range);

		next = b->next;
		if (!is_of(b, span) || (exact ? !same : !within(&b->range, span->range)))
			continue;
		found |= same;
		settle_block_locked(b);
	}
	return found;
}

bool
nlm_grants_cancelled(struct nlm *nlm, const struct nlm_request *request)
{
	struct span span = span_of(request);
	bool found;

	dfs_lock_acquire(&nlm->mu);
	found = settle_locked(nlm, &span, true);
	dfs_lock_release(&nlm->mu);
	return found;
}

static void
unknow_in_locked(struct nlm_block *head, const struct span *span)
{
	for (struct nlm_block *b = head; b; b = b->next)
		if (b->is_known && is_of(b, span) && within(&b->known, span->range))
			b->is_known = false;
}

void
nlm_grants_unlocked(struct nlm *nlm, const struct nlm_request *request)
{
	unsigned bucket = bucket_of(request->ref.fileid);
	struct span span = span_of(request);

	dfs_lock_acquire(&nlm->mu);
	settle_locked(nlm, &span, false);
	unknow_in_locked(nlm->grants[bucket], &span);
	unknow_in_locked(nlm->waits[bucket], &span);
	dfs_lock_release(&nlm->mu);
}

bool
nlm_lock_begin(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block)
{
	unsigned bucket = bucket_of(request->ref.fileid);
	struct nlm_request **head = &nlm->asking[bucket];
	struct span span = span_of(request);
	const struct nlm_block *b;

	dfs_lock_acquire(&nlm->mu);
	b = nlm->grants[bucket];
	while (b && (b->state != NLM_BLOCK_GIVING_UP || !meets(b, &span)))
		b = b->next;
	if (!b) {
		request->next = *head;
		request->prev = head;
		if (request->next)
			request->next->prev = &request->next;
		*head = request;
		if (block)
			link_locked(block, nlm->waits);
	}
	dfs_lock_release(&nlm->mu);
	return !b;
}

void
nlm_lock_end(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block, bool granted)
{
	struct span span = span_of(request);

	dfs_lock_acquire(&nlm->mu);
	*request->prev = request->next;
	if (request->next)
		request->next->prev = request->prev;
	if (block)
		unlink_locked(block);
	if (granted) {
		settle_locked(nlm, &span, true);
		know_locked(nlm, NULL, &span);
	}
	dfs_lock_release(&nlm->mu);
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
				settle_block_locked(b);
		}
	dfs_lock_release(&nlm->mu);
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
