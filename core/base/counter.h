/* SPDX-License-Identifier: MIT
 *
 * Named counters.  Any thread; adding is one relaxed atomic.  A gauge is a counter that is added to
 * and taken from; a histogram is a family of counters.
 */
#ifndef DFS_BASE_COUNTER_H
#define DFS_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct dfs_counter {
	const char *name;
	_Atomic int64_t value;
	struct dfs_counter *next;
};

/* Find or create; name: [a-z][a-z0-9_]{0,62}.  Never NULL: past 4096 names one shared "overflow"
 * counter is returned. */
struct dfs_counter *dfs_counter_get(const char *name);

static inline void
dfs_counter_add(struct dfs_counter *c, int64_t delta)
{
	atomic_fetch_add_explicit(&c->value, delta, memory_order_relaxed);
}

/* Durations: how many, how long in all, and how many were at most so long.  NAME_count,
 * NAME_sum_us, and NAME_le_1ms, _le_4ms, ... _le_64s, each of which includes the shorter ones. */
#define DFS_HISTOGRAM_STEPS 9
struct dfs_histogram {
	struct dfs_counter *count, *sum_us, *le[DFS_HISTOGRAM_STEPS];
};

/* name: short enough that the longest member's fits. */
void dfs_histogram_get(struct dfs_histogram *h, const char *name);
void dfs_histogram_add(const struct dfs_histogram *h, int64_t ns);

/* Visit all, sorted by nothing in particular. */
void dfs_counter_each(void (*fn)(void *arg, const char *name, int64_t value), void *arg);

#endif
