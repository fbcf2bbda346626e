/* SPDX-License-Identifier: MIT
 *
 * Named counters.  Any thread; adding is one relaxed atomic.
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

/* Visit all, sorted by nothing in particular. */
void dfs_counter_each(void (*fn)(void *arg, const char *name, int64_t value), void *arg);

#endif
