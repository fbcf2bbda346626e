/* SPDX-License-Identifier: MIT
 *
 * An event loop: one thread, one level-triggered epoll, and what its connections share.
 *
 * A turn: wait for events, run their watches, then the posts of other threads, then the jobs put
 * off from the turn before, then the jobs for the end of this turn, then due timers.  Everything
 * but dfs_loop_post, dfs_loop_stop and the two atomics belongs to the loop's thread.  Chunks are
 * buffers of DFS_PAGE_SIZE that connections borrow; the last one returned is lent first, so that a
 * quiet server receives into the same warm memory again and again.
 */
#ifndef DFS_IO_LOOP_H
#define DFS_IO_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct dfs_conn;

#define DFS_LOOP_SPARES 64
#define DFS_WHEEL_SLOTS 256
#define DFS_WHEEL_SHIFT 26 /* a tick is 2^26 ns, 67 ms */

/* A message from any thread.  Memory is the sender's until run() begins, then run()'s. */
struct dfs_post {
	void (*run)(struct dfs_post *post);
	struct dfs_post *next;
};

/* A descriptor's events.  ready() may free the watch only through dfs_loop_at_end. */
struct dfs_watch {
	void (*ready)(struct dfs_watch *watch, uint32_t events);
	int fd;
	uint32_t events; /* EPOLL* asked for */
	bool known;      /* registered */
};

/* Work for later; queued at most once. */
struct dfs_job {
	void (*run)(struct dfs_job *job);
	struct dfs_job *next;
	bool queued;
};

struct dfs_job_list {
	struct dfs_job *head, **tail;
};

/* Fires once, at most a tick late.  Zeroed: not armed. */
struct dfs_timer {
	void (*fire)(struct dfs_timer *timer);
	int64_t due; /* monotonic ns; 0: not armed */
	struct dfs_timer *next, **prev;
};

struct dfs_loop {
	int epoll_fd, event_fd;
	int64_t now; /* monotonic ns, read once a turn */
	struct dfs_job_list again, end;
	struct dfs_buf *spare[DFS_LOOP_SPARES];
	unsigned n_spare;
	struct dfs_buf *tx; /* replies of all connections are encoded here, one after the other */
	uint32_t tx_used;
	struct dfs_buf *big; /* the last reservation, when it was larger than a chunk */
	struct dfs_timer *wheel[DFS_WHEEL_SLOTS];
	uint64_t wheel_map[DFS_WHEEL_SLOTS / 64]; /* slots that hold timers */
	int64_t wheel_tick;                       /* last tick handled */
	struct dfs_conn *conns;                   /* this loop's open connections */
	uint64_t out_bytes, out_limit;            /* queued by all of them, and the bound of that */
	struct dfs_watch event_watch;
	bool running; /* the thread was started */
	pthread_t thread;
	char name[16];

	_Alignas(64) _Atomic(struct dfs_post *) posts;
	_Atomic int sleeping; /* posts need a wake-up */
	/* Threads in dfs_loop_post: the loop is not freed before they are out. */
	_Atomic unsigned senders;
	_Atomic int stop;
	_Atomic int64_t
		busy_since; /* monotonic ns of the turn under way, 0: waiting; for watchdogs */
	_Atomic(const char *) doing; /* what it ran last, a literal; for watchdogs */
	_Atomic uint32_t
		active; /* connections that moved bytes lately: placement looks here first */
	_Atomic uint32_t placed; /* connections */
};

/* name: at most 15 bytes are used.  NULL: no descriptor or memory, dfs_fail_text says so. */
struct dfs_loop *dfs_loop_new(const char *name);
/* Run turns on a thread of its own until dfs_loop_stop. */
bool dfs_loop_start(struct dfs_loop *loop);
/* End the thread after the turn under way, with the posts that are there; joins.  Any thread but
 * its own. */
void dfs_loop_stop(struct dfs_loop *loop);
/* Nothing uses the loop any more. */
void dfs_loop_free(struct dfs_loop *loop);
/* One turn, waiting at most max_wait milliseconds (-1: no bound).  The thread's body; tests call
 * it themselves. */
void dfs_loop_turn(struct dfs_loop *loop, int max_wait);

/* Have run(post) called on the loop's thread.  Any thread. */
void dfs_loop_post(struct dfs_loop *loop, struct dfs_post *post);

/* Register fd, or change what is asked for.  False: epoll refused (errno). */
bool dfs_loop_watch(struct dfs_loop *loop, struct dfs_watch *watch, uint32_t events);
/* Unregister; fd is not closed. */
void dfs_loop_unwatch(struct dfs_loop *loop, struct dfs_watch *watch);

/* Run job in the next turn, which will not sleep. */
void dfs_loop_again(struct dfs_loop *loop, struct dfs_job *job);
/* Run job at the end of this turn. */
void dfs_loop_at_end(struct dfs_loop *loop, struct dfs_job *job);

/* Arm or re-arm. */
void dfs_timer_set(struct dfs_loop *loop, struct dfs_timer *timer, int64_t due);
void dfs_timer_cancel(struct dfs_loop *loop, struct dfs_timer *timer);

/* A chunk of DFS_PAGE_SIZE, NULL: no memory now. */
struct dfs_buf *dfs_loop_chunk_take(struct dfs_loop *loop);
/* Give an exclusive chunk back. */
void dfs_loop_chunk_give(struct dfs_loop *loop, struct dfs_buf *chunk);

#endif
