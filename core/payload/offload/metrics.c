/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "payload/offload/metrics.h"

static struct dfs_offload_metrics metrics;

static void
make(void)
{
	static const char *const depth[DFS_ENTRY_CLASSES] = {
		"dp_queue_depth_demand_get",   "dp_queue_depth_finalize_put",
		"dp_queue_depth_prefetch_get", "dp_queue_depth_complete_put",
		"dp_queue_depth_aged_put",     "dp_queue_depth_compact",
	};

	for (int class = 0; class < DFS_ENTRY_CLASSES; class ++)
		metrics.queue_depth[class] = dfs_counter_get(depth[class]);
	metrics.inflight[DFS_DOWN] = dfs_counter_get("dp_inflight_down");
	metrics.inflight[DFS_UP] = dfs_counter_get("dp_inflight_up");
	metrics.window[DFS_DOWN] = dfs_counter_get("dp_window_down");
	metrics.window[DFS_UP] = dfs_counter_get("dp_window_up");
	metrics.breaker_state = dfs_counter_get("dp_breaker_state");
	metrics.breaker_opened = dfs_counter_get("dp_breaker_opened_total");
	metrics.refused = dfs_counter_get("dp_breaker_refused_total");
	metrics.retry_timeout = dfs_counter_get("dp_retry_total_timeout");
	metrics.retry_busy = dfs_counter_get("dp_retry_total_busy");
	metrics.retry_error = dfs_counter_get("dp_retry_total_error");
	metrics.retry_denied = dfs_counter_get("dp_retry_denied_total");
	metrics.joins = dfs_counter_get("dp_singleflight_joins");
	metrics.prefetch_issued = dfs_counter_get("dp_prefetch_issued");
	metrics.prefetch_used = dfs_counter_get("dp_prefetch_used");
	metrics.prefetch_wasted = dfs_counter_get("dp_prefetch_wasted");
	dfs_histogram_get(&metrics.put_seconds, "dp_put_seconds");
	dfs_histogram_get(&metrics.get_seconds, "dp_get_seconds");
	dfs_histogram_get(&metrics.get_ttfb_seconds, "dp_get_ttfb_seconds");
}

const struct dfs_offload_metrics *
dfs_offload_metrics(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
	return &metrics;
}
