/* SPDX-License-Identifier: MIT
 *
 * Listing: byte order, prefixes, paging; and erasing by prefix.
 */
#include "tools/conform/block/block.h"

static int
by_bytes(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that sort treacherously: '-' and '.' come before '/', digits after. */
static const char *const names[] = {"a",    "a-",    "a-/b",  "a.b", "a.b.c",   "a0",
				    "a0/b", "a_",    "aa/b",  "ab",  "b/c",     "b/c-",
				    "b/c0", "b/d/e", "b/d/f", "b0",  "Z",       "Z/a",
				    "_/x",  "0/1",   "0/10",  "0/2", "c/c/c/c", "c/c/c-"};

/* Puts the names; what the store refuses (a key below another) is left out. */
static GPtrArray *
put_names(struct box *b)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		char *key = key_of(b, "%s", names[i]);
		enum dfs_status st = put_bytes(b, key, i, i + 1);

		CHECK(b->c, st == DFS_OK || st == DFS_INVAL, "putting %s: status %d", key, (int)st);
		if (st == DFS_OK)
			g_ptr_array_add(keys, key);
		else
			g_free(key);
	}
	g_ptr_array_sort(keys, by_bytes);
	return keys;
}

static void
check_list(struct box *b, GPtrArray *keys, const char *prefix, const char *after, unsigned max)
{
	GPtrArray *got = list_keys(b, prefix, after, max);
	unsigned n = 0;

	for (unsigned i = 0; i < keys->len; i++) {
		const char *key = keys->pdata[i];

		if (!g_str_has_prefix(key, prefix) || strcmp(key, after) <= 0 || (max && n == max))
			continue;
		if (!CHECK(b->c, n < got->len && !strcmp(got->pdata[n], key),
			   "prefix %s after %s: place %u is %s, not %s", prefix, after, n,
			   n < got->len ? (char *)got->pdata[n] : "nothing", key))
			break;
		n++;
	}
	CHECK(b->c, got->len == n, "prefix %s after %s: %u are listed, not %u", prefix, after,
	      got->len, n);
	g_ptr_array_unref(got);
}

static void
test_order(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	check_list(&b, keys, b.prefix, "", 0);
	g_ptr_array_unref(keys);
	box_close(&b);
}

static void
test_prefixes(struct conform *c)
{
	static const char *const prefixes[] = {
		"a", "a-",    "a.",     "a/",  "a-/", "b/", "b/c",       "b/d/", "b/d/e",
		"c", "c/c/c", "c/c/c/", "0/1", "Z",   "z",  "b/c/d/e/f", "b0/"};
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autofree char *prefix = key_of(&b, "%s", prefixes[i]);

		check_list(&b, keys, prefix, "", 0);
	}
	g_ptr_array_unref(keys);
	box_close(&b);
}

static void
test_after(struct conform *c)
{
	static const char *const more[] = {"",     "a+",  "a/",      "a/b", "b",    "b/",
					   "b/c/", "b/d", "b/d/e/x", "zz",  "\x7f", "\xff"};
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	g_autofree char *inner = key_of(&b, "b/");
	for (unsigned i = 0; i < keys->len; i++)
		check_list(&b, keys, b.prefix, keys->pdata[i], 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(more); i++) {
		g_autofree char *after = key_of(&b, "%s", more[i]);

		check_list(&b, keys, b.prefix, after, 0);
		check_list(&b, keys, inner, after, 0);
	}
	check_list(&b, keys, b.prefix, "!", 0);
	check_list(&b, keys, b.prefix, "~", 0);
	g_ptr_array_unref(keys);
	box_close(&b);
}

static void
test_stop(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	for (unsigned max = 1; max <= keys->len; max++)
		check_list(&b, keys, b.prefix, "", max);
	g_ptr_array_unref(keys);
	box_close(&b);
}

/* A folder of many names beside several folders: more than a store may want to hold at once. */
static void
test_paging(struct conform *c)
{
	struct box b;
	char last[DFS_KEY_MAX + 1] = "";
	unsigned at = 0;

	if (!box_open(c, &b))
		return;
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < 3000; i++) {
		char *key = i % 10 ? key_of(&b, "many/%u", i * 7919 % 3000)
				   : key_of(&b, "dir%u/x", i * 7919 % 3000);

		g_ptr_array_add(keys, key);
		if (!EXPECT(c, put_bytes(&b, key, i, 1), DFS_OK))
			break;
	}
	g_ptr_array_sort(keys, by_bytes);
	check_list(&b, keys, b.prefix, "", 0);
	for (;;) {
		GPtrArray *page = list_keys(&b, b.prefix, last, 701);

		for (unsigned i = 0; i < page->len; i++, at++)
			if (!CHECK(c, at < keys->len && !strcmp(page->pdata[i], keys->pdata[at]),
				   "place %u is %s", at, (char *)page->pdata[i]))
				break;
		if (page->len > 0)
			g_strlcpy(last, page->pdata[page->len - 1], sizeof(last));
		bool done = page->len < 701;
		g_ptr_array_unref(page);
		if (done)
			break;
	}
	CHECK(c, at == keys->len, "the pages hold %u of %u objects", at, keys->len);
	box_close(&b);
}

/* Keys as a server makes them: a folder for each file, its blocks in chunks. */
static void
test_files(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	for (unsigned i = 0; i < 4000; i++) {
		unsigned file = i * 7919 % 1500;
		char *key = key_of(&b, "%02x/%08x/chunk-%u/block-%u.1", file % 256, file, i / 3000,
				   i / 1500);

		g_ptr_array_add(keys, key);
		if (!EXPECT(c, put_bytes(&b, key, i, 1 + i % 5), DFS_OK))
			break;
	}
	g_ptr_array_sort(keys, by_bytes);
	check_list(&b, keys, b.prefix, "", 0);
	check_list(&b, keys, b.prefix, keys->pdata[1234], 0);
	check_list(&b, keys, b.prefix, keys->pdata[77], 1500);
	for (unsigned file = 3; file < 1500; file += 400) {
		g_autofree char *prefix = key_of(&b, "%02x/%08x/", file % 256, file);
		unsigned before = keys->len;

		check_list(&b, keys, prefix, "", 0);
		EXPECT(c, b.ops->erase_prefix(b.inst, prefix), DFS_OK);
		for (unsigned k = keys->len; k-- > 0;)
			if (g_str_has_prefix(keys->pdata[k], prefix))
				g_ptr_array_remove_index(keys, k);
		CHECK(c, keys->len < before, "file %u has no object", file);
	}
	check_list(&b, keys, b.prefix, "", 0);
	g_autofree char *folder = key_of(&b, "03/");
	EXPECT(c, b.ops->erase_prefix(b.inst, folder), DFS_OK);
	for (unsigned k = keys->len; k-- > 0;)
		if (g_str_has_prefix(keys->pdata[k], folder))
			g_ptr_array_remove_index(keys, k);
	check_list(&b, keys, b.prefix, "", 0);
	box_close(&b);
}

static int
check_length(void *arg, const char *key, uint64_t length)
{
	struct box *b = arg;
	uint64_t want = 0;

	EXPECT(b->c, b->ops->head(b->inst, key, &want, 0), DFS_OK);
	CHECK(b->c, want == length, "%s is listed with %" G_GUINT64_FORMAT " bytes", key, length);
	return 1;
}

static void
test_lengths(struct conform *c)
{
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	EXPECT(c, b.ops->list(b.inst, b.prefix, "", check_length, &b), DFS_OK);
	g_ptr_array_unref(keys);
	box_close(&b);
}

static int
erase_visited(void *arg, const char *key, uint64_t length)
{
	struct box *b = arg;
	char copy[DFS_KEY_MAX + 1];

	g_strlcpy(copy, key, sizeof(copy));
	EXPECT(b->c, b->ops->erase(b->inst, copy, 0), DFS_OK);
	return 1;
}

static void
test_erase_within(struct conform *c)
{
	struct box b;

	if (c->plugin->desc.thread_model == DFS_THREADS_SERIAL) {
		conform_skip(c, "a serial store is called once at a time");
		return;
	}
	if (!box_open(c, &b))
		return;
	for (int i = 0; i < 500; i++) {
		g_autofree char *key = key_of(&b, "%d/%d", i % 13, i);

		EXPECT(c, put_bytes(&b, key, i, 1), DFS_OK);
	}
	EXPECT(c, b.ops->list(b.inst, b.prefix, "", erase_visited, &b), DFS_OK);
	GPtrArray *left = list_keys(&b, b.prefix, "", 0);
	CHECK(c, left->len == 0, "%u objects were not visited", left->len);
	g_ptr_array_unref(left);
	box_close(&b);
}

static void
test_erase_prefix(struct conform *c)
{
	static const char *const prefixes[] = {"b/d/", "b/", "c/c/", "nothing/", "a-/", "Z/", "0/"};
	struct box b;

	if (!box_open(c, &b))
		return;
	GPtrArray *keys = put_names(&b);
	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autofree char *prefix = key_of(&b, "%s", prefixes[i]);

		EXPECT(c, b.ops->erase_prefix(b.inst, prefix), DFS_OK);
		for (unsigned k = keys->len; k-- > 0;)
			if (g_str_has_prefix(keys->pdata[k], prefix)) {
				expect_absent(&b, keys->pdata[k]);
				g_ptr_array_remove_index(keys, k);
			}
		check_list(&b, keys, b.prefix, "", 0);
	}
	EXPECT(c, b.ops->erase_prefix(b.inst, b.prefix), DFS_OK);
	g_ptr_array_set_size(keys, 0);
	check_list(&b, keys, b.prefix, "", 0);
	g_ptr_array_unref(keys);
	box_close(&b);
}

const struct conform_test list_tests[] = {
	{"list", "objects are visited in byte order of their keys", test_order},
	{"list", "a prefix may end inside a part", test_prefixes},
	{"list", "a list begins behind any text", test_after},
	{"list", "a list stops when it is told", test_stop},
	{"list", "pages together hold each of 3000 objects once", test_paging},
	{"list", "the objects of 1500 files are listed, and erased by file", test_files},
	{"list", "the length of each object is told", test_lengths},
	{"list", "what is visited may be erased", test_erase_within},
	{"list", "erase_prefix takes exactly what begins with it", test_erase_prefix},
	{NULL}};
