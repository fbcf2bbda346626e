/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <sys/mman.h>

#include "base/big.h"

#define HUGE ((size_t)2 << 20)

static size_t
round_up(size_t size)
{
	return (size + HUGE - 1) & ~(HUGE - 1);
}

void *
dfs_big_alloc(size_t size)
{
	size_t want = round_up(size);
	unsigned char *p = mmap(NULL, want + HUGE, PROT_READ | PROT_WRITE,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (HUGE - ((uintptr_t)p & (HUGE - 1))) & (HUGE - 1);
	if (before)
		munmap(p, before);
	munmap(p + before + want, HUGE - before);
	p += before;
	/* Small ones would waste most of a huge page. */
	if (size >= HUGE)
		madvise(p, want, MADV_HUGEPAGE);
	return p;
}

void
dfs_big_free(void *p, size_t size)
{
	if (p)
		munmap(p, round_up(size));
}
