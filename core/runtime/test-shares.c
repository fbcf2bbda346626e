/* SPDX-License-Identifier: MIT
 *
 * Closing shares of which one has a store that never answers.
 */
#include <semaphore.h>

#include <glib.h>

#include "fs/test-share.h"
#include "io/worker.h"
#include "runtime/shares.h"

static sem_t started, never;

static void
hang(struct dfs_task *task)
{
	(void)task;
	sem_post(&started);
	sem_wait(&never);
}

static struct dfs_task hung = {.run = hang};
/* What the closing that does not return has, to the end of the process. */
static struct fixture stuck = {.kind = "memory"};

static void
a_share_that_does_not_close_is_left_and_the_others_are_closed(void)
{
	struct fixture well = {.kind = "memory"};
	struct dfs_shares shares;
	GPtrArray *left = g_ptr_array_new();
	int64_t now;

	fixture_open(&stuck);
	fixture_open(&well);
	sem_init(&started, 0, 0);
	sem_init(&never, 0, 0);
	g_assert_true(dfs_lane_submit(stuck.share->lane, &hung));
	sem_wait(&started);
	dfs_shares_init(&shares);
	g_ptr_array_add(left, stuck.share);
	g_ptr_array_add(left, well.share);
	now = dfs_clock_mono();
	/* The other one closes before this time passes because of the first. */
	g_assert_false(
		dfs_shares_close(&shares, left, now, now + 3 * DFS_SECOND, now + 3 * DFS_SECOND));
	g_assert_cmpuint(shares.closing->len, ==, 0);
	g_assert_cmpuint(shares.lost->len, ==, 1);
	well.share = NULL;
	fixture_close(&well);
	g_assert_false(dfs_shares_close(&shares, left, now, now, now));
	g_ptr_array_unref(left);
	dfs_shares_clear(&shares);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func(
		"/runtime/shares/a-share-that-does-not-close-is-left-and-the-others-are-closed",
		a_share_that_does_not_close_is_left_and_the_others_are_closed);
	return g_test_run();
}
