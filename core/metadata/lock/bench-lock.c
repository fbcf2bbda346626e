/* SPDX-License-Identifier: MIT
 *
 * What a lock and its unlock cost, uncontended: ns of the pair.
 *   bench-lock [LOCKS]    held at the same time in the same share; default 1000000
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "metadata/lock/test-bed.h"

#define PAIRS 1000000u

static void
fill(struct bed *bed, unsigned n, unsigned files)
{
	for (unsigned i = 0; i < n; i++) {
		char who[32];
		uint64_t start = (uint64_t)(i / files) * 10;

		snprintf(who, sizeof who, "client-%u/%u", i % 50, i % 500);
		if (bed_lock(bed, who, 1000 + i % files, start, start + 4, true) != DFS_OK)
			abort();
	}
}

/* The owner is looked up by its bytes each time, as for a request. */
static void
pairs(struct bed *bed, const char *what, const char *who, uint64_t file, uint64_t files)
{
	int64_t t = dfs_clock_mono();

	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t f = file + i % files, start = (uint64_t)(i % 1000) * 10 + 5;

		if (bed_lock(bed, who, f, start, start + 4, true) != DFS_OK ||
		    bed_unlock(bed, who, f, start, start + 4) != DFS_OK)
			abort();
	}
	printf("%-52s %6.0f ns\n", what, (double)(dfs_clock_mono() - t) / PAIRS);
}

int
main(int argc, char **argv)
{
	unsigned held = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
	struct bed bed;

	bed_open(&bed);
	bed.domain.max_locks = bed.domain.max_client_locks = UINT64_C(1) << 40;
	pairs(&bed, "nothing else is held", "a/1", 1, 1);
	bed_lock(&bed, "a/1", 1, 0, 0, true);
	pairs(&bed, "the owner has another lock", "a/1", 2, 1000);
	fill(&bed, held, 1000);
	printf("%u locks are held:\n", held);
	pairs(&bed, "another file, the owner has another lock", "a/1", 2, 1);
	pairs(&bed, "among 1000 files that have locks", "a/1", 1000, 1000);
	pairs(&bed, "in one of them", "a/1", 1500, 1);
	dfs_locks_close(bed.locks);
	return 0;
}
