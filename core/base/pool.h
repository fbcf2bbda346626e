/* SPDX-License-Identifier: MIT
 *
 * Objects of one size by the hundred thousand.
 *
 * malloc grows the heap of a thread that is not the first by one page and one mprotect at a time;
 * a pool is cut from huge pages.  What is freed is used again, last in first out; nothing is given
 * back to the system.  Any thread.
 */
#ifndef DFS_BASE_POOL_H
#define DFS_BASE_POOL_H

#include <stddef.h>

#include "base/lock.h"

struct dfs_pool {
	struct dfs_lock mu;
	size_t size;         /* of an object */
	void *free;          /* guarded by mu: linked by the first word */
	unsigned char *room; /* guarded by mu: what was never used */
	size_t left;         /* guarded by mu: bytes of it */
};

/* Initialises a static pool. */
#define DFS_POOL(type)                                                                             \
	{                                                                                          \
		.size = (sizeof(type) + 15) / 16 * 16                                              \
	}

/* Zeroed, aligned to 16; NULL: no memory. */
void *dfs_pool_get(struct dfs_pool *pool);
void dfs_pool_put(struct dfs_pool *pool, void *object);

#endif
