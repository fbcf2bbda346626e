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

struct dfs_payload *
dfs_payload_new(struct dfs_cache *cache, struct dfs_metadata_store *metadata,
		struct dfs_block_store *blocks, uint32_t share_id, const char *prefix,
		enum dfs_durability durability)
{
	struct dfs_payload *payload = calloc(1, sizeof *payload);

	if (!payload)
		return NULL;
	payload->cache = cache;
	payload->metadata = metadata;
	payload->blocks = blocks;
	payload->share_id = share_id;
	payload->durability = durability;
	payload->lazy = durability == DFS_DURABILITY_NONE ||
			((metadata->caps & DFS_METADATA_CAP_VOLATILE) &&
			 (blocks->caps & DFS_BLOCK_CAP_VOLATILE));
	snprintf(payload->prefix, sizeof payload->prefix, "%s", prefix);
	/* Nanoseconds outrun any rate of puts, so the versions of this run are above the last
	 * run's; a clock that was set back is no danger while the random id of a content is new. */
	atomic_init(&payload->next_version, (uint64_t)dfs_clock_real());
	pthread_mutex_init(&payload->garbage_mu, NULL);
	dfs_cond_init(&payload->reaped);
	return payload;
}

enum dfs_status
dfs_payload_flush(struct dfs_payload *payload, int64_t deadline)
{
	return dfs_flusher_drain(payload->cache, payload, deadline);
}

enum dfs_status
dfs_payload_free(struct dfs_payload *payload, int64_t deadline)
{
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
	ok = dfs_garbage_drain(payload, deadline);
	if (!ok) {
		/* A task still uses the struct: leave it to the end of the process. */
		dfs_log(DFS_LOG_WARN,
			"share %s: block store %s does not answer: objects may be left",
			payload->prefix, payload->blocks->name);
		return DFS_TIMEDOUT;
	}
	pthread_cond_destroy(&payload->reaped);
	pthread_mutex_destroy(&payload->garbage_mu);
	free(payload);
	return DFS_OK;
}
