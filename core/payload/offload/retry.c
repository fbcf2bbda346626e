/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "payload/offload/retry.h"

#define PAUSE_FIRST (DFS_SECOND / 10)
#define PAUSE_MAX (20 * DFS_SECOND)

bool
dfs_retry_transient(enum dfs_status status)
{
	return status == DFS_TIMEDOUT || status == DFS_DELAY || status == DFS_BUSY ||
	       status == DFS_IO;
}

int64_t
dfs_retry_pause(unsigned tries, uint64_t random)
{
	int64_t limit = PAUSE_FIRST;

	while (tries-- > 1 && limit < PAUSE_MAX)
		limit *= 2;
	if (limit > PAUSE_MAX)
		limit = PAUSE_MAX;
	return (int64_t)(random % (uint64_t)(limit + 1));
}

void
dfs_retry_init(struct dfs_retry_bucket *bucket)
{
	bucket->tokens = DFS_RETRY_TOKENS;
}

bool
dfs_retry_take(struct dfs_retry_bucket *bucket, enum dfs_status status)
{
	int32_t cost = status == DFS_TIMEDOUT ? DFS_RETRY_COST_TIMEOUT : DFS_RETRY_COST;

	if (bucket->tokens < cost)
		return false;
	bucket->tokens -= cost;
	return true;
}

void
dfs_retry_give(struct dfs_retry_bucket *bucket, bool retried)
{
	bucket->tokens += retried ? DFS_RETRY_COST : 1;
	if (bucket->tokens > DFS_RETRY_TOKENS)
		bucket->tokens = DFS_RETRY_TOKENS;
}
