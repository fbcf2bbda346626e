/* SPDX-License-Identifier: MIT
 *
 * Life cycle: opening, closing, several instances, what stays.
 */
#include "tools/conform/block/block.h"

static void
test_open_close(struct conform *c)
{
	struct box b;

	if (box_open(c, &b))
		box_close(&b);
}

static void
test_empty(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = list_keys(&b, is_isolated(c) ? "" : b.prefix, "", 0);
	CHECK(c, keys->len == 0, "a new store lists %u objects", keys->len);
	g_ptr_array_unref(keys);
	box_close(&b);
}

static void
test_reopen(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 5; i++)
		if (!box_reopen(&b))
			break;
	box_close(&b);
}

static void
test_persists(struct conform *c)
{
	struct box b;

	if (is_volatile(c)) {
		conform_skip(c, "the store is volatile");
		return;
	}
	if (!box_open(c, &b))
		return;
	g_autofree char *kept = key_of(&b, "kept"), *gone = key_of(&b, "gone");
	EXPECT(c, put_bytes(&b, kept, 1, 100000), DFS_OK);
	EXPECT(c, put_bytes(&b, gone, 2, 10), DFS_OK);
	EXPECT(c, b.ops->erase(b.inst, gone, 0), DFS_OK);
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	if (box_reopen(&b)) {
		expect_object(&b, kept, 1, 100000);
		expect_absent(&b, gone);
	}
	box_close(&b);
}

static void
test_two_instances(struct conform *c)
{
	struct box a, b;

	if (!is_isolated(c)) {
		conform_skip(c, "instances of this store may share their place");
		return;
	}
	if (!box_open(c, &a))
		return;
	if (box_open(c, &b)) {
		EXPECT(c, put_bytes(&a, "conform/x", 1, 1000), DFS_OK);
		expect_absent(&b, "conform/x");
		EXPECT(c, put_bytes(&b, "conform/x", 2, 2000), DFS_OK);
		expect_object(&a, "conform/x", 1, 1000);
		expect_object(&b, "conform/x", 2, 2000);
		box_close(&b);
	}
	box_close(&a);
}

static void
test_destroy_one(struct conform *c)
{
	struct box a, b;

	if (!box_open(c, &a))
		return;
	g_autofree char *key = key_of(&a, "x");
	EXPECT(c, put_bytes(&a, key, 1, 70000), DFS_OK);
	if (box_open(c, &b))
		box_close(&b);
	expect_object(&a, key, 1, 70000);
	EXPECT(c, put_bytes(&a, key, 2, 7), DFS_OK);
	expect_object(&a, key, 2, 7);
	box_close(&a);
}

static void
test_same_place(struct conform *c)
{
	struct box a;
	void *second = NULL;
	enum dfs_status st;

	if (is_volatile(c) || !is_isolated(c)) {
		conform_skip(c, "the store has no place of its own");
		return;
	}
	if (!box_open(c, &a))
		return;
	g_autofree char *key = key_of(&a, "x");
	EXPECT(c, put_bytes(&a, key, 1, 1000), DFS_OK);
	st = conform_open(c, a.dir, &second);
	CHECK(c, st == DFS_OK || (st == DFS_BUSY && c->diag.text[0]),
	      "a second instance on the same place gets %d: it shall work or be refused, BUSY, "
	      "with a "
	      "sentence",
	      (int)st);
	if (st == DFS_OK) {
		struct box s = a;

		s.inst = second;
		expect_object(&s, key, 1, 1000);
		conform_close(c, second);
	}
	expect_object(&a, key, 1, 1000);
	box_close(&a);
}

static void
test_sync(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	for (int i = 0; i < 40; i++) {
		g_autofree char *key = key_of(&b, "%d/x", i % 7);

		EXPECT(c, put_bytes(&b, key, i, 100 + i), DFS_OK);
		if (i % 5 == 0)
			EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
		if (i % 9 == 0)
			EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	}
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	box_close(&b);
}

static void
test_large_group(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 1500; i++) {
		g_autofree char *key = key_of(&b, "%d/x", i);

		if (!EXPECT(c, put_bytes(&b, key, i, 1), DFS_OK))
			break;
	}
	EXPECT(c, b.ops->sync(b.inst), DFS_OK);
	box_close(&b);
}

static void
test_stats(struct conform *c)
{
	struct dfs_block_stats s = {.size = sizeof(s)};
	struct box b;

	if (!box_open(c, &b))
		return;
	EXPECT(c, b.ops->stats(b.inst, &s), DFS_OK);
	CHECK(c,
	      s.bytes_total == 0 ||
		      (s.bytes_used <= s.bytes_total && s.bytes_free <= s.bytes_total),
	      "more is used or free than there is");
	CHECK(c, s.size == sizeof(s), "the caller's size is overwritten");
	box_close(&b);
}

static void
test_counts(struct conform *c)
{
	struct dfs_block_stats s = {.size = sizeof(s)};
	struct box b;

	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 3; i++) {
		g_autofree char *key = key_of(&b, "%d", i);

		EXPECT(c, put_bytes(&b, key, i, 10), DFS_OK);
		EXPECT(c, put_bytes(&b, key, i, 10), DFS_OK);
	}
	EXPECT(c, b.ops->stats(b.inst, &s), DFS_OK);
	if (s.objects == 0 || !is_isolated(c))
		conform_skip(c, "the store does not count objects, or not only these");
	else
		CHECK(c, s.objects == 3, "3 objects count as %" G_GUINT64_FORMAT, s.objects);
	box_close(&b);
}

static void
test_health(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	EXPECT(c, b.ops->health(b.inst), DFS_OK);
	GPtrArray *keys = list_keys(&b, b.prefix, "", 0);
	CHECK(c, keys->len == 0, "the health check leaves an object");
	g_ptr_array_unref(keys);
	box_close(&b);
}

const struct conform_test life_tests[] = {
	{"life", "an instance opens and closes", test_open_close},
	{"life", "a new store is empty", test_empty},
	{"life", "a store opens again after it was closed", test_reopen},
	{"life", "what was synced is there after reopening", test_persists},
	{"life", "two instances have objects of their own", test_two_instances},
	{"life", "destroying one instance leaves another working", test_destroy_one},
	{"life", "a second instance on the same place works or is refused as busy",
	 test_same_place},
	{"life", "sync works with nothing, something and after erasing", test_sync},
	{"life", "sync covers a group of 1500 objects in as many folders", test_large_group},
	{"life", "stats are consistent", test_stats},
	{"life", "an object replaced counts once", test_counts},
	{"life", "a working store is healthy", test_health},
	{NULL}};
