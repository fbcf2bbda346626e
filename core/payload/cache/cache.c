/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "payload/download_buffer.h"
#include "payload/file.h"

#define BUDGET_MIN (4ull << 20)

static struct dfs_cache *_Atomic current;

struct dfs_cache *
dfs_cache_of_server(void)
{
	return atomic_load_explicit(&current, memory_order_acquire);
}

static void
account(void *arg, int64_t bytes)
{
	struct dfs_cache *cache = arg;

	atomic_fetch_add_explicit(&cache->resident, bytes, memory_order_relaxed);
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
	cache->landing = dfs_download_buffer_new(
		&(struct dfs_download_options){.tick = DFS_DOWNLOAD_TICK,
					       .expire = DFS_DOWNLOAD_EXPIRE,
					       .budget = cache->budget / 5,
					       .account = account,
					       .arg = cache});
	if (!cache->landing || !dfs_flusher_start(cache)) {
		dfs_download_buffer_unref(cache->landing);
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
	dfs_download_buffer_done(cache->landing);
	dfs_download_buffer_unref(cache->landing);
	free(cache);
}
