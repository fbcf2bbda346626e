/* SPDX-License-Identifier: MIT
 *
 * Random transactions against a model: entries of two directories, committed or aborted, synced
 * and reopened now and then; a held read transaction must keep seeing the state that it began in.
 */
#include "tools/conform/metadata.h"

#define ROUNDS 1500
#define COOKIES 400

/* value 0: absent */
struct model {
	uint64_t fileid[2][COOKIES];
};

static void
check_state(struct md *m, struct dfs_txn *txn, const struct model *want)
{
	for (unsigned dir = 0; dir < 2 && !m->c->failures; dir++) {
		GArray *a = md_scan(m, txn, SHARE, dir + 1, 0, 0);
		guint at = 0;

		for (unsigned i = 0; i < COOKIES; i++) {
			if (!want->fileid[dir][i])
				continue;
			CHECK(m->c, at < a->len && g_array_index(a, uint64_t, at) == 64 + i * 3,
			      "entry %u of directory %u is missing or another stands there", i,
			      dir);
			at++;
		}
		CHECK(m->c, at == a->len, "%u entries too many", a->len - at);
		g_array_unref(a);
	}
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

static void
change_some(struct md *m, struct dfs_txn *txn, struct model *model, uint64_t *seed)
{
	unsigned n = conform_random(seed) % 30 == 0 ? 400 : 1 + conform_random(seed) % 6;

	while (n--) {
		unsigned dir = conform_random(seed) & 1, i = conform_random(seed) % COOKIES;
		struct dfs_dirent_record rec;
		struct one one = {0};
		char name[DFS_NAME_MAX + 1];

		memset(name, 'n', sizeof(name));
		name[1 + conform_random(seed) % (DFS_NAME_MAX - 1)] = 0;
		if (conform_random(seed) % 100 < 45) {
			EXPECT(m->c, m->ops->del_dirent(m->inst, txn, SHARE, dir + 1, 64 + i * 3),
			       DFS_OK);
			model->fileid[dir][i] = 0;
			continue;
		}
		md_dirent(&rec, 64 + i * 3, name);
		rec.fileid = model->fileid[dir][i] = conform_random(seed) | 1;
		EXPECT(m->c, m->ops->put_dirent(m->inst, txn, SHARE, dir + 1, &rec), DFS_OK);
		EXPECT(m->c,
		       m->ops->get_dirent(m->inst, txn, SHARE, dir + 1, 64 + i * 3, see_one, &one),
		       DFS_OK);
		CHECK(m->c, one.fileid == rec.fileid, "another entry is answered");
	}
}

static void
test_model(struct conform *c)
{
	static struct model now, draft, held;
	struct dfs_txn *txn, *reader = NULL;
	uint64_t seed = c->seed;
	struct md m;

	if (!md_open(c, &m))
		return;
	memset(&now, 0, sizeof(now));
	for (unsigned round = 0; round < ROUNDS && !c->failures; round++) {
		draft = now;
		txn = md_begin(&m, DFS_TXN_WRITE);
		if (!txn)
			break;
		change_some(&m, txn, &draft, &seed);
		if (round % 50 == 0)
			check_state(&m, txn, &draft);
		if (conform_random(&seed) % 5 == 0) {
			m.ops->abort(m.inst, txn);
		} else {
			md_commit(&m, txn);
			now = draft;
		}
		if (conform_random(&seed) % 20 == 0)
			EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
		if (reader && conform_random(&seed) % 30 == 0) {
			check_state(&m, reader, &held);
			m.ops->abort(m.inst, reader);
			reader = NULL;
		} else if (!reader && conform_random(&seed) % 10 == 0) {
			reader = md_begin(&m, DFS_TXN_READ);
			held = now;
			/* It sees the state of its first read. */
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
