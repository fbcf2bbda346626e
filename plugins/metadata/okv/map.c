/* SPDX-License-Identifier: MIT
 *
 * Block map rows and orphans on the ordered key-value contract.
 */
#include "okv.h"

#define DEL_AT_ONCE 128 /* rows whose keys del_map collects before it erases them */

struct map_ask {
	struct okv_ask ask;
	dfs_map_fn fn;
	void *arg;
};

static int
got_map(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct map_ask *ask = arg;
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	uint64_t lsn;
	uint32_t n;
	enum dfs_status st =
		key_len == 29 ? okv_decode_map(value, value_len, &lsn, segs, &n) : DFS_CORRUPT;
	uint64_t block = key_len == 29 ? okv_get_be64((const unsigned char *)key + 21) : 0;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "map row of block", block);
	return ask->fn(ask->arg, block, lsn, segs, n);
}

enum dfs_status
dfs_okv_scan_map(void *inst, struct dfs_txn *txn, uint32_t share,
		 const struct dfs_content_id *content, uint64_t from, dfs_map_fn fn, void *arg)
{
	struct map_ask ask = {{inst, DFS_OK, share}, fn, arg};
	unsigned char key[29];

	okv_map_key(key, share, content, from);
	return okv_scan(inst, txn, key, sizeof(key), 21, got_map, &ask.ask);
}

struct row_ask {
	struct okv_ask ask;
	dfs_row_fn fn;
	void *arg;
};

static int
got_row(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct row_ask *ask = arg;
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
	struct dfs_content_id content;
	uint64_t lsn, block;
	uint32_t n;
	enum dfs_status st =
		key_len == 29 ? okv_decode_map(value, value_len, &lsn, segs, &n) : DFS_CORRUPT;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "map row of length", value_len);
	memcpy(content.bytes, (const unsigned char *)key + 5, sizeof(content.bytes));
	block = okv_get_be64((const unsigned char *)key + 21);
	return ask->fn(ask->arg, &content, block, lsn, segs, n);
}

enum dfs_status
dfs_okv_scan_rows(void *inst, struct dfs_txn *txn, uint32_t share,
		  const struct dfs_content_id *content, uint64_t block, dfs_row_fn fn, void *arg)
{
	struct row_ask ask = {{inst, DFS_OK, share}, fn, arg};
	unsigned char key[29];

	okv_map_key(key, share, content, block);
	return okv_scan(inst, txn, key, sizeof(key), OKV_PREFIX, got_row, &ask.ask);
}

enum dfs_status
dfs_okv_put_map(void *inst, struct dfs_txn *txn, uint32_t share,
		const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
		const struct dfs_segment *segs, uint32_t n)
{
	struct dfs_okv *kv = inst;
	unsigned char key[29], value[OKV_MAP_MAX];
	uint32_t len;

	if (n < 1 || n > DFS_SEGMENTS_MAX)
		return okv_refuse(kv, DFS_INVAL, "the number of segments");
	okv_map_key(key, share, content, block);
	len = okv_encode_map(value, lsn, segs, n);
	return kv->ops->put(kv, txn, key, sizeof(key), value, len);
}

struct del_ask {
	struct okv_ask ask;
	uint32_t n;
	uint64_t to;
	uint64_t blocks[DEL_AT_ONCE];
};

static int
collect_map(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct del_ask *ask = arg;
	uint64_t block;

	if (key_len != 29)
		return okv_bad(&ask->ask, DFS_CORRUPT, "map row of length", key_len);
	block = okv_get_be64((const unsigned char *)key + 21);
	if (block >= ask->to)
		return 0;
	ask->blocks[ask->n++] = block;
	return ask->n < DEL_AT_ONCE;
}

enum dfs_status
dfs_okv_del_map(void *inst, struct dfs_txn *txn, uint32_t share,
		const struct dfs_content_id *content, uint64_t from, uint64_t to)
{
	struct dfs_okv *kv = inst;
	struct del_ask ask = {.ask = {inst, DFS_OK, share}, .to = to};
	unsigned char key[29];
	enum dfs_status st;

	do {
		ask.n = 0;
		okv_map_key(key, share, content, from);
		st = okv_scan(kv, txn, key, sizeof(key), 21, collect_map, &ask.ask);
		for (uint32_t i = 0; st == DFS_OK && i < ask.n; i++) {
			okv_map_key(key, share, content, ask.blocks[i]);
			st = kv->ops->erase(kv, txn, key, sizeof(key));
			from = ask.blocks[i] + 1;
		}
	} while (st == DFS_OK && ask.n == DEL_AT_ONCE);
	return st;
}

struct orphan_ask {
	struct okv_ask ask;
	dfs_orphan_fn fn;
	void *arg;
};

static int
got_orphan(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct orphan_ask *ask = arg;
	struct dfs_content_id content;
	const unsigned char *bytes;
	uint32_t len;
	uint64_t fileid = key_len == 13 ? okv_get_be64((const unsigned char *)key + 5) : 0;
	enum dfs_status st = key_len == 13
				     ? okv_decode_bytes(value, value_len, UINT32_MAX, &bytes, &len)
				     : DFS_CORRUPT;

	if (st == DFS_OK && len < sizeof(content.bytes))
		st = DFS_CORRUPT;
	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "orphan", fileid);
	memcpy(content.bytes, bytes, sizeof(content.bytes));
	return ask->fn(ask->arg, fileid, &content);
}

enum dfs_status
dfs_okv_scan_orphans(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
		     dfs_orphan_fn fn, void *arg)
{
	struct orphan_ask ask = {{inst, DFS_OK, share}, fn, arg};
	unsigned char key[13];

	okv_key1(key, share, OKV_ORPHAN, from);
	return okv_scan(inst, txn, key, sizeof(key), OKV_PREFIX, got_orphan, &ask.ask);
}

enum dfs_status
dfs_okv_put_orphan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
		   const struct dfs_content_id *content)
{
	struct dfs_okv *kv = inst;
	unsigned char key[13], value[17];

	okv_key1(key, share, OKV_ORPHAN, fileid);
	value[0] = OKV_VERSION;
	memcpy(value + 1, content->bytes, sizeof(content->bytes));
	return kv->ops->put(kv, txn, key, sizeof(key), value, sizeof(value));
}

enum dfs_status
dfs_okv_del_orphan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	return okv_erase1(inst, txn, share, OKV_ORPHAN, fileid);
}
