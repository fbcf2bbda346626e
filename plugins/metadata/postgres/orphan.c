/* SPDX-License-Identifier: MIT
 *
 * Orphans.
 */
#include "records.h"

struct orphan_ask {
	dfs_orphan_fn fn;
	void *arg;
};

static int
each_orphan(void *arg, const struct row *row)
{
	struct orphan_ask *ask = arg;
	struct dfs_content_id content;

	memcpy(content.bytes, row->bytes[2], sizeof(content.bytes));
	return ask->fn(ask->arg, row_int(row, 1), &content);
}

enum dfs_status
orphan_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from, dfs_orphan_fn fn,
	    void *arg)
{
	struct orphan_ask ask = {fn, arg};
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, from);
	return txn_scan(txn, S_SCAN_ORPHANS, &p, each_orphan, &ask);
}

enum dfs_status
orphan_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
	   const struct dfs_content_id *content)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	writeset_begin(ws, K_ORPHAN, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, fileid);
	writeset_bytes(ws, content->bytes, sizeof(content->bytes));
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
orphan_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_del(txn, K_ORPHAN, &p);
}
