/* SPDX-License-Identifier: MIT
 *
 * Memory of a tree: size classes of 16 bytes cut from chunks of up to 2 MiB, which the kernel may
 * back with huge pages; larger pieces come from malloc.  Everything goes at once with the arena.
 * Not thread-safe, except arena_live.
 */
#ifndef TREE_ARENA_H
#define TREE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ARENA_SMALL_MAX 2048 /* bytes of the largest piece that is cut from a chunk */

struct arena_chunk {
	struct arena_chunk *next;
	uint64_t size, used; /* bytes, this header included */
};

struct arena_large {
	struct arena_large *prev, *next;
};

struct arena {
	struct arena_chunk *room; /* the first is cut; the others are reserves */
	struct arena_chunk *full;
	uint64_t spare; /* bytes left in room */
	uint64_t mapped;
	_Atomic uint64_t live; /* bytes handed out; written by the owner of the tree only */
	struct arena_large large;
	void *free[ARENA_SMALL_MAX / 16 + 1];
};

void arena_init(struct arena *a);
void arena_clear(struct arena *a);

/* Pieces of at most ARENA_SMALL_MAX bytes that follow, bytes in sum, cannot fail. */
bool arena_reserve(struct arena *a, uint64_t bytes);
/* 16-byte aligned, not cleared; NULL when the system has no memory left. */
void *arena_alloc(struct arena *a, uint32_t size);
void arena_free(struct arena *a, void *p, uint32_t size);

static inline uint64_t
arena_live(const struct arena *a)
{
	return atomic_load_explicit(&a->live, memory_order_relaxed);
}

#endif
