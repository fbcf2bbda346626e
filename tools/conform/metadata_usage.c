/* SPDX-License-Identifier: MIT
 *
 * Sums of usage, for stores that have them.  What a crash leaves of them is among the crash tests.
 */
#include "tools/conform/metadata.h"

#define THREADS 4
#define TURNS 500
#define SEEN_MAX 32

bool
md_usage(struct conform *c)
{
	if (c->plugin->ops.metadata.add_usage)
		return true;
	conform_skip(c, "the store keeps no sums of usage");
	return false;
}

enum dfs_status
md_add_usage(struct md *m, struct dfs_txn *txn, uint32_t share, uint32_t kind, uint32_t id,
	     int64_t bytes, int64_t files)
{
	const struct dfs_usage_record rec = {
		.size = sizeof(rec), .kind = kind, .id = id, .bytes = bytes, .files = files};

	return m->ops->add_usage(m->inst, txn, share, &rec);
}

struct seen {
	unsigned n, max;
	struct dfs_usage_record rec[SEEN_MAX];
};

/* Sums of zeros may be left out, so they are. */
static int
see(void *arg, const struct dfs_usage_record *rec)
{
	struct seen *seen = arg;

	if ((rec->bytes || rec->files) && seen->n < SEEN_MAX)
		seen->rec[seen->n++] = *rec;
	return seen->n < seen->max;
}

static struct seen
scan(struct md *m, struct dfs_txn *txn, uint32_t share, uint32_t kind, uint32_t id, unsigned max)
{
	struct seen seen = {.max = max};

	EXPECT(m->c, m->ops->scan_usage(m->inst, txn, share, kind, id, see, &seen), DFS_OK);
	return seen;
}

struct dfs_usage_record
md_get_usage(struct md *m, struct dfs_txn *txn, uint32_t share, uint32_t kind, uint32_t id)
{
	struct seen seen = scan(m, txn, share, kind, id, 1);

	if (seen.n && seen.rec[0].kind == kind && seen.rec[0].id == id)
		return seen.rec[0];
	return (struct dfs_usage_record){.kind = kind, .id = id};
}

/* NULL: the test is over. */
static struct dfs_txn *
begin(struct conform *c, struct md *m)
{
	struct dfs_txn *txn;

	if (!md_usage(c) || !md_open(c, m))
		return NULL;
	txn = md_begin(m, DFS_TXN_WRITE);
	if (!txn)
		md_close(m);
	return txn;
}

static bool
is(const struct dfs_usage_record *rec, uint32_t kind, uint32_t id, int64_t bytes, int64_t files)
{
	return rec->size >= sizeof(*rec) && rec->kind == kind && rec->id == id &&
	       rec->bytes == bytes && rec->files == files;
}

static void
test_sums(struct conform *c)
{
	struct dfs_usage_record sum;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 1000, 4096, 1), DFS_OK);
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 1000, INT64_C(1) << 60, 2), DFS_OK);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_USER, 1000);
	CHECK(c, is(&sum, DFS_USAGE_USER, 1000, (INT64_C(1) << 60) + 4096, 3),
	      "a transaction does not see its own additions");
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 1000, -4096, 0), DFS_OK);
	m.ops->abort(m.inst, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_USER, 1000);
	CHECK(c, is(&sum, DFS_USAGE_USER, 1000, (INT64_C(1) << 60) + 4096, 3),
	      "what was aborted is part of the sum");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_negative(struct conform *c)
{
	struct dfs_usage_record sum;
	struct seen seen;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 5, -10, -1), DFS_OK);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 5);
	CHECK(c, is(&sum, DFS_USAGE_GROUP, 5, -10, -1), "a sum below zero is not kept");
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 5, 10, 0), DFS_OK);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 5);
	CHECK(c, is(&sum, DFS_USAGE_GROUP, 5, 0, -1), "a sum of zero bytes has lost its files");
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 5, 0, 1), DFS_OK);
	seen = scan(&m, txn, SHARE, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 0, "additions that cancel out leave a sum");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_refused(struct conform *c)
{
	struct dfs_usage_record sum;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	conform_fail_clear();
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_GROUP + 1, 5, 1, 1), DFS_INVAL);
	m.ops->abort(m.inst, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 5, INT64_MAX, 1), DFS_OK);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	if (md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 5, 1, 0) == DFS_OK)
		EXPECT(c, m.ops->commit(m.inst, txn, NULL), DFS_INVAL);
	else
		m.ops->abort(m.inst, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_USER, 5);
	CHECK(c, is(&sum, DFS_USAGE_USER, 5, INT64_MAX, 1), "a refused addition has changed a sum");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_order(struct conform *c)
{
	static const struct {
		uint32_t kind, id;
	} want[] = {{DFS_USAGE_SHARE, 0},  {DFS_USAGE_USER, 0},        {DFS_USAGE_USER, 255},
		    {DFS_USAGE_USER, 256}, {DFS_USAGE_USER, 1u << 31}, {DFS_USAGE_USER, UINT32_MAX},
		    {DFS_USAGE_GROUP, 0},  {DFS_USAGE_GROUP, 1}};
	const unsigned n = G_N_ELEMENTS(want);
	struct seen seen;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	for (unsigned i = n; i-- > 0;) {
		EXPECT(c, md_add_usage(&m, txn, SHARE, want[i].kind, want[i].id, 1 + i, 1), DFS_OK);
		/* A second addition makes no second sum. */
		EXPECT(c, md_add_usage(&m, txn, SHARE, want[i].kind, want[i].id, 1, 1), DFS_OK);
	}
	for (unsigned from = 0; from < n; from++) {
		seen = scan(&m, txn, SHARE, want[from].kind, want[from].id, SEEN_MAX);
		CHECK(c, seen.n == n - from, "%u sums from the %u. on", seen.n, from + 1);
		for (unsigned i = from; i < n && seen.n == n - from; i++)
			CHECK(c, is(&seen.rec[i - from], want[i].kind, want[i].id, 2 + i, 2),
			      "sum %u is out of order", i);
	}
	seen = scan(&m, txn, SHARE, DFS_USAGE_USER, 257, SEEN_MAX);
	CHECK(c, seen.n == 4 && seen.rec[0].id == 1u << 31, "a scan begins at the wrong sum");
	seen = scan(&m, txn, SHARE, DFS_USAGE_USER, 1, 2);
	CHECK(c, seen.n == 2 && seen.rec[1].id == 256, "a scan does not stop where it is told");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_clear(struct conform *c)
{
	struct seen seen;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	for (uint32_t id = 0; id < 1000; id++)
		EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, id, 1, 1), DFS_OK);
	EXPECT(c, md_add_usage(&m, txn, SHARE + 1, DFS_USAGE_USER, 3, 1, 1), DFS_OK);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_WRITE);
	EXPECT(c, m.ops->clear_usage(m.inst, txn, SHARE), DFS_OK);
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_USER, 5, 2, 3), DFS_OK);
	md_commit(&m, txn);
	txn = md_begin(&m, DFS_TXN_READ);
	seen = scan(&m, txn, SHARE, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 1 && is(&seen.rec[0], DFS_USAGE_USER, 5, 2, 3),
	      "%u sums are left after a clear", seen.n);
	seen = scan(&m, txn, SHARE + 1, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 1, "a clear reaches into another share");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

static void
test_apart(struct conform *c)
{
	struct dfs_txn *txn;
	struct seen seen;
	struct md a, b;

	if (!md_usage(c) || !md_open(c, &a))
		return;
	if (!md_open(c, &b)) {
		md_close(&a);
		return;
	}
	txn = md_begin(&a, DFS_TXN_WRITE);
	EXPECT(c, md_add_usage(&a, txn, SHARE, DFS_USAGE_USER, 1, 10, 1), DFS_OK);
	EXPECT(c, md_add_usage(&a, txn, SHARE + 256, DFS_USAGE_USER, 1, 20, 2), DFS_OK);
	md_commit(&a, txn);
	txn = md_begin(&b, DFS_TXN_READ);
	seen = scan(&b, txn, SHARE, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 0, "a sum of another instance is there");
	b.ops->abort(b.inst, txn);
	txn = md_begin(&a, DFS_TXN_READ);
	seen = scan(&a, txn, SHARE, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 1 && seen.rec[0].bytes == 10, "the first share's sum is wrong");
	seen = scan(&a, txn, SHARE + 256, 0, 0, SEEN_MAX);
	CHECK(c, seen.n == 1 && seen.rec[0].bytes == 20, "the second share's sum is wrong");
	a.ops->abort(a.inst, txn);
	md_close(&a);
	md_close(&b);
}

static void
test_reopen(struct conform *c)
{
	struct dfs_usage_record sum;
	struct md m;
	struct dfs_txn *txn;
	uint64_t seq;

	if (md_volatile(c)) {
		conform_skip(c, "nothing survives the process");
		return;
	}
	txn = begin(c, &m);
	if (!txn)
		return;
	EXPECT(c, md_add_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 9, 12345, 67), DFS_OK);
	EXPECT(c, m.ops->commit(m.inst, txn, &seq), DFS_OK);
	EXPECT(c, m.ops->sync(m.inst, seq, DFS_SYNC_PROCESS), DFS_OK);
	if (!md_reopen(&m))
		return;
	txn = md_begin(&m, DFS_TXN_READ);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_GROUP, 9);
	CHECK(c, is(&sum, DFS_USAGE_GROUP, 9, 12345, 67), "the sum is another one");
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

/* Of two turns together a byte each and one file. */
static enum dfs_status
add_turn(struct md *m, struct dfs_txn *txn, void *arg)
{
	bool odd = *(unsigned *)arg % 2;

	return md_add_usage(m, txn, SHARE, DFS_USAGE_SHARE, 0, odd ? -1 : 3, odd ? 0 : 1);
}

static void
run_adder(struct md *m, unsigned index)
{
	for (unsigned i = 0; i < TURNS; i++)
		EXPECT(m->c, md_transact(m, DFS_TXN_WRITE, add_turn, &i, NULL), DFS_OK);
}

static void
test_adders(struct conform *c)
{
	struct dfs_usage_record sum;
	struct dfs_txn *txn;
	struct md m;

	if (!md_usage(c) || !md_open_threads(c, &m))
		return;
	md_crew(&m, THREADS, run_adder);
	txn = md_begin(&m, DFS_TXN_READ);
	sum = md_get_usage(&m, txn, SHARE, DFS_USAGE_SHARE, 0);
	CHECK(c, sum.bytes == THREADS * TURNS && sum.files == THREADS * TURNS / 2,
	      "the sum is %d bytes and %d files", (int)sum.bytes, (int)sum.files);
	m.ops->abort(m.inst, txn);
	md_close(&m);
}

const struct conform_test metadata_usage_tests[] = {
	{"usage", "additions make a sum, aborted ones do not", test_sums},
	{"usage", "a sum may be negative and vanishes at zero", test_negative},
	{"usage", "a kind or a sum that there cannot be is refused", test_refused},
	{"usage", "sums come once each by kind and id, from any on", test_order},
	{"usage", "a clear forgets all sums of one share", test_clear},
	{"usage", "instances and shares keep sums of their own", test_apart},
	{"usage", "a sum survives closing", test_reopen},
	{"usage", "additions from many threads are all there", test_adders},
	{NULL}};
