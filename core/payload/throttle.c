/* SPDX-License-Identifier: MIT
 *
 * What writers wait for: room for dirty data, and for the log.
 *
 * As the log fills, each write is held a little longer, more the less there is left, so that writers
 * come down to what the block store takes before there is none (after OpenZFS's write throttle).
 * When there is none and the store takes nothing, the share says what it was told to say.  The time
 * is the writer's own: a worker sleeps it, an event loop sends the write to one.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "payload/file.h"
#include "payload/metrics.h"

#define FULL_FROM 60                 /* percent of the log: from here on writes are held */
#define HOLD_MIB (DFS_SECOND / 1000) /* how long a MiB is at half of the way to full */
#define HOLD_MAX (DFS_SECOND / 2)
#define HOLD_MIN (DFS_SECOND / 5000) /* shorter ones are gathered */
#define RECOVERED (120 * DFS_SECOND) /* a store that was stuck serves again for so long */

/* How long a write of len bytes is held. */
static int64_t
hold_for(const struct dfs_payload *payload, uint32_t len)
{
	uint64_t used = payload->log.used, quota = payload->log.quota;
	double x, left;

	if (!payload->logging || used * 100 < quota * FULL_FROM)
		return 0;
	x = (double)used / (double)quota;
	left = x < 0.999 ? 1 - x : 0.001;
	x = (x - FULL_FROM / 100.0) / left * (double)HOLD_MIB * len / (1 << 20);
	return x < (double)HOLD_MAX ? (int64_t)x : HOLD_MAX;
}

static void
hold(struct dfs_payload *payload, int64_t ns, int64_t deadline)
{
	const struct dfs_payload_metrics *m = dfs_payload_metrics();
	int64_t now = dfs_clock_mono();

	ns += atomic_exchange(&payload->throttle.owed, 0);
	if (ns < HOLD_MIN) {
		atomic_fetch_add(&payload->throttle.owed, ns);
		return;
	}
	if (ns > deadline - now)
		ns = deadline - now;
	if (ns <= 0)
		return;
	dfs_counter_add(m->throttled, 1);
	dfs_counter_add(m->throttle_us, ns / 1000);
	usleep((useconds_t)(ns / 1000));
}

static bool
has_room(const struct dfs_payload *payload, uint32_t len)
{
	return !dfs_flusher_full(payload) && dfs_log_room(payload, len);
}

/* There was no room until the deadline, or there is no use in waiting: what the writer is told. */
static enum dfs_status
refuse(struct dfs_payload *payload, enum dfs_status store)
{
	const struct dfs_payload_metrics *m = dfs_payload_metrics();

	if (payload->logging && dfs_wal_failed(payload->wal))
		return dfs_fail(DFS_IO, "share %s: the write-ahead log has failed",
				payload->prefix);
	if (store != DFS_OK && payload->stuck_write == DFS_STUCK_ENOSPC) {
		dfs_counter_add(m->stuck_enospc, 1);
		return dfs_fail(DFS_NOSPC,
				"share %s: its block store takes nothing and its part of "
				"the log is full",
				payload->prefix);
	}
	if (store != DFS_OK && payload->stuck_write == DFS_STUCK_READONLY) {
		if (!atomic_exchange(&payload->throttle.readonly, true))
			dfs_log(DFS_LOG_ERROR,
				"share %s: its block store takes nothing and its part of the log "
				"is "
				"full: it is read-only until the store has served for %d s",
				payload->prefix, (int)(RECOVERED / DFS_SECOND));
		dfs_counter_add(m->stuck_readonly, 1);
		return DFS_ROFS;
	}
	dfs_counter_add(m->stuck_delay, 1);
	return DFS_DELAY;
}

/* Whether a share that became read-only may be written again: then it is writable from now on. */
static bool
recovered(struct dfs_payload *payload)
{
	int64_t since = atomic_load(&payload->throttle.good_since);

	if (!since || dfs_clock_mono() - since <= RECOVERED)
		return false;
	if (atomic_exchange(&payload->throttle.readonly, false))
		dfs_log(DFS_LOG_WARN, "share %s: its block store serves again: writable",
			payload->prefix);
	return true;
}

void
dfs_throttle_flushed(struct dfs_payload *payload, enum dfs_status status)
{
	atomic_store(&payload->flush_status, status);
	if (status != DFS_OK)
		atomic_store(&payload->throttle.good_since, 0);
	else if (!atomic_load(&payload->throttle.good_since))
		atomic_store(&payload->throttle.good_since, dfs_clock_mono());
}

enum dfs_status
dfs_throttle_write(struct dfs_ctx *ctx, struct dfs_payload *payload, uint32_t len)
{
	enum dfs_status store = atomic_load(&payload->flush_status);

	if (atomic_load_explicit(&payload->throttle.readonly, memory_order_relaxed) &&
	    !recovered(payload))
		return DFS_ROFS;
	if (has_room(payload, len)) {
		int64_t ns = hold_for(payload, len);

		if (!ns)
			return DFS_OK;
		if (ctx->nonblock)
			return DFS_AGAIN;
		hold(payload, ns, ctx->deadline);
		return DFS_OK;
	}
	/* No waiting brings a log back that has failed. */
	if (payload->logging && dfs_wal_failed(payload->wal))
		return refuse(payload, store);
	/* Full of what a store refuses: its answer, rather than waiting for ever. */
	if (store == DFS_NOSPC || store == DFS_DQUOT || store == DFS_ROFS)
		return store;
	if (store != DFS_OK && payload->stuck_write != DFS_STUCK_DELAY)
		return refuse(payload, store);
	if (ctx->nonblock)
		return DFS_AGAIN;
	if (dfs_flusher_wait(payload, ctx->deadline) &&
	    dfs_log_wait_room(payload, len, ctx->deadline))
		return DFS_OK;
	return refuse(payload, atomic_load(&payload->flush_status));
}
