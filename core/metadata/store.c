/* SPDX-License-Identifier: MIT
 *
 * Opening a metadata store, its transactions, and the watchdog over its thread model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "io/watchdog.h"
#include "io/worker.h"
#include "metadata/charge.h"
#include "metadata/ns.h"
#include "metadata/store.h"
#include "metadata/writeback.h"
#include "plugin/registry.h"

#define LANE_QUEUE 4096
#define TRIES_MAX 256
/* Of a request, some 2 s: a batch of the write-back may have the inode for that long. */
#define REQUEST_TRIES_MAX 2048
#define LOOK_EVERY (DFS_SECOND / 10)

/* The transaction that this thread runs on a loop. */
static _Thread_local struct {
	struct dfs_metadata_store *store;
	struct dfs_watchdog_call call;
} watch;

static void
watch_begin(struct dfs_metadata_store *store)
{
	watch.store = store;
	dfs_watchdog_begin(&store->dog, &watch.call);
}

static inline void
watch_end(struct dfs_metadata_store *store)
{
	if (watch.store != store)
		return;
	watch.store = NULL;
	if (!dfs_watchdog_end(&store->dog, &watch.call))
		return;
	dfs_log(DFS_LOG_WARN,
		"%s: the store held an event loop over %d ms %d times in a second; from now on it "
		"is called on workers only",
		store->name, (int)(DFS_WATCHDOG_HOLD / 1000000), DFS_WATCHDOG_STRIKES);
	atomic_store(&store->thread_model, DFS_THREADS_BLOCKING);
}

enum dfs_status
dfs_metadata_begin(struct dfs_metadata_store *store, const struct dfs_ctx *ctx,
		   enum dfs_txn_mode mode, struct dfs_txn **txn)
{
	uint32_t model = atomic_load_explicit(&store->thread_model, memory_order_relaxed);
	uint32_t flags = 0;
	enum dfs_status status;

	if (ctx && ctx->nonblock) {
		if (model < DFS_THREADS_TRY)
			return DFS_AGAIN;
		/* A store at memory speed may be waited for: cheaper than a worker. */
		if (model == DFS_THREADS_TRY)
			flags = DFS_NONBLOCK;
		watch_begin(store);
	}
	if (model == DFS_THREADS_SERIAL)
		dfs_lock_acquire(&store->serial);
	status = store->ops.begin(store->inst, mode | flags, txn);
	if (status != DFS_OK) {
		if (model == DFS_THREADS_SERIAL)
			dfs_lock_release(&store->serial);
		watch_end(store);
	}
	return status;
}

/* SERIAL is never entered by demotion, so it is the model that begin saw. */
static void
txn_end(struct dfs_metadata_store *store)
{
	if (atomic_load_explicit(&store->thread_model, memory_order_relaxed) == DFS_THREADS_SERIAL)
		dfs_lock_release(&store->serial);
	watch_end(store);
}

enum dfs_status
dfs_metadata_commit(struct dfs_metadata_store *store, struct dfs_txn *txn, uint64_t *committed)
{
	uint64_t seq = 0, last;
	enum dfs_status status = store->ops.commit(store->inst, txn, &seq);

	dfs_charges_end(txn, status == DFS_OK, status != DFS_AGAIN);
	txn_end(store);
	if (status == DFS_FENCED)
		dfs_namespace_check_leases(store);
	if (status != DFS_OK)
		return status;
	last = atomic_load_explicit(&store->last_seq, memory_order_relaxed);
	while (last < seq && !atomic_compare_exchange_weak(&store->last_seq, &last, seq))
		;
	if (committed)
		*committed = seq;
	return DFS_OK;
}

bool
dfs_metadata_again(const struct dfs_ctx *ctx, enum dfs_status *status, unsigned *tries)
{
	if (*status != DFS_AGAIN || (ctx && ctx->nonblock))
		return false;
	if (++*tries >= (ctx ? REQUEST_TRIES_MAX : TRIES_MAX) ||
	    (ctx && dfs_clock_mono() > ctx->deadline)) {
		*status = DFS_DELAY;
		return false;
	}
	usleep(*tries < 16 ? 10u * *tries : 1000);
	return true;
}

enum dfs_status
dfs_metadata_update(struct dfs_metadata_store *store,
		    enum dfs_status (*fn)(void *arg, struct dfs_txn *txn), void *arg, uint64_t *seq)
{
	enum dfs_status status;
	unsigned tries = 0;

	do {
		struct dfs_txn *txn;

		status = dfs_metadata_begin(store, NULL, DFS_TXN_WRITE, &txn);
		if (status != DFS_OK)
			continue;
		status = fn(arg, txn);
		if (status == DFS_OK)
			status = dfs_metadata_commit(store, txn, seq);
		else
			dfs_metadata_abort(store, txn);
	} while (dfs_metadata_again(NULL, &status, &tries));
	return status;
}

void
dfs_metadata_ticket(struct dfs_metadata_store *store, struct dfs_ctx *ctx,
		    enum dfs_durability durability, uint64_t seq)
{
	if (store->gate && durability != DFS_DURABILITY_NONE)
		dfs_ctx_ticket(ctx, store->gate, seq,
			       durability >= DFS_DURABILITY_POWER ? DFS_SYNC_POWER
								  : DFS_SYNC_PROCESS);
}

void
dfs_metadata_abort(struct dfs_metadata_store *store, struct dfs_txn *txn)
{
	store->ops.abort(store->inst, txn);
	dfs_charges_end(txn, false, false);
	txn_end(store);
}

/* Is there space?  Asked before a sync, now and then, and while there is none. */
static void
look(struct dfs_metadata_store *store)
{
	struct dfs_metadata_stats stats;
	int64_t now = dfs_clock_mono(), last = atomic_load(&store->looked_at);
	bool full;

	if ((last && now - last < LOOK_EVERY) ||
	    !atomic_compare_exchange_strong(&store->looked_at, &last, now) ||
	    dfs_metadata_stats(store, &stats) != DFS_OK)
		return;
	full = stats.bytes_used && !stats.bytes_free;
	if (atomic_exchange(&store->full, full) != full)
		dfs_log(full ? DFS_LOG_ERROR : DFS_LOG_INFO, "metadata store %s: %s", store->name,
			full ? "there is no space; nothing new is taken until there is"
			     : "there is space again");
}

enum dfs_status
dfs_metadata_room(struct dfs_metadata_store *store, const struct dfs_ctx *ctx)
{
	if (__builtin_expect(!atomic_load_explicit(&store->full, memory_order_relaxed), 1))
		return DFS_OK;
	if (ctx->nonblock)
		return DFS_AGAIN;
	look(store);
	if (atomic_load(&store->full))
		return dfs_fail(DFS_NOSPC, "%s: there is no space for records", store->name);
	return DFS_OK;
}

/* The gate's sync: first what waits in memory, so that one sync covers it. */
static enum dfs_status
gate_sync(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	struct dfs_metadata_store *store = arg;
	bool serial = store->thread_model == DFS_THREADS_SERIAL;
	enum dfs_status status;
	uint64_t written;

	/* Drawn first: what commits during the write-back may have come too late for it. */
	*durable = atomic_load(&store->last_seq);
	if (*durable < seq)
		*durable = seq;
	look(store);
	written = *durable;
	status = dfs_writeback_run(store, &written);
	/* Which share is another server's could not be read now: no reason for all to fail. */
	if (status == DFS_FENCED)
		status = DFS_DELAY;
	if (status != DFS_OK) {
		/* What could not be written is still in memory, and the next round tries again. */
		if (store->gate)
			dfs_gate_spare(store->gate);
		return status;
	}
	DFS_FAILPOINT("names-written");
	if (serial)
		dfs_lock_acquire(&store->serial);
	status = store->ops.sync(store->inst, written, level);
	DFS_FAILPOINT("names-synced");
	if (serial)
		dfs_lock_release(&store->serial);
	return status;
}

enum dfs_status
dfs_metadata_store_open(const struct dfs_plugin_entry *entry, const char *name, const void *config,
			const struct dfs_host *host, struct dfs_workers *workers,
			struct dfs_metadata_store **out)
{
	struct dfs_metadata_store *store = calloc(1, sizeof *store);
	struct dfs_diag diag = {{0}};
	enum dfs_status status;

	if (!store)
		return dfs_fail(DFS_NOMEM, "no memory for the store %s", name);
	snprintf(store->name, sizeof store->name, "%s", name);
	store->ops = entry->ops.metadata;
	store->caps = entry->desc.caps;
	atomic_init(&store->thread_model, entry->desc.thread_model);
	status = store->ops.create(host, config, &store->inst, &diag);
	if (status != DFS_OK) {
		free(store);
		if (diag.text[0])
			dfs_fail(status, "%s: %s", name, diag.text);
		return status;
	}
	store->dirty = dfs_writeback_new(store);
	if (!(store->caps & (DFS_METADATA_CAP_VOLATILE | DFS_METADATA_CAP_DURABLE)))
		store->gate = dfs_gate_new(store->name, gate_sync, store);
	if (workers) {
		unsigned width = entry->desc.thread_model == DFS_THREADS_SERIAL
					 ? 1
					 : entry->desc.max_threads;
		store->lane = dfs_lane_new(workers, width, LANE_QUEUE);
	}
	*out = store;
	return DFS_OK;
}

void
dfs_metadata_store_close(struct dfs_metadata_store *store)
{
	if (!store)
		return;
	if (store->lane)
		dfs_lane_free(store->lane);
	store->lane = NULL;
	dfs_writeback_run(store, NULL);
	if (store->gate) {
		dfs_gate_wait_sync(store->gate, store->last_seq, DFS_SYNC_POWER,
				   dfs_clock_mono() + 60 * DFS_SECOND);
		dfs_gate_free(store->gate);
	}
	store->ops.destroy(store->inst);
	dfs_writeback_free(store->dirty);
	free(store);
}

enum dfs_status
dfs_metadata_stats(struct dfs_metadata_store *store, struct dfs_metadata_stats *stats)
{
	bool serial = store->thread_model == DFS_THREADS_SERIAL;
	enum dfs_status status;

	memset(stats, 0, sizeof *stats);
	stats->size = sizeof *stats;
	if (serial)
		dfs_lock_acquire(&store->serial);
	status = store->ops.stats(store->inst, stats);
	if (serial)
		dfs_lock_release(&store->serial);
	return status;
}
