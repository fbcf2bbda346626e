/* SPDX-License-Identifier: MIT
 *
 * Memory of a tree: see arena.h.
 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_MIN (UINT64_C(64) << 10)
#define CHUNK_MAX (UINT64_C(2) << 20)
#define CHUNK_HEAD ((sizeof(struct arena_chunk) + 63) & ~UINT64_C(63))
#define LARGE_HEAD 32

static void
count_live(struct arena *a, int64_t delta)
{
	/* One writer: a plain add, atomic only towards those who read the figure. */
	uint64_t live = atomic_load_explicit(&a->live, memory_order_relaxed);

	atomic_store_explicit(&a->live, live + (uint64_t)delta, memory_order_relaxed);
}

void
arena_init(struct arena *a)
{
	memset(a, 0, sizeof(*a));
	a->large.prev = a->large.next = &a->large;
}

static void
unmap_all(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		if (c->size == CHUNK_MIN)
			free(c);
		else
			munmap(c, c->size);
		c = next;
	}
}

void
arena_clear(struct arena *a)
{
	unmap_all(a->room);
	unmap_all(a->full);
	while (a->large.next != &a->large) {
		struct arena_large *l = a->large.next;

		a->large.next = l->next;
		free(l);
	}
	arena_init(a);
}

/* The smallest, which is all that most trees need, comes from malloc: to map and touch it anew for each
 * would cost more than what is put into it.  One of 2 MiB is aligned, so that one huge page can hold it. */
static void *
new_chunk(uint64_t size)
{
	uint64_t extra = size == CHUNK_MAX ? CHUNK_MAX : 0;
	uint64_t skip;
	char *p;

	if (size == CHUNK_MIN)
		return malloc(size);
	p = mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!extra)
		return p;
	skip = -(uintptr_t)p & (CHUNK_MAX - 1);
	if (skip)
		munmap(p, skip);
	if (extra - skip)
		munmap(p + skip + size, extra - skip);
	madvise(p + skip, size, MADV_HUGEPAGE);
	return p + skip;
}

static bool
add_chunk(struct arena *a)
{
	uint64_t size = CHUNK_MIN;
	struct arena_chunk *c, **at;

	while (size < CHUNK_MAX && size < a->mapped)
		size *= 2;
	c = new_chunk(size);
	if (!c)
		return false;
	c->next = NULL;
	c->size = size;
	c->used = CHUNK_HEAD;
	for (at = &a->room; *at; at = &(*at)->next)
		;
	*at = c;
	a->mapped += size;
	a->spare += size - CHUNK_HEAD;
	return true;
}

bool
arena_reserve(struct arena *a, uint64_t bytes)
{
	/* The end of each chunk may go unused, by less than one piece. */
	uint64_t usable = bytes + bytes / (CHUNK_MIN / ARENA_SMALL_MAX / 2) + 2 * ARENA_SMALL_MAX;

	while (a->spare < usable)
		if (!add_chunk(a))
			return false;
	return true;
}

static void *
cut(struct arena *a, uint32_t size)
{
	struct arena_chunk *c;
	void *p;

	while ((c = a->room) && c->size - c->used < size) {
		a->spare -= c->size - c->used;
		a->room = c->next;
		c->next = a->full;
		a->full = c;
	}
	if (!c) {
		if (!add_chunk(a))
			return NULL;
		c = a->room;
	}
	p = (char *)c + c->used;
	c->used += size;
	a->spare -= size;
	return p;
}

static void *
alloc_large(struct arena *a, uint32_t size)
{
	struct arena_large *l = malloc((uint64_t)size + LARGE_HEAD);

	if (!l)
		return NULL;
	l->next = a->large.next;
	l->prev = &a->large;
	l->next->prev = l;
	a->large.next = l;
	return (char *)l + LARGE_HEAD;
}

void *
arena_alloc(struct arena *a, uint32_t size)
{
	uint32_t class = (size + 15) / 16;
	void *p;

	if (size > ARENA_SMALL_MAX) {
		p = alloc_large(a, size);
	} else if ((p = a->free[class])) {
		memcpy(&a->free[class], p, sizeof(void *));
	} else {
		p = cut(a, class * 16);
	}
	if (p)
		count_live(a, class * INT64_C(16));
	return p;
}

void
arena_free(struct arena *a, void *p, uint32_t size)
{
	uint32_t class = (size + 15) / 16;

	count_live(a, -(class * INT64_C(16)));
	if (size > ARENA_SMALL_MAX) {
		struct arena_large *l = (struct arena_large *)((char *)p - LARGE_HEAD);

		l->prev->next = l->next;
		l->next->prev = l->prev;
		free(l);
		return;
	}
	memcpy(p, &a->free[class], sizeof(void *));
	a->free[class] = p;
}
