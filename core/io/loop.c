/* SPDX-License-Identifier: MIT
 *
 * Posts are a stack that senders push on and the loop takes whole and reverses: one exchange for
 * a batch.  A sender wakes the loop only when it finds `sleeping` set, which the loop sets before
 * it looks at the stack for the last time; so a busy loop costs its senders no system call, and no
 * wake-up is lost.
 *
 * Timers sit in a wheel of 256 ticks of 67 ms; one that is due later stays in its slot for another
 * round.  Nothing here needs better, and arming is a list insertion.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/loop.h"

#define EVENTS_MAX 256
#define TICK (INT64_C(1) << DFS_WHEEL_SHIFT)

/* Edge-triggered: its count need not be read. */
static void
event_ready(struct dfs_watch *watch, uint32_t events)
{
	(void)watch; /* the posts are looked at in every turn */
}

static void
job_list_init(struct dfs_job_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void
job_list_add(struct dfs_job_list *list, struct dfs_job *job)
{
	if (job->queued)
		return;
	job->queued = true;
	job->next = NULL;
	*list->tail = job;
	list->tail = &job->next;
}

static void
job_list_run(struct dfs_job *job)
{
	while (job) {
		struct dfs_job *next = job->next;
		job->queued = false; /* before run, which may queue or free it */
		job->run(job);
		job = next;
	}
}

struct dfs_loop *
dfs_loop_new(const char *name)
{
	struct dfs_loop *loop = aligned_alloc(64, sizeof *loop);

	if (!loop)
		abort();
	memset(loop, 0, sizeof *loop);
	strncpy(loop->name, name, sizeof loop->name - 1);
	job_list_init(&loop->again);
	job_list_init(&loop->end);
	loop->out_limit = UINT64_MAX;
	loop->now = dfs_clock_mono();
	loop->wheel_tick = loop->now >> DFS_WHEEL_SHIFT;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->event_watch = (struct dfs_watch){.ready = event_ready, .fd = loop->event_fd};
	if (loop->epoll_fd < 0 || loop->event_fd < 0 ||
	    !dfs_loop_watch(loop, &loop->event_watch, EPOLLIN | EPOLLET)) {
		dfs_fail(DFS_IO, "cannot set up an event loop: %s", strerror(errno));
		dfs_loop_free(loop);
		return NULL;
	}
	return loop;
}

void
dfs_loop_free(struct dfs_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->running);
	while (atomic_load_explicit(&loop->senders, memory_order_acquire))
		sched_yield();
	while (loop->n_spare > 0)
		dfs_buf_unref(loop->spare[--loop->n_spare]);
	dfs_buf_unref(loop->tx);
	dfs_buf_unref(loop->big);
	if (loop->event_fd >= 0)
		close(loop->event_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop);
}

/* Newest first in the stack, oldest first to run. */
static void
posts_run(struct dfs_loop *loop)
{
	struct dfs_post *post, *list = NULL;

	if (!atomic_load_explicit(&loop->posts, memory_order_relaxed))
		return;
	post = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
	while (post) {
		struct dfs_post *next = post->next;
		post->next = list;
		list = post;
		post = next;
	}
	while (list) {
		post = list;
		list = post->next;
		post->run(post);
	}
}

void
dfs_loop_post(struct dfs_loop *loop, struct dfs_post *post)
{
	static const uint64_t one = 1;
	struct dfs_post *head;

	/* The post may have run, and the loop's owner have stopped it, before this is at its end. */
	atomic_fetch_add_explicit(&loop->senders, 1, memory_order_relaxed);
	head = atomic_load_explicit(&loop->posts, memory_order_relaxed);
	do
		post->next = head;
	while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, post,
						      memory_order_seq_cst, memory_order_relaxed));
	if (atomic_load_explicit(&loop->sleeping, memory_order_seq_cst) &&
	    atomic_exchange_explicit(&loop->sleeping, 0, memory_order_seq_cst)) {
		ssize_t n = write(loop->event_fd, &one, sizeof one);

		assert(n == sizeof one); /* it counts to 2^64 */
		(void)n;
	}
	atomic_fetch_sub_explicit(&loop->senders, 1, memory_order_release);
}

/* Milliseconds until the next slot that holds a timer, -1: none. */
static int
wheel_wait(const struct dfs_loop *loop, int64_t now)
{
	for (unsigned i = 1; i <= DFS_WHEEL_SLOTS; i++) {
		uint64_t tick = (uint64_t)(loop->wheel_tick + i);
		unsigned slot = tick % DFS_WHEEL_SLOTS;
		if (slot % 64 == 0 && loop->wheel_map[slot / 64] == 0 &&
		    i + 63 <= DFS_WHEEL_SLOTS) {
			i += 63;
			continue;
		}
		if (loop->wheel_map[slot / 64] >> (slot % 64) & 1) {
			int64_t left = ((int64_t)tick << DFS_WHEEL_SHIFT) - now;
			return left <= 0 ? 0 : (int)(left / 1000000 + 1);
		}
	}
	return -1;
}

static void
wheel_run(struct dfs_loop *loop)
{
	int64_t tick = loop->now >> DFS_WHEEL_SHIFT;

	if (tick - loop->wheel_tick > DFS_WHEEL_SLOTS)
		loop->wheel_tick = tick - DFS_WHEEL_SLOTS;
	while (loop->wheel_tick < tick) {
		unsigned slot = (unsigned)((uint64_t)++loop->wheel_tick % DFS_WHEEL_SLOTS);
		struct dfs_timer *list = loop->wheel[slot];
		if (!list)
			continue;
		/* Detached, so that firing may arm and cancel any timer, in this slot too. */
		loop->wheel[slot] = NULL;
		loop->wheel_map[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
		list->prev = &list;
		while (list) {
			struct dfs_timer *timer = list;
			int64_t due = timer->due;
			dfs_timer_cancel(loop, timer);
			if (due <= loop->now)
				timer->fire(timer);
			else
				dfs_timer_set(loop, timer, due);
		}
	}
}

void
dfs_timer_set(struct dfs_loop *loop, struct dfs_timer *timer, int64_t due)
{
	/* Rounded up, so that a timer never fires early; never the slot being run. */
	int64_t tick = (due + TICK - 1) >> DFS_WHEEL_SHIFT;
	unsigned slot;

	if (timer->due)
		dfs_timer_cancel(loop, timer);
	if (tick <= loop->wheel_tick)
		tick = loop->wheel_tick + 1;
	slot = (unsigned)((uint64_t)tick % DFS_WHEEL_SLOTS);
	timer->due = due;
	timer->next = loop->wheel[slot];
	timer->prev = &loop->wheel[slot];
	if (timer->next)
		timer->next->prev = &timer->next;
	loop->wheel[slot] = timer;
	loop->wheel_map[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void
dfs_timer_cancel(struct dfs_loop *loop, struct dfs_timer *timer)
{
	if (!timer->due)
		return;
	*timer->prev = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	timer->due = 0;
	if (timer->prev >= loop->wheel && timer->prev < loop->wheel + DFS_WHEEL_SLOTS &&
	    !timer->next) {
		unsigned slot = (unsigned)(timer->prev - loop->wheel);
		loop->wheel_map[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	}
}

void
dfs_loop_turn(struct dfs_loop *loop, int max_wait)
{
	struct epoll_event events[EVENTS_MAX];
	struct dfs_job *jobs, *again = loop->again.head;
	int n, wait = max_wait;

	/* What is queued from here on waits for the next turn: a busy job cannot keep the loop. */
	job_list_init(&loop->again);
	if (again || loop->end.head) {
		wait = 0;
	} else {
		int timers = wheel_wait(loop, loop->now);
		if (timers >= 0 && (wait < 0 || timers < wait))
			wait = timers;
	}
	if (wait != 0) {
		atomic_store_explicit(&loop->sleeping, 1, memory_order_seq_cst);
		if (atomic_load_explicit(&loop->posts, memory_order_seq_cst) ||
		    atomic_load_explicit(&loop->stop, memory_order_seq_cst))
			wait = 0;
		atomic_store_explicit(&loop->busy_since, 0, memory_order_relaxed);
	}
	n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait);
	if (wait != 0 || atomic_load_explicit(&loop->sleeping, memory_order_relaxed))
		atomic_store_explicit(&loop->sleeping, 0, memory_order_relaxed);
	loop->now = dfs_clock_mono();
	atomic_store_explicit(&loop->busy_since, loop->now, memory_order_relaxed);
	for (int i = 0; i < n; i++) {
		struct dfs_watch *watch = events[i].data.ptr;
		watch->ready(watch, events[i].events);
	}
	posts_run(loop);
	job_list_run(again);
	while (loop->end.head) {
		jobs = loop->end.head;
		job_list_init(&loop->end);
		job_list_run(jobs);
	}
	wheel_run(loop);
	while (loop->end.head) {
		jobs = loop->end.head;
		job_list_init(&loop->end);
		job_list_run(jobs);
	}
}

static void *
loop_main(void *arg)
{
	struct dfs_loop *loop = arg;

	while (!atomic_load_explicit(&loop->stop, memory_order_seq_cst))
		dfs_loop_turn(loop, -1);
	dfs_loop_turn(loop, 0);
	return NULL;
}

bool
dfs_loop_start(struct dfs_loop *loop)
{
	int err = pthread_create(&loop->thread, NULL, loop_main, loop);

	if (err) {
		dfs_fail(DFS_IO, "cannot start an event loop's thread: %s", strerror(err));
		return false;
	}
	pthread_setname_np(loop->thread, loop->name);
	loop->running = true;
	return true;
}

static void
stop_run(struct dfs_post *post)
{
	(void)post; /* being run is all it is for */
}

void
dfs_loop_stop(struct dfs_loop *loop)
{
	struct dfs_post wake = {.run = stop_run};

	if (!loop->running)
		return;
	atomic_store_explicit(&loop->stop, 1, memory_order_seq_cst);
	dfs_loop_post(loop, &wake);
	pthread_join(loop->thread, NULL);
	loop->running = false;
}

bool
dfs_loop_watch(struct dfs_loop *loop, struct dfs_watch *watch, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = watch};
	int op = watch->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(loop->epoll_fd, op, watch->fd, &ev) < 0)
		return false;
	watch->known = true;
	watch->events = events;
	return true;
}

void
dfs_loop_unwatch(struct dfs_loop *loop, struct dfs_watch *watch)
{
	struct epoll_event ev = {0};

	if (watch->known)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, &ev);
	watch->known = false;
	watch->events = 0;
}

void
dfs_loop_again(struct dfs_loop *loop, struct dfs_job *job)
{
	job_list_add(&loop->again, job);
}

void
dfs_loop_at_end(struct dfs_loop *loop, struct dfs_job *job)
{
	job_list_add(&loop->end, job);
}

struct dfs_buf *
dfs_loop_chunk_take(struct dfs_loop *loop)
{
	if (loop->n_spare > 0)
		return loop->spare[--loop->n_spare];
	return dfs_buf_alloc(DFS_PAGE_SIZE);
}

void
dfs_loop_chunk_give(struct dfs_loop *loop, struct dfs_buf *chunk)
{
	if (loop->n_spare < DFS_LOOP_SPARES)
		loop->spare[loop->n_spare++] = chunk;
	else
		dfs_buf_unref(chunk);
}
