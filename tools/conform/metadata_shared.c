/* SPDX-License-Identifier: MIT
 *
 * A store that several processes have open: two instances on one folder.
 */
#include "tools/conform/metadata.h"

/* The second of two servers. */
struct other {
	struct md m;
	bool open;
};

static bool
two_open(struct conform *c, struct md *m, struct other *o)
{
	if (!(c->plugin->desc.caps & DFS_METADATA_CAP_SHARED)) {
		conform_skip(c, "the store is not shared");
		return false;
	}
	if (!md_open(c, m))
		return false;
	o->m = *m;
	o->open = conform_open(c, m->dir, &o->m.inst) == DFS_OK;
	CHECK(c, o->open, "a second instance cannot be opened: %s", c->diag.text);
	if (!o->open)
		md_close(m);
	return o->open;
}

static void
two_close(struct conform *c, struct md *m, struct other *o)
{
	conform_close(c, o->m.inst);
	md_close(m);
}

static void
put_row(struct md *m, uint32_t share, uint64_t epoch)
{
	struct dfs_share_record rec = {
		.size = sizeof(rec), .id = share, .root = 2, .name = "shared", .epoch = epoch};
	struct dfs_txn *txn = md_begin(m, DFS_TXN_WRITE);

	if (!txn)
		return;
	EXPECT(m->c, m->ops->put_share(m->inst, txn, &rec), DFS_OK);
	md_commit(m, txn);
}

/* How a transaction that puts an inode of the share ends. */
static enum dfs_status
try_put(struct md *m, uint32_t share, uint64_t fileid)
{
	struct dfs_txn *txn = md_begin(m, DFS_TXN_WRITE);
	struct dfs_inode_record rec;

	md_inode(&rec, fileid, 1);
	if (!txn)
		return DFS_IO;
	EXPECT(m->c, m->ops->put_inode(m->inst, txn, share, &rec), DFS_OK);
	return m->ops->commit(m->inst, txn, NULL);
}

static void
test_seen(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct other o;
	struct md m;

	if (!two_open(c, &m, &o))
		return;
	md_put_inode(&m, SHARE, 7, 1);
	md_inode(&want, 7, 1);
	EXPECT(c, md_get_inode(&o.m, SHARE, 7, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want), "the second reads another inode");
	md_put_inode(&o.m, SHARE, 7, 2);
	md_inode(&want, 7, 2);
	EXPECT(c, md_get_inode(&m, SHARE, 7, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want), "the first reads another inode");
	two_close(c, &m, &o);
}

static void
test_fence(struct conform *c)
{
	struct dfs_inode_record rec;
	struct other o;
	struct md m;

	if (!two_open(c, &m, &o))
		return;
	put_row(&m, 1, 5);
	put_row(&m, 2, 5);
	EXPECT(c, m.ops->fence(m.inst, 1, 5), DFS_OK);
	EXPECT(c, m.ops->fence(m.inst, 2, 5), DFS_OK);
	EXPECT(c, try_put(&m, 1, 10), DFS_OK);
	put_row(&o.m, 1, 6);
	EXPECT(c, try_put(&m, 1, 11), DFS_FENCED);
	EXPECT(c, md_get_inode(&m, 1, 11, &rec), DFS_NOENT);
	EXPECT(c, try_put(&m, 2, 11), DFS_OK);
	EXPECT(c, try_put(&o.m, 1, 12), DFS_OK);
	two_close(c, &m, &o);
}

static void
test_fence_lifted(struct conform *c)
{
	struct other o;
	struct md m;

	if (!two_open(c, &m, &o))
		return;
	put_row(&m, 1, 5);
	EXPECT(c, m.ops->fence(m.inst, 1, 4), DFS_OK);
	EXPECT(c, try_put(&m, 1, 10), DFS_FENCED);
	/* Taking the share over is what puts its row. */
	put_row(&m, 1, 6);
	EXPECT(c, m.ops->fence(m.inst, 1, 6), DFS_OK);
	EXPECT(c, try_put(&m, 1, 10), DFS_OK);
	put_row(&o.m, 1, 7);
	EXPECT(c, m.ops->fence(m.inst, 1, 0), DFS_OK);
	EXPECT(c, try_put(&m, 1, 11), DFS_OK);
	two_close(c, &m, &o);
}

/* Of two that have read the same row, one only takes the share over. */
static void
test_takeover_race(struct conform *c)
{
	struct dfs_share_record rec = {.size = sizeof(rec), .id = 1, .root = 2, .epoch = 2};
	enum dfs_status st[2];
	struct dfs_txn *txn[2];
	struct other o;
	struct md m;
	struct md *who[2] = {&m, &o.m};

	if (!two_open(c, &m, &o))
		return;
	put_row(&m, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		char value[8];
		uint32_t len = sizeof(value);

		txn[i] = md_begin(who[i], DFS_TXN_WRITE);
		EXPECT(c, m.ops->get_state(who[i]->inst, txn[i], 1, "lease", 5, value, &len),
		       DFS_NOENT);
	}
	for (unsigned i = 0; i < 2; i++) {
		st[i] = m.ops->put_share(who[i]->inst, txn[i], &rec);
		if (st[i] == DFS_OK)
			st[i] = m.ops->put_state(who[i]->inst, txn[i], 1, "lease", 5, "me", 2);
		if (st[i] == DFS_OK)
			st[i] = m.ops->commit(who[i]->inst, txn[i], NULL);
		else
			m.ops->abort(who[i]->inst, txn[i]);
	}
	/* Both: neither has done anything, which only a disturbance explains. */
	if (st[0] == DFS_AGAIN && st[1] == DFS_AGAIN)
		EXPECT(c, st[0], DFS_OK);
	else
		CHECK(c,
		      (st[0] == DFS_OK && st[1] == DFS_AGAIN) ||
			      (st[0] == DFS_AGAIN && st[1] == DFS_OK),
		      "the two answer %s and %s", dfs_status_name(st[0]), dfs_status_name(st[1]));
	two_close(c, &m, &o);
}

const struct conform_test metadata_shared_tests[] = {
	{"shared", "what one instance commits the other reads", test_seen},
	{"shared", "a fence refuses who was replaced, and him alone", test_fence},
	{"shared", "a fence follows the share's row and can be lifted", test_fence_lifted},
	{"shared", "of two that take a share over one succeeds", test_takeover_race},
	{NULL, NULL, NULL},
};
