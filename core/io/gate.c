/* SPDX-License-Identifier: MIT
 *
 * Group commit.  Waiters gather in a list; the gate's thread takes the whole list, runs one sync
 * for the highest position and level in it, and answers all of them.  The longer a sync takes,
 * the more replies the next one carries.
 *
 * Locks: mu guards the list, the failure and the stop flag; positions are atomics so that the
 * common question ("is it durable already?") takes no lock.
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/log.h"
#include "io/gate.h"

#define GATE_LEVELS 8
#define GATE_PAUSE 10000 /* us, when a sync should have waited and has not */

struct dfs_gate {
	const char *name;
	dfs_gate_sync_fn sync;
	void *arg;
	_Atomic uint64_t durable[GATE_LEVELS]; /* by level; a higher level covers the lower ones */
	pthread_mutex_t mu;
	pthread_cond_t wake;
	struct dfs_gate_waiter *head, **tail; /* guarded by mu */
	bool sleeping;                        /* guarded by mu: the thread waits for work */
	bool stop;                            /* guarded by mu */
	enum dfs_status failed;               /* the gate's thread only, once running */
	bool retry;                           /* set before the first waiter */
	bool spared;                          /* the gate's thread only: the call lost nothing */
	pthread_t thread;
};

static unsigned
gate_level(uint32_t level)
{
	return level < GATE_LEVELS ? level : GATE_LEVELS - 1;
}

static void
gate_advance(struct dfs_gate *gate, uint32_t level, uint64_t seq)
{
	for (unsigned l = 0; l <= gate_level(level); l++)
		if (seq > atomic_load_explicit(&gate->durable[l], memory_order_relaxed))
			atomic_store_explicit(&gate->durable[l], seq, memory_order_release);
}

/* The list waits on, before all that came since; false: the gate is to end. */
static bool
gate_put_back(struct dfs_gate *gate, struct dfs_gate_waiter *list)
{
	struct dfs_gate_waiter *last = list;
	bool stop;

	while (last->next)
		last = last->next;
	pthread_mutex_lock(&gate->mu);
	stop = gate->stop;
	if (!stop) {
		last->next = gate->head;
		if (!gate->head)
			gate->tail = &last->next;
		gate->head = list;
	}
	pthread_mutex_unlock(&gate->mu);
	return !stop;
}

/* Answer those that need wait no longer; the others. */
static struct dfs_gate_waiter *
gate_let_pass(struct dfs_gate *gate, struct dfs_gate_waiter *list)
{
	struct dfs_gate_waiter *rest = NULL, **tail = &rest;

	while (list) {
		struct dfs_gate_waiter *w = list;

		list = w->next; /* done() may free w */
		if (dfs_gate_passed(gate, w->seq, w->level)) {
			w->done(w, DFS_OK);
		} else {
			*tail = w;
			tail = &w->next;
		}
	}
	*tail = NULL;
	return rest;
}

/* What those at levels below `top` wait for, taken together.  False: for nothing. */
static bool
gate_wanted(const struct dfs_gate *gate, const struct dfs_gate_waiter *list, uint64_t top,
	    uint64_t *seq, uint32_t *level)
{
	bool wanted = false;

	*seq = 0;
	*level = 0;
	for (const struct dfs_gate_waiter *w = list; w; w = w->next) {
		if (w->level >= top || dfs_gate_passed(gate, w->seq, w->level))
			continue;
		wanted = true;
		if (w->seq > *seq)
			*seq = w->seq;
		if (w->level > *level)
			*level = w->level;
	}
	return wanted;
}

/* What is out of reach for the highest level may not be for those below it. */
static void
gate_sync_below(struct dfs_gate *gate, const struct dfs_gate_waiter *list, uint32_t top)
{
	uint64_t seq, durable = 0;
	uint32_t level;

	if (gate_wanted(gate, list, top, &seq, &level) &&
	    gate->sync(gate->arg, seq, level, &durable) == DFS_OK)
		gate_advance(gate, level, durable);
}

static void
gate_round(struct dfs_gate *gate, struct dfs_gate_waiter *list)
{
	enum dfs_status answer = gate->failed;
	uint64_t seq, durable = 0;
	uint32_t level;

	if (gate_wanted(gate, list, UINT64_MAX, &seq, &level) &&
	    (gate->failed == DFS_OK || gate->retry)) {
		gate->spared = false;
		answer = gate->sync(gate->arg, seq, level, &durable);
		if (answer == DFS_DELAY) {
			gate_sync_below(gate, list, level);
			list = gate_let_pass(gate, list);
			if (list && gate_put_back(gate, list)) {
				usleep(GATE_PAUSE);
				return;
			}
		}
		if (answer == DFS_OK) {
			assert(durable >= seq);
			gate_advance(gate, level, durable);
			gate->failed = DFS_OK;
		} else if (answer != DFS_DELAY && !gate->spared) {
			if (gate->failed == DFS_OK)
				dfs_log(DFS_LOG_ERROR,
					"%s: sync failed (%s): %s; its writes fail %s", gate->name,
					dfs_status_name(answer), dfs_fail_text(),
					gate->retry ? "until one succeeds" : "from now on");
			gate->failed = answer;
		}
	}
	list = gate_let_pass(gate, list);
	while (list) {
		struct dfs_gate_waiter *w = list;

		list = w->next; /* done() may free w */
		w->done(w, answer);
	}
}

static void *
gate_main(void *arg)
{
	struct dfs_gate *gate = arg;

	pthread_mutex_lock(&gate->mu);
	for (;;) {
		if (gate->head) {
			struct dfs_gate_waiter *list = gate->head;
			gate->head = NULL;
			gate->tail = &gate->head;
			pthread_mutex_unlock(&gate->mu);
			gate_round(gate, list);
			pthread_mutex_lock(&gate->mu);
		} else if (gate->stop) {
			break;
		} else {
			gate->sleeping = true;
			pthread_cond_wait(&gate->wake, &gate->mu);
			gate->sleeping = false;
		}
	}
	pthread_mutex_unlock(&gate->mu);
	return NULL;
}

struct dfs_gate *
dfs_gate_new(const char *name, dfs_gate_sync_fn sync, void *arg)
{
	struct dfs_gate *gate = calloc(1, sizeof *gate);
	char title[16];

	if (!gate)
		abort();
	gate->name = name;
	gate->sync = sync;
	gate->arg = arg;
	gate->tail = &gate->head;
	pthread_mutex_init(&gate->mu, NULL);
	pthread_cond_init(&gate->wake, NULL);
	if (pthread_create(&gate->thread, NULL, gate_main, gate) != 0) {
		dfs_log(DFS_LOG_ERROR, "%s: cannot start the sync thread", name);
		abort();
	}
	snprintf(title, sizeof title, "sync %s", name);
	pthread_setname_np(gate->thread, title);
	return gate;
}

void
dfs_gate_retry(struct dfs_gate *gate)
{
	gate->retry = true;
}

void
dfs_gate_spare(struct dfs_gate *gate)
{
	gate->spared = true;
}

void
dfs_gate_free(struct dfs_gate *gate)
{
	if (!gate)
		return;
	pthread_mutex_lock(&gate->mu);
	gate->stop = true;
	pthread_cond_signal(&gate->wake);
	pthread_mutex_unlock(&gate->mu);
	pthread_join(gate->thread, NULL);
	pthread_cond_destroy(&gate->wake);
	pthread_mutex_destroy(&gate->mu);
	free(gate);
}

bool
dfs_gate_passed(const struct dfs_gate *gate, uint64_t seq, uint32_t level)
{
	return atomic_load_explicit(&gate->durable[gate_level(level)], memory_order_acquire) >= seq;
}

void
dfs_gate_wait(struct dfs_gate *gate, struct dfs_gate_waiter *w)
{
	bool wake;

	w->next = NULL;
	pthread_mutex_lock(&gate->mu);
	*gate->tail = w;
	gate->tail = &w->next;
	/* One signal a round: the flag is lowered here, not when the thread gets to run. */
	wake = gate->sleeping;
	gate->sleeping = false;
	pthread_mutex_unlock(&gate->mu);
	if (wake) /* not before, or it would run into the lock */
		pthread_cond_signal(&gate->wake);
}

/* A thread that blocks.  Two holders, the thread and the gate, since the thread may leave first. */
struct blocked {
	struct dfs_gate_waiter w;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool answered;          /* guarded by mu */
	enum dfs_status status; /* guarded by mu */
	unsigned refs;          /* guarded by mu */
};

static void
blocked_drop_locked(struct blocked *b)
{
	bool last = --b->refs == 0;

	pthread_mutex_unlock(&b->mu);
	if (!last)
		return;
	pthread_cond_destroy(&b->cond);
	pthread_mutex_destroy(&b->mu);
	free(b);
}

static void
blocked_done(struct dfs_gate_waiter *w, enum dfs_status status)
{
	struct blocked *b = (struct blocked *)w; /* w is the first member */

	pthread_mutex_lock(&b->mu);
	b->answered = true;
	b->status = status;
	pthread_cond_signal(&b->cond);
	blocked_drop_locked(b);
}

enum dfs_status
dfs_gate_wait_sync(struct dfs_gate *gate, uint64_t seq, uint32_t level, int64_t deadline)
{
	struct blocked *b;
	enum dfs_status status = DFS_TIMEDOUT;

	if (dfs_gate_passed(gate, seq, level))
		return DFS_OK;
	b = calloc(1, sizeof *b);
	if (!b)
		return DFS_NOMEM;
	b->w.seq = seq;
	b->w.level = level;
	b->w.done = blocked_done;
	b->refs = 2;
	pthread_mutex_init(&b->mu, NULL);
	dfs_cond_init(&b->cond);
	dfs_gate_wait(gate, &b->w);

	pthread_mutex_lock(&b->mu);
	while (!b->answered)
		if (!dfs_cond_until(&b->cond, &b->mu, deadline))
			break;
	if (b->answered)
		status = b->status;
	blocked_drop_locked(b);
	return status;
}
