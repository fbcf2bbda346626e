/* SPDX-License-Identifier: MIT
 *
 * Records of shared and of dead objects, and the rows of all contents.
 */
#include "tools/conform/metadata.h"

#define SEEN_MAX 16

/* A write transaction, NULL: the test has failed and all is closed. */
static struct dfs_txn *
begin(struct conform *c, struct md *m)
{
	struct dfs_txn *txn;

	if (!md_open(c, m))
		return NULL;
	txn = md_begin(m, DFS_TXN_WRITE);
	if (!txn)
		md_close(m);
	return txn;
}

static void
end(struct md *m, struct dfs_txn *txn)
{
	m->ops->abort(m->inst, txn);
	md_close(m);
}

static void
make_object(struct dfs_object_record *rec, uint64_t version)
{
	uint64_t s = version;

	memset(rec, 0, sizeof(*rec));
	rec->size = sizeof(*rec);
	rec->version = version;
	md_content(&rec->content, version + 1);
	rec->block = conform_random(&s);
	rec->refs = conform_random(&s) | 1;
	rec->length = (uint32_t)conform_random(&s);
}

static void
set_hash(struct dfs_object_record *rec, unsigned char byte)
{
	memset(rec->hash, byte, sizeof(rec->hash));
}

static bool
same_object(const struct dfs_object_record *a, const struct dfs_object_record *b)
{
	return a->version == b->version && a->block == b->block && a->refs == b->refs &&
	       a->length == b->length && !memcmp(a->hash, b->hash, sizeof(a->hash)) &&
	       !memcmp(&a->content, &b->content, sizeof(a->content));
}

static enum dfs_status
get(struct md *m, struct dfs_txn *txn, uint64_t version, struct dfs_object_record *rec)
{
	memset(rec, 0xaa, sizeof(*rec));
	rec->size = sizeof(*rec);
	return m->ops->get_object(m->inst, txn, SHARE, version, rec);
}

static enum dfs_status
find(struct md *m, struct dfs_txn *txn, uint32_t share, unsigned char byte,
     struct dfs_object_record *rec)
{
	uint8_t hash[32];

	memset(hash, byte, sizeof(hash));
	memset(rec, 0xaa, sizeof(*rec));
	rec->size = sizeof(*rec);
	return m->ops->find_object(m->inst, txn, share, hash, rec);
}

static void
test_object_fields(struct conform *c)
{
	struct dfs_object_record rec, got;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	EXPECT(c, get(&m, txn, 5, &got), DFS_NOENT);
	EXPECT(c, m.ops->del_object(m.inst, txn, SHARE, 5), DFS_OK);
	make_object(&rec, 5);
	set_hash(&rec, 7);
	EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &rec), DFS_OK);
	EXPECT(c, get(&m, txn, 5, &got), DFS_OK);
	CHECK(c, same_object(&rec, &got), "the object differs");
	rec.refs++;
	EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &rec), DFS_OK);
	EXPECT(c, get(&m, txn, 5, &got), DFS_OK);
	CHECK(c, got.refs == rec.refs, "the references differ");
	EXPECT(c, m.ops->get_object(m.inst, txn, SHARE + 1, 5, &got), DFS_NOENT);
	EXPECT(c, m.ops->del_object(m.inst, txn, SHARE, 5), DFS_OK);
	EXPECT(c, get(&m, txn, 5, &got), DFS_NOENT);
	end(&m, txn);
}

static void
test_object_hash(struct conform *c)
{
	struct dfs_object_record rec, other, got;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);
	enum dfs_status st;

	if (!txn)
		return;
	EXPECT(c, find(&m, txn, SHARE, 7, &got), DFS_NOENT);
	make_object(&rec, 5);
	set_hash(&rec, 7);
	EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &rec), DFS_OK);
	EXPECT(c, find(&m, txn, SHARE, 7, &got), DFS_OK);
	CHECK(c, same_object(&rec, &got), "the object differs");
	EXPECT(c, find(&m, txn, SHARE + 1, 7, &got), DFS_NOENT);
	EXPECT(c, find(&m, txn, SHARE, 8, &got), DFS_NOENT);
	/* One without a hash is found by none. */
	make_object(&other, 6);
	EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &other), DFS_OK);
	/* Two of one hash: what is found is there, and none is found when both are gone. */
	make_object(&other, 9);
	set_hash(&other, 7);
	EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &other), DFS_OK);
	EXPECT(c, m.ops->del_object(m.inst, txn, SHARE, 5), DFS_OK);
	st = find(&m, txn, SHARE, 7, &got);
	CHECK(c, st == DFS_NOENT || (st == DFS_OK && same_object(&other, &got)),
	      "an object that is gone is found by its hash");
	EXPECT(c, m.ops->del_object(m.inst, txn, SHARE, 9), DFS_OK);
	EXPECT(c, find(&m, txn, SHARE, 7, &got), DFS_NOENT);
	end(&m, txn);
}

struct objects {
	unsigned n;
	uint64_t version[SEEN_MAX];
};

static int
see_object(void *arg, const struct dfs_object_record *rec)
{
	struct objects *seen = arg;

	if (seen->n < SEEN_MAX)
		seen->version[seen->n] = rec->version;
	seen->n++;
	return 1;
}

static void
test_object_scan(struct conform *c)
{
	struct objects seen = {.n = 0};
	struct dfs_object_record rec;
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	for (uint64_t v = 10; v > 0; v--) {
		make_object(&rec, v * 256);
		EXPECT(c, m.ops->put_object(m.inst, txn, SHARE, &rec), DFS_OK);
		EXPECT(c, m.ops->put_object(m.inst, txn, SHARE + 1, &rec), DFS_OK);
	}
	EXPECT(c, m.ops->del_object(m.inst, txn, SHARE, 5 * 256), DFS_OK);
	EXPECT(c, m.ops->scan_objects(m.inst, txn, SHARE, 3 * 256, see_object, &seen), DFS_OK);
	CHECK(c,
	      seen.n == 7 && seen.version[0] == 768 && seen.version[1] == 1024 &&
		      seen.version[2] == 1536 && seen.version[6] == 2560,
	      "%u objects", seen.n);
	end(&m, txn);
}

struct dead {
	unsigned n;
	struct dfs_dead_record rec[SEEN_MAX];
};

static int
see_dead(void *arg, const struct dfs_dead_record *rec)
{
	struct dead *seen = arg;

	if (seen->n < SEEN_MAX)
		seen->rec[seen->n] = *rec;
	seen->n++;
	return 1;
}

static struct dfs_dead_record
make_dead(uint64_t at, uint64_t content, uint64_t block, uint64_t version)
{
	struct dfs_dead_record rec = {
		.size = sizeof(rec), .at = at, .block = block, .version = version};

	memset(rec.content.bytes, (int)content, sizeof(rec.content.bytes));
	return rec;
}

static bool
same_dead(const struct dfs_dead_record *a, const struct dfs_dead_record *b)
{
	return a->at == b->at && a->block == b->block && a->version == b->version &&
	       !memcmp(&a->content, &b->content, sizeof(a->content));
}

static void
test_dead(struct conform *c)
{
	const struct dfs_dead_record want[] = {
		make_dead(1, 0xff, UINT64_MAX, UINT64_MAX),
		make_dead(256, 1, 2, 3),
		make_dead(256, 1, 2, 256),
		make_dead(256, 1, 256, 0),
		make_dead(256, 0x80, 0, 0),
		make_dead(UINT64_MAX, 0, 0, 0),
	};
	const unsigned n = G_N_ELEMENTS(want);
	struct dead seen = {.n = 0};
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	EXPECT(c, m.ops->del_dead(m.inst, txn, SHARE, &want[0]), DFS_OK);
	EXPECT(c, m.ops->scan_dead(m.inst, txn, SHARE, NULL, see_dead, &seen), DFS_OK);
	CHECK(c, seen.n == 0);
	for (unsigned i = n; i-- > 0;) {
		EXPECT(c, m.ops->put_dead(m.inst, txn, SHARE, &want[i]), DFS_OK);
		EXPECT(c, m.ops->put_dead(m.inst, txn, SHARE + 1, &want[i]), DFS_OK);
	}
	EXPECT(c, m.ops->scan_dead(m.inst, txn, SHARE, NULL, see_dead, &seen), DFS_OK);
	CHECK(c, seen.n == n, "%u dead objects", seen.n);
	for (unsigned i = 0; i < n && seen.n == n; i++)
		CHECK(c, same_dead(&seen.rec[i], &want[i]), "dead object %u is out of order", i);
	seen.n = 0;
	EXPECT(c, m.ops->del_dead(m.inst, txn, SHARE, &want[3]), DFS_OK);
	EXPECT(c, m.ops->scan_dead(m.inst, txn, SHARE, &want[2], see_dead, &seen), DFS_OK);
	CHECK(c,
	      seen.n == 3 && same_dead(&seen.rec[0], &want[2]) && same_dead(&seen.rec[1], &want[4]),
	      "%u dead objects from the third on", seen.n);
	end(&m, txn);
}

struct rows {
	unsigned n;
	struct {
		struct dfs_content_id content;
		uint64_t block, lsn;
		struct dfs_segment first;
	} row[SEEN_MAX];
};

static int
see_row(void *arg, const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
	const struct dfs_segment *segs, uint32_t n)
{
	struct rows *seen = arg;

	if (seen->n < SEEN_MAX) {
		seen->row[seen->n].content = *content;
		seen->row[seen->n].block = block;
		seen->row[seen->n].lsn = lsn;
		seen->row[seen->n].first = segs[0];
	}
	seen->n++;
	return n == 1;
}

static void
test_rows(struct conform *c)
{
	static const unsigned char ids[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct rows seen = {.n = 0};
	struct dfs_content_id content = {{0}};
	struct md m;
	struct dfs_txn *txn = begin(c, &m);

	if (!txn)
		return;
	EXPECT(c, m.ops->scan_rows(m.inst, txn, SHARE, &content, 0, see_row, &seen), DFS_OK);
	CHECK(c, seen.n == 0);
	for (unsigned i = sizeof(ids); i-- > 0;) {
		memset(content.bytes, ids[i], sizeof(content.bytes));
		for (uint64_t b = 0; b < 2; b++) {
			struct dfs_segment seg = {.version = ids[i] * 2u + b, .length = 1};

			EXPECT(c,
			       m.ops->put_map(m.inst, txn, SHARE, &content, b * 256, b + 1, &seg,
					      1),
			       DFS_OK);
			EXPECT(c, m.ops->put_map(m.inst, txn, SHARE + 1, &content, b, b, &seg, 1),
			       DFS_OK);
		}
	}
	memset(content.bytes, 0, sizeof(content.bytes));
	EXPECT(c, m.ops->scan_rows(m.inst, txn, SHARE, &content, 0, see_row, &seen), DFS_OK);
	CHECK(c, seen.n == 10, "%u rows", seen.n);
	for (unsigned i = 0; i < 10 && seen.n == 10; i++)
		CHECK(c,
		      seen.row[i].content.bytes[0] == ids[i / 2] &&
			      seen.row[i].block == i % 2 * 256 && seen.row[i].lsn == i % 2 + 1 &&
			      seen.row[i].first.version == ids[i / 2] * 2u + i % 2,
		      "row %u is out of order", i);
	seen.n = 0;
	memset(content.bytes, 0x7f, sizeof(content.bytes));
	EXPECT(c, m.ops->scan_rows(m.inst, txn, SHARE, &content, 1, see_row, &seen), DFS_OK);
	CHECK(c, seen.n == 5 && seen.row[0].block == 256, "%u rows from the sixth on", seen.n);
	end(&m, txn);
}

const struct conform_test metadata_object_tests[] = {
	{"object", "an object keeps all its fields", test_object_fields},
	{"object", "an object is found by its hash while it is there", test_object_hash},
	{"object", "objects are found from a version on", test_object_scan},
	{"object", "dead objects come in the order of their time", test_dead},
	{"object", "rows of all contents come by content and block", test_rows},
	{NULL}};
