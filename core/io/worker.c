/* SPDX-License-Identifier: MIT
 *
 * Workers and lanes.  A lane that may start a task sits in the run queue once; a worker takes
 * the first lane, puts it back at the end if it may start another, and runs its task: lanes take
 * turns.  Idle workers form a stack, so that the latest one, whose cache is warm, is woken and the
 * others can leave.
 *
 * Few threads when tasks are short, many when they block: up to one a processor start at once;
 * beyond that one worker stands by and starts another task only when none was started for a
 * moment.  A burst then costs two wake-ups and not one a task.  One lock for all.
 *
 * When all threads are taken, by stores that hang perhaps, a lane of which nothing runs still gets
 * a thread, so there are never more than the limit and one a lane.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/log.h"
#include "io/worker.h"

#define IDLE_SECONDS 10
#define STACK_BYTES (1u << 20)
#define STALL_NS (DFS_SECOND / 20000) /* without a start: the running tasks block */
#define BACKLOG_NS (DFS_SECOND / 200) /* a task waits too long */

struct worker {
	struct dfs_workers *pool;
	pthread_t thread;
	pthread_cond_t wake;
	bool idle;           /* on the idle stack; guarded by mu */
	struct worker *next; /* idle stack, or the dead list; guarded by mu */
};

struct dfs_workers {
	pthread_mutex_t mu;
	unsigned max_threads, processors;
	unsigned threads;       /* guarded by mu, like all below */
	unsigned active;        /* running a task */
	unsigned coming;        /* called, not awake yet */
	int64_t last_start;     /* of a task, monotonic ns */
	struct worker *standby; /* looks again after STALL_NS */
	struct worker *idle;    /* stack */
	struct worker *dead;    /* ended, to be joined */
	struct dfs_lane *run_head, **run_tail;
	pthread_cond_t ended; /* a thread has joined the dead list */
	bool stop;
};

struct dfs_lane {
	struct dfs_workers *pool;
	unsigned width, max_queued;
	unsigned running, queued; /* guarded by pool->mu, like all below */
	bool listed;              /* in the run queue */
	struct dfs_task *head, **tail;
	struct dfs_lane *run_next;
	pthread_cond_t empty;
	pthread_cond_t room; /* the queue is not full any more */
	unsigned waiters;    /* for room */
};

static bool pool_call_locked(struct dfs_workers *pool);

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

/* The link to the lane that may start a task now; it links NULL when there is none. */
static struct dfs_lane **
pool_next_locked(struct dfs_workers *pool)
{
	struct dfs_lane **p = &pool->run_head;

	if (pool->active >= pool->max_threads)
		while (*p && (*p)->running > 0)
			p = &(*p)->run_next;
	return p;
}

/* Shall a worker that has nothing to do start the next task? */
static bool
pool_short_locked(struct dfs_workers *pool, int64_t now)
{
	const struct dfs_lane *lane = *pool_next_locked(pool);

	return lane &&
	       (lane->running == 0 || pool->active < pool->processors ||
		now - pool->last_start >= STALL_NS || now - lane->head->queued_at >= BACKLOG_NS);
}

/* The next task, its lane counted as running; there is one. */
static struct dfs_task *
pool_take_locked(struct dfs_workers *pool, struct dfs_lane **from)
{
	struct dfs_lane **at = pool_next_locked(pool), *lane = *at;
	struct dfs_task *task;

	*at = lane->run_next;
	if (!*at)
		pool->run_tail = at;
	lane->listed = false;
	task = lane->head;
	lane->head = task->next;
	if (!lane->head)
		lane->tail = &lane->head;
	lane->queued--;
	lane->running++;
	if (lane->waiters > 0)
		pthread_cond_broadcast(&lane->room);
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

	self->idle = true;
	self->next = pool->idle;
	pool->idle = self;
	while (self->idle && !pool->stop)
		if (!dfs_cond_until(&self->wake, &pool->mu, due))
			break;
	if (!self->idle) {
		pool->coming--;
		return true;
	}
	for (struct worker **p = &pool->idle; *p; p = &(*p)->next)
		if (*p == self) {
			*p = self->next;
			break;
		}
	self->idle = false;
	return false;
}

static void
worker_stand_by_locked(struct worker *self, int64_t now)
{
	struct dfs_workers *pool = self->pool;

	pool->standby = self;
	dfs_cond_until(&self->wake, &pool->mu, now + STALL_NS);
	pool->standby = NULL;
}

static void
worker_run_locked(struct dfs_workers *pool, int64_t now)
{
	struct dfs_lane *lane;
	struct dfs_task *task = pool_take_locked(pool, &lane);

	pool->active++;
	pool->last_start = now;
	if (*pool_next_locked(pool) && !pool->standby && pool->coming == 0)
		pool_call_locked(pool);
	pthread_mutex_unlock(&pool->mu);
	task->run(task);
	pthread_mutex_lock(&pool->mu);
	pool->active--;
	lane->running--;
	lane_list_locked(lane);
	if (lane->running == 0 && lane->queued == 0)
		pthread_cond_broadcast(&lane->empty);
}

static void *
worker_main(void *arg)
{
	struct worker *self = arg;
	struct dfs_workers *pool = self->pool;
	bool warm = false; /* comes from a task: takes the next whatever the others do */

	pthread_mutex_lock(&pool->mu);
	pool->coming--;
	for (;;) {
		int64_t now = dfs_clock_mono();
		if (*pool_next_locked(pool) && (warm || pool_short_locked(pool, now))) {
			worker_run_locked(pool, now);
			warm = true;
			continue;
		}
		warm = false;
		if (*pool_next_locked(pool) && !pool->standby)
			worker_stand_by_locked(self, now);
		else if (pool->stop || (!worker_rest_locked(self) && !*pool_next_locked(pool)))
			break;
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

/* Have the one that stands by look again, wake the latest idle worker, or start a thread.  False:
 * there is no worker and there will be none. */
static bool
pool_call_locked(struct dfs_workers *pool)
{
	struct worker *w = pool->standby ? pool->standby : pool->idle;
	pthread_attr_t attr;
	int err;

	if (w) {
		if (w == pool->idle) {
			pool->idle = w->next;
			w->idle = false;
			pool->coming++;
		}
		pthread_cond_signal(&w->wake);
		return true;
	}
	if (pool->threads >= pool->max_threads &&
	    (pool->active < pool->threads || !*pool_next_locked(pool)))
		return true;
	w = calloc(1, sizeof *w);
	if (!w)
		return pool->threads > 0;
	w->pool = pool;
	dfs_cond_init(&w->wake);
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
	pool->coming++;
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
	pool->processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
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
dfs_lane_new(struct dfs_workers *pool, unsigned width, unsigned max_queued)
{
	struct dfs_lane *lane = calloc(1, sizeof *lane);

	if (!lane)
		abort();
	if (width == 0)
		width = pool->max_threads / 2 > 2 ? pool->max_threads / 2 : 2;
	lane->pool = pool;
	lane->width = width;
	lane->max_queued = max_queued ? max_queued : 1;
	lane->tail = &lane->head;
	dfs_cond_init(&lane->empty);
	dfs_cond_init(&lane->room);
	return lane;
}

bool
dfs_lane_wait(struct dfs_lane *lane, int64_t deadline)
{
	bool empty;

	pthread_mutex_lock(&lane->pool->mu);
	while (lane->running > 0 || lane->queued > 0)
		if (!dfs_cond_until(&lane->empty, &lane->pool->mu, deadline))
			break;
	empty = lane->running == 0 && lane->queued == 0;
	pthread_mutex_unlock(&lane->pool->mu);
	return empty;
}

void
dfs_lane_free(struct dfs_lane *lane)
{
	if (!lane)
		return;
	dfs_lane_wait(lane, INT64_MAX);
	pthread_cond_destroy(&lane->room);
	pthread_cond_destroy(&lane->empty);
	free(lane);
}

/* From the end of this hold of the lock on, the task may have run and the lane be gone. */
static bool
submit_locked(struct dfs_lane *lane, struct dfs_task *task)
{
	struct dfs_workers *pool = lane->pool;

	task->next = NULL;
	task->queued_at = dfs_clock_mono();
	if (lane->queued >= lane->max_queued || (pool->threads == 0 && !pool_call_locked(pool)))
		return false;
	*lane->tail = task;
	lane->tail = &task->next;
	lane->queued++;
	lane_list_locked(lane);
	if (pool->coming == 0 && *pool_next_locked(pool) &&
	    (!pool->standby || pool_short_locked(pool, task->queued_at)))
		pool_call_locked(pool);
	return true;
}

bool
dfs_lane_submit(struct dfs_lane *lane, struct dfs_task *task)
{
	struct dfs_workers *pool = lane->pool;
	bool taken;

	pthread_mutex_lock(&pool->mu);
	pool_reap_locked(pool);
	taken = submit_locked(lane, task);
	pthread_mutex_unlock(&pool->mu);
	return taken;
}

bool
dfs_lane_submit_until(struct dfs_lane *lane, struct dfs_task *task, int64_t deadline)
{
	struct dfs_workers *pool = lane->pool;
	bool taken;

	pthread_mutex_lock(&pool->mu);
	pool_reap_locked(pool);
	lane->waiters++;
	while (lane->queued >= lane->max_queued && dfs_cond_until(&lane->room, &pool->mu, deadline))
		;
	lane->waiters--;
	taken = submit_locked(lane, task);
	pthread_mutex_unlock(&pool->mu);
	return taken;
}
