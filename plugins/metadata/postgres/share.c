/* SPDX-License-Identifier: MIT
 *
 * The rows of shares.
 */
#include <stddef.h>

#include "records.h"

struct share_ask {
	dfs_share_fn fn;
	void *arg;
};

static int
each_share(void *arg, const struct row *row)
{
	struct share_ask *ask = arg;
	struct dfs_share_record rec = {.size = sizeof(rec)};
	size_t len = row->len[3] > 0 ? (size_t)row->len[3] : 0;

	rec.id = (uint32_t)row_int(row, 0);
	memcpy(rec.uuid, row->bytes[1], sizeof(rec.uuid));
	rec.root = row_int(row, 2);
	if (len > sizeof(rec.name) - 1)
		len = sizeof(rec.name) - 1;
	memcpy(rec.name, row->bytes[3], len);
	rec.epoch = row_int(row, 4);
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
share_scan(void *inst, struct dfs_txn *txn, dfs_share_fn fn, void *arg)
{
	struct share_ask ask = {fn, arg};
	struct params p = {0};

	param_int8(&p, 0);
	return txn_scan(txn, S_SCAN_SHARES, &p, each_share, &ask);
}

enum dfs_status
share_put(void *inst, struct dfs_txn *txn, const struct dfs_share_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (rec->size < offsetof(struct dfs_share_record, epoch) || rec->id == 0)
		return store_refuse(inst, DFS_INVAL, "the share's row");
	writeset_begin(ws, K_SHARE, WS_PUT);
	writeset_int8(ws, rec->id);
	writeset_bytes(ws, rec->uuid, sizeof(rec->uuid));
	writeset_int8(ws, rec->root);
	writeset_bytes(ws, rec->name, (uint32_t)strnlen(rec->name, sizeof(rec->name)));
	writeset_int8(ws, rec->size >= sizeof(*rec) ? rec->epoch : 0);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
share_del(void *inst, struct dfs_txn *txn, uint32_t share)
{
	struct params p = {0};

	param_int8(&p, share);
	return txn_del(txn, K_SHARE, &p);
}
