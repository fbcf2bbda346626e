/* SPDX-License-Identifier: MIT
 *
 * Tells when a store that claims to run at memory speed holds event loops.
 *
 * The coarse clock notices calls that took long; it cannot tell a store that blocks from a thread
 * that was preempted.  So a late call only makes the store suspect: for a second its calls are
 * measured exactly, and those count as a strike in which the thread went to sleep by itself or
 * used the time on the processor.  Any thread; a dfs_watchdog_call belongs to the call's thread.
 */
#ifndef DFS_IO_WATCHDOG_H
#define DFS_IO_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define DFS_WATCHDOG_HOLD (5 * DFS_SECOND / 1000) /* ns that a call may hold a loop */
#define DFS_WATCHDOG_STRIKES 8

/* One per store; zero at first. */
struct dfs_watchdog {
	_Atomic int64_t suspect_until; /* coarse monotonic ns */
	_Atomic uint32_t strikes;
};

/* One call under way. */
struct dfs_watchdog_call {
	int64_t began; /* coarse monotonic ns; 0: not watched */
	bool exact;
	int64_t cpu; /* exact: the thread's processor time at the start, ns */
	long sleeps; /* exact: its voluntary context switches */
};

/* What the calling thread has used so far, into call. */
void dfs_watchdog_measure(struct dfs_watchdog_call *call);
/* dfs_watchdog_end for a call that took long; now: coarse monotonic ns. */
bool dfs_watchdog_late(struct dfs_watchdog *dog, const struct dfs_watchdog_call *call, int64_t now);

/* At the start of a call on a loop. */
static inline void
dfs_watchdog_begin(struct dfs_watchdog *dog, struct dfs_watchdog_call *call)
{
	call->began = dfs_clock_coarse();
	call->exact = call->began < atomic_load_explicit(&dog->suspect_until, memory_order_relaxed);
	if (call->exact)
		dfs_watchdog_measure(call);
}

/* True once: the store has held loops DFS_WATCHDOG_STRIKES times within a second. */
static inline bool
dfs_watchdog_end(struct dfs_watchdog *dog, struct dfs_watchdog_call *call)
{
	int64_t now = dfs_clock_coarse();
	bool late = now - call->began > DFS_WATCHDOG_HOLD;

	return __builtin_expect(late, 0) && dfs_watchdog_late(dog, call, now);
}

#endif
