/* SPDX-License-Identifier: MIT
 *
 * The page cache: one budget for the server, blocks in second-chance order, and the list of files
 * with dirty data.
 *
 * Counted are buffers by capacity and the structures around them.  Clean pages go when the budget
 * is passed.  Dirty ones are never dropped: above `dirty_high` the oldest files are flushed in the
 * background, above `dirty_spill` what the log has leaves memory, at `dirty_hard` writers wait.  A share's writers wait before that, when it holds
 * several times what is left: so a share whose store hangs leaves room to the others.
 */
#ifndef DFS_PAYLOAD_CACHE_H
#define DFS_PAYLOAD_CACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

#include "base/lock.h"

struct dfs_block;
struct dfs_download_buffer;
struct dfs_file;
struct dfs_payload;

#define DFS_CACHE_SHARDS 16

struct dfs_cache_shard {
	struct dfs_lock mu;
	struct dfs_block *head, *tail; /* guarded by mu; most recent first */
} __attribute__((aligned(64)));

struct dfs_cache {
	uint64_t budget, dirty_high, dirty_spill, dirty_hard;
	_Atomic int64_t resident, dirty; /* bytes */
	_Atomic uint32_t next_shard, hand;
	struct dfs_cache_shard shards[DFS_CACHE_SHARDS];
	struct dfs_download_buffer *landing; /* a fifth of the budget, counted in resident */

	_Atomic bool kicked;
	pthread_mutex_t mu;
	pthread_cond_t wake;              /* the flusher: kicked, or a file became dirty, or stop */
	pthread_cond_t relief;            /* waiters: dirty bytes or tasks went down */
	_Atomic uint32_t waiting;         /* for relief; changed under mu */
	struct dfs_payload *first, *last; /* guarded by mu: shares with dirty files */
	uint32_t n_files;                 /* guarded by mu */
	bool stop, idle; /* guarded by mu; idle: the flusher waits for a first file */
	pthread_t flusher;
};

/* The cache that was made last; NULL: none. */
struct dfs_cache *dfs_cache_of_server(void);

/* lru.c: called with the file's mu. */
void dfs_cache_insert(struct dfs_cache *cache, struct dfs_block *block);
void dfs_cache_remove(struct dfs_cache *cache, struct dfs_block *block);
/* Called with no lock held: evict until the budget is kept, within reason. */
void dfs_cache_trim(struct dfs_cache *cache);
/* Give back about `bytes` of clean pages whatever the budget; for when the pool is at its limit.
 * False: nothing could be given. */
bool dfs_cache_reclaim(struct dfs_cache *cache, uint64_t bytes);

static inline bool
dfs_cache_over(struct dfs_cache *cache)
{
	return atomic_load_explicit(&cache->resident, memory_order_relaxed) >
	       (int64_t)cache->budget;
}

/* flusher.c: the list of dirty files.  add, done: called with the file's mu. */
bool dfs_flusher_start(struct dfs_cache *cache);
void dfs_flusher_stop(struct dfs_cache *cache);
void dfs_flusher_add(struct dfs_cache *cache, struct dfs_file *file);
/* The file, which is on the list, has a whole block. */
void dfs_flusher_hurry(struct dfs_cache *cache, struct dfs_file *file);
void dfs_flusher_done(struct dfs_cache *cache, struct dfs_file *file);
/* Take the file off the list and wait for background flushes of it. */
void dfs_flusher_forget(struct dfs_cache *cache, struct dfs_file *file);
/* Add to the share's dirty bytes; wakes the flusher or writers when a mark is passed.  Called with a file's
 * mu. */
void dfs_flusher_account(struct dfs_payload *payload, int64_t delta);
/* Whether writers of the share shall wait. */
bool dfs_flusher_full(const struct dfs_payload *payload);
/* Wait until they need not; false: deadline (monotonic ns). */
bool dfs_flusher_wait(struct dfs_payload *payload, int64_t deadline);
/* Flush all dirty files of the payload. */
enum dfs_status dfs_flusher_drain(struct dfs_cache *cache, struct dfs_payload *payload,
				  int64_t deadline);

#endif
