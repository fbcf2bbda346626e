/* SPDX-License-Identifier: MIT */
#include "hist.h"

uint64_t
hist_low(unsigned index)
{
	if (index < HIST_SUB)
		return index;
	unsigned shift = (index >> HIST_SUB_BITS) - 1;
	return (uint64_t)(HIST_SUB + (index & (HIST_SUB - 1))) << shift;
}

uint64_t
hist_high(unsigned index)
{
	if (index + 1 >= HIST_BUCKETS)
		return UINT64_MAX;
	return hist_low(index + 1) - 1;
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if ((double)rank < q * (double)h->count || rank == 0)
		rank++;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank) {
			uint64_t high = hist_high(i);
			return high < h->max ? high : h->max;
		}
	}
	return h->max;
}

double
hist_mean(const struct hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}
