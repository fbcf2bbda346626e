/* SPDX-License-Identifier: MIT
 *
 * Transactions over layers: what the conformance program cannot reach from outside, such as a
 * rotation in the middle of a transaction, the limits, and readers of dropped layers.
 */
#include "layers.h"

#include <glib.h>
#include <string.h>

/* A base of records that never change, and views that count themselves. */
struct base {
	struct arena arena;
	struct tree tree;
	unsigned dropped, dropped_nonblock;
};

struct base_iter {
	struct cursor c;
};

static struct base base;
static struct layers layers;
static struct base_view views[8];

static enum dfs_status
base_get(void *arg, struct base_view *view, const void *key, uint32_t key_len, dfs_okv_fn fn,
	 void *fn_arg)
{
	const struct record *r = tree_get(base.tree.root, key, key_len);

	if (!r)
		return DFS_NOENT;
	fn(fn_arg, r->bytes, r->key_len, record_value(r), r->value_len);
	return DFS_OK;
}

static enum dfs_status
base_open(void *arg, struct base_view *view, const void *key, uint32_t key_len, void **iter)
{
	struct base_iter *it = g_new(struct base_iter, 1);

	tree_seek(&it->c, base.tree.root, key, key_len);
	*iter = it;
	return DFS_OK;
}

static int
base_at(void *iter, const void **key, uint32_t *key_len, const void **value, uint32_t *value_len,
	enum dfs_status *status)
{
	const struct record *r = tree_at(&((struct base_iter *)iter)->c);

	if (!r)
		return 0;
	*key = r->bytes;
	*key_len = r->key_len;
	*value = record_value(r);
	*value_len = r->value_len;
	return 1;
}

static void
base_next(void *iter)
{
	tree_next(&((struct base_iter *)iter)->c);
}

static void
base_close(void *iter)
{
	g_free(iter);
}

static void
base_drop(void *arg, struct base_view *view, bool nonblock)
{
	base.dropped++;
	base.dropped_nonblock += nonblock;
}

static const struct base_ops base_ops = {base_get,  base_open,  base_at,
					 base_next, base_close, base_drop};

static void
setup(bool with_base, uint64_t limit, uint64_t full)
{
	memset(&base, 0, sizeof(base));
	memset(views, 0, sizeof(views));
	arena_init(&base.arena);
	tree_init(&base.tree, &base.arena);
	for (unsigned i = 0; i < G_N_ELEMENTS(views); i++)
		views[i].refs = 1;
	g_assert_true(layers_init(&layers, with_base ? &base_ops : NULL, &base,
				  with_base ? &views[0] : NULL, limit, full));
}

static void
teardown(void)
{
	layers_clear(&layers);
	tree_clear(&base.tree);
	arena_clear(&base.arena);
}

static void
base_put(const char *key, const char *value)
{
	g_assert_true(tree_edit(&base.tree, 1));
	tree_put(&base.tree,
		 tree_record(&base.arena, key, strlen(key), value, strlen(value), false));
	tree_publish(&base.tree);
}

static struct dfs_txn *
begin(uint32_t mode)
{
	struct dfs_txn *txn = NULL;

	g_assert_cmpint(layers_begin(&layers, mode, &txn), ==, DFS_OK);
	return txn;
}

static void
put(struct dfs_txn *txn, const char *key, const char *value)
{
	g_assert_cmpint(layers_put(&layers, txn, key, strlen(key), value, strlen(value)), ==,
			DFS_OK);
}

static void
erase(struct dfs_txn *txn, const char *key)
{
	g_assert_cmpint(layers_erase(&layers, txn, key, strlen(key)), ==, DFS_OK);
}

static void
put_one(const char *key, const char *value)
{
	struct dfs_txn *txn = begin(DFS_TXN_WRITE);

	put(txn, key, value);
	g_assert_cmpint(layers_commit(&layers, txn, NULL), ==, DFS_OK);
}

static int
append(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	GString *s = arg;

	g_string_append_printf(s, "%.*s=%.*s ", (int)key_len, (const char *)key, (int)value_len,
			       (const char *)value);
	return 1;
}

static void
expect_scan(struct dfs_txn *txn, const char *want)
{
	g_autoptr(GString) s = g_string_new("");

	g_assert_cmpint(layers_scan(&layers, txn, "a", 1, "z", 1, append, s), ==, DFS_OK);
	g_assert_cmpstr(s->str, ==, want);
}

/* In one place the base takes what a frozen layer held: a later view. */
static void
write_frozen(struct layer *frozen, unsigned view)
{
	struct cursor c;

	for (tree_seek(&c, frozen->tree.root, "", 0); tree_at(&c); tree_next(&c)) {
		const struct record *r = tree_at(&c);

		g_assert_true(tree_edit(&base.tree, 1));
		if (r->tombstone)
			tree_erase(&base.tree, r->bytes, r->key_len);
		else
			tree_put(&base.tree, tree_record(&base.arena, r->bytes, r->key_len,
							 record_value(r), r->value_len, false));
		tree_publish(&base.tree);
	}
	layers_drop_frozen(&layers, &views[view]);
}

static void
test_merge(void)
{
	enum dfs_status st;
	struct dfs_txn *txn;

	setup(true, 1 << 24, 0);
	base_put("b", "base");
	base_put("c", "base");
	base_put("d", "base");
	base_put("f", "base");
	put_one("c", "frozen");
	put_one("e", "frozen");
	txn = begin(DFS_TXN_WRITE);
	erase(txn, "f");
	layers_commit(&layers, txn, NULL);
	g_assert_nonnull(layers_rotate(&layers, &st));
	put_one("a", "current");
	put_one("e", "current");
	put_one("f", "current");
	txn = begin(DFS_TXN_WRITE);
	erase(txn, "d");
	layers_commit(&layers, txn, NULL);
	txn = begin(DFS_TXN_WRITE);
	erase(txn, "a");
	put(txn, "g", "own");
	expect_scan(txn, "b=base c=frozen e=current f=current g=own ");
	layers_abort(&layers, txn);
	txn = begin(DFS_TXN_READ);
	expect_scan(txn, "a=current b=base c=frozen e=current f=current ");
	layers_abort(&layers, txn);
	teardown();
}

static void
test_rotation_inside(void)
{
	struct layer *frozen;
	enum dfs_status st;
	struct dfs_txn *txn;

	setup(true, 1 << 24, 0);
	put_one("a", "1");
	txn = begin(DFS_TXN_WRITE);
	put(txn, "b", "2");
	erase(txn, "a");
	frozen = layers_rotate(&layers, &st);
	g_assert_nonnull(frozen);
	write_frozen(frozen, 1);
	put(txn, "c", "3");
	expect_scan(txn, "b=2 c=3 ");
	g_assert_cmpint(layers_commit(&layers, txn, NULL), ==, DFS_OK);
	txn = begin(DFS_TXN_READ);
	expect_scan(txn, "b=2 c=3 ");
	layers_abort(&layers, txn);
	teardown();
	g_assert_cmpuint(base.dropped, ==, 2);
}

static void
test_reader_of_dropped(void)
{
	struct dfs_txn *reader;
	enum dfs_status st;

	setup(true, 1 << 24, 0);
	put_one("a", "1");
	reader = begin(DFS_TXN_READ);
	/* The base gets newer records only in later views; this fake one has no versions, so it
	 * stays as it is. */
	g_assert_nonnull(layers_rotate(&layers, &st));
	layers_drop_frozen(&layers, &views[1]);
	g_assert_cmpuint(base.dropped, ==, 0);
	expect_scan(reader, "a=1 ");
	layers_abort(&layers, reader);
	g_assert_cmpuint(base.dropped, ==, 1);
	teardown();
}

static void
test_nonblock_base(void)
{
	g_autoptr(GString) s = g_string_new("");
	struct dfs_txn *txn;
	enum dfs_status st;

	setup(true, 1 << 24, 0);
	base_put("b", "base");
	put_one("a", "1");
	txn = begin(DFS_TXN_READ | DFS_NONBLOCK);
	g_assert_cmpint(layers_get(&layers, txn, "a", 1, append, s), ==, DFS_OK);
	g_assert_cmpint(layers_get(&layers, txn, "b", 1, append, s), ==, DFS_AGAIN);
	g_assert_cmpint(layers_get(&layers, txn, "c", 1, append, s), ==, DFS_AGAIN);
	g_assert_cmpint(layers_scan(&layers, txn, "a", 1, "z", 1, append, s), ==, DFS_AGAIN);
	g_assert_cmpstr(s->str, ==, "a=1 ");
	g_assert_nonnull(layers_rotate(&layers, &st));
	layers_drop_frozen(&layers, &views[1]);
	layers_abort(&layers, txn);
	g_assert_cmpuint(base.dropped_nonblock, ==, 1);
	teardown();
}

static void
test_second_writer(void)
{
	struct dfs_txn *first, *second;

	setup(false, 1 << 24, 0);
	first = begin(DFS_TXN_WRITE);
	g_assert_cmpint(layers_begin(&layers, DFS_TXN_WRITE | DFS_NONBLOCK, &second), ==,
			DFS_AGAIN);
	layers_abort(&layers, first);
	second = begin(DFS_TXN_WRITE | DFS_NONBLOCK);
	layers_abort(&layers, second);
	teardown();
}

static void
test_full(void)
{
	struct dfs_txn *txn;
	enum dfs_status st;
	char key[16];

	setup(true, 1 << 24, 1 << 16);
	for (unsigned i = 0; i < 100000; i++) {
		st = layers_begin(&layers, DFS_TXN_WRITE, &txn);
		if (st != DFS_OK)
			break;
		g_snprintf(key, sizeof(key), "%08u", i);
		put(txn, key, "value");
		layers_commit(&layers, txn, NULL);
	}
	g_assert_cmpint(st, ==, DFS_DELAY);
	g_assert_nonnull(layers_rotate(&layers, &st));
	txn = begin(DFS_TXN_WRITE);
	layers_abort(&layers, txn);
	teardown();
}

/* At the limit a put is refused, the transaction can be aborted, and erasing makes room. */
static void
test_no_space(void)
{
	char key[16], value[200];
	enum dfs_status st = DFS_OK;
	struct dfs_txn *txn;
	unsigned n = 0;

	setup(false, 1 << 20, 0);
	memset(value, 'v', sizeof(value));
	while (st == DFS_OK && n < 100000) {
		txn = begin(DFS_TXN_WRITE);
		g_snprintf(key, sizeof(key), "%08u", n);
		st = layers_put(&layers, txn, key, 8, value, sizeof(value));
		if (st == DFS_OK)
			g_assert_cmpint(layers_commit(&layers, txn, NULL), ==, DFS_OK);
		else
			layers_abort(&layers, txn);
		n += st == DFS_OK;
	}
	g_assert_cmpint(st, ==, DFS_NOSPC);
	g_assert_cmpuint(n, >, 2000);
	g_assert_cmpuint(layers_bytes(&layers), <=, (1 << 20) + 4096);
	for (unsigned i = 0; i < n; i++) {
		txn = begin(DFS_TXN_WRITE);
		g_snprintf(key, sizeof(key), "%08u", i);
		erase(txn, key);
		g_assert_cmpint(layers_commit(&layers, txn, NULL), ==, DFS_OK);
	}
	g_assert_cmpuint(layers_bytes(&layers), ==, 0);
	put_one("again", "1");
	teardown();
}

/* Old versions that a reader held back are freed by the first commit after it. */
static void
test_reclaim(void)
{
	struct dfs_txn *reader;
	uint64_t before;
	char value[64];

	setup(false, 1 << 24, 0);
	put_one("k", "0");
	before = layers_bytes(&layers);
	reader = begin(DFS_TXN_READ);
	for (unsigned i = 0; i < 1000; i++) {
		g_snprintf(value, sizeof(value), "%u", i % 10);
		put_one("k", value);
	}
	g_assert_cmpuint(layers_bytes(&layers), >, before + 1000);
	expect_scan(reader, "k=0 ");
	layers_abort(&layers, reader);
	put_one("k", "1");
	g_assert_cmpuint(layers_bytes(&layers), ==, before);
	teardown();
}

static int
erase_each(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct dfs_txn *txn = *(struct dfs_txn **)arg;

	g_assert_cmpint(layers_erase(&layers, txn, key, key_len), ==, DFS_OK);
	return 1;
}

static void
test_erase_in_scan(void)
{
	struct dfs_txn *txn;
	enum dfs_status st;
	char key[16];

	setup(true, 1 << 24, 0);
	for (unsigned i = 0; i < 300; i++) {
		g_snprintf(key, sizeof(key), "k%04u", i);
		if (i % 3 == 0)
			base_put(key, "v");
		else
			put_one(key, "v");
		if (i == 150)
			g_assert_nonnull(layers_rotate(&layers, &st));
	}
	txn = begin(DFS_TXN_WRITE);
	for (unsigned i = 0; i < 300; i += 7) {
		g_snprintf(key, sizeof(key), "k%04u", i);
		put(txn, key, "own");
	}
	g_assert_cmpint(layers_scan(&layers, txn, "a", 1, "z", 1, erase_each, &txn), ==, DFS_OK);
	expect_scan(txn, "");
	layers_commit(&layers, txn, NULL);
	txn = begin(DFS_TXN_READ);
	expect_scan(txn, "");
	layers_abort(&layers, txn);
	teardown();
}

static int
is_text(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	g_assert_cmpuint(value_len, ==, strlen(arg));
	g_assert_cmpmem(value, value_len, arg, strlen(arg));
	return 1;
}

static void
expect_get(struct dfs_txn *txn, const char *key, const char *want)
{
	enum dfs_status st = layers_get(&layers, txn, key, strlen(key), is_text, (char *)want);

	g_assert_cmpint(st, ==, want ? DFS_OK : DFS_NOENT);
}

/* However many changes there are, and whether a scan came between. */
static void
test_last_change_counts(void)
{
	for (unsigned n = 1; n < 30; n++) {
		struct dfs_txn *txn;
		uint64_t bytes;
		char key[16];

		setup(false, 1 << 24, 0);
		put_one("k0", "old");
		bytes = layers_bytes(&layers);
		for (int abort = 1; abort >= 0; abort--) {
			txn = begin(DFS_TXN_WRITE);
			for (unsigned i = 0; i < n; i++) {
				g_snprintf(key, sizeof(key), "k%u", i);
				put(txn, key, "1");
				if (i == n / 2 && n % 3 == 0)
					layers_scan(&layers, txn, "a", 1, "b", 1, append, NULL);
				put(txn, key, "2");
				expect_get(txn, key, "2");
				erase(txn, "k0");
				expect_get(txn, "k0", NULL);
				put(txn, "k0", "new");
			}
			expect_get(txn, "k0", "new");
			if (abort) {
				layers_abort(&layers, txn);
				g_assert_cmpuint(layers_bytes(&layers), ==, bytes);
			}
		}
		layers_commit(&layers, txn, NULL);
		txn = begin(DFS_TXN_READ);
		expect_get(txn, "k0", "new");
		for (unsigned i = 1; i < n; i++) {
			g_snprintf(key, sizeof(key), "k%u", i);
			expect_get(txn, key, "2");
		}
		layers_abort(&layers, txn);
		teardown();
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/layers/the newest layer that knows a key decides", test_merge);
	g_test_add_func("/layers/the last change of a key counts", test_last_change_counts);
	g_test_add_func("/layers/a rotation inside a transaction loses nothing",
			test_rotation_inside);
	g_test_add_func("/layers/a reader keeps a dropped layer", test_reader_of_dropped);
	g_test_add_func("/layers/nonblock never touches the base", test_nonblock_base);
	g_test_add_func("/layers/a second writer is refused with nonblock", test_second_writer);
	g_test_add_func("/layers/a full layer delays writers until it is rotated", test_full);
	g_test_add_func("/layers/the limit refuses, and erasing makes room", test_no_space);
	g_test_add_func("/layers/old versions are freed after their reader", test_reclaim);
	g_test_add_func("/layers/a scan's callback may erase what it sees", test_erase_in_scan);
	return g_test_run();
}
