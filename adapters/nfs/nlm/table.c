/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nlm/table.h"

struct dfs_lock_who
nlm_block_who(const struct nlm_block *block)
{
	return (struct dfs_lock_who){block->client.bytes, block->owner, block->client.len,
				     block->owner_len};
}

struct nlm_span
nlm_span_of_request(const struct nlm_request *request)
{
	return (struct nlm_span){request->slot, request->ref.fileid, request->who, &request->range};
}

struct nlm_span
nlm_span_of_block(const struct nlm_block *block)
{
	return (struct nlm_span){block->slot, block->ref.fileid, nlm_block_who(block),
				 &block->range};
}

bool
nlm_block_is_of(const struct nlm_block *block, const struct nlm_span *span)
{
	const struct dfs_lock_who *who = &span->who;

	return block->slot == span->slot && block->ref.fileid == span->fileid &&
	       block->client.len == who->client_len && block->owner_len == who->owner_len &&
	       memcmp(block->client.bytes, who->client, who->client_len) == 0 &&
	       memcmp(block->owner, who->owner, who->owner_len) == 0;
}

bool
nlm_block_meets(const struct nlm_block *block, const struct nlm_span *span)
{
	return nlm_block_is_of(block, span) && block->range.start <= span->range->end &&
	       block->range.end >= span->range->start;
}

unsigned
nlm_bucket_of(uint64_t fileid)
{
	return dfs_hash_u64(fileid, 0) % NLM_GRANT_BUCKETS;
}

void
nlm_link_locked(struct nlm_block *block, struct nlm_block **heads)
{
	struct nlm_block **head = &heads[nlm_bucket_of(block->ref.fileid)];

	block->next = *head;
	block->prev = head;
	if (block->next)
		block->next->prev = &block->next;
	*head = block;
}

void
nlm_unlink_locked(struct nlm_block *block)
{
	*block->prev = block->next;
	if (block->next)
		block->next->prev = block->prev;
}

void
nlm_grant_remove_locked(struct nlm_block *block)
{
	nlm_unlink_locked(block);
	block->nlm->n_grants--;
}

bool
nlm_asked_for_locked(const struct nlm_block *block)
{
	const struct nlm_request *r = block->nlm->asking[nlm_bucket_of(block->ref.fileid)];
	struct nlm_span span;

	for (; r; r = r->next) {
		span = nlm_span_of_request(r);
		if (nlm_block_meets(block, &span))
			return true;
	}
	return false;
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

void
nlm_block_knows_locked(struct nlm_block *block, uint64_t start, uint64_t end)
{
	block->known.start = block->is_known ? smaller(block->known.start, start) : start;
	block->known.end = block->is_known ? larger(block->known.end, end) : end;
	block->is_known = true;
}

static void
know_in_locked(struct nlm_block *head, const struct nlm_block *self, const struct nlm_span *span)
{
	for (struct nlm_block *b = head; b; b = b->next)
		if (b != self && nlm_block_meets(b, span))
			nlm_block_knows_locked(b, larger(b->range.start, span->range->start),
					       smaller(b->range.end, span->range->end));
}

void
nlm_know_locked(struct nlm *nlm, const struct nlm_block *self, const struct nlm_span *span)
{
	unsigned bucket = nlm_bucket_of(span->fileid);

	know_in_locked(nlm->grants[bucket], self, span);
	know_in_locked(nlm->waits[bucket], self, span);
}
