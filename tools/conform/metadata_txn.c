/* SPDX-License-Identifier: MIT
 *
 * Transactions: undone whole, seen whole, in order; sizes and limits of what they carry.
 */
#include "tools/conform/metadata.h"

static void
test_abort(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, SHARE, 1, 1);
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t id = 1; id < 200; id++) {
		md_inode(&rec, id, 2);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
	}
	EXPECT(c, m.ops->del_inode(m.inst, txn, SHARE, 1), DFS_OK);
	m.ops->abort(m.inst, txn);
	md_inode(&want, 1, 1);
	EXPECT(c, md_get_inode(&m, SHARE, 1, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want), "an aborted change stayed");
	for (uint64_t id = 2; id < 200; id++)
		EXPECT(c, md_get_inode(&m, SHARE, id, &rec), DFS_NOENT);
	md_close(&m);
}

static void
test_own_view(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, SHARE, 1, 1);
	txn = md_begin(&m, DFS_TXN_WRITE);
	md_inode(&want, 1, 2);
	EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &want), DFS_OK);
	rec.size = sizeof(rec);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 1, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want), "its own change is not seen");
	EXPECT(c, m.ops->del_inode(m.inst, txn, SHARE, 1), DFS_OK);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 1, &rec), DFS_NOENT);
	md_commit(&m, txn);
	EXPECT(c, md_get_inode(&m, SHARE, 1, &rec), DFS_NOENT);
	md_close(&m);
}

/* A read transaction from before a commit sees none of it, at first and at second look. */
static void
test_snapshot(struct conform *c)
{
	struct dfs_inode_record rec = {.size = sizeof(rec)}, want;
	struct dfs_txn *before, *beside, *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, SHARE, 1, 1);
	before = md_begin(&m, DFS_TXN_READ);
	txn = md_begin(&m, DFS_TXN_WRITE);
	md_inode(&want, 1, 2);
	EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &want), DFS_OK);
	md_inode(&want, 2, 2);
	EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &want), DFS_OK);
	beside = md_begin(&m, DFS_TXN_READ);
	EXPECT(c, m.ops->get_inode(m.inst, beside, SHARE, 2, &rec), DFS_NOENT);
	EXPECT(c, m.ops->get_inode(m.inst, before, SHARE, 2, &rec), DFS_NOENT);
	md_commit(&m, txn);
	EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	md_put_inode(&m, SHARE, 1, 3);
	EXPECT(c, m.ops->get_inode(m.inst, beside, SHARE, 2, &rec), DFS_NOENT);
	EXPECT(c, m.ops->get_inode(m.inst, before, SHARE, 2, &rec), DFS_NOENT);
	EXPECT(c, m.ops->get_inode(m.inst, before, SHARE, 1, &rec), DFS_OK);
	md_inode(&want, 1, 1);
	CHECK(c, md_inode_equal(&rec, &want), "half of a commit is seen");
	m.ops->abort(m.inst, beside);
	EXPECT(c, m.ops->commit(m.inst, before, NULL), DFS_OK);
	EXPECT(c, md_get_inode(&m, SHARE, 2, &rec), DFS_OK);
	md_close(&m);
}

static void
test_sequence(struct conform *c)
{
	struct dfs_inode_record rec;
	uint64_t last = 0, seq = 0;
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	for (unsigned i = 1; i <= 20; i++) {
		txn = md_begin(&m, DFS_TXN_WRITE);
		md_inode(&rec, i, i);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
		EXPECT(c, m.ops->commit(m.inst, txn, &seq), DFS_OK);
		CHECK(c, seq > last, "the sequence number does not grow");
		last = seq;
	}
	EXPECT(c, m.ops->sync(m.inst, last, DFS_SYNC_PROCESS), DFS_OK);
	EXPECT(c, m.ops->sync(m.inst, last, DFS_SYNC_POWER), DFS_OK);
	EXPECT(c, m.ops->sync(m.inst, 0, DFS_SYNC_POWER), DFS_OK);
	EXPECT(c, m.ops->sync(m.inst, last, DFS_SYNC_POWER), DFS_OK);
	md_close(&m);
}

static void
test_empty(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;
	uint64_t seq;

	if (!md_open(c, &m))
		return;
	txn = md_begin(&m, DFS_TXN_WRITE);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	m.ops->abort(m.inst, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	EXPECT(c, m.ops->commit(m.inst, txn, &seq), DFS_OK);
	txn = md_begin(&m, DFS_TXN_READ);
	m.ops->abort(m.inst, txn);
	EXPECT(c, m.ops->sync(m.inst, 0, DFS_SYNC_POWER), DFS_OK);
	md_close(&m);
}

static void
test_large(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct dfs_txn *txn, *before;
	struct md m;

	if (!md_open(c, &m))
		return;
	before = md_begin(&m, DFS_TXN_READ);
	rec.size = sizeof(rec);
	EXPECT(c, m.ops->get_inode(m.inst, before, SHARE, 1, &rec), DFS_NOENT);
	txn = md_begin(&m, DFS_TXN_WRITE);
	for (uint64_t id = 1; id <= 5000; id++) {
		md_inode(&rec, id, 1);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
	}
	md_commit(&m, txn);
	rec.size = sizeof(rec);
	EXPECT(c, m.ops->get_inode(m.inst, before, SHARE, 2500, &rec), DFS_NOENT);
	m.ops->abort(m.inst, before);
	for (uint64_t id = 1; id <= 5000; id += 7) {
		md_inode(&want, id, 1);
		EXPECT(c, md_get_inode(&m, SHARE, id, &rec), DFS_OK);
		CHECK(c, md_inode_equal(&rec, &want));
	}
	md_close(&m);
}

const struct conform_test metadata_txn_tests[] = {
	{"transaction", "an abort undoes everything", test_abort},
	{"transaction", "it sees its own changes", test_own_view},
	{"transaction", "a read sees none of the commits after it", test_snapshot},
	{"transaction", "sequence numbers grow and can be synced at both levels", test_sequence},
	{"transaction", "empty ones commit and abort", test_empty},
	{"transaction", "five thousand changes commit as one", test_large},
	{NULL}};

/* ---- limits ---- */

static void
test_longest(struct conform *c)
{
	g_autofree char *big = g_malloc(DFS_STATE_VALUE_MAX), *back = g_malloc(DFS_STATE_VALUE_MAX);
	char key[DFS_STATE_KEY_MAX];
	uint32_t len = DFS_STATE_VALUE_MAX;
	uint64_t seed = c->seed;
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	for (unsigned i = 0; i < DFS_STATE_VALUE_MAX; i++)
		big[i] = (char)conform_random(&seed);
	memset(key, 0xff, sizeof(key));
	txn = md_begin(&m, DFS_TXN_WRITE);
	EXPECT(c, m.ops->put_state(m.inst, txn, SHARE, key, sizeof(key), big, len), DFS_OK);
	EXPECT(c, m.ops->put_symlink(m.inst, txn, SHARE, 1, big, DFS_SYMLINK_MAX), DFS_OK);
	md_commit(&m, txn);
	EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	txn = md_begin(&m, DFS_TXN_READ);
	EXPECT(c, m.ops->get_state(m.inst, txn, SHARE, key, sizeof(key), back, &len), DFS_OK);
	CHECK(c, len == DFS_STATE_VALUE_MAX && !memcmp(big, back, len), "the value differs");
	EXPECT(c, m.ops->get_symlink(m.inst, txn, SHARE, 1, back, &len), DFS_OK);
	CHECK(c, len == DFS_SYMLINK_MAX && !memcmp(big, back, len), "the link differs");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_too_long(struct conform *c)
{
	g_autofree char *big = g_malloc0(DFS_STATE_VALUE_MAX + 1);
	struct dfs_segment segs[DFS_SEGMENTS_MAX + 1] = {{.version = 1}};
	struct dfs_content_id content = {{1}};
	struct dfs_txn *txn;
	struct md m;

	if (!md_open(c, &m))
		return;
	txn = md_begin(&m, DFS_TXN_WRITE);
	CHECK(c, m.ops->put_state(m.inst, txn, SHARE, big, DFS_STATE_KEY_MAX + 1, "", 0) != DFS_OK);
	CHECK(c, m.ops->put_state(m.inst, txn, SHARE, big, 0, "", 0) != DFS_OK);
	CHECK(c,
	      m.ops->put_state(m.inst, txn, SHARE, "k", 1, big, DFS_STATE_VALUE_MAX + 1) != DFS_OK);
	CHECK(c, m.ops->put_symlink(m.inst, txn, SHARE, 1, big, DFS_SYMLINK_MAX + 1) != DFS_OK);
	CHECK(c, m.ops->put_map(m.inst, txn, SHARE, &content, 0, 0, segs, 0) != DFS_OK);
	CHECK(c, m.ops->put_map(m.inst, txn, SHARE, &content, 0, 0, segs, DFS_SEGMENTS_MAX + 1) !=
			 DFS_OK);
	m.ops->abort(m.inst, txn);
	md_put_inode(&m, SHARE, 1, 1);
	md_close(&m);
}

static void
test_extreme_ids(struct conform *c)
{
	static const uint64_t ids[] = {0, 1, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};
	static const uint32_t shares[] = {1, 255, 256, UINT32_MAX};
	struct dfs_inode_record rec, want;
	struct md m;

	if (!md_open(c, &m))
		return;
	for (unsigned s = 0; s < G_N_ELEMENTS(shares); s++)
		for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
			md_put_inode(&m, shares[s], ids[i], s);
	for (unsigned s = 0; s < G_N_ELEMENTS(shares); s++)
		for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
			md_inode(&want, ids[i], s);
			EXPECT(c, md_get_inode(&m, shares[s], ids[i], &rec), DFS_OK);
			CHECK(c, md_inode_equal(&rec, &want));
		}
	md_close(&m);
}

const struct conform_test metadata_limit_tests[] = {
	{"limit", "the longest key, value and link are kept", test_longest},
	{"limit", "one more than the longest is refused", test_too_long},
	{"limit", "the extreme ids and shares are kept apart", test_extreme_ids},
	{NULL}};
