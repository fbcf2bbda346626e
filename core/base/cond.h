/* SPDX-License-Identifier: MIT
 *
 * Condition variables whose waits end by the monotonic clock.
 */
#ifndef DFS_BASE_COND_H
#define DFS_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"

static inline void
dfs_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* Wait, mu held, until signalled or deadline (monotonic ns).  False: it passed. */
static inline bool
dfs_cond_until(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t deadline)
{
	struct timespec until = {deadline / DFS_SECOND, deadline % DFS_SECOND};

	return pthread_cond_timedwait(cond, mu, &until) == 0;
}

#endif
