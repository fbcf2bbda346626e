/* SPDX-License-Identifier: MIT
 *
 * Every operation on every kind of record, and the statuses of absence.
 */
#include "tools/conform/metadata.h"

/* Opens, begins a write transaction, runs the body with m and txn, aborts, closes. */
#define IN_WRITE_TXN(c, m, txn)                                                                    \
	struct md m;                                                                               \
	struct dfs_txn *txn = NULL;                                                                \
	if (!md_open((c), &m))                                                                     \
		return;                                                                            \
	txn = md_begin(&m, DFS_TXN_WRITE);                                                         \
	if (!txn) {                                                                                \
		md_close(&m);                                                                      \
		return;                                                                            \
	}

static void
end_txn(struct md *m, struct dfs_txn *txn)
{
	m->ops->abort(m->inst, txn);
	md_close(m);
}

/* ---- inodes ---- */

static void
test_inode_fields(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct md m;

	if (!md_open(c, &m))
		return;
	for (uint64_t salt = 1; salt <= 20; salt++) {
		md_put_inode(&m, SHARE, salt, salt);
		md_inode(&want, salt, salt);
		EXPECT(c, md_get_inode(&m, SHARE, salt, &rec), DFS_OK);
		CHECK(c, md_inode_equal(&rec, &want), "inode %u differs", (unsigned)salt);
		CHECK(c, rec.size == sizeof(rec), "the caller's size was changed");
	}
	md_close(&m);
}

static void
test_inode_replace(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct md m;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, SHARE, 9, 1);
	md_put_inode(&m, SHARE, 9, 2);
	md_inode(&want, 9, 2);
	EXPECT(c, md_get_inode(&m, SHARE, 9, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want));
	md_close(&m);
}

static void
test_inode_absent(struct conform *c)
{
	struct dfs_inode_record rec = {.size = sizeof(rec)};

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 77, &rec), DFS_NOENT);
	EXPECT(c, m.ops->del_inode(m.inst, txn, SHARE, 77), DFS_OK);
	md_inode(&rec, 77, 1);
	EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &rec), DFS_OK);
	EXPECT(c, m.ops->del_inode(m.inst, txn, SHARE, 77), DFS_OK);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 77, &rec), DFS_NOENT);
	end_txn(&m, txn);
}

static void
test_inode_shares(struct conform *c)
{
	struct dfs_inode_record rec, want;
	struct md m;

	if (!md_open(c, &m))
		return;
	md_put_inode(&m, 1, 5, 1);
	md_put_inode(&m, 2, 5, 2);
	md_inode(&want, 5, 1);
	EXPECT(c, md_get_inode(&m, 1, 5, &rec), DFS_OK);
	CHECK(c, md_inode_equal(&rec, &want));
	EXPECT(c, md_get_inode(&m, 3, 5, &rec), DFS_NOENT);
	md_close(&m);
}

/* A newer caller's struct is longer: what the store does not know comes back as zeros. */
static void
test_inode_longer(struct conform *c)
{
	struct {
		struct dfs_inode_record rec;
		unsigned char more[40];
	} big, want;

	IN_WRITE_TXN(c, m, txn);
	memset(&big, 0, sizeof(big));
	md_inode(&big.rec, 3, 3);
	want = big;
	big.rec.size = sizeof(big);
	EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &big.rec), DFS_OK);
	memset(&big, 0xee, sizeof(big));
	big.rec.size = sizeof(big);
	EXPECT(c, m.ops->get_inode(m.inst, txn, SHARE, 3, &big.rec), DFS_OK);
	CHECK(c, md_inode_equal(&big.rec, &want.rec));
	CHECK(c, big.rec.size == sizeof(big), "the caller's size was changed");
	for (unsigned i = 0; i < sizeof(big.more); i++)
		CHECK(c, big.more[i] == 0, "byte %u behind the record is not zero", i);
	end_txn(&m, txn);
}

static void
test_inodes_batch(struct conform *c)
{
	static const uint64_t ids[] = {5, 999, 1, 5, 3};
	struct dfs_inode_record recs[G_N_ELEMENTS(ids)], want;

	if (!c->plugin->ops.metadata.get_inodes) {
		conform_skip(c, "the store leaves get_inodes to the core");
		return;
	}
	IN_WRITE_TXN(c, m, txn);
	for (uint64_t id = 1; id <= 5; id++) {
		md_inode(&want, id, id);
		EXPECT(c, m.ops->put_inode(m.inst, txn, SHARE, &want), DFS_OK);
	}
	memset(recs, 0xaa, sizeof(recs));
	for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
		recs[i].size = sizeof(recs[i]);
	EXPECT(c, m.ops->get_inodes(m.inst, txn, SHARE, ids, G_N_ELEMENTS(ids), recs), DFS_OK);
	for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
		md_inode(&want, ids[i], ids[i]);
		if (ids[i] == 999)
			CHECK(c, recs[i].type == DFS_TYPE_NONE, "an absent inode has a type");
		else
			CHECK(c, md_inode_equal(&recs[i], &want), "answer %u differs", i);
	}
	end_txn(&m, txn);
}

/* ---- symbolic links ---- */

static void
test_symlink(struct conform *c)
{
	char buf[DFS_SYMLINK_MAX];
	uint32_t len = 0;

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->get_symlink(m.inst, txn, SHARE, 4, buf, &len), DFS_NOENT);
	EXPECT(c, m.ops->del_symlink(m.inst, txn, SHARE, 4), DFS_OK);
	EXPECT(c, m.ops->put_symlink(m.inst, txn, SHARE, 4, "../else\xff/where", 14), DFS_OK);
	EXPECT(c, m.ops->get_symlink(m.inst, txn, SHARE, 4, buf, &len), DFS_OK);
	CHECK(c, len == 14 && !memcmp(buf, "../else\xff/where", 14));
	EXPECT(c, m.ops->put_symlink(m.inst, txn, SHARE, 4, "x", 1), DFS_OK);
	EXPECT(c, m.ops->get_symlink(m.inst, txn, SHARE, 4, buf, &len), DFS_OK);
	CHECK(c, len == 1 && buf[0] == 'x');
	EXPECT(c, m.ops->del_symlink(m.inst, txn, SHARE, 4), DFS_OK);
	EXPECT(c, m.ops->get_symlink(m.inst, txn, SHARE, 4, buf, &len), DFS_NOENT);
	end_txn(&m, txn);
}

/* ---- directory entries ---- */

struct dirent_seen {
	unsigned calls;
	struct dfs_dirent_record rec;
	char name[DFS_NAME_MAX];
};

static int
see_dirent(void *arg, const struct dfs_dirent_record *rec)
{
	struct dirent_seen *seen = arg;

	seen->calls++;
	seen->rec = *rec;
	if (rec->name_len <= DFS_NAME_MAX && rec->name_len)
		memcpy(seen->name, rec->name, rec->name_len);
	return 1;
}

static void
check_dirent(struct md *m, struct dfs_txn *txn, uint64_t dir, const struct dfs_dirent_record *want)
{
	struct dirent_seen seen = {.calls = 0};
	struct conform *c = m->c;

	EXPECT(c, m->ops->get_dirent(m->inst, txn, SHARE, dir, want->cookie, see_dirent, &seen),
	       DFS_OK);
	CHECK(c, seen.calls == 1, "the callback was called %u times", seen.calls);
	CHECK(c, seen.rec.size >= sizeof(seen.rec), "the record has no size");
	CHECK(c, seen.rec.cookie == want->cookie && seen.rec.fileid == want->fileid &&
			 seen.rec.type == want->type && seen.rec.flags == want->flags);
	CHECK(c,
	      seen.rec.name_len == want->name_len && !memcmp(seen.name, want->name, want->name_len),
	      "the name differs");
}

static void
test_dirent(struct conform *c)
{
	struct dirent_seen seen = {.calls = 0};
	struct dfs_dirent_record rec;

	IN_WRITE_TXN(c, m, txn);
	md_dirent(&rec, 1000, "first");
	rec.flags = DFS_DIRENT_MORE;
	EXPECT(c, m.ops->get_dirent(m.inst, txn, SHARE, 2, 1000, see_dirent, &seen), DFS_NOENT);
	CHECK(c, seen.calls == 0, "the callback was called for an absent entry");
	EXPECT(c, m.ops->del_dirent(m.inst, txn, SHARE, 2, 1000), DFS_OK);
	EXPECT(c, m.ops->put_dirent(m.inst, txn, SHARE, 2, &rec), DFS_OK);
	check_dirent(&m, txn, 2, &rec);
	md_dirent(&rec, 1000, "second name, longer");
	rec.type = DFS_TYPE_DIR;
	EXPECT(c, m.ops->put_dirent(m.inst, txn, SHARE, 2, &rec), DFS_OK);
	check_dirent(&m, txn, 2, &rec);
	EXPECT(c, m.ops->get_dirent(m.inst, txn, SHARE, 3, 1000, see_dirent, &seen), DFS_NOENT);
	EXPECT(c, m.ops->get_dirent(m.inst, txn, SHARE + 1, 2, 1000, see_dirent, &seen), DFS_NOENT);
	EXPECT(c, m.ops->del_dirent(m.inst, txn, SHARE, 2, 1000), DFS_OK);
	EXPECT(c, m.ops->get_dirent(m.inst, txn, SHARE, 2, 1000, see_dirent, &seen), DFS_NOENT);
	end_txn(&m, txn);
}

static void
test_dirent_bytes(struct conform *c)
{
	char name[DFS_NAME_MAX];
	struct dfs_dirent_record rec;

	IN_WRITE_TXN(c, m, txn);
	for (unsigned i = 0; i < sizeof(name); i++)
		name[i] = (char)(i + 1);
	md_dirent(&rec, 64, "");
	rec.name = name;
	for (rec.name_len = 1; rec.name_len <= sizeof(name); rec.name_len++) {
		rec.cookie = 64 + rec.name_len;
		EXPECT(c, m.ops->put_dirent(m.inst, txn, SHARE, 2, &rec), DFS_OK);
		check_dirent(&m, txn, 2, &rec);
	}
	end_txn(&m, txn);
}

static void
test_dirent_tombstone(struct conform *c)
{
	struct dfs_dirent_record rec = {.size = sizeof(rec),
					.cookie = 70,
					.name = "",
					.flags = DFS_DIRENT_TOMBSTONE | DFS_DIRENT_MORE};

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->put_dirent(m.inst, txn, SHARE, 2, &rec), DFS_OK);
	check_dirent(&m, txn, 2, &rec);
	end_txn(&m, txn);
}

/* ---- block maps and orphans ---- */

struct map_seen {
	GArray *blocks;
	uint64_t lsn;
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	uint32_t n;
};

static int
see_map(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct map_seen *seen = arg;

	g_array_append_val(seen->blocks, block);
	seen->lsn = lsn;
	seen->n = n;
	if (n <= DFS_SEGMENTS_MAX)
		memcpy(seen->segs, segs, n * sizeof(*segs));
	return 1;
}

static void
fill_segments(struct dfs_segment *segs, uint32_t n, uint64_t salt)
{
	memset(segs, 0, n * sizeof(*segs));
	for (uint32_t i = 0; i < n; i++) {
		segs[i].version = conform_random(&salt);
		segs[i].offset = (uint32_t)conform_random(&salt);
		segs[i].length = (uint32_t)conform_random(&salt);
		segs[i].at = (uint32_t)conform_random(&salt);
		segs[i].flags = (uint32_t)conform_random(&salt);
	}
}

static void
test_map(struct conform *c)
{
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	struct dfs_content_id content;
	struct map_seen seen;

	IN_WRITE_TXN(c, m, txn);
	md_content(&content, 1);
	for (uint32_t n = 1; n <= DFS_SEGMENTS_MAX; n += 9) {
		fill_segments(segs, n, n);
		EXPECT(c, m.ops->put_map(m.inst, txn, SHARE, &content, n, n * 7, segs, n), DFS_OK);
		seen.blocks = g_array_new(FALSE, FALSE, 8);
		EXPECT(c, m.ops->scan_map(m.inst, txn, SHARE, &content, n, see_map, &seen), DFS_OK);
		CHECK(c, seen.blocks->len == 1 && g_array_index(seen.blocks, uint64_t, 0) == n);
		CHECK(c,
		      seen.n == n && seen.lsn == n * 7 &&
			      !memcmp(seen.segs, segs, n * sizeof(*segs)),
		      "the row of %u segments differs", n);
		g_array_unref(seen.blocks);
	}
	end_txn(&m, txn);
}

static unsigned
count_map(struct md *m, struct dfs_txn *txn, const struct dfs_content_id *content, uint64_t from)
{
	struct map_seen seen = {.blocks = g_array_new(FALSE, FALSE, 8)};
	unsigned n;

	EXPECT(m->c, m->ops->scan_map(m->inst, txn, SHARE, content, from, see_map, &seen), DFS_OK);
	n = seen.blocks->len;
	g_array_unref(seen.blocks);
	return n;
}

static void
test_map_delete(struct conform *c)
{
	struct dfs_segment seg = {.version = 1, .length = 1};
	struct dfs_content_id a, b;

	IN_WRITE_TXN(c, m, txn);
	md_content(&a, 1);
	md_content(&b, 2);
	for (uint64_t block = 0; block < 1000; block++) {
		EXPECT(c, m.ops->put_map(m.inst, txn, SHARE, &a, block, 0, &seg, 1), DFS_OK);
		EXPECT(c, m.ops->put_map(m.inst, txn, SHARE, &b, block, 0, &seg, 1), DFS_OK);
	}
	EXPECT(c, m.ops->put_map(m.inst, txn, SHARE, &a, UINT64_MAX - 1, 0, &seg, 1), DFS_OK);
	EXPECT(c, m.ops->del_map(m.inst, txn, SHARE, &a, 10, 10), DFS_OK);
	CHECK(c, count_map(&m, txn, &a, 0) == 1001, "an empty range deleted rows");
	EXPECT(c, m.ops->del_map(m.inst, txn, SHARE, &a, 10, 500), DFS_OK);
	CHECK(c, count_map(&m, txn, &a, 0) == 511, "%u rows are left", count_map(&m, txn, &a, 0));
	CHECK(c, count_map(&m, txn, &a, 500) == 501, "the end of the range was deleted");
	EXPECT(c, m.ops->del_map(m.inst, txn, SHARE, &a, 0, UINT64_MAX), DFS_OK);
	CHECK(c, count_map(&m, txn, &a, 0) == 0, "%u rows are left", count_map(&m, txn, &a, 0));
	CHECK(c, count_map(&m, txn, &b, 0) == 1000, "rows of another content were deleted");
	end_txn(&m, txn);
}

struct orphan_seen {
	unsigned n;
	uint64_t ids[16];
	struct dfs_content_id content[16];
};

static int
see_orphan(void *arg, uint64_t fileid, const struct dfs_content_id *content)
{
	struct orphan_seen *seen = arg;

	if (seen->n >= 16)
		return 0;
	seen->ids[seen->n] = fileid;
	seen->content[seen->n++] = *content;
	return 1;
}

static void
test_orphans(struct conform *c)
{
	struct orphan_seen seen = {.n = 0};
	struct dfs_content_id content;

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->del_orphan(m.inst, txn, SHARE, 1), DFS_OK);
	for (uint64_t id = 10; id > 0; id--) {
		md_content(&content, id);
		EXPECT(c, m.ops->put_orphan(m.inst, txn, SHARE, id * 256, &content), DFS_OK);
	}
	EXPECT(c, m.ops->del_orphan(m.inst, txn, SHARE, 5 * 256), DFS_OK);
	EXPECT(c, m.ops->scan_orphans(m.inst, txn, SHARE, 3 * 256, see_orphan, &seen), DFS_OK);
	CHECK(c, seen.n == 7 && seen.ids[0] == 768 && seen.ids[1] == 1024 && seen.ids[2] == 1536,
	      "%u orphans", seen.n);
	md_content(&content, 6);
	CHECK(c, !memcmp(&content, &seen.content[2], sizeof(content)), "the content differs");
	end_txn(&m, txn);
}

/* ---- state and shares ---- */

static void
test_state(struct conform *c)
{
	char buf[32];
	uint32_t len = sizeof(buf);

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->get_state(m.inst, txn, 0, "key", 3, buf, &len), DFS_NOENT);
	EXPECT(c, m.ops->del_state(m.inst, txn, 0, "key", 3), DFS_OK);
	EXPECT(c, m.ops->put_state(m.inst, txn, 0, "key", 3, "value", 5), DFS_OK);
	EXPECT(c, m.ops->get_state(m.inst, txn, 0, "key", 3, buf, &len), DFS_OK);
	CHECK(c, len == 5 && !memcmp(buf, "value", 5));
	len = sizeof(buf);
	EXPECT(c, m.ops->get_state(m.inst, txn, 1, "key", 3, buf, &len), DFS_NOENT);
	EXPECT(c, m.ops->put_state(m.inst, txn, 0, "key", 3, NULL, 0), DFS_OK);
	EXPECT(c, m.ops->get_state(m.inst, txn, 0, "key", 3, buf, &len), DFS_OK);
	CHECK(c, len == 0, "the empty value has %u bytes", len);
	EXPECT(c, m.ops->del_state(m.inst, txn, 0, "key", 3), DFS_OK);
	len = sizeof(buf);
	EXPECT(c, m.ops->get_state(m.inst, txn, 0, "key", 3, buf, &len), DFS_NOENT);
	end_txn(&m, txn);
}

static void
test_state_short_buffer(struct conform *c)
{
	char buf[4] = "zzz";
	uint32_t len = 3;

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->put_state(m.inst, txn, SHARE, "k", 1, "12345", 5), DFS_OK);
	EXPECT(c, m.ops->get_state(m.inst, txn, SHARE, "k", 1, buf, &len), DFS_TOOSMALL);
	CHECK(c, len == 5, "the length is told as %u", len);
	CHECK(c, buf[3] == 0, "the buffer was overrun");
	end_txn(&m, txn);
}

struct state_seen {
	GString *keys;
	unsigned n;
};

static int
see_state(void *arg, const char *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct state_seen *seen = arg;

	g_string_append_len(seen->keys, key, key_len);
	g_string_append_c(seen->keys, '=');
	g_string_append_len(seen->keys, value, value_len);
	g_string_append_c(seen->keys, ';');
	seen->n++;
	return 1;
}

static void
test_state_scan(struct conform *c)
{
	static const char *const keys[] = {"b/2", "a", "b/", "b", "b/10", "c", "b/1"};
	struct state_seen seen = {g_string_new(""), 0};

	IN_WRITE_TXN(c, m, txn);
	for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
		EXPECT(c, m.ops->put_state(m.inst, txn, SHARE, keys[i], strlen(keys[i]), "v", 1),
		       DFS_OK);
	EXPECT(c, m.ops->scan_state(m.inst, txn, SHARE, "b/", 2, see_state, &seen), DFS_OK);
	CHECK(c, !strcmp(seen.keys->str, "b/=v;b/1=v;b/10=v;b/2=v;"), "%s", seen.keys->str);
	g_string_truncate(seen.keys, 0);
	EXPECT(c, m.ops->scan_state(m.inst, txn, SHARE, "", 0, see_state, &seen), DFS_OK);
	CHECK(c, !strcmp(seen.keys->str, "a=v;b=v;b/=v;b/1=v;b/10=v;b/2=v;c=v;"), "%s",
	      seen.keys->str);
	g_string_free(seen.keys, TRUE);
	end_txn(&m, txn);
}

static void
test_state_bytes(struct conform *c)
{
	struct state_seen seen = {g_string_new(""), 0};

	IN_WRITE_TXN(c, m, txn);
	for (unsigned i = 0; i < 256; i++) {
		char key[2] = {(char)0xff, (char)i};

		EXPECT(c, m.ops->put_state(m.inst, txn, SHARE, key, 2, key, 2), DFS_OK);
	}
	EXPECT(c, m.ops->scan_state(m.inst, txn, SHARE, "\xff", 1, see_state, &seen), DFS_OK);
	CHECK(c, seen.n == 256, "%u keys are found", seen.n);
	for (unsigned i = 0; i < 256 && seen.n == 256; i++)
		CHECK(c, (unsigned char)seen.keys->str[i * 6 + 1] == i, "key %u is out of order",
		      i);
	g_string_free(seen.keys, TRUE);
	end_txn(&m, txn);
}

struct shares_seen {
	unsigned n;
	struct dfs_share_record rec[8];
};

static int
see_share(void *arg, const struct dfs_share_record *rec)
{
	struct shares_seen *seen = arg;

	if (seen->n < 8)
		seen->rec[seen->n] = *rec;
	seen->n++;
	return 1;
}

static void
test_shares(struct conform *c)
{
	struct dfs_share_record rec = {.size = sizeof(rec), .root = 2};
	struct shares_seen seen = {.n = 0};

	IN_WRITE_TXN(c, m, txn);
	EXPECT(c, m.ops->scan_shares(m.inst, txn, see_share, &seen), DFS_OK);
	CHECK(c, seen.n == 0, "a new store has %u shares", seen.n);
	for (uint32_t id = 1; id <= 3; id++) {
		rec.id = id == 3 ? UINT32_MAX : id;
		memset(rec.uuid, (int)id, sizeof(rec.uuid));
		memset(rec.name, 'a' + (int)id, sizeof(rec.name) - 1);
		EXPECT(c, m.ops->put_share(m.inst, txn, &rec), DFS_OK);
	}
	EXPECT(c, m.ops->del_share(m.inst, txn, 1), DFS_OK);
	EXPECT(c, m.ops->del_share(m.inst, txn, 1), DFS_OK);
	EXPECT(c, m.ops->scan_shares(m.inst, txn, see_share, &seen), DFS_OK);
	CHECK(c, seen.n == 2, "%u shares", seen.n);
	CHECK(c, seen.rec[0].id == 2 && seen.rec[1].id == UINT32_MAX && seen.rec[1].root == 2);
	CHECK(c,
	      !memcmp(seen.rec[1].uuid, rec.uuid, sizeof(rec.uuid)) &&
		      !strcmp(seen.rec[1].name, rec.name),
	      "the row differs");
	end_txn(&m, txn);
}

const struct conform_test metadata_record_tests[] = {
	{"record", "an inode keeps all its fields", test_inode_fields},
	{"record", "putting an inode replaces it", test_inode_replace},
	{"record", "an absent inode is NOENT and may be deleted", test_inode_absent},
	{"record", "equal ids of two shares are two inodes", test_inode_shares},
	{"record", "a longer inode struct is filled up with zeros", test_inode_longer},
	{"record", "a batch of inodes answers each id, absent ones too", test_inodes_batch},
	{"record", "a symbolic link keeps its text", test_symlink},
	{"record", "a directory entry keeps all its fields", test_dirent},
	{"record", "a name may hold every byte and length", test_dirent_bytes},
	{"record", "a tombstone is kept", test_dirent_tombstone},
	{"record", "a map row keeps its segments in order", test_map},
	{"record", "deleting map rows deletes the range and nothing else", test_map_delete},
	{"record", "orphans are found from an id on", test_orphans},
	{"record", "state is kept per share, empty values too", test_state},
	{"record", "a short buffer is told the length of the state", test_state_short_buffer},
	{"record", "state is scanned by prefix, ascending", test_state_scan},
	{"record", "state keys may hold every byte", test_state_bytes},
	{"record", "the rows of shares are kept", test_shares},
	{NULL}};
