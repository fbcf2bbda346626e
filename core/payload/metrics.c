/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "base/clock.h"
#include "payload/file.h"
#include "payload/metrics.h"

static struct dfs_payload_metrics metrics;

static void
make(void)
{
	metrics.spilled_bytes = dfs_counter_get("dp_cache_spill_bytes");
	metrics.relogged_bytes = dfs_counter_get("dp_cache_relog_bytes");
	metrics.throttled = dfs_counter_get("dp_throttle_total");
	metrics.throttle_us = dfs_counter_get("dp_throttle_delay_us");
	metrics.stuck_delay = dfs_counter_get("dp_jukebox_total_write");
	metrics.stuck_enospc = dfs_counter_get("dp_stuck_enospc_total");
	metrics.stuck_readonly = dfs_counter_get("dp_stuck_readonly_total");
	metrics.replay_bytes = dfs_counter_get("dp_wal_replay_bytes");
	metrics.replay_orphans = dfs_counter_get("dp_wal_replay_orphan_records");
	metrics.verf_rerolls = dfs_counter_get("dp_verf_rerolls_total");
	dfs_histogram_get(&metrics.publish_seconds, "dp_publish_txn_seconds");
}

const struct dfs_payload_metrics *
dfs_payload_metrics(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
	return &metrics;
}

static void
set(const char *name, int64_t value)
{
	atomic_store_explicit(&dfs_counter_get(name)->value, value, memory_order_relaxed);
}

static void
set_wal(struct dfs_wal *wal)
{
	struct dfs_wal_stats s;

	dfs_wal_stats(wal, &s);
	set("dp_wal_size_bytes", (int64_t)s.size);
	set("dp_wal_used_bytes", (int64_t)s.used);
	set("dp_wal_queued_bytes", (int64_t)s.queued);
	set("dp_wal_append_records", (int64_t)s.appended);
	set("dp_wal_append_bytes", (int64_t)s.bytes);
	set("dp_wal_batches", (int64_t)s.batches);
	set("dp_wal_sync_total", (int64_t)s.syncs);
	set("dp_unsynced_records", (int64_t)(s.last - s.durable));
	set("dp_wal_failed", s.failed);
}

void
dfs_payload_metrics_refresh(struct dfs_wal *wal, struct dfs_cache *cache)
{
	int64_t oldest = 0, now = dfs_clock_mono();

	dfs_payload_metrics();
	if (wal)
		set_wal(wal);
	set("dp_cache_bytes", atomic_load(&cache->resident));
	set("dp_cache_budget_bytes", (int64_t)cache->budget);
	set("dp_dirty_bytes_ram", atomic_load(&cache->dirty));
	pthread_mutex_lock(&cache->mu);
	for (const struct dfs_payload *p = cache->first; p; p = p->next_dirty)
		if (now - p->oldest->dirty_since > oldest)
			oldest = now - p->oldest->dirty_since;
	set("dp_dirty_files", cache->n_files);
	pthread_mutex_unlock(&cache->mu);
	set("dp_oldest_dirty_seconds", oldest / DFS_SECOND);
}
