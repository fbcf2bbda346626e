/* SPDX-License-Identifier: MIT
 *
 * Calls into a block store, with its declared thread model enforced.
 *
 * Sequence numbers count finished puts and erases, so a sync that begins after a number was
 * drawn covers the call that drew it.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/gate.h"
#include "io/worker.h"
#include "payload/offload/offload.h"
#include "payload/store.h"
#include "plugin/registry.h"

#define QUEUE_MAX 4096
#define FAR_THREADS 24                   /* of a far store, made as they are needed */
#define CLOSE_DEADLINE (90 * DFS_SECOND) /* the longest call and a half */

struct call {
	struct dfs_watchdog_call watch;
	uint32_t flags;
	bool serial;
};

static bool
inline_model(uint32_t model)
{
	return model == DFS_THREADS_NONBLOCKING || model == DFS_THREADS_TRY;
}

bool
dfs_block_inline(const struct dfs_block_store *store)
{
	return inline_model(atomic_load_explicit(&store->thread_model, memory_order_relaxed));
}

static bool
call_begin(struct dfs_block_store *store, const struct dfs_ctx *ctx, struct call *call)
{
	uint32_t model = atomic_load_explicit(&store->thread_model, memory_order_relaxed);

	call->watch.began = 0;
	call->flags = 0;
	call->serial = model == DFS_THREADS_SERIAL;
	if (ctx && ctx->nonblock) {
		if (!inline_model(model))
			return false;
		call->flags = DFS_NONBLOCK;
		dfs_watchdog_begin(&store->dog, &call->watch);
	}
	if (call->serial)
		dfs_lock_acquire(&store->serial);
	return true;
}

static void
call_end(struct dfs_block_store *store, struct call *call)
{
	if (call->serial)
		dfs_lock_release(&store->serial);
	if (call->watch.began == 0 || !dfs_watchdog_end(&store->dog, &call->watch))
		return;
	dfs_log(DFS_LOG_WARN,
		"%s: the store held an event loop over %d ms %d times in a second; from now on it "
		"is called on workers only",
		store->name, (int)(DFS_WATCHDOG_HOLD / 1000000), DFS_WATCHDOG_STRIKES);
	atomic_store(&store->thread_model, DFS_THREADS_BLOCKING);
}

static enum dfs_status
sync_all(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	struct dfs_block_store *store = arg;
	uint64_t upto = atomic_load(&store->last_seq);
	struct call call;
	enum dfs_status st;

	call_begin(store, NULL, &call);
	st = store->ops.sync(store->inst);
	call_end(store, &call);
	*durable = upto;
	return st;
}

enum dfs_status
dfs_block_store_open(const struct dfs_plugin_entry *entry, const char *name, const void *config,
		     const struct dfs_host *host, struct dfs_workers *workers,
		     struct dfs_block_store **out)
{
	const struct dfs_plugin *desc = &entry->desc;
	struct dfs_block_store *store;
	struct dfs_diag diag = {{0}};
	enum dfs_status st;
	bool serial = desc->thread_model == DFS_THREADS_SERIAL;

	store = calloc(1, sizeof *store);
	if (!store)
		return dfs_fail(DFS_NOMEM, "block store %s: no memory", name);
	snprintf(store->name, sizeof store->name, "%s", name);
	store->ops = entry->ops.block;
	store->caps = desc->caps;
	atomic_init(&store->thread_model, desc->thread_model);
	st = store->ops.create(host, config, &store->inst, &diag);
	if (st != DFS_OK) {
		free(store);
		if (diag.text[0])
			dfs_fail(st, "block store %s: %s", name, diag.text);
		return st;
	}
	/* Flushes wait for each of a far store's answers: many at a time, and on threads of which nobody
	 * else is in need should it hang. */
	if (workers && !serial && (store->caps & DFS_BLOCK_CAP_DURABLE_PUT))
		workers = store->own = dfs_workers_new(FAR_THREADS);
	if (workers)
		store->lane = dfs_lane_new(workers, serial ? 1 : desc->max_threads, QUEUE_MAX);
	if (workers && desc->thread_model != DFS_THREADS_NONBLOCKING)
		store->offload = dfs_offload_new(store, serial ? 1 : desc->max_threads);
	if (!(store->caps & (DFS_BLOCK_CAP_VOLATILE | DFS_BLOCK_CAP_DURABLE_PUT)))
		store->gate = dfs_gate_new(store->name, sync_all, store);
	*out = store;
	return DFS_OK;
}

void
dfs_block_store_close(struct dfs_block_store *store)
{
	if (!store)
		return;
	if (store->lane)
		dfs_lane_free(store->lane);
	if (store->own)
		dfs_workers_free(store->own);
	if (!dfs_offload_free(store->offload, dfs_clock_mono() + CLOSE_DEADLINE)) {
		dfs_log(DFS_LOG_ERROR, "block store %s: calls do not return: left open",
			store->name);
		return;
	}
	if (store->gate)
		dfs_gate_free(store->gate);
	store->ops.destroy(store->inst);
	free(store);
}

static uint64_t
drawn(struct dfs_block_store *store)
{
	return atomic_fetch_add_explicit(&store->last_seq, 1, memory_order_acq_rel) + 1;
}

/* Calls that may wait are the offloader's. */
static struct dfs_offload *
offload_for(const struct dfs_block_store *store, const struct dfs_ctx *ctx)
{
	return ctx && ctx->nonblock ? NULL : store->offload;
}

enum dfs_status
dfs_block_put_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key,
		     const struct dfs_span *spans, uint32_t n, uint64_t *seq)
{
	struct call call;
	enum dfs_status st;

	if (!call_begin(store, ctx, &call))
		return DFS_AGAIN;
	st = store->ops.put(store->inst, key, spans, n, call.flags);
	call_end(store, &call);
	if (st == DFS_OK) {
		uint64_t s = drawn(store);
		if (seq)
			*seq = s;
	}
	return st;
}

enum dfs_status
dfs_block_get_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key,
		     uint64_t offset, uint64_t length, const struct dfs_sink *sink)
{
	struct call call;
	enum dfs_status st;

	if (!call_begin(store, ctx, &call))
		return DFS_AGAIN;
	st = store->ops.get(store->inst, key, offset, length, sink, call.flags);
	call_end(store, &call);
	return st;
}

enum dfs_status
dfs_block_erase_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key)
{
	struct call call;
	enum dfs_status st;

	if (!call_begin(store, ctx, &call))
		return DFS_AGAIN;
	st = store->ops.erase(store->inst, key, call.flags);
	call_end(store, &call);
	if (st == DFS_OK)
		drawn(store);
	return st;
}

enum dfs_status
dfs_block_copy_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *from,
		      const char *to, uint64_t *seq)
{
	struct call call;
	enum dfs_status st;

	if (!store->ops.copy)
		return DFS_NOTSUP;
	if (!call_begin(store, ctx, &call))
		return DFS_AGAIN;
	st = store->ops.copy(store->inst, from, to, call.flags);
	call_end(store, &call);
	if (st == DFS_OK) {
		uint64_t s = drawn(store);
		if (seq)
			*seq = s;
	}
	return st;
}

enum dfs_status
dfs_block_erase(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key)
{
	struct dfs_offload *o = offload_for(store, ctx);

	return o ? dfs_offload_erase(o, ctx, key) : dfs_block_erase_direct(store, ctx, key);
}

enum dfs_status
dfs_block_erase_many(struct dfs_block_store *store, const char *const *keys, uint32_t n)
{
	struct call call;
	enum dfs_status st = DFS_OK;

	if (!store->ops.erase_many) {
		for (uint32_t i = 0; i < n && st == DFS_OK; i++)
			st = dfs_block_erase(store, NULL, keys[i]);
		return st;
	}
	call_begin(store, NULL, &call);
	st = store->ops.erase_many(store->inst, keys, n);
	call_end(store, &call);
	drawn(store);
	return st;
}

enum dfs_status
dfs_block_list(struct dfs_block_store *store, const char *prefix, const char *after,
	       dfs_object_fn fn, void *arg)
{
	struct call call;
	enum dfs_status st;

	call_begin(store, NULL, &call);
	st = store->ops.list(store->inst, prefix, after, fn, arg);
	call_end(store, &call);
	return st;
}

enum dfs_status
dfs_block_head(struct dfs_block_store *store, const char *key, uint64_t *length)
{
	struct call call;
	enum dfs_status st;

	call_begin(store, NULL, &call);
	st = store->ops.head(store->inst, key, length, 0);
	call_end(store, &call);
	return st;
}

enum dfs_status
dfs_block_erase_prefix(struct dfs_block_store *store, const char *prefix)
{
	struct call call;
	enum dfs_status st;

	call_begin(store, NULL, &call);
	st = store->ops.erase_prefix(store->inst, prefix);
	call_end(store, &call);
	if (st == DFS_OK)
		drawn(store);
	return st;
}

enum dfs_status
dfs_block_stats(struct dfs_block_store *store, struct dfs_block_stats *stats)
{
	struct call call;
	enum dfs_status st;

	memset(stats, 0, sizeof *stats);
	stats->size = sizeof *stats;
	call_begin(store, NULL, &call);
	st = store->ops.stats(store->inst, stats);
	call_end(store, &call);
	return st;
}
