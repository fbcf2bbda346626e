/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock, which all deadlines of the store are on.  Private to this plugin.
 */
#ifndef POSTGRES_CLOCK_H
#define POSTGRES_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* One whose waits end on that clock. */
static inline void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* False: the deadline. */
static inline bool
cond_until(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t deadline)
{
	struct timespec ts = {deadline / 1000000000, deadline % 1000000000};

	return pthread_cond_timedwait(cond, mu, &ts) == 0;
}

#endif
