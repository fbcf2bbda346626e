/* SPDX-License-Identifier: MIT
 *
 * The counters of the transfers between payload services and block stores, all stores together.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_METRICS_H
#define DFS_PAYLOAD_OFFLOAD_METRICS_H

#include "base/counter.h"
#include "payload/offload/queue.h"

struct dfs_offload_metrics {
	struct dfs_counter *queue_depth[DFS_ENTRY_CLASSES]; /* gauge */
	struct dfs_counter *inflight[2], *window[2];        /* gauges, by direction */
	struct dfs_counter *breaker_state;                  /* gauge: sum of the states */
	struct dfs_counter *breaker_opened, *refused;
	struct dfs_counter *retry_timeout, *retry_busy, *retry_error, *retry_denied;
	struct dfs_counter *joins;
	struct dfs_counter *prefetch_issued, *prefetch_used, *prefetch_wasted; /* blocks */
	struct dfs_histogram put_seconds, get_seconds, get_ttfb_seconds;
};

const struct dfs_offload_metrics *dfs_offload_metrics(void);

#endif
