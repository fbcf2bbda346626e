/* SPDX-License-Identifier: MIT
 *
 * Shares and named server state on the ordered key-value contract.
 */
#include "okv.h"

#include <stdlib.h>

/* Up to here every release has known the record. */
#define SHARE_SIZE_MIN offsetof(struct dfs_share_record, epoch)

struct share_ask {
	struct okv_ask ask;
	dfs_share_fn fn;
	void *arg;
};

static int
got_share(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct share_ask *ask = arg;
	struct dfs_share_record rec;
	uint32_t id = key_len == 9 ? okv_get_be32((const unsigned char *)key + 5) : 0;
	enum dfs_status st = key_len == 9 ? okv_decode_share(value, value_len, &rec) : DFS_CORRUPT;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "row of share", id);
	rec.id = id;
	return ask->fn(ask->arg, &rec);
}

static uint32_t
share_key(unsigned char *key, uint32_t share)
{
	okv_key(key, 0, OKV_SHARE);
	okv_put_be32(key + 5, share);
	return 9;
}

enum dfs_status
dfs_okv_scan_shares(void *inst, struct dfs_txn *txn, dfs_share_fn fn, void *arg)
{
	struct share_ask ask = {{inst, DFS_OK, 0}, fn, arg};
	unsigned char key[OKV_PREFIX];

	okv_key(key, 0, OKV_SHARE);
	return okv_scan(inst, txn, key, sizeof(key), sizeof(key), got_share, &ask.ask);
}

enum dfs_status
dfs_okv_put_share(void *inst, struct dfs_txn *txn, const struct dfs_share_record *rec)
{
	struct dfs_okv *kv = inst;
	struct dfs_share_record whole = {.size = 0};
	unsigned char key[9], value[OKV_SHARE_MAX];
	uint32_t len;

	if (rec->size < SHARE_SIZE_MIN || rec->id == 0)
		return okv_refuse(kv, DFS_INVAL, "the share's row");
	if (rec->size < sizeof(whole)) {
		memcpy(&whole, rec, rec->size);
		rec = &whole;
	}
	share_key(key, rec->id);
	len = okv_encode_share(value, rec);
	return kv->ops->put(kv, txn, key, sizeof(key), value, len);
}

enum dfs_status
dfs_okv_del_share(void *inst, struct dfs_txn *txn, uint32_t share)
{
	struct dfs_okv *kv = inst;
	unsigned char key[9];

	share_key(key, share);
	return kv->ops->erase(kv, txn, key, sizeof(key));
}

struct state_ask {
	struct okv_ask ask;
	void *value;
	uint32_t *len;
	dfs_state_fn fn;
	void *arg;
};

static uint32_t
state_key(unsigned char *key, uint32_t share, const char *name, uint32_t len)
{
	okv_key(key, share, OKV_STATE);
	memcpy(key + OKV_PREFIX, name, len);
	return OKV_PREFIX + len;
}

static int
got_state(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct state_ask *ask = arg;
	const unsigned char *bytes;
	uint32_t len, room = *ask->len;
	enum dfs_status st = okv_decode_bytes(value, value_len, DFS_STATE_VALUE_MAX, &bytes, &len);

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "state value of length", value_len);
	*ask->len = len;
	if (len > room)
		ask->ask.status = DFS_TOOSMALL;
	else
		memcpy(ask->value, bytes, len);
	return 0;
}

enum dfs_status
dfs_okv_get_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *name,
		  uint32_t name_len, void *value, uint32_t *len)
{
	struct state_ask ask = {{inst, DFS_OK, share}, value, len, NULL, NULL};
	unsigned char key[OKV_PREFIX + DFS_STATE_KEY_MAX];

	if (name_len < 1 || name_len > DFS_STATE_KEY_MAX)
		return okv_refuse(inst, DFS_INVAL, "the state key");
	return okv_get(inst, txn, key, state_key(key, share, name, name_len), got_state, &ask.ask);
}

enum dfs_status
dfs_okv_put_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *name,
		  uint32_t name_len, const void *value, uint32_t len)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_PREFIX + DFS_STATE_KEY_MAX], small[513], *bytes = small;
	enum dfs_status st;

	if (name_len < 1 || name_len > DFS_STATE_KEY_MAX)
		return okv_refuse(kv, DFS_INVAL, "the state key");
	if (len > DFS_STATE_VALUE_MAX)
		return okv_refuse(kv, DFS_TOOBIG, "the state value");
	if (len >= sizeof(small)) {
		bytes = malloc(len + 1);
		if (!bytes)
			return DFS_NOMEM;
	}
	bytes[0] = OKV_VERSION;
	if (len)
		memcpy(bytes + 1, value, len);
	st = kv->ops->put(kv, txn, key, state_key(key, share, name, name_len), bytes, len + 1);
	if (bytes != small)
		free(bytes);
	return st;
}

enum dfs_status
dfs_okv_del_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *name,
		  uint32_t name_len)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_PREFIX + DFS_STATE_KEY_MAX];

	if (name_len < 1 || name_len > DFS_STATE_KEY_MAX)
		return okv_refuse(kv, DFS_INVAL, "the state key");
	return kv->ops->erase(kv, txn, key, state_key(key, share, name, name_len));
}

static int
each_state(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct state_ask *ask = arg;
	const unsigned char *bytes;
	uint32_t len;
	enum dfs_status st = okv_decode_bytes(value, value_len, DFS_STATE_VALUE_MAX, &bytes, &len);

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "state value of length", value_len);
	return ask->fn(ask->arg, (const char *)key + OKV_PREFIX, key_len - OKV_PREFIX, bytes, len);
}

enum dfs_status
dfs_okv_scan_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *prefix,
		   uint32_t prefix_len, dfs_state_fn fn, void *arg)
{
	struct state_ask ask = {{inst, DFS_OK, share}, NULL, NULL, fn, arg};
	unsigned char key[OKV_PREFIX + DFS_STATE_KEY_MAX];
	uint32_t len;

	if (prefix_len > DFS_STATE_KEY_MAX)
		return okv_refuse(inst, DFS_INVAL, "the state key");
	len = state_key(key, share, prefix, prefix_len);
	return okv_scan(inst, txn, key, len, len, each_state, &ask.ask);
}
