/* SPDX-License-Identifier: MIT
 *
 * What goes next.
 */
#include <glib.h>
#include <string.h>

#include "payload/offload/queue.h"

#define N 64

static struct dfs_queue q;
static struct dfs_entry entries[N];
static unsigned n;
static double level;

static double
level_of(void *arg)
{
	return *(double *)arg;
}

static void
fresh(unsigned total)
{
	dfs_queue_init(&q, total);
	q.level = level_of;
	q.level_arg = &level;
	memset(entries, 0, sizeof entries);
	n = 0;
	level = 0;
}

static struct dfs_entry *
push_at(enum dfs_entry_class class, uint8_t file, int64_t now)
{
	struct dfs_content_id content;

	memset(&content, file, sizeof content);
	entries[n].class = class;
	g_assert_true(dfs_queue_push(&q, &entries[n], &content, now));
	return &entries[n++];
}

static struct dfs_entry *
push(enum dfs_entry_class class, uint8_t file)
{
	return push_at(class, file, n);
}

static struct dfs_entry *
pop(void)
{
	return dfs_queue_pop(&q, 1000);
}

/* Everything out, so that nothing is left allocated. */
static void
drain(void)
{
	for (unsigned i = 0; i < n; i++) {
		if (!entries[i].flow)
			continue;
		if (entries[i].running)
			dfs_queue_done(&q, &entries[i]);
		else
			dfs_queue_remove(&q, &entries[i]);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(q.table); i++)
		g_assert_null(q.table[i]);
}

static void
classes_go_in_order(void)
{
	struct dfs_entry *e[DFS_ENTRY_CLASSES];

	fresh(64);
	for (int class = DFS_ENTRY_CLASSES - 1; class >= 0; class --)
		e[class] = push(class, 1);
	for (int class = 0; class < DFS_ENTRY_CLASSES; class ++)
		g_assert_true(pop() == e[class]);
	g_assert_null(pop());
	drain();
}

static void
a_file_goes_by_age(void)
{
	struct dfs_entry *first, *second;

	fresh(64);
	first = push(DFS_AGED_PUT, 1);
	second = push(DFS_AGED_PUT, 1);
	g_assert_true(pop() == first);
	g_assert_true(pop() == second);
	drain();
}

static void
files_take_turns(void)
{
	struct dfs_entry *big[3], *small[2];

	fresh(64);
	for (int i = 0; i < 3; i++)
		big[i] = push(DFS_COMPLETE_PUT, 1);
	small[0] = push(DFS_COMPLETE_PUT, 2);
	small[1] = push(DFS_COMPLETE_PUT, 3);
	g_assert_true(pop() == big[0]);
	g_assert_true(pop() == small[0]);
	g_assert_true(pop() == small[1]);
	g_assert_true(pop() == big[1]);
	g_assert_true(pop() == big[2]);
	drain();
}

static void
a_file_has_four_slots_a_direction(void)
{
	fresh(64);
	for (int i = 0; i < 6; i++) {
		push(DFS_DEMAND_GET, 1);
		push(DFS_AGED_PUT, 1);
	}
	for (int i = 0; i < 8; i++)
		g_assert_nonnull(pop());
	g_assert_null(pop());
	g_assert_cmpuint(q.running[DFS_DOWN], ==, 4);
	g_assert_cmpuint(q.running[DFS_UP], ==, 4);
	/* One that ends makes room for one, and others are not held up. */
	push(DFS_DEMAND_GET, 2);
	g_assert_nonnull(pop());
	g_assert_null(pop());
	dfs_queue_done(&q, &entries[0]);
	g_assert_nonnull(pop());
	g_assert_null(pop());
	drain();
}

static void
those_behind_a_file_at_its_limit_take_turns(void)
{
	struct dfs_entry *b[2], *c[2];

	fresh(64);
	for (int i = 0; i < 6; i++)
		push(DFS_DEMAND_GET, 1);
	for (int i = 0; i < 4; i++)
		g_assert_nonnull(pop());
	b[0] = push(DFS_DEMAND_GET, 2);
	b[1] = push(DFS_DEMAND_GET, 2);
	c[0] = push(DFS_DEMAND_GET, 3);
	c[1] = push(DFS_DEMAND_GET, 3);
	g_assert_true(pop() == b[0]);
	g_assert_true(pop() == c[0]);
	g_assert_true(pop() == b[1]);
	g_assert_true(pop() == c[1]);
	drain();
}

static void
a_sequential_prefetch_may_use_the_window(void)
{
	fresh(64);
	q.size[DFS_DOWN] = 10;
	for (int i = 0; i < 16; i++)
		push(DFS_PREFETCH_GET, 1)->free_running = true;
	for (int i = 0; i < 10; i++)
		g_assert_nonnull(pop());
	g_assert_null(pop());
	drain();
}

static void
reads_and_prefetch_share_one_window(void)
{
	fresh(64);
	q.size[DFS_DOWN] = 2;
	push(DFS_PREFETCH_GET, 1);
	push(DFS_DEMAND_GET, 2);
	push(DFS_DEMAND_GET, 3);
	g_assert_cmpint(pop()->class, ==, DFS_DEMAND_GET);
	g_assert_cmpint(pop()->class, ==, DFS_DEMAND_GET);
	g_assert_null(pop());
	drain();
}

/* Uploads among the first `slots` entries when reads and uploads of many files wait. */
static unsigned
uploads_of(unsigned slots, double at)
{
	unsigned up = 0;

	fresh(slots);
	level = at;
	for (unsigned i = 0; i < 30; i++) {
		push(DFS_DEMAND_GET, (uint8_t)(2 * i + 1));
		push(DFS_AGED_PUT, (uint8_t)(2 * i + 2));
	}
	for (unsigned i = 0; i < slots; i++)
		up += dfs_entry_direction(pop()->class) == DFS_UP;
	drain();
	return up;
}

static void
uploads_get_more_as_unwritten_data_piles_up(void)
{
	g_assert_cmpuint(uploads_of(16, 0.2), ==, 0);
	g_assert_cmpuint(uploads_of(16, 0.5), ==, 0);
	g_assert_cmpuint(uploads_of(16, 0.6), ==, 4);
	g_assert_cmpuint(uploads_of(16, 0.9), ==, 8);
	g_assert_cmpuint(uploads_of(16, 1.0), ==, 8);
}

static void
what_waited_too_long_goes_first(void)
{
	struct dfs_entry *old;

	fresh(64);
	old = push_at(DFS_COMPACT, 1, 0);
	push_at(DFS_DEMAND_GET, 2, DFS_QUEUE_OVERDUE - 1);
	g_assert_true(dfs_queue_pop(&q, DFS_QUEUE_OVERDUE) == old);
	drain();
}

static void
a_prefetch_that_is_waited_for_goes_before_others(void)
{
	struct dfs_entry *plain, *put, *wanted;

	fresh(64);
	plain = push(DFS_PREFETCH_GET, 1);
	put = push(DFS_FINALIZE_PUT, 1);
	wanted = push(DFS_PREFETCH_GET, 2);
	dfs_queue_raise(&q, wanted, DFS_DEMAND_GET);
	/* Never down again. */
	dfs_queue_raise(&q, wanted, DFS_PREFETCH_GET);
	g_assert_true(pop() == wanted);
	g_assert_true(pop() == put);
	g_assert_true(pop() == plain);
	dfs_queue_raise(&q, plain, DFS_DEMAND_GET);
	g_assert_cmpint(plain->class, ==, DFS_DEMAND_GET);
	drain();
}

static void
a_raised_entry_keeps_its_age(void)
{
	struct dfs_entry *old, *young;

	fresh(64);
	old = push(DFS_PREFETCH_GET, 1);
	young = push(DFS_DEMAND_GET, 1);
	dfs_queue_raise(&q, old, DFS_DEMAND_GET);
	g_assert_true(pop() == old);
	g_assert_true(pop() == young);
	drain();
}

static void
what_is_taken_back_is_not_run(void)
{
	struct dfs_entry *a, *b;

	fresh(64);
	a = push(DFS_DEMAND_GET, 1);
	b = push(DFS_DEMAND_GET, 1);
	dfs_queue_remove(&q, a);
	g_assert_true(pop() == b);
	g_assert_null(pop());
	drain();
}

static void
a_start_by_force_passes_all_limits(void)
{
	struct dfs_entry *probe;

	fresh(1);
	push(DFS_DEMAND_GET, 1);
	g_assert_nonnull(pop());
	probe = push(DFS_AGED_PUT, 1);
	g_assert_null(pop());
	dfs_queue_start(&q, probe);
	g_assert_true(probe->running);
	g_assert_cmpuint(q.running[DFS_UP], ==, 1);
	drain();
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/offload/queue/" name, fn)
	T("classes-go-in-order", classes_go_in_order);
	T("a-file-goes-by-age", a_file_goes_by_age);
	T("files-take-turns", files_take_turns);
	T("a-file-has-four-slots-a-direction", a_file_has_four_slots_a_direction);
	T("those-behind-a-file-at-its-limit-take-turns",
	  those_behind_a_file_at_its_limit_take_turns);
	T("a-sequential-prefetch-may-use-the-window", a_sequential_prefetch_may_use_the_window);
	T("reads-and-prefetch-share-one-window", reads_and_prefetch_share_one_window);
	T("uploads-get-more-as-unwritten-data-piles-up",
	  uploads_get_more_as_unwritten_data_piles_up);
	T("what-waited-too-long-goes-first", what_waited_too_long_goes_first);
	T("a-prefetch-that-is-waited-for-goes-before-others",
	  a_prefetch_that_is_waited_for_goes_before_others);
	T("a-raised-entry-keeps-its-age", a_raised_entry_keeps_its_age);
	T("what-is-taken-back-is-not-run", what_is_taken_back_is_not_run);
	T("a-start-by-force-passes-all-limits", a_start_by_force_passes_all_limits);
	return g_test_run();
}
