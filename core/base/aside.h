/* SPDX-License-Identifier: MIT
 *
 * Calls that may never return, as a store's may: each on a thread of its own, so that the caller can
 * leave it.
 */
#ifndef DFS_BASE_ASIDE_H
#define DFS_BASE_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

struct dfs_aside;

/* Begin fn(arg).  Where there is no thread for it, it runs here. */
struct dfs_aside *dfs_aside_begin(void (*fn)(void *arg), void *arg);
/* Wait for its return until deadline (monotonic ns).  True: it has returned.  False: it may still run,
 * and what arg points to is its own from here on.  Either way aside is gone. */
bool dfs_aside_end(struct dfs_aside *aside, int64_t deadline);

#endif
