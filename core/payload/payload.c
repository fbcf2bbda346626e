/* SPDX-License-Identifier: MIT
 *
 * One share's content: which stores, which keys, how durable.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "payload/file.h"
#include "payload/offload/offload.h"

/* For what runs in the background at the end, should the steps before have used up all time: a store
 * that answers needs no more. */
#define CLOSE_TIME (5 * DFS_SECOND)

/* How near writers are to having to wait. */
static double
dirty_level(void *arg)
{
	const struct dfs_cache *cache = arg;

	return (double)atomic_load_explicit(&cache->dirty, memory_order_relaxed) /
	       (double)cache->dirty_hard;
}

struct dfs_payload *
dfs_payload_new(const struct dfs_payload_options *o)
{
	struct dfs_payload *payload = calloc(1, sizeof *payload);
	bool volatile_metadata, volatile_blocks;

	if (!payload)
		return NULL;
	payload->cache = o->cache;
	payload->metadata = o->metadata;
	payload->blocks = o->blocks;
	payload->share_id = o->share_id;
	memcpy(payload->uuid, o->uuid, sizeof payload->uuid);
	payload->durability = o->durability;
	payload->stuck_write = o->stuck_write;
	volatile_metadata = o->metadata->caps & DFS_METADATA_CAP_VOLATILE;
	volatile_blocks = o->blocks->caps & DFS_BLOCK_CAP_VOLATILE;
	payload->lazy =
		o->durability == DFS_DURABILITY_NONE || (volatile_metadata && volatile_blocks);
	/* Slices of inodes, or over blocks, that do not outlive the process are of no use. */
	if (!volatile_metadata && !volatile_blocks)
		payload->wal = o->wal;
	payload->far = payload->eager = o->blocks->caps & DFS_BLOCK_CAP_DURABLE_PUT;
	payload->logging = payload->wal && o->durability != DFS_DURABILITY_NONE;
	if (payload->logging) {
		struct dfs_wal_stats stats;

		/* What a stuck share cannot take from the others. */
		dfs_wal_stats(payload->wal, &stats);
		payload->log.quota = o->log_quota ? o->log_quota : stats.size / 4 * 3;
	}
	snprintf(payload->prefix, sizeof payload->prefix, "%s", o->prefix);
	payload->dedup = o->dedup;
	payload->fills = o->quotas;
	payload->gc.records = !volatile_metadata;
	payload->gc.grace = o->gc_grace                                   ? o->gc_grace
			    : o->blocks->caps & DFS_BLOCK_CAP_DURABLE_PUT ? DFS_GC_GRACE_REMOTE
									  : 0;
	payload->gc.reconcile = o->gc_reconcile;
	payload->gc.reconcile_interval =
		o->gc_reconcile_interval ? o->gc_reconcile_interval : DFS_GC_INTERVAL;
	if (!dfs_strategy_init(payload, &o->flush)) {
		dfs_strategy_destroy(payload);
		free(payload);
		return NULL;
	}
	dfs_gc_init(&payload->gc);
	pthread_mutex_init(&payload->garbage_mu, NULL);
	dfs_cond_init(&payload->reaped);
	if (o->blocks->offload)
		dfs_offload_watch(o->blocks->offload, dirty_level, o->cache);
	return payload;
}

bool
dfs_payload_logs(const struct dfs_payload *payload)
{
	return payload->logging;
}

void
dfs_payload_replaying(struct dfs_payload *payload, bool on)
{
	atomic_store(&payload->replaying, on);
}

enum dfs_status
dfs_payload_flush(struct dfs_payload *payload, int64_t deadline)
{
	return dfs_flusher_drain(payload->cache, payload, deadline);
}

enum dfs_status
dfs_payload_free(struct dfs_payload *payload, int64_t deadline)
{
	int64_t least = dfs_clock_mono() + CLOSE_TIME;
	struct dfs_cache *cache;
	bool ok;

	if (!payload)
		return DFS_OK;
	cache = payload->cache;
	/* Files are gone, so these end at once. */
	pthread_mutex_lock(&cache->mu);
	while (atomic_load(&payload->flush_tasks) > 0)
		pthread_cond_wait(&cache->relief, &cache->mu);
	pthread_mutex_unlock(&cache->mu);
	if (payload->blocks->offload)
		dfs_offload_unwatch(payload->blocks->offload);
	if (deadline < least)
		deadline = least;
	ok = dfs_strategy_stop(payload, deadline) && dfs_garbage_drain(payload, deadline);
	/* In any case: what is left to the end of the process begins nothing any more. */
	ok = dfs_gc_stop(payload, deadline) && ok;
	if (!ok) {
		/* A task still uses the struct: leave it to the end of the process. */
		dfs_log(DFS_LOG_WARN,
			"share %s: block store %s does not answer: objects may be left",
			payload->prefix, payload->blocks->name);
		return DFS_TIMEDOUT;
	}
	dfs_gc_destroy(&payload->gc);
	dfs_strategy_destroy(payload);
	pthread_cond_destroy(&payload->reaped);
	pthread_mutex_destroy(&payload->garbage_mu);
	free(payload);
	return DFS_OK;
}
