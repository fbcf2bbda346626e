/* SPDX-License-Identifier: MIT
 *
 * Sums of usage.  A session adds to rows of its own (part), so no two transactions meet in one; the sum
 * is made when it is read.
 */
#include "records.h"

#define PIECE 512

enum dfs_status
usage_add(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_usage_record *rec)
{
	const struct ws_add add = {
		.kind = rec->kind, .id = rec->id, .bytes = rec->bytes, .files = rec->files};
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (rec->kind > DFS_USAGE_GROUP)
		return store_refuse(inst, DFS_INVAL, "the kind of usage");
	if (!writeset_add(ws, share, &add, &st))
		return st == DFS_INVAL ? store_refuse(inst, st, "the sum of usage") : st;
	return DFS_OK;
}

enum dfs_status
usage_clear(void *inst, struct dfs_txn *txn, uint32_t share)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (ws && !writeset_clear(ws, share))
		st = DFS_NOMEM;
	return st;
}

/* Rows of one answer; the last sum in rec.  True: fn wants no more. */
static bool
give(const PGresult *res, dfs_usage_fn fn, void *arg, struct dfs_usage_record *rec)
{
	for (int i = 0; i < PQntuples(res); i++) {
		struct row row;

		row_of_result(&row, res, i);
		*rec = (struct dfs_usage_record){.size = sizeof(*rec)};
		rec->kind = (uint32_t)row_int(&row, 0);
		rec->id = (uint32_t)row_int(&row, 1);
		rec->bytes = (int64_t)row_int(&row, 2);
		rec->files = (int64_t)row_int(&row, 3);
		if (!fn(arg, rec))
			return true;
	}
	return false;
}

enum dfs_status
usage_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint32_t kind, uint32_t id,
	   dfs_usage_fn fn, void *arg)
{
	uint64_t next_kind = kind, next_id = id;

	for (;;) {
		struct dfs_usage_record last = {0};
		struct params p = {0};
		PGresult *res = NULL;
		enum dfs_status st;
		bool stop;
		int n;

		param_int8(&p, share);
		param_int8(&p, next_kind);
		param_int8(&p, next_id);
		param_int8(&p, PIECE);
		st = txn_ask(txn, S_USAGE_SCAN, &p, true, &res);
		if (st != DFS_OK)
			return st;
		n = PQntuples(res);
		stop = give(res, fn, arg, &last);
		PQclear(res);
		if (stop || n < PIECE)
			return DFS_OK;
		next_kind = last.kind;
		next_id = (uint64_t)last.id + 1;
	}
}
