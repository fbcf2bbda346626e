/* SPDX-License-Identifier: MIT
 *
 * The journal: keys that are held, numbers, and what is kept until it is durable.
 */
#include <glib.h>

#include "journal.h"

static int64_t
in_ms(int64_t ms)
{
	return (g_get_monotonic_time() + ms * 1000) * 1000;
}

static struct writeset *
set_of(uint64_t fileid)
{
	struct writeset *ws = calloc(1, sizeof(*ws));

	writeset_begin(ws, K_SYMLINK, WS_DEL);
	writeset_int8(ws, 1);
	writeset_int8(ws, fileid);
	g_assert_true(writeset_end(ws));
	return ws;
}

static struct entry *
entry_of(uint64_t fileid, unsigned slot)
{
	struct entry *e = calloc(1, sizeof(*e));

	e->ws = set_of(fileid);
	e->slot = slot;
	return e;
}

static void
test_keys(void)
{
	struct journal j;
	struct holder a = {0}, b = {0};
	struct writeset *five = set_of(5), *six = set_of(6);

	g_assert_true(journal_init(&j, 1 << 20));
	g_assert_cmpint(journal_hold(&j, &a, five, false, in_ms(1000)), ==, DFS_OK);
	g_assert_cmpint(journal_hold(&j, &a, five, false, in_ms(1000)), ==, DFS_OK);
	g_assert_cmpint(journal_hold(&j, &b, five, false, in_ms(1)), ==, DFS_DELAY);
	g_assert_cmpint(journal_hold(&j, &b, six, false, in_ms(1000)), ==, DFS_OK);
	/* Who holds some waits for nobody. */
	g_assert_cmpint(journal_hold(&j, &b, five, false, INT64_MAX), ==, DFS_AGAIN);
	journal_release(&j, &a);
	g_assert_cmpint(journal_hold(&j, &b, five, false, in_ms(1000)), ==, DFS_OK);
	journal_release(&j, &b);
	g_assert_cmpuint(j.holders, ==, 0);
	writeset_free(five);
	writeset_free(six);
	journal_free(&j);
}

static void
test_alone(void)
{
	struct journal j;
	struct holder a = {0}, b = {0};
	struct writeset *five = set_of(5), *six = set_of(6);

	g_assert_true(journal_init(&j, 1 << 20));
	g_assert_cmpint(journal_hold(&j, &a, five, false, in_ms(1000)), ==, DFS_OK);
	g_assert_cmpint(journal_hold(&j, &b, six, true, in_ms(1)), ==, DFS_DELAY);
	journal_release(&j, &a);
	g_assert_cmpint(journal_hold(&j, &b, six, true, in_ms(1000)), ==, DFS_OK);
	g_assert_cmpint(journal_hold(&j, &a, five, false, in_ms(1)), ==, DFS_DELAY);
	journal_release(&j, &b);
	g_assert_cmpint(journal_hold(&j, &a, five, false, in_ms(1000)), ==, DFS_OK);
	journal_release(&j, &a);
	writeset_free(five);
	writeset_free(six);
	journal_free(&j);
}

static void
test_doubt(void)
{
	struct journal j;
	struct entry *a = entry_of(1, 0), *b = entry_of(2, 1);
	const struct reads all = {.all = true};
	const struct reads other = {.keys = {b->ws->records[0].hash}, .n = 1};
	const struct reads same = {.keys = {a->ws->records[0].hash}, .n = 1};
	struct holder h = {0};

	g_assert_true(journal_init(&j, 1 << 20));
	g_assert_cmpint(journal_hold(&j, &h, a->ws, false, in_ms(1000)), ==, DFS_OK);
	a->holder = h.id;
	journal_send(&j, a, false);
	journal_send(&j, b, false);
	g_assert_cmpuint(b->number, >, a->number);
	g_assert_cmpint(journal_settled(&j, a->number - 1, &all, in_ms(1)), ==, DFS_OK);
	g_assert_cmpint(journal_settled(&j, a->number, &all, in_ms(1)), ==, DFS_DELAY);
	g_assert_cmpint(journal_settled(&j, a->number, &same, in_ms(1)), ==, DFS_DELAY);
	g_assert_cmpint(journal_settled(&j, a->number, &other, in_ms(1)), ==, DFS_OK);
	/* Acknowledged in another order than sent. */
	g_assert_cmpuint(journal_ack(&j, b), ==, 1);
	g_assert_cmpint(journal_answered(&j, b->number, in_ms(1)), ==, DFS_DELAY);
	journal_lose(&j, a);
	g_assert_cmpint(journal_answered(&j, b->number, in_ms(1)), ==, DFS_OK);
	g_assert_cmpint(journal_settled(&j, b->number, &all, in_ms(1)), ==, DFS_DELAY);
	g_assert_true(journal_next_acked(&j, NULL) == b);
	g_assert_null(journal_next_acked(&j, b));
	journal_void(&j, a);
	g_assert_cmpint(journal_settled(&j, b->number, &all, in_ms(1)), ==, DFS_OK);
	journal_release(&j, &h);
	writeset_free(a->ws);
	free(a);
	journal_free(&j);
}

static void
test_durable(void)
{
	struct journal j;
	struct entry *a = entry_of(1, 3), *b = entry_of(2, 4);
	uint64_t number = 0;

	g_assert_true(journal_init(&j, 1));
	g_assert_false(journal_full(&j));
	journal_send(&j, a, false);
	number = a->number;
	g_assert_true(journal_full(&j));
	journal_ack(&j, a);
	journal_send(&j, b, false);
	journal_ack(&j, b);
	journal_pin(&j, true);
	journal_durable(&j, 1);
	g_assert_true(journal_is_durable(&j, 1));
	g_assert_false(journal_is_durable(&j, 2));
	g_assert_true(journal_next_acked(&j, NULL) == a);
	journal_pin(&j, false);
	g_assert_true(journal_next_acked(&j, NULL) == b);
	g_assert_cmpuint(journal_slot(&j, 3, 0), ==, number);
	g_assert_cmpuint(journal_slot(&j, 4, 0), ==, 0);
	journal_durable(&j, 2);
	g_assert_null(journal_next_acked(&j, NULL));
	g_assert_false(journal_full(&j));
	journal_free(&j);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/journal/a key has one holder", test_keys);
	g_test_add_func("/journal/who wants to be alone waits for the others", test_alone);
	g_test_add_func("/journal/a commit is in doubt until it is answered", test_doubt);
	g_test_add_func("/journal/what is durable is forgotten, unless it is pinned", test_durable);
	return g_test_run();
}
