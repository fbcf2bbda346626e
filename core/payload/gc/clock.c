/* SPDX-License-Identifier: MIT
 *
 * When garbage collection runs: one thread of the server that waits for whichever share's work is due
 * next and hands it to the lane of that share's block store, so that a store that hangs holds up its own
 * shares only.  The thread lives while a share needs it.
 *
 * Locks, outermost first: the clock's life, its mu, a share's gc.mu.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/container.h"
#include "base/log.h"
#include "payload/file.h"

#define GATHER DFS_SECOND /* dead objects are erased together with what follows so soon */
#define LEASE_STEP (300 * DFS_SECOND)
#define RETRY (30 * DFS_SECOND)

static struct {
	pthread_mutex_t life; /* the thread begins or ends */
	pthread_mutex_t mu;
	pthread_cond_t wake;
	/* guarded by mu */
	bool ready; /* wake is initialised */
	bool running;
	struct dfs_gc *first;
	pthread_t thread;
} ticker = {.life = PTHREAD_MUTEX_INITIALIZER, .mu = PTHREAD_MUTEX_INITIALIZER};

static struct dfs_payload *
payload_of(struct dfs_gc *gc)
{
	return DFS_CONTAINER_OF(gc, struct dfs_payload, gc);
}

static void
wake(void)
{
	pthread_mutex_lock(&ticker.mu);
	if (ticker.ready)
		pthread_cond_signal(&ticker.wake);
	pthread_mutex_unlock(&ticker.mu);
}

/* Everything but the reconciliation that is due. */
static void
work(struct dfs_payload *payload)
{
	struct dfs_gc *gc = &payload->gc;
	int64_t now = dfs_clock_mono(), next;
	bool reap, lease, suspects;

	pthread_mutex_lock(&gc->mu);
	reap = gc->reap_due <= now;
	lease = gc->lease_due <= now;
	suspects = gc->n_suspects > 0;
	if (reap)
		gc->reap_due = DFS_GC_NEVER;
	if (lease)
		gc->lease_due = now + LEASE_STEP;
	pthread_mutex_unlock(&gc->mu);
	if (lease && dfs_versions_renew(payload) != DFS_OK) {
		pthread_mutex_lock(&gc->mu);
		gc->lease_due = now + RETRY;
		pthread_mutex_unlock(&gc->mu);
	}
	if (!reap)
		return;
	next = now + RETRY;
	if (!suspects || dfs_orphans_of_last_run(payload) == DFS_OK)
		dfs_reap(payload, &next);
	pthread_mutex_lock(&gc->mu);
	if (gc->reap_due > next)
		gc->reap_due = next;
	pthread_mutex_unlock(&gc->mu);
}

static void
task_run(struct dfs_task *task)
{
	struct dfs_gc *gc = DFS_CONTAINER_OF(task, struct dfs_gc, task);

	work(payload_of(gc));
	pthread_mutex_lock(&gc->mu);
	gc->running = false;
	pthread_cond_broadcast(&gc->quiet);
	pthread_mutex_unlock(&gc->mu);
	wake();
}

static void
reconcile_run(struct dfs_task *task)
{
	struct dfs_gc *gc = DFS_CONTAINER_OF(task, struct dfs_gc, reconcile_task);
	struct dfs_reconcile_report report;

	dfs_payload_reconcile(payload_of(gc), &report);
	pthread_mutex_lock(&gc->mu);
	gc->reconciling = false;
	pthread_cond_broadcast(&gc->quiet);
	pthread_mutex_unlock(&gc->mu);
	wake();
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Start what is due; answers when to look again. */
static int64_t
look(struct dfs_gc *gc, int64_t now)
{
	struct dfs_lane *lane = payload_of(gc)->blocks->lane;
	int64_t due = DFS_GC_NEVER;

	pthread_mutex_lock(&gc->mu);
	if (!gc->stop && !gc->running) {
		due = sooner(gc->reap_due, gc->lease_due);
		/* A full lane: later. */
		gc->running = due <= now && dfs_lane_submit(lane, &gc->task);
		due = gc->running ? DFS_GC_NEVER : due <= now ? now + DFS_SECOND : due;
	}
	if (!gc->stop && !gc->reconciling) {
		int64_t at = gc->reconcile_due;

		gc->reconciling = at <= now && dfs_lane_submit(lane, &gc->reconcile_task);
		if (gc->reconciling)
			gc->reconcile_due = at = now + gc->reconcile_interval;
		due = sooner(due, at <= now ? now + DFS_SECOND : at);
	}
	pthread_mutex_unlock(&gc->mu);
	return due;
}

static void *
tick(void *arg)
{
	pthread_mutex_lock(&ticker.mu);
	while (ticker.first) {
		int64_t now = dfs_clock_mono(), due = now + 3600 * DFS_SECOND;

		for (struct dfs_gc *gc = ticker.first; gc; gc = gc->next)
			due = sooner(due, look(gc, now));
		dfs_cond_until(&ticker.wake, &ticker.mu, due);
	}
	pthread_mutex_unlock(&ticker.mu);
	return NULL;
}

/* Under the clock's care from now on. */
static enum dfs_status
list(struct dfs_gc *gc)
{
	enum dfs_status st = DFS_OK;

	pthread_mutex_lock(&ticker.life);
	pthread_mutex_lock(&ticker.mu);
	if (!ticker.ready)
		dfs_cond_init(&ticker.wake);
	ticker.ready = true;
	gc->next = ticker.first;
	ticker.first = gc;
	gc->listed = true;
	if (!ticker.running && pthread_create(&ticker.thread, NULL, tick, NULL) != 0) {
		ticker.first = gc->next;
		gc->listed = false;
		st = dfs_fail(DFS_NOMEM, "no thread for garbage collection");
	} else {
		ticker.running = true;
		pthread_cond_signal(&ticker.wake);
	}
	pthread_mutex_unlock(&ticker.mu);
	pthread_mutex_unlock(&ticker.life);
	return st;
}

static void
unlist(struct dfs_gc *gc)
{
	struct dfs_gc **at = &ticker.first;
	bool last = false;
	pthread_t thread;

	pthread_mutex_lock(&ticker.life);
	pthread_mutex_lock(&ticker.mu);
	if (gc->listed) {
		while (*at != gc)
			at = &(*at)->next;
		*at = gc->next;
		gc->listed = false;
		last = !ticker.first;
	}
	thread = ticker.thread;
	if (last)
		ticker.running = false;
	if (ticker.ready)
		pthread_cond_signal(&ticker.wake);
	pthread_mutex_unlock(&ticker.mu);
	if (last)
		pthread_join(thread, NULL);
	pthread_mutex_unlock(&ticker.life);
}

void
dfs_gc_init(struct dfs_gc *gc)
{
	pthread_mutex_init(&gc->mu, NULL);
	dfs_cond_init(&gc->quiet);
	gc->task.run = task_run;
	gc->reconcile_task.run = reconcile_run;
	gc->reap_due = gc->lease_due = gc->reconcile_due = DFS_GC_NEVER;
	dfs_versions_init(gc);
}

void
dfs_gc_destroy(struct dfs_gc *gc)
{
	free(gc->suspects);
	pthread_cond_destroy(&gc->quiet);
	pthread_mutex_destroy(&gc->mu);
}

enum dfs_status
dfs_payload_start(struct dfs_payload *payload)
{
	struct dfs_gc *gc = &payload->gc;
	int64_t now = dfs_clock_mono();
	enum dfs_status st = dfs_strategy_start(payload);

	if (st != DFS_OK || !gc->records)
		return st;
	st = dfs_versions_start(payload);
	if (st != DFS_OK)
		return st;
	gc->started = true;
	gc->reap_due = now; /* what the last run has left */
	gc->lease_due = now + LEASE_STEP;
	if (gc->reconcile != DFS_GC_RECONCILE_OFF)
		gc->reconcile_due = now + gc->reconcile_interval;
	return payload->blocks->lane ? list(gc) : DFS_OK;
}

void
dfs_gc_reap_by(struct dfs_payload *payload, int64_t due)
{
	struct dfs_gc *gc = &payload->gc;
	bool sooner;

	if (!gc->records)
		return;
	pthread_mutex_lock(&gc->mu);
	sooner = due < gc->reap_due;
	if (sooner)
		gc->reap_due = due;
	pthread_mutex_unlock(&gc->mu);
	if (sooner)
		wake();
}

void
dfs_gc_kick(struct dfs_payload *payload)
{
	dfs_gc_reap_by(payload, dfs_clock_coarse() + payload->gc.grace + GATHER);
}

/* Wait until nothing but a reconciliation runs; called with mu. */
static bool
settle(struct dfs_gc *gc, int64_t deadline)
{
	while (gc->running && dfs_cond_until(&gc->quiet, &gc->mu, deadline))
		;
	return !gc->running;
}

bool
dfs_gc_drain(struct dfs_payload *payload, int64_t deadline)
{
	struct dfs_gc *gc = &payload->gc;
	struct dfs_lane *lane = payload->blocks->lane;
	bool ok;

	/* It never began for a share that follows another server: what is dead there is the writer's to erase. */
	if (!gc->started)
		return true;
	pthread_mutex_lock(&gc->mu);
	ok = settle(gc, deadline);
	if (ok) {
		gc->running = true;
		gc->reap_due = dfs_clock_mono();
	}
	pthread_mutex_unlock(&gc->mu);
	if (!ok)
		return false;
	/* Not on this thread: what hangs in the store knows no deadline. */
	if (lane)
		ok = dfs_lane_submit_until(lane, &gc->task, deadline);
	else
		task_run(&gc->task);
	pthread_mutex_lock(&gc->mu);
	if (!ok) {
		gc->running = false;
		pthread_cond_broadcast(&gc->quiet);
	}
	ok = settle(gc, deadline) && ok;
	pthread_mutex_unlock(&gc->mu);
	return ok;
}

bool
dfs_gc_stop(struct dfs_payload *payload, int64_t deadline)
{
	struct dfs_gc *gc = &payload->gc;
	bool quiet;

	pthread_mutex_lock(&gc->mu);
	gc->stop = true;
	pthread_mutex_unlock(&gc->mu);
	unlist(gc);
	pthread_mutex_lock(&gc->mu);
	quiet = settle(gc, deadline);
	while (gc->reconciling && dfs_cond_until(&gc->quiet, &gc->mu, deadline))
		;
	quiet = quiet && !gc->reconciling;
	pthread_mutex_unlock(&gc->mu);
	if (quiet && gc->started)
		dfs_versions_end(payload);
	return quiet;
}
