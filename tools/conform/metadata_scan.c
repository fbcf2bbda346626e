/* SPDX-License-Identifier: MIT
 *
 * Ordered scans: order, bounds, extremes, and scanning in slices while entries come and go.
 */
#include "tools/conform/metadata.h"

#define COOKIE_MIN UINT64_C(64)
#define COOKIE_MAX (UINT64_C(1) << 63)
#define MANY 10000

static void
put_entry(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t cookie)
{
	struct dfs_dirent_record rec;
	char name[40];

	g_snprintf(name, sizeof(name), "entry-%" G_GUINT64_FORMAT, cookie);
	md_dirent(&rec, cookie, name);
	EXPECT(m->c, m->ops->put_dirent(m->inst, txn, share, dir, &rec), DFS_OK);
}

static void
check_ascending(struct conform *c, GArray *a)
{
	for (guint i = 1; i < a->len; i++)
		CHECK(c, g_array_index(a, uint64_t, i - 1) < g_array_index(a, uint64_t, i),
		      "entry %u is not above the one before", i);
}

static void
expect_count(struct md *m, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
	     unsigned max, unsigned want)
{
	GArray *a = md_scan(m, txn, share, dir, from, max);

	CHECK(m->c, a->len == want, "%u entries instead of %u", a->len, want);
	check_ascending(m->c, a);
	g_array_unref(a);
}

/* Many entries in random order of insertion, in transactions of 100. */
static void
fill(struct md *m, uint64_t dir, unsigned n, uint64_t seed)
{
	for (unsigned i = 0; i < n; i += 100) {
		struct dfs_txn *txn = md_begin(m, DFS_TXN_WRITE);

		if (!txn)
			return;
		for (unsigned j = 0; j < 100; j++)
			put_entry(m, txn, SHARE, dir,
				  COOKIE_MIN + conform_random(&seed) % (COOKIE_MAX - COOKIE_MIN));
		md_commit(m, txn);
	}
}

static void
test_order(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;
	GArray *a;

	if (!md_open(c, &m))
		return;
	fill(&m, 2, MANY, c->seed);
	txn = md_begin(&m, DFS_TXN_READ);
	a = md_scan(&m, txn, SHARE, 2, 0, 0);
	CHECK(c, a->len == MANY, "%u entries instead of %u", a->len, MANY);
	check_ascending(c, a);
	if (a->len == MANY) {
		uint64_t middle = g_array_index(a, uint64_t, MANY / 2);

		expect_count(&m, txn, SHARE, 2, middle, 0, MANY / 2);
		expect_count(&m, txn, SHARE, 2, middle + 1, 0, MANY / 2 - 1);
		expect_count(&m, txn, SHARE, 2, middle, 7, 7);
		expect_count(&m, txn, SHARE, 2, 0, 1, 1);
	}
	g_array_unref(a);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_neighbours(struct conform *c)
{
	static const uint64_t dirs[] = {1, 2, 3, 255, 256, 257, UINT64_MAX - 1, UINT64_MAX};
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
		put_entry(&m, txn, SHARE, dirs[i], COOKIE_MIN);
		put_entry(&m, txn, SHARE, dirs[i], COOKIE_MAX - 1);
		put_entry(&m, txn, SHARE + 1, dirs[i], 100);
		put_entry(&m, txn, UINT32_MAX, dirs[i], 100);
	}
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
		expect_count(&m, txn, SHARE, dirs[i], 0, 0, 2);
		expect_count(&m, txn, SHARE, dirs[i], COOKIE_MIN + 1, 0, 1);
		expect_count(&m, txn, SHARE, dirs[i], COOKIE_MAX, 0, 0);
		expect_count(&m, txn, UINT32_MAX, dirs[i], 0, 0, 1);
	}
	expect_count(&m, txn, SHARE, 4, 0, 0, 0);
	expect_count(&m, txn, 77, 1, 0, 0, 0);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_own_changes(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;
	GArray *a;

	if (!md_open(c, &m))
		return;
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t i = 0; i < 100; i++)
		put_entry(&m, txn, SHARE, 2, 100 + i * 2);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t i = 0; i < 100; i++)
		put_entry(&m, txn, SHARE, 2, 101 + i * 2);
	for (uint64_t i = 50; i < 150; i++)
		EXPECT(c, m.ops->del_dirent(m.inst, txn, SHARE, 2, 100 + i), DFS_OK);
	put_entry(&m, txn, SHARE, 2, 200);
	a = md_scan(&m, txn, SHARE, 2, 0, 0);
	CHECK(c, a->len == 101, "%u entries", a->len);
	check_ascending(c, a);
	for (guint i = 0; i < a->len; i++) {
		uint64_t cookie = g_array_index(a, uint64_t, i);

		CHECK(c, cookie < 150 || cookie >= 250 || cookie == 200, "%u was deleted",
		      (unsigned)cookie);
	}
	g_array_unref(a);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

/* Slices of 50, with deletions and insertions between them: what stays is seen exactly once. */
static void
test_slices(struct conform *c)
{
	uint64_t from = 0, seed = c->seed;
	GHashTable *seen;
	struct md m;
	unsigned total = 0;

	if (!md_open(c, &m))
		return;
	seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	struct dfs_txn *txn = md_begin(&m, DFS_TXN_WRITE);

	for (uint64_t i = 0; i < 2000; i++)
		put_entry(&m, txn, SHARE, 2, 1000 + i * 10); /* these stay */
	md_commit(&m, txn);
	for (;;) {
		GArray *a;

		txn = md_begin(&m, DFS_TXN_READ);
		a = md_scan(&m, txn, SHARE, 2, from, 50);
		m.ops->abort(m.inst, txn);
		for (guint i = 0; i < a->len; i++) {
			uint64_t cookie = g_array_index(a, uint64_t, i);

			from = cookie + 1;
			if (cookie % 10 == 0) {
				total++;
				CHECK(c, g_hash_table_add(seen, g_memdup2(&cookie, sizeof(cookie))),
				      "an entry was seen twice");
			}
		}
		if (a->len < 50) {
			g_array_unref(a);
			break;
		}
		g_array_unref(a);
		txn = md_begin(&m, DFS_TXN_WRITE);
		for (unsigned i = 0; i < 20; i++) {
			uint64_t at = 1000 + conform_random(&seed) % 20000;

			if (at % 10 == 0)
				continue;
			if (conform_random(&seed) & 1)
				put_entry(&m, txn, SHARE, 2, at);
			else
				EXPECT(c, m.ops->del_dirent(m.inst, txn, SHARE, 2, at), DFS_OK);
		}
		md_commit(&m, txn);
	}
	CHECK(c, total == 2000, "%u entries were seen", total);
	g_hash_table_unref(seen);
	md_close(&m);
}

static void
test_delete_runs(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t i = 0; i < 3000; i++)
		put_entry(&m, txn, SHARE, 2, 100 + i);
	md_commit(&m, txn);
	EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t i = 1; i < 2999; i++)
		EXPECT(c, m.ops->del_dirent(m.inst, txn, SHARE, 2, 100 + i), DFS_OK);
	expect_count(&m, txn, SHARE, 2, 0, 0, 2);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	expect_count(&m, txn, SHARE, 2, 0, 0, 2);
	expect_count(&m, txn, SHARE, 2, 101, 0, 1);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

const struct conform_test metadata_scan_tests[] = {
	{"scan", "ten thousand entries come in order, from any cookie, in any number", test_order},
	{"scan", "a scan stays in its directory and share", test_neighbours},
	{"scan", "a write transaction scans its own changes", test_own_changes},
	{"scan", "slices see what stays exactly once while others come and go", test_slices},
	{"scan", "a scan crosses a long run of deleted entries", test_delete_runs},
	{NULL}};
