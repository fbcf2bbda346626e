/* SPDX-License-Identifier: MIT
 *
 * A mutex of four bytes: spins briefly, then sleeps on a futex.
 *
 * For what is locked millions at a time (inodes, hash buckets), where 40 bytes of pthread mutex
 * would cost more than the thing it guards.  Event loops use dfs_lock_spin and give up; workers
 * use dfs_lock_until.
 */
#ifndef DFS_BASE_LOCK_H
#define DFS_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dfs_lock {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody may sleep */
};

static inline bool
dfs_lock_try(struct dfs_lock *l)
{
	uint32_t zero = 0;
	return atomic_compare_exchange_strong_explicit(&l->word, &zero, 1, memory_order_acquire,
						       memory_order_relaxed);
}

/* deadline: monotonic ns, INT64_MAX: none.  False: it passed. */
bool dfs_lock_until(struct dfs_lock *l, int64_t deadline);
/* Spin some microseconds at most. */
bool dfs_lock_spin(struct dfs_lock *l);
void dfs_lock_wake(struct dfs_lock *l);

static inline void
dfs_lock_acquire(struct dfs_lock *l)
{
	if (!dfs_lock_try(l))
		dfs_lock_until(l, INT64_MAX);
}

static inline void
dfs_lock_release(struct dfs_lock *l)
{
	if (atomic_exchange_explicit(&l->word, 0, memory_order_release) == 2)
		dfs_lock_wake(l);
}

#endif
