/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <semaphore.h>

#include "base/aside.h"
#include "base/clock.h"

struct call {
	sem_t go, done;
};

static void
wait_for_go(void *arg)
{
	struct call *call = arg;

	sem_wait(&call->go);
	sem_post(&call->done);
}

static void
set_up(struct call *call)
{
	sem_init(&call->go, 0, 0);
	sem_init(&call->done, 0, 0);
}

static void
test_what_returns_is_waited_for(void)
{
	struct dfs_aside *aside;
	struct call call;

	set_up(&call);
	aside = dfs_aside_begin(wait_for_go, &call);
	sem_post(&call.go);
	g_assert_true(dfs_aside_end(aside, dfs_clock_mono() + 60 * DFS_SECOND));
	g_assert_cmpint(sem_trywait(&call.done), ==, 0);
}

static void
test_what_does_not_return_is_left(void)
{
	struct dfs_aside *aside;
	struct call call;

	set_up(&call);
	aside = dfs_aside_begin(wait_for_go, &call);
	g_assert_false(dfs_aside_end(aside, 0));
	sem_post(&call.go);
	sem_wait(&call.done);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/aside/what-returns-is-waited-for", test_what_returns_is_waited_for);
	g_test_add_func("/aside/what-does-not-return-is-left", test_what_does_not_return_is_left);
	return g_test_run();
}
