/* SPDX-License-Identifier: MIT
 *
 * The tree against a sorted array of the same operations, with snapshots held across changes.
 */
#include "tree.h"

#include <glib.h>
#include <string.h>

#define MODEL_MAX 6000

struct pair {
	uint32_t key_len, value_len;
	unsigned char key[TREE_KEY_MAX];
	unsigned char value[64];
};

struct model {
	GPtrArray *pairs; /* sorted */
};

static struct arena arena;
static struct tree tree;

static void
setup(void)
{
	arena_init(&arena);
	tree_init(&tree, &arena);
}

static void
teardown(void)
{
	tree_clear(&tree);
	arena_clear(&arena);
}

static guint
model_find(GPtrArray *m, const void *key, uint32_t len, gboolean *found)
{
	guint lo = 0, hi = m->len;

	*found = FALSE;
	while (lo < hi) {
		guint mid = (lo + hi) / 2;
		struct pair *p = m->pdata[mid];
		int c = tree_compare(p->key, p->key_len, key, len);

		if (c == 0)
			*found = TRUE;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Keys of several shapes: few kinds with big-endian ids, as the stores use, and odd lengths. */
static uint32_t
make_key(GRand *r, unsigned char *key, unsigned shape, unsigned range)
{
	uint64_t id = GUINT64_TO_BE(g_rand_int_range(r, 0, range));
	uint32_t len;

	memset(key, 0, 16);
	switch (shape) {
	case 0:
		key[3] = 1;
		key[4] = (unsigned char)g_rand_int_range(r, 2, 4);
		memcpy(key + 5, &id, 8);
		return 13;
	case 1:
		len = g_rand_int_range(r, 1, 12);
		for (uint32_t i = 0; i < len; i++)
			key[i] = (unsigned char)g_rand_int_range(r, 0, 3);
		return len;
	default:
		memset(key, 'x', 200);
		memcpy(key + 200, &id, 8);
		return 208 - g_rand_int_range(r, 0, 2);
	}
}

static void
check_version(const struct node *root, GPtrArray *m)
{
	struct cursor c;
	guint i = 0;

	for (tree_seek(&c, root, "", 0); tree_at(&c); tree_next(&c), i++) {
		const struct record *r = tree_at(&c);
		struct pair *p;

		g_assert_cmpuint(i, <, m->len);
		p = m->pdata[i];
		g_assert_cmpmem(p->key, p->key_len, r->bytes, r->key_len);
		g_assert_cmpmem(p->value, p->value_len, record_value(r), r->value_len);
	}
	g_assert_cmpuint(i, ==, m->len);
}

static GPtrArray *
copy_model(GPtrArray *m)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < m->len; i++)
		g_ptr_array_add(copy, g_memdup2(m->pdata[i], sizeof(struct pair)));
	return copy;
}

static void
change(GRand *r, GPtrArray *m, unsigned shape, unsigned range, int erase_of_100)
{
	struct pair p;
	gboolean found;
	guint at;

	p.key_len = make_key(r, p.key, shape, range);
	at = model_find(m, p.key, p.key_len, &found);
	if (g_rand_int_range(r, 0, 100) < erase_of_100) {
		g_assert_cmpint(tree_erase(&tree, p.key, p.key_len), ==, found);
		if (found)
			g_ptr_array_remove_index(m, at);
		return;
	}
	p.value_len = g_rand_int_range(r, 0, 64);
	memset(p.value, g_rand_int(r) & 255, p.value_len);
	tree_put(&tree, tree_record(&arena, p.key, p.key_len, p.value, p.value_len, false));
	if (found) {
		memcpy(m->pdata[at], &p, sizeof(p));
	} else {
		g_ptr_array_insert(m, at, g_memdup2(&p, sizeof(p)));
	}
}

/* Rounds of changes; a snapshot is held over some of them and must not change. */
static void
run_model(unsigned shape)
{
	g_autoptr(GRand) r = g_rand_new_with_seed(g_test_rand_int());
	g_autoptr(GPtrArray) m = g_ptr_array_new_with_free_func(g_free);
	struct snapshot held[4];
	GPtrArray *held_model[4] = {NULL};

	setup();
	for (unsigned round = 0; round < 300; round++) {
		unsigned n = g_rand_int_range(r, 1, round % 10 == 0 ? 800 : 8);
		int erase = round % 60 > 40 ? 90 : 30;

		g_assert_true(tree_edit(&tree, n));
		while (n--)
			change(r, m, shape, 3000, erase);
		tree_publish(&tree);
		tree_reclaim(&tree, tree_oldest(&tree));
		for (unsigned i = 0; i < 4; i++) {
			if (held_model[i]) {
				check_version(held[i].root, held_model[i]);
				if (g_rand_int_range(r, 0, 4))
					continue;
				tree_release(&held[i]);
				g_clear_pointer(&held_model[i], g_ptr_array_unref);
			} else if (g_rand_int_range(r, 0, 8) == 0) {
				tree_snapshot(&tree, &held[i]);
				held_model[i] = copy_model(m);
			}
		}
		check_version(tree.root, m);
	}
	for (unsigned i = 0; i < 4; i++)
		g_clear_pointer(&held_model[i], g_ptr_array_unref);
	teardown();
}

static void
test_ids(void)
{
	run_model(0);
}

static void
test_short_keys(void)
{
	run_model(1);
}

static void
test_long_prefix(void)
{
	run_model(2);
}

static void
test_get(void)
{
	g_autoptr(GRand) r = g_rand_new_with_seed(g_test_rand_int());
	unsigned char key[TREE_KEY_MAX];

	setup();
	for (unsigned i = 0; i < MODEL_MAX; i++) {
		uint32_t len = make_key(r, key, i % 3, 100000);
		const struct record *rec;

		g_assert_true(tree_edit(&tree, 1));
		tree_put(&tree, tree_record(&arena, key, len, &i, sizeof(i), false));
		tree_publish(&tree);
		rec = tree_get(tree.root, key, len);
		g_assert_nonnull(rec);
		g_assert_cmpmem(record_value(rec), rec->value_len, &i, sizeof(i));
	}
	teardown();
}

static void
test_seek_between(void)
{
	struct cursor c;

	setup();
	g_assert_true(tree_edit(&tree, 5000));
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t key = GUINT32_TO_BE(i * 2);

		tree_put(&tree, tree_record(&arena, &key, 4, NULL, 0, false));
	}
	tree_publish(&tree);
	for (uint32_t i = 1; i < 9998; i += 2) {
		uint32_t from = GUINT32_TO_BE(i), want = GUINT32_TO_BE(i + 1);

		tree_seek(&c, tree.root, &from, 4);
		g_assert_nonnull(tree_at(&c));
		g_assert_cmpmem(tree_at(&c)->bytes, 4, &want, 4);
	}
	tree_seek(&c, tree.root, "\xff", 1);
	g_assert_null(tree_at(&c));
	teardown();
}

static void
test_all_memory_returns(void)
{
	uint64_t before;

	setup();
	before = arena_live(&arena);
	g_assert_true(tree_edit(&tree, 40000));
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t key = GUINT32_TO_BE(i * 2654435761u);

		tree_put(&tree, tree_record(&arena, &key, 4, &i, 4, false));
	}
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t key = GUINT32_TO_BE(i * 2654435761u);

		g_assert_true(tree_erase(&tree, &key, 4));
	}
	tree_publish(&tree);
	g_assert_null(tree.root);
	g_assert_cmpuint(arena_live(&arena), ==, before);
	teardown();
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tree/random changes of ids match a model", test_ids);
	g_test_add_func("/tree/random changes of short keys match a model", test_short_keys);
	g_test_add_func("/tree/random changes of long prefixes match a model", test_long_prefix);
	g_test_add_func("/tree/what was put is found", test_get);
	g_test_add_func("/tree/seek finds the next key", test_seek_between);
	g_test_add_func("/tree/erasing all gives all memory back", test_all_memory_returns);
	return g_test_run();
}
