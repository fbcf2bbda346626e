/* SPDX-License-Identifier: MIT
 *
 * Letting go of the log's segments, and erasing objects that no map row refers to any more where they
 * have no record, once the transaction that made them superfluous is durable: before that a crash could
 * bring the old row back.
 *
 * One task for a share on its block store's lane, which waits for the metadata store's gate and
 * erases all that has gathered.  What cannot be erased is logged, counted and left behind.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/counter.h"
#include "base/container.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "payload/file.h"

#define GATE_DEADLINE (60 * DFS_SECOND)

/* One that has room for cap objects; NULL: no memory, g is as it was. */
static struct dfs_garbage *
sized(struct dfs_garbage *g, uint32_t cap)
{
	struct dfs_garbage *bigger = realloc(g, sizeof *g + cap * sizeof g->objects[0]);

	if (!bigger)
		return NULL;
	if (!g)
		memset(bigger, 0, sizeof *bigger);
	bigger->cap = cap;
	return bigger;
}

struct dfs_garbage *
dfs_garbage_add(struct dfs_garbage *g, const struct dfs_content_id *content, uint64_t block,
		uint64_t version)
{
	if (!g || g->n == g->cap) {
		struct dfs_garbage *bigger = sized(g, g && g->cap ? 2 * g->cap : 2);

		if (!bigger) {
			dfs_counter_add(dfs_counter_get("payload_garbage_left"), 1);
			return g;
		}
		g = bigger;
	}
	g->objects[g->n].content = *content;
	g->objects[g->n].block = block;
	g->objects[g->n].version = version;
	g->n++;
	return g;
}

struct dfs_garbage *
dfs_garbage_add_pins(struct dfs_garbage *g, uint64_t segments)
{
	if (!segments)
		return g;
	if (!g && !(g = sized(NULL, 0))) {
		/* They stay until the next start, when replay finds nothing new in them. */
		dfs_counter_add(dfs_counter_get("payload_garbage_left"), 1);
		return NULL;
	}
	for (; segments; segments &= segments - 1)
		g->pins[__builtin_ctzll(segments)]++;
	return g;
}

static void
unpin(struct dfs_payload *payload, struct dfs_garbage *g)
{
	for (;;) {
		uint64_t segments = 0;

		for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
			if (g->pins[i]) {
				g->pins[i]--;
				segments |= 1ull << i;
			}
		if (!segments)
			return;
		dfs_log_unpin(payload, segments);
	}
}

static void
erase(struct dfs_payload *payload, const struct dfs_garbage *g)
{
	char key[DFS_BLOCK_KEY_MAX];

	for (uint32_t i = 0; i < g->n; i++) {
		enum dfs_status st;

		dfs_block_key(key, payload->prefix, &g->objects[i].content, g->objects[i].block,
			      g->objects[i].version);
		st = dfs_block_erase(payload->blocks, NULL, key);
		if (st == DFS_OK)
			continue;
		dfs_counter_add(dfs_counter_get("payload_garbage_left"), 1);
		dfs_log(DFS_LOG_WARN, "block store %s: %s is left behind: %s (%s)",
			payload->blocks->name, key, dfs_status_name(st), dfs_fail_text());
	}
}

/* The metadata store takes its time: they wait on. */
static void
give_back(struct dfs_payload *payload, struct dfs_garbage *all)
{
	struct dfs_garbage *last = all;

	while (last->next)
		last = last->next;
	pthread_mutex_lock(&payload->garbage_mu);
	last->next = payload->garbage;
	payload->garbage = all;
	pthread_mutex_unlock(&payload->garbage_mu);
}

static void
reap(struct dfs_task *task)
{
	struct dfs_payload *payload = DFS_CONTAINER_OF(task, struct dfs_payload, reap_task);
	struct dfs_gate *gate = payload->metadata->gate;

	pthread_mutex_lock(&payload->garbage_mu);
	while (payload->garbage) {
		struct dfs_garbage *all = payload->garbage;
		enum dfs_status st = DFS_OK;
		uint64_t seq = 0;

		payload->garbage = NULL;
		pthread_mutex_unlock(&payload->garbage_mu);
		for (struct dfs_garbage *g = all; g; g = g->next)
			if (g->seq > seq)
				seq = g->seq;
		if (gate)
			st = dfs_gate_wait_sync(gate, seq, dfs_sync_level_of(payload),
						dfs_clock_mono() + GATE_DEADLINE);
		if (st == DFS_TIMEDOUT) {
			give_back(payload, all);
			pthread_mutex_lock(&payload->garbage_mu);
			continue;
		}
		while (all) {
			struct dfs_garbage *g = all;

			all = g->next;
			if (st == DFS_OK) {
				DFS_FAILPOINT("log-unpin");
				unpin(payload, g);
				erase(payload, g);
			} else
				dfs_counter_add(dfs_counter_get("payload_garbage_left"), g->n);
			free(g);
		}
		pthread_mutex_lock(&payload->garbage_mu);
	}
	payload->reaping = false;
	pthread_cond_broadcast(&payload->reaped);
	pthread_mutex_unlock(&payload->garbage_mu);
}

/* Have what has gathered reaped, unless it is.  False: the lane is full until the deadline (monotonic
 * ns).  Called with garbage_mu, which is released and taken again. */
static bool
start_locked(struct dfs_payload *payload, int64_t deadline)
{
	struct dfs_lane *lane = payload->blocks->lane;
	bool ok = true;

	if (payload->reaping || !payload->garbage)
		return true;
	payload->reaping = true;
	payload->reap_task.run = reap;
	pthread_mutex_unlock(&payload->garbage_mu);
	if (lane)
		ok = dfs_lane_submit_until(lane, &payload->reap_task, deadline);
	else
		reap(&payload->reap_task);
	pthread_mutex_lock(&payload->garbage_mu);
	if (!ok) {
		payload->reaping = false;
		pthread_cond_broadcast(&payload->reaped);
	}
	return ok;
}

void
dfs_garbage_submit(struct dfs_payload *payload, struct dfs_garbage *g, uint64_t seq)
{
	if (!g)
		return;
	g->seq = seq;
	if (!payload->metadata->gate && (payload->blocks->caps & DFS_BLOCK_CAP_VOLATILE) &&
	    dfs_block_inline(payload->blocks)) {
		erase(payload, g);
		free(g);
		return;
	}
	pthread_mutex_lock(&payload->garbage_mu);
	g->next = payload->garbage;
	payload->garbage = g;
	/* A full lane: the next garbage, or the end of the share, tries again. */
	start_locked(payload, 0);
	pthread_mutex_unlock(&payload->garbage_mu);
}

bool
dfs_garbage_drain(struct dfs_payload *payload, int64_t deadline)
{
	bool ok = true;

	/* Not on this thread: what hangs in the store knows no deadline. */
	pthread_mutex_lock(&payload->garbage_mu);
	while (ok && (payload->reaping || payload->garbage))
		ok = payload->reaping
			     ? dfs_cond_until(&payload->reaped, &payload->garbage_mu, deadline)
			     : start_locked(payload, deadline);
	pthread_mutex_unlock(&payload->garbage_mu);
	return ok && dfs_gc_drain(payload, deadline);
}
