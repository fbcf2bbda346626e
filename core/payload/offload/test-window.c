/* SPDX-License-Identifier: MIT
 *
 * The window against stores whose goodput is known: what it finds, what it does not fall for.
 */
#include <glib.h>

#include "base/clock.h"
#include "payload/offload/window.h"

#define MS (DFS_SECOND / 1000)
#define BLOCK (4u << 20)

/* A store that takes `width` calls at once, each for `latency`; more of them wait for each other. */
struct model {
	struct dfs_window w;
	unsigned width;
	int64_t latency, now;
};

/* `size` calls (at most `offered`) side by side, again and again. */
static void
run(struct model *m, unsigned offered, unsigned turns)
{
	for (unsigned t = 0; t < turns; t++) {
		unsigned n = m->w.size < offered ? m->w.size : offered;
		int64_t began = m->now;
		int64_t took = n > m->width ? m->latency * n / m->width : m->latency;

		for (unsigned i = 0; i < n; i++)
			dfs_window_begin(&m->w, i + 1, began);
		m->now += took;
		for (unsigned i = 0; i < n; i++)
			dfs_window_end(&m->w, DFS_OK, BLOCK, began, m->now);
	}
}

static struct model
model(unsigned width)
{
	struct model m = {.width = width, .latency = 60 * MS, .now = DFS_SECOND};

	dfs_window_init(&m.w, 0x10000);
	return m;
}

static void
begins_with_sixteen(void)
{
	struct model m = model(1000);

	g_assert_cmpuint(m.w.size, ==, 16);
	g_assert_cmpuint(m.w.ceiling, ==, 64);
}

static void
grows_while_goodput_does(void)
{
	struct model m = model(1000);

	run(&m, 1000, 100);
	g_assert_cmpuint(m.w.size, ==, 64);
}

static void
holds_at_the_knee(void)
{
	struct model m = model(24);

	run(&m, 1000, 200);
	g_assert_cmpuint(m.w.size, >=, 24);
	g_assert_cmpuint(m.w.size, <=, 36);
}

static void
says_nothing_about_callers_that_ask_for_less(void)
{
	struct model m = model(1000);

	run(&m, 6, 200);
	g_assert_cmpuint(m.w.size, ==, 16);
}

static void
too_much_takes_a_third_off_once_for_all_that_were_out(void)
{
	struct model m = model(1000);
	int64_t began = m.now, later = m.now + 20 * MS;

	for (unsigned i = 0; i < 16; i++)
		dfs_window_begin(&m.w, i + 1, began);
	for (unsigned i = 0; i < 16; i++)
		dfs_window_end(&m.w, DFS_DELAY, 0, began, later);
	g_assert_cmpuint(m.w.size, ==, 11);
	dfs_window_end(&m.w, DFS_TIMEDOUT, 0, later + 1, later + 2);
	g_assert_cmpuint(m.w.size, ==, 7);
}

static void
never_leaves_its_bounds(void)
{
	struct model m = model(1000);

	for (int i = 1; i < 50; i++)
		dfs_window_end(&m.w, DFS_BUSY, 0, m.now + i * MS, m.now + i * MS + 1);
	g_assert_cmpuint(m.w.size, ==, 4);
	dfs_window_init(&m.w, 2);
	g_assert_cmpuint(m.w.size, ==, 2);
	run(&m, 100, 100);
	g_assert_cmpuint(m.w.size, ==, 2);
	for (int i = 1; i < 50; i++)
		dfs_window_end(&m.w, DFS_BUSY, 0, m.now + i * MS, m.now + i * MS + 1);
	g_assert_cmpuint(m.w.size, ==, 2);
}

static void
comes_back_after_too_much(void)
{
	struct model m = model(1000);

	for (int i = 1; i < 50; i++)
		dfs_window_end(&m.w, DFS_DELAY, 0, m.now + i * MS, m.now + i * MS + 1);
	m.now += DFS_SECOND;
	run(&m, 1000, 200);
	g_assert_cmpuint(m.w.size, ==, 64);
}

static void
a_store_that_slows_down_gets_less(void)
{
	struct model m = model(24);
	unsigned before;

	run(&m, 1000, 200);
	before = m.w.size;
	m.width = 6;
	run(&m, 1000, 3);
	g_assert_cmpuint(m.w.size, <, before);
}

static void
a_store_that_is_far_keeps_its_window(void)
{
	struct model m = model(1000);

	run(&m, 1000, 100);
	/* Twice as far, and nothing else: goodput halves, but is not won back by asking for less. */
	m.latency = 2 * m.latency;
	run(&m, 1000, 100);
	g_assert_cmpuint(m.w.size, >=, 32);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/offload/window/" name, fn)
	T("begins-with-sixteen", begins_with_sixteen);
	T("grows-while-goodput-does", grows_while_goodput_does);
	T("holds-at-the-knee", holds_at_the_knee);
	T("says-nothing-about-callers-that-ask-for-less",
	  says_nothing_about_callers_that_ask_for_less);
	T("too-much-takes-a-third-off-once-for-all-that-were-out",
	  too_much_takes_a_third_off_once_for_all_that_were_out);
	T("never-leaves-its-bounds", never_leaves_its_bounds);
	T("comes-back-after-too-much", comes_back_after_too_much);
	T("a-store-that-slows-down-gets-less", a_store_that_slows_down_gets_less);
	T("a-store-that-is-far-keeps-its-window", a_store_that_is_far_keeps_its_window);
	return g_test_run();
}
