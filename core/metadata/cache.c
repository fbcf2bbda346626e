/* SPDX-License-Identifier: MIT
 *
 * The cache of inodes and names as a whole: birth, end, usage.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/big.h"
#include "metadata/cache.h"

/* Address space for so many times the limit: pinned inodes may exceed it. */
#define ROOM 4

static uint64_t
pow2_at_least(uint64_t n)
{
	uint64_t p = 1;
	while (p < n)
		p <<= 1;
	return p;
}

struct dfs_inode_cache *
dfs_inode_cache_new(uint64_t max_inodes, uint64_t max_names)
{
	struct dfs_inode_cache *cache = aligned_alloc(64, sizeof *cache);
	uint64_t n;

	if (!cache)
		abort();
	memset(cache, 0, sizeof *cache);
	if (max_inodes < 1024)
		max_inodes = 1024;
	if (max_inodes > UINT32_MAX)
		max_inodes = UINT32_MAX;
	n = pow2_at_least(max_inodes);
	cache->mask = n - 1;
	cache->shard_shift = (unsigned)__builtin_ctzll(n / DFS_INODE_SHARDS);
	cache->shard_limit = (uint32_t)(max_inodes / DFS_INODE_SHARDS);
	cache->buckets = dfs_big_alloc(n * sizeof *cache->buckets);
	/* Shards fill unevenly by less than a slab each. */
	cache->n_inodes = ROOM * (max_inodes / SLAB_INODES + DFS_INODE_SHARDS) * SLAB_INODES;
	cache->slabs = dfs_big_alloc(cache->n_inodes * sizeof *cache->slabs);
	if (!cache->buckets || !cache->slabs)
		abort();
	for (unsigned i = 0; i < DFS_INODE_SHARDS; i++)
		cache->shards[i].hand = (uint64_t)i << cache->shard_shift;
	dfs_name_cache_setup(cache, max_names);
	return cache;
}

void
dfs_inode_cache_free(struct dfs_inode_cache *cache)
{
	if (!cache)
		return;
	for (unsigned i = 0; i < DFS_INODE_SHARDS; i++) {
		assert(cache->shards[i].used == 0);
		for (uint32_t k = 0; k < cache->shards[i].n_extra; k++)
			free(cache->shards[i].extra[k]);
		free(cache->shards[i].extra);
	}
	dfs_name_cache_clear(cache);
	dfs_big_free(cache->buckets, (cache->mask + 1) * sizeof *cache->buckets);
	dfs_big_free(cache->slabs, cache->n_inodes * sizeof *cache->slabs);
	free(cache);
}

void
dfs_inode_cache_usage(const struct dfs_inode_cache *cache, uint64_t *inodes, uint64_t *names)
{
	struct dfs_inode_cache *c = (struct dfs_inode_cache *)cache;

	*inodes = 0;
	for (unsigned i = 0; i < DFS_INODE_SHARDS; i++) {
		dfs_lock_acquire(&c->shards[i].lock);
		*inodes += c->shards[i].used;
		dfs_lock_release(&c->shards[i].lock);
	}
	*names = atomic_load_explicit(&c->n_names, memory_order_relaxed);
}
