/* SPDX-License-Identifier: MIT
 *
 * What happens to LOCKs that block: the events of state.c, as they come from the lock manager, from
 * calls and from the clock.
 */
#include "adapters/nfs/nlm/state.h"
#include "adapters/nfs/nlm/table.h"

void
nlm_granted(struct dfs_lock_wait *wait, enum dfs_status status)
{
	struct nlm_block *block = (struct nlm_block *)wait;
	struct nlm *nlm = block->nlm;

	dfs_lock_acquire(&nlm->mu);
	nlm_unlink_locked(block);
	if (status == DFS_OK) {
		nlm_link_locked(block, nlm->grants);
		nlm->n_grants++;
		nlm_telling_begins_locked(block);
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
				nlm_telling_begins_locked(b);
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
	ours = block && nlm_answer_locked(block, stat);
	dfs_lock_release(&nlm->mu);
	if (ours)
		nlm_telling_ends(block, NLM_OUTCOME_UNANSWERED);
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

/* Those that are exactly what span is, or also those that lie within.  True: there was an exact one. */
static bool
settle_locked(struct nlm *nlm, const struct nlm_span *span, bool exact)
{
	struct nlm_block *next;
	bool found = false;

	for (struct nlm_block *b = nlm->grants[nlm_bucket_of(span->fileid)]; b; b = next) {
		bool same = is_same(&b->range, span->range);

		next = b->next;
		if (!nlm_block_is_of(b, span) || (exact ? !same : !within(&b->range, span->range)))
			continue;
		found |= same;
		nlm_settle_block_locked(b);
	}
	return found;
}

bool
nlm_grants_cancelled(struct nlm *nlm, const struct nlm_request *request,
		     struct dfs_lock_range *kept)
{
	struct nlm_span span = nlm_span_of_request(request);
	bool found;

	*kept = (struct dfs_lock_range){.start = UINT64_MAX, .end = 0};
	dfs_lock_acquire(&nlm->mu);
	for (struct nlm_block *b = nlm->grants[nlm_bucket_of(span.fileid)]; b; b = b->next) {
		if (!b->is_known || !nlm_block_is_of(b, &span) || !is_same(&b->range, span.range))
			continue;
		if (b->known.start < kept->start)
			kept->start = b->known.start;
		if (b->known.end > kept->end)
			kept->end = b->known.end;
	}
	found = settle_locked(nlm, &span, true);
	dfs_lock_release(&nlm->mu);
	return found;
}

static void
unknow_in_locked(struct nlm_block *head, const struct nlm_span *span)
{
	for (struct nlm_block *b = head; b; b = b->next)
		if (b->is_known && nlm_block_is_of(b, span) && within(&b->known, span->range))
			b->is_known = false;
}

void
nlm_grants_unlocked(struct nlm *nlm, const struct nlm_request *request)
{
	unsigned bucket = nlm_bucket_of(request->ref.fileid);
	struct nlm_span span = nlm_span_of_request(request);

	dfs_lock_acquire(&nlm->mu);
	settle_locked(nlm, &span, false);
	unknow_in_locked(nlm->grants[bucket], &span);
	unknow_in_locked(nlm->waits[bucket], &span);
	dfs_lock_release(&nlm->mu);
}

void
nlm_block_held(struct nlm *nlm, struct nlm_block *block, const struct dfs_lock_range *held)
{
	dfs_lock_acquire(&nlm->mu);
	nlm_block_knows_locked(block, held->start, held->end);
	dfs_lock_release(&nlm->mu);
}

bool
nlm_lock_begin(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block)
{
	unsigned bucket = nlm_bucket_of(request->ref.fileid);
	struct nlm_request **head = &nlm->asking[bucket];
	struct nlm_span span = nlm_span_of_request(request);
	const struct nlm_block *b;

	dfs_lock_acquire(&nlm->mu);
	b = nlm->grants[bucket];
	while (b && (b->state != NLM_BLOCK_GIVING_UP || !nlm_block_meets(b, &span)))
		b = b->next;
	if (!b) {
		request->next = *head;
		request->prev = head;
		if (request->next)
			request->next->prev = &request->next;
		*head = request;
		if (block)
			nlm_link_locked(block, nlm->waits);
	}
	dfs_lock_release(&nlm->mu);
	return !b;
}

void
nlm_lock_end(struct nlm *nlm, struct nlm_request *request, struct nlm_block *block, bool granted)
{
	struct nlm_span span = nlm_span_of_request(request);

	dfs_lock_acquire(&nlm->mu);
	*request->prev = request->next;
	if (request->next)
		request->next->prev = request->prev;
	if (block)
		nlm_unlink_locked(block);
	if (granted) {
		settle_locked(nlm, &span, true);
		nlm_know_locked(nlm, NULL, &span);
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
				nlm_settle_block_locked(b);
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
