/* SPDX-License-Identifier: MIT
 *
 * Losses of power lose no acknowledged byte.  The same seed gives the same operations (the flusher's
 * threads have their own time); DFS_TEST_SEED sets it, DFS_TEST_CRASHES how many faults.
 */
#include "fs/test-crash.h"

static void
no_acknowledged_byte_is_lost(void)
{
	unsigned n = world_crashes(150);
	struct world w = {0};

	world_open(&w);
	while (w.cycle < n) {
		for (int i = g_rand_int_range(w.rand, 0, 40); i > 0; i--)
			world_step(&w);
		if (g_rand_int_range(w.rand, 0, 5) == 0)
			crash_truncate(&w, crash_any_file(&w), false);
		world_crash(&w);
	}
	world_close(&w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/crash/no acknowledged byte is lost, none appears that was never written",
			no_acknowledged_byte_is_lost);
	return g_test_run();
}
