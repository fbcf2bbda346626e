/* SPDX-License-Identifier: MIT
 *
 * Inodes and the texts of symbolic links.
 */
#include <stddef.h>
#include <stdlib.h>

#include "array.h"
#include "records.h"

/* Up to here every release has known the record. */
#define INODE_SIZE_MIN (offsetof(struct dfs_inode_record, content) + sizeof(struct dfs_content_id))

/* row: of K_INODE, from column `at` on. */
static void
decode(struct dfs_inode_record *out, uint32_t size, const struct row *row, unsigned at)
{
	struct dfs_inode_record rec;
	struct row r;

	for (unsigned i = 0; i < INODE_COLUMNS; i++) {
		r.bytes[i] = row->bytes[at + i];
		r.len[i] = row->len[at + i];
	}
	memset(&rec, 0, sizeof(rec));
	rec.type = (uint32_t)row_int(&r, INODE_TYPE);
	rec.mode = (uint32_t)row_int(&r, INODE_MODE);
	rec.nlink = (uint32_t)row_int(&r, INODE_NLINK);
	rec.uid = (uint32_t)row_int(&r, INODE_UID);
	rec.gid = (uint32_t)row_int(&r, INODE_GID);
	rec.rdev_major = (uint32_t)row_int(&r, INODE_RDEV_MAJOR);
	rec.rdev_minor = (uint32_t)row_int(&r, INODE_RDEV_MINOR);
	rec.fileid = row_int(&r, INODE_FILEID);
	rec.generation = row_int(&r, INODE_GENERATION);
	rec.length = row_int(&r, INODE_LENGTH);
	rec.used = row_int(&r, INODE_USED);
	rec.change = row_int(&r, INODE_CHANGE);
	rec.atime = (int64_t)row_int(&r, INODE_ATIME);
	rec.mtime = (int64_t)row_int(&r, INODE_MTIME);
	rec.ctime = (int64_t)row_int(&r, INODE_CTIME);
	rec.btime = (int64_t)row_int(&r, INODE_BTIME);
	rec.parent = row_int(&r, INODE_PARENT);
	rec.verifier = row_int(&r, INODE_VERIFIER);
	rec.flags = (uint32_t)row_int(&r, INODE_FLAGS);
	memcpy(rec.content.bytes, r.bytes[INODE_CONTENT], sizeof(rec.content.bytes));
	rec.cut_lsn = row_int(&r, INODE_CUT_LSN);
	rec.cut_length = row_int(&r, INODE_CUT_LENGTH);
	rec.revision = row_int(&r, INODE_REVISION);
	give_record(out, size, &rec, sizeof(rec));
}

static int
got_inode(void *arg, const struct row *row)
{
	struct dfs_inode_record *rec = arg;

	decode(rec, rec->size, row, 0);
	return 0;
}

enum dfs_status
inode_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
	  struct dfs_inode_record *rec)
{
	struct params p = {0};

	if (rec->size < INODE_SIZE_MIN)
		return store_refuse(inst, DFS_INVAL, "the inode record's size");
	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_get(txn, K_INODE, &p, got_inode, rec);
}

enum dfs_status
inode_put(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_inode_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);
	struct dfs_inode_record r = {0};

	if (!ws)
		return st;
	if (rec->size < INODE_SIZE_MIN || rec->type < DFS_TYPE_REG || rec->type > 255)
		return store_refuse(inst, DFS_INVAL, "the inode");
	memcpy(&r, rec, rec->size < sizeof(r) ? rec->size : sizeof(r));
	writeset_begin(ws, K_INODE, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, r.fileid);
	writeset_int8(ws, r.generation);
	writeset_int2(ws, (uint16_t)r.type);
	writeset_int4(ws, r.mode);
	writeset_int8(ws, r.nlink);
	writeset_int8(ws, r.uid);
	writeset_int8(ws, r.gid);
	writeset_int8(ws, r.rdev_major);
	writeset_int8(ws, r.rdev_minor);
	writeset_int8(ws, r.length);
	writeset_int8(ws, r.used);
	writeset_int8(ws, r.change);
	writeset_int8(ws, (uint64_t)r.atime);
	writeset_int8(ws, (uint64_t)r.mtime);
	writeset_int8(ws, (uint64_t)r.ctime);
	writeset_int8(ws, (uint64_t)r.btime);
	writeset_int8(ws, r.parent);
	writeset_int8(ws, r.verifier);
	writeset_int8(ws, r.flags);
	writeset_bytes(ws, r.content.bytes, sizeof(r.content.bytes));
	writeset_int8(ws, r.cut_lsn);
	writeset_int8(ws, r.cut_length);
	writeset_int8(ws, r.revision);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
inode_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_del(txn, K_INODE, &p);
}

/* ---- several ---- */

#define BATCH_MAX 1024
#define TABLE (2 * BATCH_MAX) /* a power of 2 */

/* Which of ids are still wanted, by file id: open addressing, position + 1. */
struct wanted {
	struct dfs_txn *txn;
	uint32_t share, n, stride;
	const uint64_t *ids;
	char *recs;
	uint16_t heads[TABLE], next[BATCH_MAX];
	bool done[BATCH_MAX];
	uint32_t left;
};

static unsigned
slot_of(uint64_t id)
{
	return (unsigned)(id * UINT64_C(0x9e3779b97f4a7c15) >> 53);
}

static struct dfs_inode_record *
rec_at(const struct wanted *w, uint32_t i)
{
	return (void *)(w->recs + (size_t)i * w->stride);
}

static void
give_row(struct wanted *w, const struct row *row, unsigned at)
{
	uint64_t id;

	/* A listing has NULLs where there is no inode. */
	if (!row_fits(row, &kinds[K_INODE], at) || row_int(row, at + INODE_SHARE) != w->share)
		return;
	id = row_int(row, at + INODE_FILEID);
	for (unsigned i = w->heads[slot_of(id)]; i; i = w->next[i - 1])
		if (w->ids[i - 1] == id && !w->done[i - 1]) {
			decode(rec_at(w, i - 1), w->stride, row, at);
			w->done[i - 1] = true;
			w->left--;
		}
}

/* What this transaction wrote comes first, then what its last listing has brought. */
static void
give_known(struct wanted *w)
{
	struct dfs_txn *txn = w->txn;

	for (uint32_t i = 0; txn->ws && i < w->n; i++) {
		const struct ws_record *r;
		struct params p = {0};
		struct row row;

		param_int8(&p, w->share);
		param_int8(&p, w->ids[i]);
		txn_key(txn->ws, K_INODE, WS_DEL, &p);
		r = writeset_find(txn->ws);
		if (!r || w->done[i])
			continue;
		if (r->op == WS_PUT) {
			row_split(&row, txn->ws->bytes + r->at, INODE_COLUMNS);
			decode(rec_at(w, i), w->stride, &row, 0);
		}
		w->done[i] = true;
		w->left--;
	}
	for (int i = 0; txn->listing && w->left && i < PQntuples(txn->listing); i++) {
		struct row row;

		row_of_result(&row, txn->listing, i);
		give_row(w, &row, kinds[K_DIRENT].n_columns);
	}
}

static enum dfs_status
ask_rest(struct wanted *w)
{
	unsigned char array[ARRAY_HEAD + ARRAY_INT8 * BATCH_MAX];
	struct params p = {0};
	PGresult *res = NULL;
	enum dfs_status st;
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (!w->done[i])
			array_put_int8(array, n++, w->ids[i]);
	array_head(array, false, T_INT8, n);
	param_int8(&p, w->share);
	param_bytes(&p, array, (int32_t)(ARRAY_HEAD + ARRAY_INT8 * n));
	st = txn_ask(w->txn, S_GET_INODES, &p, false, &res);
	for (int i = 0; st == DFS_OK && i < PQntuples(res); i++) {
		struct row row;

		st = row_of_record(w->txn->s, &row, res, i, K_INODE, 0);
		if (st == DFS_OK)
			give_row(w, &row, 0);
	}
	PQclear(res);
	return st;
}

enum dfs_status
inodes_get(void *inst, struct dfs_txn *txn, uint32_t share, const uint64_t *ids, uint32_t n,
	   struct dfs_inode_record *recs)
{
	struct store *s = inst;
	struct wanted w = {.txn = txn, .share = share, .n = n, .ids = ids, .recs = (char *)recs};

	if (txn->failed)
		return txn->failed;
	if (n < 1 || n > BATCH_MAX || recs->size < INODE_SIZE_MIN)
		return store_refuse(s, DFS_INVAL, "the batch of inodes");
	/* The caller's struct may be longer or shorter than ours: its size is the stride. */
	w.stride = recs->size;
	w.left = n;
	for (uint32_t i = 0; i < n; i++) {
		unsigned slot = slot_of(ids[i]);

		rec_at(&w, i)->size = w.stride;
		rec_at(&w, i)->type = DFS_TYPE_NONE;
		w.next[i] = w.heads[slot];
		w.heads[slot] = (uint16_t)(i + 1);
	}
	/* Readers of folders want the inodes as well, it seems. */
	if (!txn->write)
		atomic_store_explicit(&s->listing, true, memory_order_relaxed);
	give_known(&w);
	return w.left ? ask_rest(&w) : DFS_OK;
}

/* ---- symbolic links ---- */

struct symlink_ask {
	char *buf;
	uint32_t *len;
	bool bad;
};

static int
got_symlink(void *arg, const struct row *row)
{
	struct symlink_ask *ask = arg;

	ask->bad = row->len[2] < 0 || row->len[2] > DFS_SYMLINK_MAX;
	if (ask->bad)
		return 0;
	memcpy(ask->buf, row->bytes[2], (size_t)row->len[2]);
	*ask->len = (uint32_t)row->len[2];
	return 0;
}

enum dfs_status
symlink_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid, char *buf,
	    uint32_t *len)
{
	struct store *s = inst;
	struct symlink_ask ask = {buf, len, false};
	struct params p = {0};
	enum dfs_status st;

	param_int8(&p, share);
	param_int8(&p, fileid);
	st = txn_get(txn, K_SYMLINK, &p, got_symlink, &ask);
	if (ask.bad)
		return s->host->fail(s->host->ctx, DFS_CORRUPT,
				     "the symbolic link %llu of share %u is damaged",
				     (unsigned long long)fileid, share);
	return st;
}

enum dfs_status
symlink_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid, const char *text,
	    uint32_t len)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (len > DFS_SYMLINK_MAX)
		return store_refuse(inst, DFS_TOOBIG, "the text of the symbolic link");
	writeset_begin(ws, K_SYMLINK, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, fileid);
	writeset_bytes(ws, text, len);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
symlink_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_del(txn, K_SYMLINK, &p);
}
