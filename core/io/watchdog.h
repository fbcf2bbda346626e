/* SPDX-License-Identifier: MIT
 *
 * Tells when a store that claims to run at memory speed holds event loops.
 *
 * The coarse clock notices calls that took long; it cannot tell a store that blocks from a thread
 * that was preempted.  So a late call only makes the store suspect: for a second its calls are
 * measured exactly, and those count as a strike in which the thread went to sleep by itself or
 * used the time on the processor.  Any thread; a watch belongs to the call's thread.
 */
#ifndef DFS_IO_WATCHDOG_H
#define DFS_IO_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define DFS_WATCH_HOLD (5 * DFS_SECOND / 1000) /* ns that a call may hold a loop */
#define DFS_WATCH_STRIKES 8

/* One per store; zero at first. */
struct dfs_watchdog {
	_Atomic int64_t suspect_until; /* coarse monotonic ns */
	_Atomic uint32_t strikes;
};

/* One call under way. */
struct dfs_watch {
	int64_t began; /* coarse monotonic ns; 0: not watched */
	bool exact;
	int64_t cpu; /* exact: the thread's processor time at the start, ns */
	long sleeps; /* exact: its voluntary context switches */
};

static inline int64_t
dfs_watch_clock(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

void dfs_watch_measure(struct dfs_watch *watch);
bool dfs_watch_late(struct dfs_watchdog *dog, struct dfs_watch *watch, int64_t now);

static inline void
dfs_watch_begin(struct dfs_watchdog *dog, struct dfs_watch *watch)
{
	watch->began = dfs_watch_clock();
	watch->exact = watch->began < atomic_load_explicit(&dog->suspect_until, memory_order_relaxed);
	if (watch->exact)
		dfs_watch_measure(watch);
}

/* True once: the store has held loops DFS_WATCH_STRIKES times within a second. */
static inline bool
dfs_watch_end(struct dfs_watchdog *dog, struct dfs_watch *watch)
{
	int64_t now = dfs_watch_clock();
	bool late = now - watch->began > DFS_WATCH_HOLD;

	return __builtin_expect(late, 0) && dfs_watch_late(dog, watch, now);
}

#endif
