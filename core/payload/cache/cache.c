/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "payload/file.h"

#define BUDGET_MIN (4ull << 20)

static struct dfs_cache *_Atomic current;

struct dfs_cache *
dfs_cache_of_server(void)
{
	return atomic_load_explicit(&current, memory_order_acquire);
}

struct dfs_cache *
dfs_cache_new(uint64_t budget)
{
	struct dfs_cache *cache = aligned_alloc(64, sizeof *cache);

	if (!cache)
		return NULL;
	*cache = (struct dfs_cache){.budget = budget < BUDGET_MIN ? BUDGET_MIN : budget};
	cache->dirty_high = cache->budget / 10 * 4;
	cache->dirty_spill = cache->budget / 10 * 6;
	cache->dirty_hard = cache->budget / 10 * 8;
	if (!dfs_flusher_start(cache)) {
		free(cache);
		return NULL;
	}
	atomic_store(&current, cache);
	return cache;
}

void
dfs_cache_free(struct dfs_cache *cache)
{
	if (!cache)
		return;
	if (dfs_cache_of_server() == cache)
		atomic_store(&current, NULL);
	dfs_flusher_stop(cache);
	free(cache);
}
