/* SPDX-License-Identifier: MIT
 *
 * Ordered scans in pieces: each piece is one answer that lies in memory, so a callback may use the
 * transaction, and no answer is larger than so many rows.
 */
#include <stdlib.h>

#include "txn.h"

#define PIECE_MIN 16
#define PIECE_FIRST 128
#define PIECE_MAX 4096
#define PIECE_MAX_LARGE 512 /* of rows that may be tens of kilobytes long */

/* One more in a big-endian number; true: it was the highest, and is zero now. */
static bool
increment(unsigned char *b, int n)
{
	while (n-- > 0)
		if (++b[n])
			return false;
	return true;
}

/* The keys that a scan goes on from, as its own bytes. */
struct cursor {
	unsigned char bytes[4][DFS_STATE_KEY_MAX + 1];
	int len[4];
};

/* The first keys behind row's; false: there are none. */
static bool
behind(struct cursor *k, const struct scan_info *info, const struct row *row)
{
	for (unsigned i = 0; i < info->n_ordered; i++) {
		k->len[i] = row->len[info->n_equal + i];
		memcpy(k->bytes[i], row->bytes[info->n_equal + i], (size_t)k->len[i]);
	}
	if (info->kind == K_STATE) {
		k->bytes[0][k->len[0]++] = 0;
		return true;
	}
	for (unsigned i = info->n_ordered; i-- > 0;)
		if (!increment(k->bytes[i], k->len[i]))
			/* Cookies alone are ordered as signed numbers; they end at 2^63. */
			return info->kind != K_DIRENT || k->bytes[0][0] < 0x80;
	return false;
}

/* *stop: how many rows there were when fn wanted no more; 0: it has had all. */
static enum dfs_status
give_rows(struct store *s, enum kind kind, PGresult *res, row_fn fn, void *arg, int *stop)
{
	int n = PQntuples(res);
	struct row row;

	*stop = 0;
	for (int i = 0; i < n && !*stop; i++) {
		enum dfs_status st = row_of_record(s, &row, res, i, kind, 0);

		if (st != DFS_OK)
			return st;
		if (!fn(arg, &row))
			*stop = i + 1;
	}
	return DFS_OK;
}

/* Of a listing: what get_inodes may ask next. */
static void
keep(struct dfs_txn *txn, enum statement scan, PGresult *res)
{
	if (scan == S_SCAN_LISTING) {
		PQclear(txn->listing);
		txn->listing = res;
	} else {
		PQclear(res);
	}
}

static unsigned
first_piece(const struct dfs_txn *txn, enum statement scan)
{
	unsigned n;

	if (scan != S_SCAN_LISTING && scan != S_SCAN_DIRENTS)
		return PIECE_FIRST;
	n = atomic_load_explicit(&txn->s->piece, memory_order_relaxed);
	return n ? n : PIECE_FIRST;
}

/* Readers of folders ask for so many and stop; the next one shall get them in one piece. */
static void
learn(const struct dfs_txn *txn, enum statement scan, unsigned seen)
{
	if (scan != S_SCAN_LISTING && scan != S_SCAN_DIRENTS)
		return;
	if (seen < PIECE_MIN)
		seen = PIECE_MIN;
	if (seen > PIECE_MAX)
		seen = PIECE_MAX;
	atomic_store_explicit(&txn->s->piece, seen, memory_order_relaxed);
}

enum dfs_status
txn_scan(struct dfs_txn *txn, enum statement scan, struct params *p, row_fn fn, void *arg)
{
	struct scan_info info = statement_scan(scan);
	unsigned max = info.kind == K_STATE || info.kind == K_MAP ? PIECE_MAX_LARGE : PIECE_MAX;
	unsigned piece = first_piece(txn, scan), seen = 0;
	struct cursor k;

	for (;;) {
		PGresult *res = NULL;
		struct params all = *p;
		enum dfs_status st;
		struct row row;
		int n, stop;

		/* The copy's numbers lie in the copy. */
		for (int i = 0; i < all.n; i++)
			if (p->values[i] == p->numbers[i])
				all.values[i] = all.numbers[i];
		param_int8(&all, piece);
		st = txn_ask(txn, scan, &all, true, &res);
		if (st != DFS_OK)
			return st;
		n = PQntuples(res);
		st = give_rows(txn->s, info.kind, res, fn, arg, &stop);
		if (st != DFS_OK) {
			PQclear(res);
			return st;
		}
		if (stop)
			learn(txn, scan, seen + (unsigned)stop);
		if (n)
			row_of_result(&row, res, n - 1);
		if (stop || (unsigned)n < piece || !behind(&k, &info, &row)) {
			keep(txn, scan, res);
			return DFS_OK;
		}
		for (unsigned i = 0; i < info.n_ordered; i++) {
			p->values[info.n_equal + i] = (const char *)k.bytes[i];
			p->lengths[info.n_equal + i] = k.len[i];
		}
		PQclear(res);
		seen += (unsigned)n;
		piece = piece * 2 < max ? piece * 2 : max;
	}
}
