/* SPDX-License-Identifier: MIT
 *
 * File content that any part can be sent or compared from one shared area.
 *
 * The area repeats with a period that is no multiple of 4096, so a block that a server put at the
 * wrong offset, or into the wrong file, compares unequal.  The content of a file at an offset
 * depends on the file's number and a generation only; the generation tells data of the preparation
 * (0) from data of the measured writes (1).  The period is a multiple of 64 to keep copies aligned.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdint.h>

#define PATTERN_PERIOD (UINT64_C(64) * 16411)
#define PATTERN_BLOCK_MAX (UINT64_C(4) << 20)

/* Allocate and fill; call once before any thread starts. */
void pattern_init(void);

extern uint8_t *pattern_area;

/* Up to PATTERN_BLOCK_MAX bytes of the file's content at off. */
static inline const uint8_t *
pattern_at(uint32_t file, uint32_t generation, uint64_t off)
{
	uint64_t seed = ((uint64_t)file * 7919 + (uint64_t)generation * 4729) * 64;

	return pattern_area + (seed + off) % PATTERN_PERIOD;
}

#endif
