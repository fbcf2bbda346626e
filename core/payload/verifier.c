/* SPDX-License-Identifier: MIT
 *
 * The write verifier (RFC 1813 3.3.7): tells clients that unstable data may be gone.  Random
 * rather than a clock, which may repeat and does not move when data is lost at run time.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "payload/metrics.h"
#include "payload/payload.h"

static _Atomic uint64_t verifier; /* 0: not drawn yet */

static uint64_t
draw(void)
{
	uint64_t v;

	do {
		if (getrandom(&v, sizeof v, 0) != sizeof v) {
			dfs_log(DFS_LOG_ERROR, "getrandom fails: no write verifier");
			abort();
		}
	} while (v == 0);
	return v;
}

uint64_t
dfs_write_verifier(void)
{
	uint64_t v = atomic_load_explicit(&verifier, memory_order_acquire), zero = 0;

	if (v)
		return v;
	v = draw();
	return atomic_compare_exchange_strong(&verifier, &zero, v) ? v : zero;
}

void
dfs_write_verifier_reroll(void)
{
	atomic_store(&verifier, draw());
	dfs_counter_add(dfs_payload_metrics()->verf_rerolls, 1);
}
