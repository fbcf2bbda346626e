/* SPDX-License-Identifier: MIT
 *
 * The counters of the log, the cache and the way of dirty data, all shares together.  Gauges are
 * brought up to date when somebody is about to read them.
 */
#ifndef DFS_PAYLOAD_METRICS_H
#define DFS_PAYLOAD_METRICS_H

#include "base/counter.h"
#include "payload/wal/wal.h"

struct dfs_cache;

struct dfs_payload_metrics {
	/* Bytes that left memory for the log; that were logged for it. */
	struct dfs_counter *spilled_bytes, *relogged_bytes;
	struct dfs_counter *throttled, *throttle_us; /* writes that were slowed down */
	/* Writes that were put off, refused. */
	struct dfs_counter *stuck_delay, *stuck_enospc, *stuck_readonly;
	struct dfs_counter *replay_bytes, *replay_orphans;
	struct dfs_counter *verf_rerolls;
	struct dfs_histogram publish_seconds; /* the transaction that makes objects current */
};

const struct dfs_payload_metrics *dfs_payload_metrics(void);
/* Set the gauges.  wal: may be NULL. */
void dfs_payload_metrics_refresh(struct dfs_wal *wal, struct dfs_cache *cache);

#endif
