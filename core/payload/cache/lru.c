/* SPDX-License-Identifier: MIT
 *
 * Which block leaves memory: second chance over sharded lists.  A hit only sets a flag; the lists
 * are touched when blocks come and go, and by the evictor.
 */
#include <stdlib.h>

#include "payload/file.h"

#define SCAN_MAX 64 /* blocks looked at in one go */

static void
unlink_block(struct dfs_cache_shard *s, struct dfs_block *b)
{
	if (b->lru_prev)
		b->lru_prev->lru_next = b->lru_next;
	else
		s->head = b->lru_next;
	if (b->lru_next)
		b->lru_next->lru_prev = b->lru_prev;
	else
		s->tail = b->lru_prev;
}

static void
push_block(struct dfs_cache_shard *s, struct dfs_block *b)
{
	b->lru_prev = NULL;
	b->lru_next = s->head;
	if (s->head)
		s->head->lru_prev = b;
	else
		s->tail = b;
	s->head = b;
}

void
dfs_cache_insert(struct dfs_cache *cache, struct dfs_block *block)
{
	struct dfs_cache_shard *s;

	block->shard =
		(uint8_t)(atomic_fetch_add_explicit(&cache->next_shard, 1, memory_order_relaxed) %
			  DFS_CACHE_SHARDS);
	s = &cache->shards[block->shard];
	dfs_lock_acquire(&s->mu);
	push_block(s, block);
	dfs_lock_release(&s->mu);
}

void
dfs_cache_remove(struct dfs_cache *cache, struct dfs_block *block)
{
	struct dfs_cache_shard *s = &cache->shards[block->shard];

	dfs_lock_acquire(&s->mu);
	unlink_block(s, block);
	dfs_lock_release(&s->mu);
}

/* Look at the last block of a shard; answers the bytes that went, -1: the shard is empty. */
static int64_t
evict_one(struct dfs_cache *cache, struct dfs_cache_shard *s, bool force)
{
	struct dfs_buf *bufs[DFS_PAGES];
	struct dfs_block *b;
	struct dfs_file *file;
	uint32_t n = 0;
	int64_t gone = 0;

	dfs_lock_acquire(&s->mu);
	b = s->tail;
	if (!b) {
		dfs_lock_release(&s->mu);
		return -1;
	}
	unlink_block(s, b);
	file = b->file;
	if ((!force && atomic_load_explicit(&b->referenced, memory_order_relaxed)) ||
	    !dfs_lock_try(&file->mu)) {
		atomic_store_explicit(&b->referenced, false, memory_order_relaxed);
		push_block(s, b);
		dfs_lock_release(&s->mu);
		return 0;
	}
	/* The file stays: to free it, its blocks must leave the lists first, under our lock. */
	if (dfs_block_evict(b, bufs, &n))
		dfs_block_destroy(b);
	else
		push_block(s, b);
	gone = -file->d_resident;
	file->d_resident = 0;
	dfs_lock_release(&file->mu);
	dfs_lock_release(&s->mu);
	if (gone)
		atomic_fetch_sub_explicit(&cache->resident, gone, memory_order_relaxed);
	for (uint32_t i = 0; i < n; i++)
		dfs_buf_unref(bufs[i]);
	return gone;
}

static int64_t
evict(struct dfs_cache *cache, int64_t bytes, unsigned scans, bool force)
{
	int64_t gone = 0;
	unsigned empty = 0;

	for (unsigned i = 0; i < scans && gone < bytes && empty < DFS_CACHE_SHARDS; i++) {
		unsigned hand = atomic_fetch_add_explicit(&cache->hand, 1, memory_order_relaxed) %
				DFS_CACHE_SHARDS;
		int64_t n = evict_one(cache, &cache->shards[hand], force);

		if (n < 0)
			empty++;
		else
			gone += n;
	}
	return gone;
}

void
dfs_cache_trim(struct dfs_cache *cache)
{
	int64_t over = atomic_load_explicit(&cache->resident, memory_order_relaxed) -
		       (int64_t)cache->budget;

	if (over > 0)
		evict(cache, over, SCAN_MAX, false);
}

bool
dfs_cache_reclaim(struct dfs_cache *cache, uint64_t bytes)
{
	return evict(cache, (int64_t)bytes, 4 * SCAN_MAX, true) > 0;
}
