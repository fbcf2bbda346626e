/* SPDX-License-Identifier: MIT
 *
 * The trie against a sorted map: seeded random puts, removals, cuts and scans.  The table against a
 * set: seeded random additions and removals of hashes that crowd.
 */
#include <glib.h>
#include <string.h>

#include "plugins/block/memory/table.h"

static enum dfs_status
no_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	return status;
}

static const struct dfs_host host = {.size = sizeof host, .fail = no_fail};

/* A small alphabet makes shared prefixes of every length, and neighbours of '/'. */
static char *
random_key(GRand *rand)
{
	static const char *const parts[] = {"a", "b", "a-", "a.", "ab", "abc", "Z", "_", "0", "a0"};
	GString *key = g_string_new(NULL);
	int n = g_rand_int_range(rand, 1, 5);

	for (int i = 0; i < n; i++)
		g_string_append_printf(key, "%s%s", i ? "/" : "",
				       parts[g_rand_int_range(rand, 0, 10)]);
	return g_string_free(key, FALSE);
}

static struct object *
make(const char *key)
{
	struct dfs_span span = {"x", 1, NULL};
	struct object *o;

	g_assert_cmpint(object_new(&host, key, (uint32_t)strlen(key), &span, 1, 1, &o), ==, DFS_OK);
	return o;
}

static void
drop(void *arg, struct object *o)
{
	if (arg)
		g_assert_true(g_tree_remove(arg, o->key));
	object_unref(&host, o);
}

struct expect {
	const char *prefix, *after;
	GPtrArray *keys;
};

static gboolean
expected(gpointer key, gpointer value, gpointer data)
{
	struct expect *e = data;

	if (g_str_has_prefix(key, e->prefix) && strcmp(key, e->after) > 0)
		g_ptr_array_add(e->keys, key);
	return FALSE;
}

static void
check_scan(GTree *model, const struct trie *t, const char *prefix, const char *after, uint32_t max)
{
	struct expect e = {prefix, after, g_ptr_array_new()};
	struct object *out[64];
	uint32_t n = trie_scan(t, prefix, after, out, max);

	g_tree_foreach(model, expected, &e);
	g_assert_cmpuint(n, ==, MIN(e.keys->len, max));
	for (uint32_t i = 0; i < n; i++)
		g_assert_cmpstr(out[i]->key, ==, e.keys->pdata[i]);
	g_ptr_array_free(e.keys, TRUE);
}

static int
by_bytes(gconstpointer a, gconstpointer b, gpointer unused)
{
	return strcmp(a, b);
}

static void
test_model(void)
{
	GRand *rand = g_rand_new_with_seed(7);
	GTree *model = g_tree_new_full(by_bytes, NULL, g_free, NULL);
	struct trie trie = {NULL};

	for (int i = 0; i < 40000; i++) {
		g_autofree char *key = random_key(rand);
		g_autofree char *other = random_key(rand);
		uint32_t len = (uint32_t)strlen(key);
		struct object *o, *old;
		struct trie cut;

		switch (g_rand_int_range(rand, 0, 12)) {
		case 0:
		case 1:
		case 2:
		case 3:
		case 4:
		case 5:
			g_assert_true(trie_put(&trie, make(key), &old));
			g_assert_true(!old == !g_tree_lookup(model, key));
			if (old)
				object_unref(&host, old);
			g_tree_insert(model, g_strdup(key), GINT_TO_POINTER(1));
			break;
		case 6:
		case 7:
		case 8:
			o = trie_remove(&trie, key, len);
			g_assert_true(!!o == g_tree_remove(model, key));
			if (o)
				object_unref(&host, o);
			break;
		case 9:
			if (i % 7)
				break;
			strcpy(key + len / 2, "/");
			cut = trie_cut(&trie, key, (uint32_t)strlen(key));
			trie_clear(&cut, drop, model);
			check_scan(model, &trie, key, "", 1);
			break;
		case 10:
			other[strlen(other) / 2] = '\0';
			check_scan(model, &trie, other, key,
				   (uint32_t)g_rand_int_range(rand, 1, 64));
			break;
		default:
			o = trie_find(&trie, key, len);
			g_assert_true(!!o == !!g_tree_lookup(model, key));
			g_assert_true(!o || strcmp(o->key, key) == 0);
		}
	}
	check_scan(model, &trie, "", "", 64);
	check_scan(model, &trie, "", "\xff", 64);
	trie_clear(&trie, drop, model);
	g_assert_cmpint(g_tree_nnodes(model), ==, 0);
	g_tree_destroy(model);
	g_rand_free(rand);
}

/* Few and neighbouring high bits: long runs, and entries at the overhang. */
static uint64_t
crowded_hash(GRand *rand)
{
	uint64_t high = g_rand_boolean(rand) ? 0xfff : (uint64_t)g_rand_int_range(rand, 0, 8);

	return high << 52 | (uint64_t)g_rand_int_range(rand, 0, 60) << 20 | 1;
}

static void
test_table(void)
{
	GRand *rand = g_rand_new_with_seed(11);
	struct object *o = make("x");
	struct table table = {0};
	g_autoptr(GHashTable) model = g_hash_table_new(NULL, NULL);

	for (int i = 0; i < 60000; i++) {
		uint64_t hash = crowded_hash(rand);
		gpointer key = GSIZE_TO_POINTER(hash);
		struct trie *trie = table_find(&table, hash);

		g_assert_true((trie != NULL) == g_hash_table_contains(model, key));
		if (g_rand_int_range(rand, 0, i % 6000 < 3000 ? 3 : 5) > 1) {
			if (trie) {
				trie->root = NULL;
				table_drop(&table, trie);
			}
			g_hash_table_remove(model, key);
		} else {
			struct object *old;

			trie = table_add(&table, hash);
			g_assert_true(trie_put(trie, o, &old));
			g_hash_table_add(model, key);
		}
		g_assert_cmpuint(table.used, ==, g_hash_table_size(model));
	}
	table_clear(&table);
	object_unref(&host, o);
	g_rand_free(rand);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/memory/trie/agrees with a sorted map", test_model);
	g_test_add_func("/block/memory/table/agrees with a set", test_table);
	return g_test_run();
}
