/* SPDX-License-Identifier: MIT
 *
 * Write sets: what is left of several changes.
 */
#include <glib.h>

#include "writeset.h"

static struct writeset *
fresh(void)
{
	return calloc(1, sizeof(struct writeset));
}

static void
put(struct writeset *ws, uint64_t fileid, const char *text)
{
	writeset_begin(ws, K_SYMLINK, WS_PUT);
	writeset_int8(ws, 1);
	writeset_int8(ws, fileid);
	writeset_bytes(ws, text, (uint32_t)strlen(text));
	g_assert_true(writeset_end(ws));
}

static void
key(struct writeset *ws, enum ws_op op, uint64_t fileid)
{
	writeset_begin(ws, K_SYMLINK, op);
	writeset_int8(ws, 1);
	writeset_int8(ws, fileid);
}

static void
test_last_counts(void)
{
	struct writeset *ws = fresh();
	const struct ws_record *r;
	struct row row;

	put(ws, 5, "one");
	put(ws, 5, "another, longer");
	g_assert_cmpuint(ws->n, ==, 1);
	key(ws, WS_DEL, 5);
	r = writeset_find(ws);
	g_assert_nonnull(r);
	row_split(&row, ws->bytes + r->at, 3);
	g_assert_cmpmem(row.bytes[2], (size_t)row.len[2], "another, longer", 15);
	key(ws, WS_DEL, 5);
	g_assert_true(writeset_end(ws));
	g_assert_cmpuint(ws->n, ==, 1);
	g_assert_cmpint(ws->records[0].op, ==, WS_DEL);
	key(ws, WS_DEL, 6);
	g_assert_null(writeset_find(ws));
	writeset_free(ws);
}

static void
test_many(void)
{
	struct writeset *ws = fresh();

	for (unsigned round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 3000; i++)
			put(ws, i * 7919, round ? "b" : "a");
	g_assert_cmpuint(ws->n, ==, 3000);
	for (uint64_t i = 0; i < 3000; i++) {
		const struct ws_record *r;

		key(ws, WS_DEL, i * 7919);
		r = writeset_find(ws);
		g_assert_nonnull(r);
		g_assert_cmpint(ws->bytes[r->at + r->len - 1], ==, 'b');
	}
	key(ws, WS_DEL, 1);
	g_assert_null(writeset_find(ws));
	writeset_free(ws);
}

static void
put_map(struct writeset *ws, const struct dfs_content_id *content, uint64_t block)
{
	writeset_begin(ws, K_MAP, WS_PUT);
	writeset_int8(ws, 1);
	writeset_bytes(ws, content->bytes, 16);
	writeset_int8(ws, block);
	writeset_int8(ws, 0);
	writeset_bytes(ws, "segments", 8);
	g_assert_true(writeset_end(ws));
}

static unsigned
maps(const struct writeset *ws)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < ws->n; i++)
		n += ws->records[i].op == WS_PUT;
	return n;
}

static void
test_range(void)
{
	const struct dfs_content_id a = {{1}}, b = {{2}};
	struct writeset *ws = fresh();

	for (uint64_t block = 0; block < 10; block++) {
		put_map(ws, &a, block);
		put_map(ws, &b, block);
	}
	g_assert_true(writeset_del_range(ws, 1, &a, 3, 3));
	g_assert_cmpuint(ws->n_ranges, ==, 0);
	g_assert_true(writeset_del_range(ws, 1, &a, 3, 7));
	g_assert_true(writeset_del_range(ws, 2, &b, 0, UINT64_MAX));
	g_assert_cmpuint(maps(ws), ==, 16);
	/* What is put after it is there. */
	put_map(ws, &a, 5);
	g_assert_cmpuint(maps(ws), ==, 17);
	g_assert_cmpuint(ws->n_ranges, ==, 2);
	writeset_free(ws);
}

static void
test_sent(void)
{
	struct writeset *ws = fresh();
	const struct ws_add add = {.kind = 1, .id = 5, .bytes = 100, .files = 1};
	enum dfs_status st;

	g_assert_true(writeset_empty(ws));
	put(ws, 5, "one");
	g_assert_true(writeset_add(ws, 1, &add, &st));
	g_assert_true(writeset_unsent(ws));
	writeset_mark(ws, true);
	g_assert_false(writeset_unsent(ws));
	g_assert_false(writeset_empty(ws));
	g_assert_true(writeset_add(ws, 1, &add, &st));
	g_assert_cmpint(ws->adds[0].unsent_bytes, ==, 100);
	g_assert_cmpint(ws->adds[0].bytes, ==, 200);
	writeset_mark(ws, false);
	g_assert_cmpint(ws->adds[0].unsent_bytes, ==, 200);
	/* A change of a row that was sent is to be sent again. */
	writeset_mark(ws, true);
	put(ws, 5, "two");
	g_assert_true(writeset_unsent(ws));
	writeset_free(ws);
}

static void
test_sums(void)
{
	struct writeset *ws = fresh();
	struct ws_add add = {.kind = 1, .id = 5, .bytes = INT64_MAX, .files = 1};
	enum dfs_status st;

	g_assert_true(writeset_add(ws, 1, &add, &st));
	g_assert_false(writeset_add(ws, 1, &add, &st));
	g_assert_cmpint(st, ==, DFS_INVAL);
	g_assert_cmpint(ws->adds[0].files, ==, 1);
	g_assert_true(writeset_clear(ws, 1));
	g_assert_cmpint(ws->adds[0].bytes, ==, 0);
	g_assert_true(writeset_add(ws, 1, &add, &st));
	g_assert_cmpint(ws->adds[0].unsent_bytes, ==, INT64_MAX);
	writeset_free(ws);
}

static void
test_too_large(void)
{
	struct writeset *ws = fresh();
	char *big = g_malloc0(64 << 20);

	for (unsigned i = 0; i < 3; i++) {
		writeset_begin(ws, K_STATE, WS_PUT);
		writeset_int8(ws, 1);
		writeset_bytes(ws, &i, sizeof(i));
		writeset_bytes(ws, big, 64 << 20);
		g_assert_true(writeset_end(ws));
	}
	writeset_begin(ws, K_STATE, WS_PUT);
	writeset_int8(ws, 1);
	writeset_bytes(ws, "key", 3);
	writeset_bytes(ws, big, 64 << 20);
	g_assert_false(writeset_end(ws));
	g_assert_cmpuint(ws->n, ==, 3);
	put(ws, 1, "small ones still go");
	writeset_free(ws);
	g_free(big);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/writeset/the last change of a key counts", test_last_counts);
	g_test_add_func("/writeset/thousands of keys are found again", test_many);
	g_test_add_func("/writeset/a range takes out what was put before it", test_range);
	g_test_add_func("/writeset/what was sent is not sent twice", test_sent);
	g_test_add_func("/writeset/sums add up and are refused beyond their range", test_sums);
	g_test_add_func("/writeset/a set that is too large is as before", test_too_large);
	return g_test_run();
}
