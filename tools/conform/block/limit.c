/* SPDX-License-Identifier: MIT
 *
 * A store with a `size` option keeps to it.
 */
#include "tools/conform/block/block.h"

static bool
open_limited(struct conform *c, struct box *b)
{
	const struct dfs_config_item *item = dfs_options_find(c->plugin->desc.config, "size");
	enum dfs_status st;

	if (!item || item->type != DFS_CONFIG_SIZE) {
		conform_skip(c, "the store has no option named size");
		return false;
	}
	if (!box_open(c, b))
		return false;
	conform_close(c, b->inst);
	b->inst = NULL;
	st = conform_open_set(c, b->dir, "size", "1M", &b->inst);
	if (CHECK(c, st == DFS_OK, "size = 1M is refused: %s", c->diag.text))
		return true;
	box_close(b);
	return false;
}

/* Puts 10 kB objects until one is refused; the number stored. */
static unsigned
fill_up(struct box *b)
{
	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *key = key_of(b, "%u", i);
		enum dfs_status st;

		conform_fail_clear();
		st = put_bytes(b, key, i, 10000);
		if (st == DFS_OK)
			continue;
		EXPECT(b->c, st, DFS_NOSPC);
		CHECK(b->c, conform_fail_text()[0], "a full store has no sentence");
		expect_absent(b, key);
		return i;
	}
	CHECK(b->c, false, "a store of 1 MiB takes 10 MB");
	return 1000;
}

static void
test_full(struct conform *c)
{
	struct box b;

	if (!open_limited(c, &b))
		return;
	unsigned n = fill_up(&b);
	CHECK(c, n >= 40 && n <= 104, "1 MiB holds %u objects of 10 kB", n);
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *key = key_of(&b, "%u", i);

		expect_object(&b, key, i, 10000);
	}
	box_close(&b);
}

static void
test_refused_replace(struct conform *c)
{
	struct box b;

	if (!open_limited(c, &b))
		return;
	g_autofree char *key = key_of(&b, "0");
	fill_up(&b);
	EXPECT(c, put_bytes(&b, key, 99, 1000000), DFS_NOSPC);
	expect_object(&b, key, 0, 10000);
	box_close(&b);
}

static void
test_room_again(struct conform *c)
{
	struct box b;
	unsigned first, second;

	if (!open_limited(c, &b))
		return;
	first = fill_up(&b);
	EXPECT(c, b.ops->erase_prefix(b.inst, b.prefix), DFS_OK);
	second = fill_up(&b);
	CHECK(c, first == second, "%u objects fit at first, %u after erasing all", first, second);
	for (unsigned i = 0; i < second; i++) {
		g_autofree char *key = key_of(&b, "%u", i);

		EXPECT(c, b.ops->erase(b.inst, key, 0), DFS_OK);
	}
	CHECK(c, fill_up(&b) == first, "other than %u objects fit after erasing each", first);
	box_close(&b);
}

const struct conform_test limit_tests[] = {
	{"limit", "a full store answers NOSPC and keeps what it has", test_full},
	{"limit", "a replacement that does not fit leaves the old object", test_refused_replace},
	{"limit", "what is erased makes room", test_room_again},
	{NULL}};
