/* SPDX-License-Identifier: MIT
 *
 * Keys: every good one works, every bad one is refused by every operation.
 */
#include "tools/conform/block/block.h"

static void
check_good(struct box *b, const char *rest)
{
	g_autofree char *key = key_of(b, "%s", rest);

	EXPECT(b->c, put_bytes(b, key, strlen(rest), 10), DFS_OK);
	expect_object(b, key, strlen(rest), 10);
	GPtrArray *keys = list_keys(b, b->prefix, "", 0);
	CHECK(b->c, keys->len == 1 && !strcmp(keys->pdata[0], key), "%.80s is not listed", key);
	g_ptr_array_unref(keys);
	EXPECT(b->c, b->ops->erase(b->inst, key, 0), DFS_OK);
	expect_absent(b, key);
}

static void
test_good(struct conform *c)
{
	static const char *const good[] = {"a",
					   "0",
					   "_",
					   "-",
					   "-a",
					   "--",
					   "a.",
					   "a..",
					   "a.b",
					   "a...b",
					   "A-Z_a-z.0-9",
					   "a-/b_/c./d",
					   "ab/cdefghijklmnopqrstuvwxyz/chunk-0/block-0.1",
					   "con",
					   "nul.txt",
					   "lost-found"};
	struct box b;

	if (!box_open(c, &b))
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
		check_good(&b, good[i]);
	box_close(&b);
}

static void
test_long(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *part = g_strnfill(255, 'p');
	g_autofree char *longest = g_strdup_printf("%s/%s/%s/%s", part, part, part, part);
	g_autoptr(GString) deep = g_string_new("d");
	longest[DFS_KEY_MAX - strlen(b.prefix)] = '\0';
	if (longest[strlen(longest) - 1] == '/')
		longest[strlen(longest) - 1] = 'x';
	while (deep->len + 2 + strlen(b.prefix) <= DFS_KEY_MAX)
		g_string_append(deep, "/d");
	check_good(&b, part);
	check_good(&b, longest);
	check_good(&b, deep->str);
	box_close(&b);
}

static void
refuse_key(struct box *b, const char *key)
{
	struct conform *c = b->c;
	struct dfs_span span = {"x", 1, NULL};
	uint64_t length;
	struct catch k;

	conform_fail_clear();
	if (!EXPECT(c, b->ops->put(b->inst, key, &span, 1, 0), DFS_INVAL))
		CHECK(c, false, "the key is \"%.100s\"", key);
	CHECK(c, conform_fail_text()[0], "a refused key has no sentence");
	EXPECT(c, b->ops->head(b->inst, key, &length, 0), DFS_INVAL);
	EXPECT(c, get_bytes(b, key, 0, 1, &k), DFS_INVAL);
	CHECK(c, k.lent == 0 && k.given == 0, "a refused key delivers something");
	catch_clear(&k);
	EXPECT(c, b->ops->erase(b->inst, key, 0), DFS_INVAL);
}

static void
test_bad(struct conform *c)
{
	static const char *const bad[] = {"",
					  "/",
					  "//",
					  "/a",
					  "a/",
					  "a//b",
					  ".",
					  "..",
					  "./a",
					  "../a",
					  "a/.",
					  "a/..",
					  "a/../b",
					  "a/./b",
					  ".a",
					  "a/.b",
					  "...",
					  "a b",
					  " a",
					  "a\n",
					  "a\tb",
					  "a\\b",
					  "a:b",
					  "a%2fb",
					  "a~",
					  "a+b",
					  "a@b",
					  "a*",
					  "a?",
					  "a\x7f",
					  "\xc3\xa9",
					  "\xff",
					  "\x01",
					  "a/\x80",
					  "../../../../etc/passwd",
					  "/etc/passwd",
					  "a/../../b",
					  ".tmp/a",
					  ".dittofs-blocks"};
	struct box b;

	if (!box_open(c, &b))
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		refuse_key(&b, bad[i]);
	box_close(&b);
}

static void
test_every_byte(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	for (int i = 1; i < 256; i++) {
		bool good = g_ascii_isalnum(i) || strchr("._-/", i);
		char key[4] = {'a', (char)i, 'b', 0};

		if (!good)
			refuse_key(&b, key);
	}
	box_close(&b);
}

static void
test_too_long(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *part = g_strnfill(256, 'p');
	g_autofree char *mid = g_strdup_printf("a/%s/b", part);
	g_autofree char *full = g_strnfill(DFS_KEY_MAX + 1, 'x');
	g_autofree char *huge = g_strnfill(70000, 'h');
	for (unsigned i = 200; i < DFS_KEY_MAX; i += 200)
		full[i] = '/';
	for (unsigned i = 200; i < 69900; i += 200)
		huge[i] = '/';
	refuse_key(&b, part);
	refuse_key(&b, mid);
	refuse_key(&b, full);
	refuse_key(&b, huge);
	box_close(&b);
}

static void
test_bad_prefixes(struct conform *c)
{
	static const char *const bad[] = {"/",     "//", "/a/", "a//",  "../",
					  "a/../", "./", ".a/", "a b/", "a/.b/"};
	struct box b;

	if (!box_open(c, &b))
		return;
	EXPECT(c, b.ops->erase_prefix(b.inst, ""), DFS_INVAL);
	EXPECT(c, b.ops->erase_prefix(b.inst, "a"), DFS_INVAL);
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		conform_fail_clear();
		EXPECT(c, b.ops->erase_prefix(b.inst, bad[i]), DFS_INVAL);
		CHECK(c, conform_fail_text()[0], "a refused prefix has no sentence");
		EXPECT(c, b.ops->list(b.inst, bad[i], "", NULL, NULL), DFS_INVAL);
	}
	box_close(&b);
}

static void
test_case(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autofree char *lower = key_of(&b, "name"), *upper = key_of(&b, "NAME");
	EXPECT(c, put_bytes(&b, lower, 1, 10), DFS_OK);
	expect_absent(&b, upper);
	EXPECT(c, put_bytes(&b, upper, 2, 20), DFS_OK);
	expect_object(&b, lower, 1, 10);
	expect_object(&b, upper, 2, 20);
	box_close(&b);
}

static void
test_nested(struct conform *c)
{
	static const char *const pair[][2] = {{"a", "a/b"}, {"d/e", "d"}};
	struct box b;

	if (!box_open(c, &b))
		return;
	for (unsigned i = 0; i < 2; i++) {
		g_autofree char *first = key_of(&b, "%s", pair[i][0]),
				*second = key_of(&b, "%s", pair[i][1]);
		enum dfs_status st;

		EXPECT(c, put_bytes(&b, first, 1, 10), DFS_OK);
		st = put_bytes(&b, second, 2, 20);
		CHECK(c, st == DFS_OK || st == DFS_INVAL, "%s beside %s gets %d", second, first,
		      (int)st);
		expect_object(&b, first, 1, 10);
		if (st == DFS_OK)
			expect_object(&b, second, 2, 20);
		else
			expect_absent(&b, second);
	}
	box_close(&b);
}

const struct conform_test key_tests[] = {
	{"key", "every kind of good key works", test_good},
	{"key", "long parts, the longest key and the deepest work", test_long},
	{"key", "bad keys are refused by every operation", test_bad},
	{"key", "every byte that is not of the alphabet is refused", test_every_byte},
	{"key", "parts over 255 and keys over 1024 bytes are refused", test_too_long},
	{"key", "bad prefixes are refused", test_bad_prefixes},
	{"key", "keys that differ in case are different", test_case},
	{"key", "a key below another works or is refused, and neither is harmed", test_nested},
	{NULL}};
