/* SPDX-License-Identifier: MIT
 *
 * Tests of the host table.
 */
#include <glib.h>

#include "base/counter.h"
#include "base/log.h"
#include "plugin/host.h"

static void
one_table_per_instance(void)
{
	g_assert_true(dfs_host_get("block", "a") == dfs_host_get("block", "a"));
	g_assert_true(dfs_host_get("block", "a") != dfs_host_get("block", "b"));
	g_assert_true(dfs_host_get("block", "a") != dfs_host_get("metadata", "a"));
}

static void
the_table_tells_its_size(void)
{
	g_assert_cmpuint(dfs_host_get("block", "a")->size, ==, sizeof(struct dfs_host));
}

static void
failures_name_the_instance(void)
{
	const struct dfs_host *host = dfs_host_get("block", "archive");

	g_assert_cmpint(host->fail(host->ctx, DFS_IO, "disk %d is gone", 3), ==, DFS_IO);
	g_assert_cmpstr(dfs_fail_text(), ==, "block/archive: disk 3 is gone");
}

static void
log_lines_name_the_instance(void)
{
	if (g_test_subprocess()) {
		const struct dfs_host *host = dfs_host_get("block", "archive");
		host->log(host->ctx, DFS_LOG_WARN, "slow: %d ms", 7);
		host->log(host->ctx, DFS_LOG_DEBUG, "dropped");
		return;
	}
	g_test_trap_subprocess(NULL, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stderr("*warn  block/archive: slow: 7 ms\n*");
	g_test_trap_assert_stderr_unmatched("*dropped*");
}

static void
buffers_come_and_go(void)
{
	const struct dfs_host *host = dfs_host_get("block", "a");
	struct dfs_buf *buf = host->buf_alloc(host->ctx, 5000);

	g_assert_nonnull(buf);
	g_assert_cmpuint(buf->len, >=, 5000);
	host->buf_ref(host->ctx, buf);
	host->buf_unref(host->ctx, buf);
	host->buf_unref(host->ctx, buf);
}

static void
counters_carry_the_instance(void)
{
	const struct dfs_host *host = dfs_host_get("block", "Cold.1-a");

	host->count(host->ctx, "puts", 2);
	host->count(host->ctx, "puts", 3);
	g_assert_cmpint(dfs_counter_get("block_cold_1_a_puts")->value, ==, 5);
}

static void
more_names_than_slots_still_count(void)
{
	const struct dfs_host *host = dfs_host_get("block", "many");
	static char names[100][8];

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 100; i++) {
			g_snprintf(names[i], sizeof names[i], "n%u", i);
			host->count(host->ctx, names[i], 1);
		}
	g_assert_cmpint(dfs_counter_get("block_many_n99")->value, ==, 2);
	g_assert_cmpint(dfs_counter_get("block_many_n0")->value, ==, 2);
}

static void *
count_often(void *arg)
{
	const struct dfs_host *host = dfs_host_get("block", "shared");

	for (unsigned i = 0; i < 10000; i++)
		host->count(host->ctx, i % 2 ? "odd" : "even", 1);
	return NULL;
}

static void
threads_count_together(void)
{
	GThread *threads[4];

	for (unsigned i = 0; i < 4; i++)
		threads[i] = g_thread_new("count", count_often, NULL);
	for (unsigned i = 0; i < 4; i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(dfs_counter_get("block_shared_odd")->value, ==, 20000);
	g_assert_cmpint(dfs_counter_get("block_shared_even")->value, ==, 20000);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/one-table-per-instance", one_table_per_instance);
	g_test_add_func("/host/the-table-tells-its-size", the_table_tells_its_size);
	g_test_add_func("/host/failures-name-the-instance", failures_name_the_instance);
	g_test_add_func("/host/log-lines-name-the-instance", log_lines_name_the_instance);
	g_test_add_func("/host/buffers-come-and-go", buffers_come_and_go);
	g_test_add_func("/host/counters-carry-the-instance", counters_carry_the_instance);
	g_test_add_func("/host/more-names-than-slots-still-count",
			more_names_than_slots_still_count);
	g_test_add_func("/host/threads-count-together", threads_count_together);
	return g_test_run();
}
