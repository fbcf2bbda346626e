/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <sys/mman.h>

#include "base/big.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define LEAKS_ARE_SOUGHT
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define LEAKS_ARE_SOUGHT
#endif
/* The leak checker follows pointers in mapped memory only when it is told to. */
#ifdef LEAKS_ARE_SOUGHT
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_register_root_region(p, size) ((void)0)
#define __lsan_unregister_root_region(p, size) ((void)0)
#endif

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
	__lsan_register_root_region(p, want);
	return p;
}

void
dfs_big_free(void *p, size_t size)
{
	if (!p)
		return;
	__lsan_unregister_root_region(p, round_up(size));
	munmap(p, round_up(size));
}
