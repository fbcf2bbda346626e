/* SPDX-License-Identifier: MIT
 *
 * Latency histogram with logarithmic buckets: 64 to each power of two, so that a quantile is at
 * most 1.6% off.  A record costs a count-leading-zeros and three additions.  Not thread-safe: each
 * thread has its own, they are merged at the end.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6
#define HIST_SUB (1u << HIST_SUB_BITS)
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) * HIST_SUB)

struct hist {
	uint64_t count, sum, max;
	uint64_t bucket[HIST_BUCKETS];
};

/* The bucket of a value; values below 64 have one each. */
static inline unsigned
hist_index(uint64_t v)
{
	if (v < HIST_SUB)
		return (unsigned)v;
	unsigned shift = 63 - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + ((unsigned)(v >> shift) & (HIST_SUB - 1));
}

static inline void
hist_add(struct hist *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[hist_index(v)]++;
}

/* The least and the greatest value that falls into a bucket. */
uint64_t hist_low(unsigned index);
uint64_t hist_high(unsigned index);

void hist_merge(struct hist *into, const struct hist *from);

/* The value that a fraction q (0 to 1) of the records do not exceed, rounded up to its bucket's
 * end but never above the maximum; 0 when there are no records. */
uint64_t hist_quantile(const struct hist *h, double q);

double hist_mean(const struct hist *h);

#endif
