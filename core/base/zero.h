/* SPDX-License-Identifier: MIT
 *
 * Whether bytes are all zero, at the speed of memory.
 */
#ifndef DFS_BASE_ZERO_H
#define DFS_BASE_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool
dfs_is_zero(const void *data, size_t len)
{
	const unsigned char *p = data;

	/* Data rarely begins with so many zeros: the rest is looked at only then. */
	for (; len >= 64; p += 64, len -= 64) {
		uint64_t w[8], any = 0;

		memcpy(w, p, sizeof w);
		for (int i = 0; i < 8; i++)
			any |= w[i];
		if (any)
			return false;
	}
	for (; len > 0; p++, len--)
		if (*p)
			return false;
	return true;
}

#endif
