/* SPDX-License-Identifier: MIT
 *
 * What the thread model promises: serialisable transactions from many threads, and the flag
 * that asks a store not to wait.
 */
#include "tools/conform/metadata.h"

#define THREADS 4
#define TURNS 500
#define PAIRS 16

static enum dfs_status
put_number(struct md *m, struct dfs_txn *txn, const char *key, uint64_t v)
{
	return m->ops->put_state(m->inst, txn, SHARE, key, strlen(key), &v, sizeof(v));
}

static enum dfs_status
increment(struct md *m, struct dfs_txn *txn, void *arg)
{
	const char *key = arg;
	enum dfs_status st;
	uint64_t v = md_get_number(m, txn, key, &st);

	return st == DFS_OK ? put_number(m, txn, key, v + 1) : st;
}

static void
run_increment(struct md *m, unsigned index)
{
	for (unsigned i = 0; i < TURNS; i++)
		EXPECT(m->c, md_transact(m, DFS_TXN_WRITE, increment, (void *)"counter", NULL),
		       DFS_OK);
}

static void
test_counter(struct conform *c)
{
	struct dfs_txn *txn;
	enum dfs_status st;
	uint64_t v;
	struct md m;

	if (!md_open_threads(c, &m))
		return;
	md_crew(&m, THREADS, run_increment);
	txn = md_begin(&m, DFS_TXN_READ);
	v = md_get_number(&m, txn, "counter", &st);
	EXPECT(c, st, DFS_OK);
	CHECK(c, v == THREADS * TURNS, "%u of %u increments are there", (unsigned)v,
	      THREADS * TURNS);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

/* Those beside the writer. */
struct watch {
	struct md *m;
	_Atomic bool stop;
	_Atomic unsigned checks;
};

/* The writer keeps two entries at cookies that move together: a reader sees both of one turn. */
static void *
run_reader(void *arg)
{
	struct watch *watch = arg;
	struct md *m = watch->m;

	while (!watch->stop) {
		struct dfs_txn *txn = md_begin_retry(m, DFS_TXN_READ);
		enum dfs_status st1, st2, st3;
		uint64_t a, b;
		GArray *list;

		if (!txn)
			break;
		a = md_get_number(m, txn, "left", &st1);
		st2 = md_try_scan(m, txn, SHARE, 2, 0, 0, &list);
		b = md_get_number(m, txn, "right", &st3);
		CHECK(m->c, st2 == DFS_OK || st2 == DFS_AGAIN, "%s", dfs_status_name(st2));
		if (st1 == DFS_OK && st2 == DFS_OK && st3 == DFS_OK) {
			CHECK(m->c, a == b, "half of a commit is seen");
			CHECK(m->c, a == 0 || list->len == PAIRS, "%u of %u entries are seen",
			      list->len, PAIRS);
			for (guint i = 0; a && i < list->len; i++)
				CHECK(m->c, g_array_index(list, uint64_t, i) % 1000000 == a,
				      "an entry of another commit is seen");
		}
		g_array_unref(list);
		m->ops->abort(m->inst, txn);
		watch->checks++;
	}
	return NULL;
}

static enum dfs_status
move_pairs(struct md *m, struct dfs_txn *txn, void *arg)
{
	uint64_t turn = *(uint64_t *)arg;
	enum dfs_status st = put_number(m, txn, "left", turn);

	for (uint64_t i = 1; i <= PAIRS && st == DFS_OK; i++) {
		struct dfs_dirent_record rec;

		md_dirent(&rec, i * 1000000 + turn, "pair");
		st = m->ops->del_dirent(m->inst, txn, SHARE, 2, rec.cookie - 1);
		if (st == DFS_OK)
			st = m->ops->put_dirent(m->inst, txn, SHARE, 2, &rec);
	}
	return st == DFS_OK ? put_number(m, txn, "right", turn) : st;
}

static void *
run_sync(void *arg)
{
	struct watch *watch = arg;
	struct md *m = watch->m;

	while (!watch->stop)
		EXPECT(m->c, m->ops->sync(m->inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	return NULL;
}

static void
test_readers(struct conform *c)
{
	pthread_t readers[2], sync;
	struct md m;

	if (!md_open_threads(c, &m))
		return;
	struct watch watch = {.m = &m};

	for (unsigned i = 0; i < 2; i++)
		md_start(&readers[i], run_reader, &watch);
	md_start(&sync, run_sync, &watch);
	for (uint64_t turn = 1; turn < 100000 && !c->failures; turn++) {
		EXPECT(c, md_transact(&m, DFS_TXN_WRITE, move_pairs, &turn, NULL), DFS_OK);
		if (turn >= 300 && watch.checks >= 300)
			break;
	}
	watch.stop = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	pthread_join(sync, NULL);
	md_close(&m);
}

static int
see_nothing(void *arg, const struct dfs_dirent_record *rec)
{
	return 0;
}

struct entry {
	uint32_t share;
	uint64_t cookie;
	bool look; /* at the place first */
};

static enum dfs_status
add_entry(struct md *m, struct dfs_txn *txn, void *arg)
{
	struct entry *e = arg;
	struct dfs_dirent_record rec;
	enum dfs_status st = DFS_NOENT;

	md_dirent(&rec, e->cookie, "mine");
	if (e->look)
		st = m->ops->get_dirent(m->inst, txn, e->share, 5, e->cookie, see_nothing, NULL);
	if (st == DFS_NOENT)
		st = m->ops->put_dirent(m->inst, txn, e->share, 5, &rec);
	return st;
}

static void
add(struct md *m, struct entry e)
{
	EXPECT(m->c, md_transact(m, DFS_TXN_WRITE, add_entry, &e, NULL), DFS_OK);
}

/* Each thread in a directory of its own; nothing of it may get lost. */
static void
run_own_directory(struct md *m, unsigned index)
{
	for (uint64_t i = 0; i < TURNS; i++)
		add(m, (struct entry){index + 1, 64 + i, false});
}

/* All in one directory, at places of their own that they look at first. */
static void
run_one_directory(struct md *m, unsigned index)
{
	for (uint64_t i = 0; i < TURNS / 2; i++)
		add(m, (struct entry){SHARE, 64 + i * (THREADS + 1) + index, true});
}

static void
test_one_directory(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;
	GArray *a;

	if (!md_open_threads(c, &m))
		return;
	md_crew(&m, THREADS, run_one_directory);
	txn = md_begin(&m, DFS_TXN_READ);
	a = md_scan(&m, txn, SHARE, 5, 0, 0);
	CHECK(c, a->len == TURNS / 2 * THREADS, "%u entries instead of %u", a->len,
	      TURNS / 2 * THREADS);
	g_array_unref(a);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

struct flags {
	unsigned mine;
	bool raise;
	uint64_t seen[2];
};

/* Raise one's flag if no flag is up, or take it down; never are both up.  Each transaction alone keeps
 * that, so a store in which both go up has let two pass each other. */
static enum dfs_status
turn_flag(struct md *m, struct dfs_txn *txn, void *arg)
{
	static const char *const keys[] = {"flag-0", "flag-1"};
	struct flags *f = arg;
	enum dfs_status st;

	for (unsigned i = 0; i < 2; i++) {
		f->seen[i] = md_get_number(m, txn, keys[i], &st);
		if (st != DFS_OK)
			return st;
	}
	if (f->raise && (f->seen[0] || f->seen[1]))
		return DFS_OK;
	return put_number(m, txn, keys[f->mine], f->raise);
}

static void
run_flags(struct md *m, unsigned index)
{
	struct flags f = {.mine = index};

	for (unsigned i = 0; i < TURNS; i++) {
		f.raise = i % 2 == 0;
		if (!EXPECT(m->c, md_transact(m, DFS_TXN_WRITE, turn_flag, &f, NULL), DFS_OK) ||
		    !CHECK(m->c, !(f.seen[0] && f.seen[1]), "both flags are up"))
			break;
	}
}

static void
test_skew(struct conform *c)
{
	struct md m;

	if (!md_open_threads(c, &m))
		return;
	md_crew(&m, 2, run_flags);
	md_close(&m);
}

static void
test_directories(struct conform *c)
{
	struct dfs_txn *txn;
	struct md m;

	if (!md_open_threads(c, &m))
		return;
	md_crew(&m, THREADS, run_own_directory);
	txn = md_begin(&m, DFS_TXN_READ);
	for (unsigned i = 0; i < THREADS; i++) {
		GArray *a = md_scan(&m, txn, i + 1, 5, 0, 0);

		CHECK(c, a->len == TURNS, "%u entries instead of %u", a->len, TURNS);
		g_array_unref(a);
	}
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void *
abort_elsewhere(void *arg)
{
	void **args = arg;
	struct md *m = args[0];

	m->ops->abort(m->inst, args[1]);
	return NULL;
}

static void
test_wander(struct conform *c)
{
	struct dfs_txn *txn;
	pthread_t t;
	struct md m;

	if (!md_open_threads(c, &m))
		return;
	for (unsigned mode = DFS_TXN_READ; mode <= DFS_TXN_WRITE; mode++) {
		txn = md_begin(&m, mode);
		void *args[] = {&m, txn};

		md_start(&t, abort_elsewhere, args);
		pthread_join(t, NULL);
	}
	md_put_inode(&m, SHARE, 1, 1);
	md_close(&m);
}

const struct conform_test metadata_thread_tests[] = {
	{"threads", "increments from many threads are all there", test_counter},
	{"threads", "readers see whole commits beside a writer and syncs", test_readers},
	{"threads", "writers of different shares lose nothing", test_directories},
	{"threads", "writers of different entries of one directory all get through",
	 test_one_directory},
	{"threads", "two that read the same and write apart do not pass each other", test_skew},
	{"threads", "a transaction may end on another thread", test_wander},
	{NULL}};

/* ---- DFS_NONBLOCK ---- */

static bool
no_nonblock(struct conform *c)
{
	if (md_nonblock(c))
		return false;
	conform_skip(c, "calls of this thread model carry no nonblock flag");
	return true;
}

static void
test_second_writer(struct conform *c)
{
	struct dfs_txn *first, *second = NULL;
	enum dfs_status st;
	struct md m;

	if (no_nonblock(c) || !md_open(c, &m))
		return;
	first = md_begin(&m, DFS_TXN_WRITE);
	st = m.ops->begin(m.inst, DFS_TXN_WRITE | DFS_NONBLOCK, &second);
	CHECK(c, st == DFS_AGAIN || st == DFS_OK, "begin answers %s", dfs_status_name(st));
	if (st == DFS_OK)
		m.ops->abort(m.inst, second);
	m.ops->abort(m.inst, first);
	md_put_inode(&m, SHARE, 1, 1);
	md_close(&m);
}

/* Whatever lies in the store, the answer is right or AGAIN: never "not there". */
static void
test_answers(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct dfs_txn *txn = NULL;
	enum dfs_status st;
	struct md m;

	if (no_nonblock(c) || !md_open(c, &m))
		return;
	for (uint64_t id = 1; id <= 300; id++) {
		md_put_inode(&m, SHARE, id, id);
		if (id % 100 == 0)
			EXPECT(c, m.ops->sync(m.inst, UINT64_MAX, DFS_SYNC_PROCESS), DFS_OK);
	}
	md_put_inode(&m, SHARE, 301, 301);
	for (uint64_t id = 1; id <= 302; id++) {
		st = m.ops->begin(m.inst, DFS_TXN_READ | DFS_NONBLOCK, &txn);
		if (st == DFS_AGAIN)
			continue;
		EXPECT(c, st, DFS_OK);
		rec.size = sizeof(rec);
		st = m.ops->get_inode(m.inst, txn, SHARE, id, &rec);
		md_inode(&want, id, id);
		if (st == DFS_OK)
			CHECK(c, md_inode_equal(&rec, &want), "inode %u differs", (unsigned)id);
		else if (st != DFS_AGAIN)
			EXPECT(c, st, id == 302 ? DFS_NOENT : DFS_OK);
		m.ops->abort(m.inst, txn);
	}
	md_close(&m);
}

static void
test_no_effect(struct conform *c)
{
	struct dfs_inode_record rec;
	struct dfs_txn *txn = NULL;
	enum dfs_status st;
	struct md m;

	if (no_nonblock(c) || !md_open(c, &m))
		return;
	for (uint64_t id = 1; id <= 100; id++) {
		bool committed = false;

		st = m.ops->begin(m.inst, DFS_TXN_WRITE | DFS_NONBLOCK, &txn);
		if (st == DFS_OK) {
			md_inode(&rec, id, 1);
			st = m.ops->put_inode(m.inst, txn, SHARE, &rec);
			if (st == DFS_OK) {
				st = m.ops->commit(m.inst, txn, NULL);
				committed = st == DFS_OK;
			} else {
				m.ops->abort(m.inst, txn);
			}
		}
		CHECK(c, st == DFS_OK || st == DFS_AGAIN, "%s", dfs_status_name(st));
		EXPECT(c, md_get_inode(&m, SHARE, id, &rec), committed ? DFS_OK : DFS_NOENT);
	}
	md_close(&m);
}

static void
test_never_again(struct conform *c)
{
	struct dfs_inode_record rec;
	struct dfs_txn *txn = NULL;
	struct md m;
	GArray *a;

	if (c->plugin->desc.thread_model != DFS_THREADS_NONBLOCKING) {
		conform_skip(c, "the store may answer AGAIN");
		return;
	}
	if (!md_open(c, &m))
		return;
	for (uint64_t id = 1; id <= 100; id++) {
		EXPECT(c, m.ops->begin(m.inst, DFS_TXN_WRITE | DFS_NONBLOCK, &txn), DFS_OK);
		md_inode(&rec, id, 1);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
		EXPECT(c, m.ops->commit(m.inst, txn, NULL), DFS_OK);
	}
	EXPECT(c, m.ops->begin(m.inst, DFS_TXN_READ | DFS_NONBLOCK, &txn), DFS_OK);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 50, &rec), DFS_OK);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 500, &rec), DFS_NOENT);
	a = md_scan(&m, txn, SHARE, 2, 0, 0);
	g_array_unref(a);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

const struct conform_test metadata_nonblock_tests[] = {
	{"nonblock", "a second writer is not made to wait", test_second_writer},
	{"nonblock", "the answer is right or AGAIN", test_answers},
	{"nonblock", "AGAIN has no effect", test_no_effect},
	{"nonblock", "a NONBLOCKING store alone never answers AGAIN", test_never_again},
	{NULL}};
