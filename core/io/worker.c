/* SPDX-License-Identifier: MIT
 *
 * Workers and lanes.  A lane that may start a task sits in the run queue once; a worker takes
 * the first lane, puts it back at the end if it may start another, and runs its task: lanes take
 * turns.  Idle workers form a stack, so that the latest one, whose cache is warm, is woken and the
 * others can leave.
 *
 * One lock for all: a task costs two short holds of it, far below the blocking work it does.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/worker.h"

#define IDLE_SECONDS 10
#define STACK_BYTES (1u << 20)

struct worker {
	struct dfs_workers *pool;
	pthread_t thread;
	pthread_cond_t wake;
	bool idle;           /* on the idle stack; guarded by mu */
	struct worker *next; /* idle stack, or the dead list; guarded by mu */
};

struct dfs_workers {
	pthread_mutex_t mu;
	unsigned max_threads;
	unsigned threads;                   /* guarded by mu, like all below */
	struct worker *idle;                /* stack */
	struct worker *dead;                /* ended, to be joined */
	struct dfs_lane *run_head, **run_tail;
	pthread_cond_t ended;               /* a thread has joined the dead list */
	bool stop;
};

struct dfs_lane {
	struct dfs_workers *pool;
	const char *name;
	unsigned width, max_queued;
	unsigned running, queued;       /* guarded by pool->mu, like all below */
	bool listed;                    /* in the run queue */
	struct dfs_task *head, **tail;
	struct dfs_lane *run_next;
	pthread_cond_t empty;
};

static void
lane_list_locked(struct dfs_lane *lane)
{
	struct dfs_workers *pool = lane->pool;

	if (lane->listed || !lane->head || lane->running >= lane->width)
		return;
	lane->listed = true;
	lane->run_next = NULL;
	*pool->run_tail = lane;
	pool->run_tail = &lane->run_next;
}

/* The next task, its lane counted as running; NULL: nothing may start. */
static struct dfs_task *
pool_take_locked(struct dfs_workers *pool, struct dfs_lane **from)
{
	struct dfs_lane *lane = pool->run_head;
	struct dfs_task *task;

	if (!lane)
		return NULL;
	pool->run_head = lane->run_next;
	if (!pool->run_head)
		pool->run_tail = &pool->run_head;
	lane->listed = false;
	task = lane->head;
	lane->head = task->next;
	if (!lane->head)
		lane->tail = &lane->head;
	lane->queued--;
	lane->running++;
	lane_list_locked(lane);
	*from = lane;
	return task;
}

/* Wait on the idle stack.  False: nobody called within the time, or the pool ends. */
static bool
worker_rest_locked(struct worker *self)
{
	struct dfs_workers *pool = self->pool;
	int64_t due = dfs_clock_mono() + IDLE_SECONDS * DFS_SECOND;
	struct timespec until = {due / DFS_SECOND, due % DFS_SECOND};

	self->idle = true;
	self->next = pool->idle;
	pool->idle = self;
	while (self->idle && !pool->stop)
		if (pthread_cond_timedwait(&self->wake, &pool->mu, &until) != 0)
			break;
	if (!self->idle)
		return true;
	for (struct worker **p = &pool->idle; *p; p = &(*p)->next)
		if (*p == self) {
			*p = self->next;
			break;
		}
	self->idle = false;
	return false;
}

static void *
worker_main(void *arg)
{
	struct worker *self = arg;
	struct dfs_workers *pool = self->pool;

	pthread_mutex_lock(&pool->mu);
	for (;;) {
		struct dfs_lane *lane;
		struct dfs_task *task = pool_take_locked(pool, &lane);
		if (!task) {
			if (pool->stop || (!worker_rest_locked(self) && !pool->run_head))
				break;
			continue;
		}
		pthread_mutex_unlock(&pool->mu);
		task->run(task);
		pthread_mutex_lock(&pool->mu);
		lane->running--;
		lane_list_locked(lane);
		if (lane->running == 0 && lane->queued == 0)
			pthread_cond_broadcast(&lane->empty);
	}
	pool->threads--;
	self->next = pool->dead;
	pool->dead = self;
	pthread_cond_broadcast(&pool->ended);
	pthread_mutex_unlock(&pool->mu);
	return NULL;
}

static void
pool_reap_locked(struct dfs_workers *pool)
{
	while (pool->dead) {
		struct worker *w = pool->dead;
		pool->dead = w->next;
		/* It holds the lock no more: it ended its last hold by putting itself here. */
		pthread_mutex_unlock(&pool->mu);
		pthread_join(w->thread, NULL);
		pthread_cond_destroy(&w->wake);
		free(w);
		pthread_mutex_lock(&pool->mu);
	}
}

/* One more task may start: wake the latest idle worker, or start a thread.  False: nobody is there
 * to run it, now or later. */
static bool
pool_call_locked(struct dfs_workers *pool)
{
	struct worker *w = pool->idle;
	pthread_condattr_t clock;
	pthread_attr_t attr;
	int err;

	if (w) {
		pool->idle = w->next;
		w->idle = false;
		pthread_cond_signal(&w->wake);
		return true;
	}
	if (pool->threads >= pool->max_threads)
		return true;
	w = calloc(1, sizeof *w);
	if (!w)
		return pool->threads > 0;
	w->pool = pool;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &clock);
	pthread_condattr_destroy(&clock);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	err = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (err) {
		dfs_log(DFS_LOG_ERROR, "cannot start a worker thread (%u running)", pool->threads);
		pthread_cond_destroy(&w->wake);
		free(w);
		return pool->threads > 0;
	}
	pthread_setname_np(w->thread, "worker");
	pool->threads++;
	return true;
}

struct dfs_workers *
dfs_workers_new(unsigned max_threads)
{
	struct dfs_workers *pool = calloc(1, sizeof *pool);

	if (!pool)
		abort();
	if (max_threads == 0) {
		long n = sysconf(_SC_NPROCESSORS_ONLN) * 4;
		max_threads = n < 16 ? 16 : n > 256 ? 256 : (unsigned)n;
	}
	pool->max_threads = max_threads;
	pool->run_tail = &pool->run_head;
	pthread_mutex_init(&pool->mu, NULL);
	pthread_cond_init(&pool->ended, NULL);
	return pool;
}

void
dfs_workers_free(struct dfs_workers *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->mu);
	assert(!pool->run_head);
	pool->stop = true;
	for (struct worker *w = pool->idle; w; w = w->next)
		pthread_cond_signal(&w->wake);
	while (pool->threads > 0)
		pthread_cond_wait(&pool->ended, &pool->mu);
	pool_reap_locked(pool);
	pthread_mutex_unlock(&pool->mu);
	pthread_cond_destroy(&pool->ended);
	pthread_mutex_destroy(&pool->mu);
	free(pool);
}

struct dfs_lane *
dfs_lane_new(struct dfs_workers *pool, const char *name, unsigned width, unsigned max_queued)
{
	struct dfs_lane *lane = calloc(1, sizeof *lane);

	if (!lane)
		abort();
	if (width == 0)
		width = pool->max_threads / 2 > 2 ? pool->max_threads / 2 : 2;
	lane->pool = pool;
	lane->name = name;
	lane->width = width;
	lane->max_queued = max_queued ? max_queued : 1;
	lane->tail = &lane->head;
	pthread_cond_init(&lane->empty, NULL);
	return lane;
}

void
dfs_lane_free(struct dfs_lane *lane)
{
	if (!lane)
		return;
	pthread_mutex_lock(&lane->pool->mu);
	while (lane->running > 0 || lane->queued > 0)
		pthread_cond_wait(&lane->empty, &lane->pool->mu);
	pthread_mutex_unlock(&lane->pool->mu);
	pthread_cond_destroy(&lane->empty);
	free(lane);
}

bool
dfs_lane_submit(struct dfs_lane *lane, struct dfs_task *task)
{
	struct dfs_workers *pool = lane->pool;

	task->next = NULL;
	task->queued_at = dfs_clock_mono();
	pthread_mutex_lock(&pool->mu);
	if (lane->queued >= lane->max_queued ||
	    (lane->running + lane->queued < lane->width && !pool_call_locked(pool))) {
		pthread_mutex_unlock(&pool->mu);
		return false;
	}
	*lane->tail = task;
	lane->tail = &task->next;
	lane->queued++;
	lane_list_locked(lane);
	if (pool->dead)
		pool_reap_locked(pool);
	pthread_mutex_unlock(&pool->mu);
	return true;
}

const char *
dfs_lane_name(const struct dfs_lane *lane)
{
	return lane->name;
}
