/* SPDX-License-Identifier: MIT */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"

#define SPINS_BEFORE_SLEEP 100
#define SPINS_ON_LOOP 600

static inline void
cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static bool
spin(struct dfs_lock *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (atomic_load_explicit(&l->word, memory_order_relaxed) == 0 && dfs_lock_try(l))
			return true;
		cpu_pause();
	}
	return false;
}

bool
dfs_lock_spin(struct dfs_lock *l)
{
	return dfs_lock_try(l) || spin(l, SPINS_ON_LOOP);
}

bool
dfs_lock_until(struct dfs_lock *l, int64_t deadline)
{
	if (spin(l, SPINS_BEFORE_SLEEP))
		return true;
	/* Whoever slept leaves "somebody may sleep": it cannot know that it was alone. */
	while (atomic_exchange_explicit(&l->word, 2, memory_order_acquire) != 0) {
		struct timespec ts, *timeout = NULL;

		if (deadline != INT64_MAX) {
			int64_t left = deadline - dfs_clock_mono();
			if (left <= 0)
				return false;
			ts.tv_sec = left / DFS_SECOND;
			ts.tv_nsec = left % DFS_SECOND;
			timeout = &ts;
		}
		syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, 2, timeout, NULL, 0);
	}
	return true;
}

void
dfs_lock_wake(struct dfs_lock *l)
{
	syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
