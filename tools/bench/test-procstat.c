/* SPDX-License-Identifier: MIT
 *
 * Figures out of /proc, and sizes on the command line.
 */
#include <glib.h>
#include <unistd.h>

#include "options.h"
#include "procstat.h"

static void
test_name_with_parentheses(void)
{
	uint64_t ticks = 0;

	g_assert_true(procstat_parse("12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0 20", &ticks));
	g_assert_cmpuint(ticks, ==, 123);
}

static void
test_cut_off(void)
{
	uint64_t ticks;

	g_assert_false(procstat_parse("12 (x) S 1 2 3", &ticks));
	g_assert_false(procstat_parse("", &ticks));
}

static void
test_own_process(void)
{
	g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	pid_t me = getpid();
	double seconds = -1;
	int missing;

	g_array_append_val(pids, me);
	g_assert_true(procstat_cpu(pids, &seconds, &missing));
	g_assert_cmpfloat(seconds, >=, 0);
	g_assert_cmpuint(procstat_rss(pids), >, 0);
}

static void
test_sizes(void)
{
	int64_t v;

	g_assert_true(options_size("4096", &v) && v == 4096);
	g_assert_true(options_size("64k", &v) && v == 65536);
	g_assert_true(options_size("2M", &v) && v == 2 << 20);
	g_assert_true(options_size("3G", &v) && v == INT64_C(3) << 30);
	g_assert_false(options_size("", &v));
	g_assert_false(options_size("x", &v));
	g_assert_false(options_size("-1", &v));
	g_assert_false(options_size("1kb", &v));
	g_assert_false(options_size("9223372036854775807k", &v));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/procstat/a-name-with-parentheses", test_name_with_parentheses);
	g_test_add_func("/procstat/text-cut-off", test_cut_off);
	g_test_add_func("/procstat/this-process", test_own_process);
	g_test_add_func("/options/sizes", test_sizes);
	return g_test_run();
}
