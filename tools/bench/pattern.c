/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "pattern.h"

uint8_t *pattern_area;

void
pattern_init(void)
{
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15), done;
	uint64_t total = PATTERN_PERIOD + PATTERN_BLOCK_MAX;

	if (pattern_area)
		return;
	pattern_area = g_malloc(total);
	for (uint64_t i = 0; i < PATTERN_PERIOD; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(pattern_area + i, &x, 8);
	}
	for (done = PATTERN_PERIOD; done < total; done += MIN(done, total - done))
		memcpy(pattern_area + done, pattern_area, MIN(done, total - done));
}
