/* SPDX-License-Identifier: MIT
 *
 * Block map rows.  A row's segments lie one after the other, 24 bytes each, big endian (the view
 * block_segments takes them apart).
 */
#include "records.h"

#define SEGMENT 24

struct map_ask {
	struct store *s;
	dfs_map_fn map;
	dfs_row_fn row;
	void *arg;
	enum dfs_status status;
};

static int
each_map(void *arg, const struct row *row)
{
	struct map_ask *ask = arg;
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	struct dfs_content_id content;
	const unsigned char *b = row->bytes[4];
	uint64_t block = row_int(row, 2), lsn = row_int(row, 3);
	int32_t len = row->len[4];
	uint32_t n;

	if (len < SEGMENT || len % SEGMENT || len / SEGMENT > DFS_SEGMENTS_MAX) {
		ask->status = ask->s->host->fail(ask->s->host->ctx, DFS_CORRUPT,
						 "the map row of block %llu is damaged",
						 (unsigned long long)block);
		return 0;
	}
	n = (uint32_t)len / SEGMENT;
	for (uint32_t i = 0; i < n; i++, b += SEGMENT)
		segs[i] = (struct dfs_segment){get_be64(b), get_be32(b + 8), get_be32(b + 12),
					       get_be32(b + 16), get_be32(b + 20)};
	if (ask->map)
		return ask->map(ask->arg, block, lsn, segs, n);
	memcpy(content.bytes, row->bytes[1], sizeof(content.bytes));
	return ask->row(ask->arg, &content, block, lsn, segs, n);
}

static enum dfs_status
scan(struct map_ask *ask, struct dfs_txn *txn, enum statement stmt, uint32_t share,
     const struct dfs_content_id *content, uint64_t block)
{
	struct params p = {0};
	enum dfs_status st;

	param_int8(&p, share);
	param_bytes(&p, content->bytes, sizeof(content->bytes));
	param_int8(&p, block);
	st = txn_scan(txn, stmt, &p, each_map, ask);
	return st == DFS_OK ? ask->status : st;
}

enum dfs_status
map_scan(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_content_id *content,
	 uint64_t from, dfs_map_fn fn, void *arg)
{
	struct map_ask ask = {inst, fn, NULL, arg, DFS_OK};

	return scan(&ask, txn, S_SCAN_MAP, share, content, from);
}

enum dfs_status
rows_scan(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_content_id *content,
	  uint64_t block, dfs_row_fn fn, void *arg)
{
	struct map_ask ask = {inst, NULL, fn, arg, DFS_OK};

	return scan(&ask, txn, S_SCAN_ROWS, share, content, block);
}

enum dfs_status
map_put(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_content_id *content,
	uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);
	unsigned char b[SEGMENT * DFS_SEGMENTS_MAX];

	if (!ws)
		return st;
	if (n < 1 || n > DFS_SEGMENTS_MAX)
		return store_refuse(inst, DFS_INVAL, "the number of segments");
	for (uint32_t i = 0; i < n; i++) {
		put_be64(b + SEGMENT * i, segs[i].version);
		put_be32(b + SEGMENT * i + 8, segs[i].offset);
		put_be32(b + SEGMENT * i + 12, segs[i].length);
		put_be32(b + SEGMENT * i + 16, segs[i].at);
		put_be32(b + SEGMENT * i + 20, segs[i].flags);
	}
	writeset_begin(ws, K_MAP, WS_PUT);
	writeset_int8(ws, share);
	writeset_bytes(ws, content->bytes, sizeof(content->bytes));
	writeset_int8(ws, block);
	writeset_int8(ws, lsn);
	writeset_bytes(ws, b, SEGMENT * n);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
map_del(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_content_id *content,
	uint64_t from, uint64_t to)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	return ws ? txn_wrote(txn, writeset_del_range(ws, share, content, from, to)) : st;
}
