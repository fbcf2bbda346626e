/* SPDX-License-Identifier: MIT
 *
 * Copying an object inside the store, where a store can.
 */
#include "tools/conform/block/block.h"

/* A box of a store that copies; false: the test has been skipped, or has failed. */
static bool
copier_open(struct conform *c, struct box *b)
{
	if (c->plugin->ops.block.copy)
		return box_open(c, b);
	conform_skip(c, "the store does not copy");
	return false;
}

static void
expect_copy(struct box *b, const char *from, const char *to, uint64_t id, uint64_t len)
{
	EXPECT(b->c, put_bytes(b, from, id, len), DFS_OK);
	EXPECT(b->c, b->ops->copy(b->inst, from, to, 0), DFS_OK);
	expect_object(b, from, id, len);
	expect_object(b, to, id, len);
}

static void
test_copy(struct conform *c)
{
	static const uint32_t sizes[] = {1, 1000, 65536, 4 * MIB};
	struct box b;

	if (!copier_open(c, &b))
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *from = key_of(&b, "___temp/%u", sizes[i]);
		g_autofree char *to = key_of(&b, "ab/file/chunk-0/block-%u", sizes[i]);

		expect_copy(&b, from, to, i, sizes[i]);
	}
	box_close(&b);
}

static void
test_apart(struct conform *c)
{
	struct box b;

	if (!copier_open(c, &b))
		return;
	g_autofree char *from = key_of(&b, "from"), *to = key_of(&b, "to");
	expect_copy(&b, from, to, 1, 5000);
	EXPECT(c, put_bytes(&b, from, 2, 100), DFS_OK);
	expect_object(&b, to, 1, 5000);
	EXPECT(c, b.ops->erase(b.inst, from, 0), DFS_OK);
	expect_absent(&b, from);
	expect_object(&b, to, 1, 5000);
	if (!is_volatile(c)) {
		EXPECT(c, b.ops->sync(b.inst), DFS_OK);
		if (box_reopen(&b)) {
			expect_absent(&b, from);
			expect_object(&b, to, 1, 5000);
		}
	}
	box_close(&b);
}

static void
test_replaces(struct conform *c)
{
	struct box b;

	if (!copier_open(c, &b))
		return;
	g_autofree char *from = key_of(&b, "from"), *to = key_of(&b, "to");
	EXPECT(c, put_bytes(&b, to, 9, 70000), DFS_OK);
	expect_copy(&b, from, to, 1, 5000);
	/* The same once more, as after an answer that was lost. */
	EXPECT(c, b.ops->copy(b.inst, from, to, 0), DFS_OK);
	expect_object(&b, to, 1, 5000);
	box_close(&b);
}

static void
test_refused(struct conform *c)
{
	struct box b;

	if (!copier_open(c, &b))
		return;
	g_autofree char *from = key_of(&b, "from"), *to = key_of(&b, "to");
	g_autofree char *deep = key_of(&b, "not/there");
	EXPECT(c, b.ops->copy(b.inst, from, to, 0), DFS_NOENT);
	EXPECT(c, b.ops->copy(b.inst, deep, to, 0), DFS_NOENT);
	expect_absent(&b, to);
	EXPECT(c, put_bytes(&b, from, 1, 10), DFS_OK);
	EXPECT(c, b.ops->copy(b.inst, "../x", to, 0), DFS_INVAL);
	EXPECT(c, b.ops->copy(b.inst, from, "../x", 0), DFS_INVAL);
	expect_object(&b, from, 1, 10);
	box_close(&b);
}

const struct conform_test copy_tests[] = {
	{"copy", "the bytes are under both keys", test_copy},
	{"copy", "the copy is apart from its origin", test_apart},
	{"copy", "an object of the key is replaced", test_replaces},
	{"copy", "an absent origin and bad keys are refused", test_refused},
	{0},
};
