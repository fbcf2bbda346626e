/* SPDX-License-Identifier: MIT
 *
 * Several inodes at a time: those that the transaction knows already, and one question for the others.
 */
#include "array.h"
#include "records.h"

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
			inode_decode(rec_at(w, i - 1), w->stride, row, at);
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
			inode_decode(rec_at(w, i), w->stride, &row, 0);
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
