/* SPDX-License-Identifier: MIT
 *
 * When a call to a store is worth another try, and how long to wait before it.
 *
 * Full jitter (Brooker, "Exponential Backoff And Jitter", 2015): a pause is drawn from the whole of
 * [0, limit], so that many callers of a store that comes back do not arrive together.  The bucket
 * bounds how much of the load can be retries, however many callers there are: what is taken for a
 * retry comes back with good answers only.  No locks: the owner has one.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_RETRY_H
#define DFS_PAYLOAD_OFFLOAD_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

#define DFS_RETRY_TOKENS 500
#define DFS_RETRY_COST 5          /* tokens a retry */
#define DFS_RETRY_COST_TIMEOUT 10 /* of a call that used up its time */

struct dfs_retry_bucket {
	int32_t tokens;
};

/* Another try may go well: the store was slow, busy, or failed.  What it said about the request or
 * about itself (no such object, full, read-only, denied) it would say again. */
bool dfs_retry_transient(enum dfs_status status);

/* Nanoseconds to wait after `tries` (1 ...) tries; random: any 64 bits. */
int64_t dfs_retry_pause(unsigned tries, uint64_t random);

void dfs_retry_init(struct dfs_retry_bucket *bucket);
/* Pay for one retry after status.  False: too many of late. */
bool dfs_retry_take(struct dfs_retry_bucket *bucket, enum dfs_status status);
/* A call went well; retried: after others of its kind. */
void dfs_retry_give(struct dfs_retry_bucket *bucket, bool retried);

#endif
