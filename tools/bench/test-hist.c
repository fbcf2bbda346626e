/* SPDX-License-Identifier: MIT */
#include <glib.h>

#include "hist.h"

static void
test_small_exact(void)
{
	for (uint64_t v = 0; v < HIST_SUB; v++)
		g_assert_cmpuint(hist_low(hist_index(v)), ==, v);
}

static void
test_bounds_hold(void)
{
	for (uint64_t v = 1; v < UINT64_MAX / 3; v = v * 3 + 1) {
		g_assert_cmpuint(hist_low(hist_index(v)), <=, v);
		g_assert_cmpuint(hist_high(hist_index(v)), >=, v);
	}
}

static void
test_contiguous(void)
{
	for (unsigned i = 0; i + 1 < HIST_BUCKETS - HIST_SUB; i++)
		g_assert_cmpuint(hist_high(i) + 1, ==, hist_low(i + 1));
}

static void
test_largest_fits(void)
{
	g_assert_cmpuint(hist_index(UINT64_MAX), <, HIST_BUCKETS);
	g_assert_cmpuint(hist_high(hist_index(UINT64_MAX)), ==, UINT64_MAX);
}

static void
test_width(void)
{
	unsigned i = hist_index(1000000);

	g_assert_cmpuint(hist_high(i) - hist_low(i), <=, 1000000 / HIST_SUB);
}

static void
test_quantiles(void)
{
	g_autofree struct hist *h = g_new0(struct hist, 1);

	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(h, v);
	g_assert_cmpfloat_with_epsilon((double)hist_quantile(h, 0.5), 50000, 800);
	g_assert_cmpfloat_with_epsilon((double)hist_quantile(h, 0.99), 99000, 1600);
	g_assert_cmpuint(hist_quantile(h, 1), ==, 100000);
}

static void
test_quantile_of_one(void)
{
	g_autofree struct hist *h = g_new0(struct hist, 1);

	hist_add(h, 12345);
	g_assert_cmpuint(hist_quantile(h, 0), ==, 12345);
	g_assert_cmpuint(hist_quantile(h, 0.5), ==, 12345);
}

static void
test_empty(void)
{
	g_autofree struct hist *h = g_new0(struct hist, 1);

	g_assert_cmpuint(hist_quantile(h, 0.99), ==, 0);
	g_assert_cmpfloat(hist_mean(h), ==, 0);
}

static void
test_merge(void)
{
	g_autofree struct hist *a = g_new0(struct hist, 1), *b = g_new0(struct hist, 1);

	hist_add(a, 10);
	hist_add(b, 30);
	hist_add(b, 20);
	hist_merge(a, b);
	g_assert_cmpuint(a->count, ==, 3);
	g_assert_cmpuint(a->max, ==, 30);
	g_assert_cmpfloat(hist_mean(a), ==, 20);
	g_assert_cmpuint(hist_quantile(a, 0.5), ==, 20);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hist/values-below-64-are-exact", test_small_exact);
	g_test_add_func("/hist/a-bucket-holds-its-value", test_bounds_hold);
	g_test_add_func("/hist/buckets-leave-no-gap", test_contiguous);
	g_test_add_func("/hist/the-largest-value-has-a-bucket", test_largest_fits);
	g_test_add_func("/hist/a-bucket-is-narrow", test_width);
	g_test_add_func("/hist/quantiles-of-a-uniform-range", test_quantiles);
	g_test_add_func("/hist/quantiles-of-one-value-are-it", test_quantile_of_one);
	g_test_add_func("/hist/an-empty-one-has-zeros", test_empty);
	g_test_add_func("/hist/merge-adds", test_merge);
	return g_test_run();
}
