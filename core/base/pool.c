/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/big.h"
#include "base/pool.h"

#define PIECE ((size_t)2 << 20)

/* The address sanitizer knows objects of malloc only. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define EACH_BY_ITSELF 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define EACH_BY_ITSELF 1
#endif
#ifndef EACH_BY_ITSELF
#define EACH_BY_ITSELF 0
#endif

static void *
cut_locked(struct dfs_pool *pool)
{
	void *object;

	if (pool->left < pool->size) {
		unsigned char *piece = dfs_big_alloc(PIECE);

		if (!piece)
			return NULL;
		pool->room = piece;
		pool->left = PIECE;
	}
	object = pool->room;
	pool->room += pool->size;
	pool->left -= pool->size;
	return object;
}

void *
dfs_pool_get(struct dfs_pool *pool)
{
	void *object;

	if (EACH_BY_ITSELF)
		return calloc(1, pool->size);
	dfs_lock_acquire(&pool->mu);
	object = pool->free;
	if (object)
		memcpy(&pool->free, object, sizeof pool->free);
	else
		object = cut_locked(pool);
	dfs_lock_release(&pool->mu);
	return object ? memset(object, 0, pool->size) : NULL;
}

void
dfs_pool_put(struct dfs_pool *pool, void *object)
{
	if (EACH_BY_ITSELF) {
		free(object);
		return;
	}
	dfs_lock_acquire(&pool->mu);
	memcpy(object, &pool->free, sizeof pool->free);
	pool->free = object;
	dfs_lock_release(&pool->mu);
}
