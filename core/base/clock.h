/* SPDX-License-Identifier: MIT
 *
 * Clocks, in nanoseconds.
 */
#ifndef DFS_BASE_CLOCK_H
#define DFS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define DFS_SECOND INT64_C(1000000000)

static inline int64_t
dfs_clock_mono(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

/* The same clock at the resolution of the kernel's tick, some milliseconds, for less than half the
 * price. */
static inline int64_t
dfs_clock_coarse(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

/* Since 1970-01-01 UTC. */
static inline int64_t
dfs_clock_real(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

#endif
