/* SPDX-License-Identifier: MIT
 *
 * Sums of what quotas count on the ordered key-value contract: one row for each sum that is not
 * zero.  Write transactions exclude each other, so an addition reads and writes it.
 */
#include "okv.h"

struct usage_ask {
	struct okv_ask ask;
	struct dfs_usage_record sum;
	dfs_usage_fn fn;
	void *arg;
};

static int
got_usage(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct usage_ask *ask = arg;
	enum dfs_status st = okv_decode_usage(value, value_len, &ask->sum);

	return st == DFS_OK ? 0 : okv_bad(&ask->ask, st, "sum of usage of", ask->sum.id);
}

enum dfs_status
dfs_okv_add_usage(void *inst, struct dfs_txn *txn, uint32_t share,
		  const struct dfs_usage_record *rec)
{
	struct usage_ask ask = {.ask = {inst, DFS_OK, share}, .sum = {.id = rec->id}};
	struct dfs_usage_record *sum = &ask.sum;
	unsigned char key[OKV_USAGE_KEY], value[OKV_USAGE_BYTES];
	struct dfs_okv *kv = inst;
	uint32_t len = okv_usage_key(key, share, rec->kind, rec->id);
	enum dfs_status st;

	if (rec->size < sizeof(*rec) || rec->kind > DFS_USAGE_GROUP)
		return okv_refuse(kv, DFS_INVAL, "the kind of usage");
	st = okv_get(kv, txn, key, len, got_usage, &ask.ask);
	if (st != DFS_OK && st != DFS_NOENT)
		return st;
	if (__builtin_add_overflow(sum->bytes, rec->bytes, &sum->bytes) ||
	    __builtin_add_overflow(sum->files, rec->files, &sum->files))
		return okv_refuse(kv, DFS_INVAL, "the sum of usage");
	if (sum->bytes == 0 && sum->files == 0)
		return kv->ops->erase(kv, txn, key, len);
	return kv->ops->put(kv, txn, key, len, value, okv_encode_usage(value, sum));
}

static int
each_usage(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct usage_ask *ask = arg;
	enum dfs_status st = DFS_CORRUPT;

	if (key_len == OKV_USAGE_KEY) {
		ask->sum.kind = okv_get_be32((const unsigned char *)key + OKV_PREFIX);
		ask->sum.id = okv_get_be32((const unsigned char *)key + OKV_PREFIX + 4);
		st = okv_decode_usage(value, value_len, &ask->sum);
	}
	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "sum of usage of", ask->sum.id);
	return ask->fn(ask->arg, &ask->sum);
}

enum dfs_status
dfs_okv_scan_usage(void *inst, struct dfs_txn *txn, uint32_t share, uint32_t kind, uint32_t id,
		   dfs_usage_fn fn, void *arg)
{
	struct usage_ask ask = {.ask = {inst, DFS_OK, share}, .fn = fn, .arg = arg};
	unsigned char key[OKV_USAGE_KEY];

	return okv_scan(inst, txn, key, okv_usage_key(key, share, kind, id), OKV_PREFIX, each_usage,
			&ask.ask);
}

#define CLEAR_PIECE 64

struct clear_ask {
	struct okv_ask ask;
	unsigned n;
	unsigned char keys[CLEAR_PIECE][OKV_USAGE_KEY];
};

static int
collect(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct clear_ask *ask = arg;

	if (key_len != OKV_USAGE_KEY)
		return okv_bad(&ask->ask, DFS_CORRUPT, "sum of usage, key length", key_len);
	memcpy(ask->keys[ask->n++], key, OKV_USAGE_KEY);
	return ask->n < CLEAR_PIECE;
}

/* Nothing is erased while a scan runs over it. */
enum dfs_status
dfs_okv_clear_usage(void *inst, struct dfs_txn *txn, uint32_t share)
{
	struct clear_ask ask = {.ask = {inst, DFS_OK, share}, .n = CLEAR_PIECE};
	unsigned char key[OKV_PREFIX];
	struct dfs_okv *kv = inst;
	enum dfs_status st = DFS_OK;

	okv_key(key, share, OKV_USAGE);
	while (st == DFS_OK && ask.n == CLEAR_PIECE) {
		ask.n = 0;
		st = okv_scan(kv, txn, key, sizeof(key), sizeof(key), collect, &ask.ask);
		for (unsigned i = 0; i < ask.n && st == DFS_OK; i++)
			st = kv->ops->erase(kv, txn, ask.keys[i], OKV_USAGE_KEY);
	}
	return st;
}
