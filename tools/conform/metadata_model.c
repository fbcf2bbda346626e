/* SPDX-License-Identifier: MIT
 *
 * Random transactions against a model: entries of two directories, committed or aborted, synced
 * and reopened now and then; a held read transaction must keep seeing the state that it began in.
 * A transaction that was told AGAIN, as --repeat allows, has changed nothing.
 */
#include "tools/conform/metadata.h"

#define ROUNDS 1500
#define COOKIES 400

/* value 0: absent */
struct model {
	uint64_t fileid[2][COOKIES];
};

/* False: the transaction was told AGAIN. */
static bool
check_state(struct md *m, struct dfs_txn *txn, const struct model *want)
{
	for (unsigned dir = 0; dir < 2 && !m->c->failures; dir++) {
		g_autoptr(GArray) a = NULL;
		enum dfs_status st = md_try_scan(m, txn, SHARE, dir + 1, 0, 0, &a);
		guint at = 0;

		if (conform_anew(m->c, st))
			return false;
		EXPECT(m->c, st, DFS_OK);
		for (unsigned i = 0; i < COOKIES; i++) {
			if (!want->fileid[dir][i])
				continue;
			CHECK(m->c, at < a->len && g_array_index(a, uint64_t, at) == 64 + i * 3,
			      "entry %u of directory %u is missing or another stands there", i,
			      dir);
			at++;
		}
		CHECK(m->c, at == a->len, "%u entries too many", a->len - at);
	}
	return true;
}

struct one {
	uint64_t fileid;
};

static int
see_one(void *arg, const struct dfs_dirent_record *rec)
{
	((struct one *)arg)->fileid = rec->fileid;
	return 0;
}

static enum dfs_status
change_some(struct md *m, struct dfs_txn *txn, struct model *model, uint64_t *seed)
{
	unsigned n = conform_random(seed) % 30 == 0 ? 400 : 1 + conform_random(seed) % 6;
	enum dfs_status st = DFS_OK;

	while (n-- && st == DFS_OK) {
		unsigned dir = conform_random(seed) & 1, i = conform_random(seed) % COOKIES;
		struct dfs_dirent_record rec;
		struct one one = {0};
		char name[DFS_NAME_MAX + 1];

		memset(name, 'n', sizeof(name));
		name[1 + conform_random(seed) % (DFS_NAME_MAX - 1)] = 0;
		if (conform_random(seed) % 100 < 45) {
			st = m->ops->del_dirent(m->inst, txn, SHARE, dir + 1, 64 + i * 3);
			model->fileid[dir][i] = 0;
			continue;
		}
		md_dirent(&rec, 64 + i * 3, name);
		rec.fileid = model->fileid[dir][i] = conform_random(seed) | 1;
		st = m->ops->put_dirent(m->inst, txn, SHARE, dir + 1, &rec);
		if (st == DFS_OK)
			st = m->ops->get_dirent(m->inst, txn, SHARE, dir + 1, 64 + i * 3, see_one,
						&one);
		CHECK(m->c, st != DFS_OK || one.fileid == rec.fileid, "another entry is answered");
	}
	return st;
}

/* One transaction of a round.  *model: as it is, and as it is left. */
static void
change(struct md *m, struct model *model, uint64_t *seed, bool check)
{
	static struct model draft;
	struct dfs_txn *txn = md_begin(m, DFS_TXN_WRITE);
	enum dfs_status st;

	if (!txn)
		return;
	draft = *model;
	st = change_some(m, txn, &draft, seed);
	if (st == DFS_OK && check && !check_state(m, txn, &draft))
		st = DFS_AGAIN;
	if (st != DFS_OK || conform_random(seed) % 5 == 0) {
		m->ops->abort(m->inst, txn);
	} else {
		st = m->ops->commit(m->inst, txn, NULL);
		if (st == DFS_OK)
			*model = draft;
	}
	if (!conform_anew(m->c, st))
		EXPECT(m->c, st, DFS_OK);
}

static void
test_model(struct conform *c)
{
	static struct model now, held;
	struct dfs_txn *txn, *reader = NULL;
	uint64_t seed = c->seed;
	struct md m;

	if (!md_open(c, &m))
		return;
	memset(&now, 0, sizeof(now));
	for (unsigned round = 0; round < ROUNDS && !c->failures; round++) {
		change(&m, &now, &seed, round % 50 == 0);
		if (conform_random(&seed) % 20 == 0)
			EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
		if (reader && conform_random(&seed) % 30 == 0) {
			check_state(&m, reader, &held);
			m.ops->abort(m.inst, reader);
			reader = NULL;
		} else if (!reader && conform_random(&seed) % 10 == 0) {
			reader = md_begin(&m, DFS_TXN_READ);
			held = now;
			/* It sees the state of its first read, which may be made again. */
			g_array_unref(md_scan(&m, reader, SHARE, 1, 0, 1));
		}
		if (!md_volatile(c) && !reader && conform_random(&seed) % 200 == 0) {
			EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_POWER), DFS_OK);
			if (!md_reopen(&m))
				return;
		}
		if (round % 50 == 25) {
			txn = md_begin(&m, DFS_TXN_READ);
			check_state(&m, txn, &now);
			m.ops->abort(m.inst, txn);
		}
	}
	if (reader)
		m.ops->abort(m.inst, reader);
	md_close(&m);
}

const struct conform_test metadata_model_tests[] = {
	{"model", "random transactions match a model", test_model}, {NULL}};
