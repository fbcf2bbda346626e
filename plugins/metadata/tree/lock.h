/* SPDX-License-Identifier: MIT
 *
 * A lock of one word that spins shortly, then sleeps.  Unlike a mutex it may be released by
 * another thread than the one that took it: a transaction may wander between threads.
 */
#ifndef TREE_LOCK_H
#define TREE_LOCK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is held under these locks takes about a microsecond: spinning a few of them is cheaper
 * than a sleep and a wake. */
#define LOCK_SPINS 400

struct lock {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody sleeps */
};

static inline bool
lock_try(struct lock *l)
{
	uint32_t zero = 0;

	return atomic_load_explicit(&l->word, memory_order_relaxed) == 0 &&
	       atomic_compare_exchange_strong_explicit(&l->word, &zero, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static inline bool
lock_spin(struct lock *l)
{
	for (unsigned i = 0; i < LOCK_SPINS; i++) {
		if (lock_try(l))
			return true;
#if defined(__x86_64__) || defined(__i386__)
		__builtin_ia32_pause();
#endif
	}
	return false;
}

static inline void
lock_take(struct lock *l)
{
	if (lock_spin(l))
		return;
	while (atomic_exchange_explicit(&l->word, 2, memory_order_acquire) != 0)
		syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static inline void
lock_release(struct lock *l)
{
	if (atomic_exchange_explicit(&l->word, 0, memory_order_release) == 2)
		syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
