/* SPDX-License-Identifier: MIT
 *
 * Named server state.
 */
#include "records.h"

struct state_ask {
	dfs_state_fn fn;
	void *arg, *value;
	uint32_t *len;
	enum dfs_status status;
};

static bool
bad_key(uint32_t len)
{
	return len < 1 || len > DFS_STATE_KEY_MAX;
}

static int
got_state(void *arg, const struct row *row)
{
	struct state_ask *ask = arg;
	uint32_t len = (uint32_t)row->len[2], room = *ask->len;

	*ask->len = len;
	if (len > room)
		ask->status = DFS_TOOSMALL;
	else
		memcpy(ask->value, row->bytes[2], len);
	return 0;
}

enum dfs_status
state_get(void *inst, struct dfs_txn *txn, uint32_t share, const char *key, uint32_t key_len,
	  void *value, uint32_t *len)
{
	struct state_ask ask = {.value = value, .len = len};
	struct params p = {0};
	enum dfs_status st;

	if (bad_key(key_len))
		return store_refuse(inst, DFS_INVAL, "the state key");
	param_int8(&p, share);
	param_bytes(&p, key, (int32_t)key_len);
	st = txn_get(txn, K_STATE, &p, got_state, &ask);
	return st == DFS_OK ? ask.status : st;
}

enum dfs_status
state_put(void *inst, struct dfs_txn *txn, uint32_t share, const char *key, uint32_t key_len,
	  const void *value, uint32_t len)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (bad_key(key_len))
		return store_refuse(inst, DFS_INVAL, "the state key");
	if (len > DFS_STATE_VALUE_MAX)
		return store_refuse(inst, DFS_TOOBIG, "the state value");
	writeset_begin(ws, K_STATE, WS_PUT);
	writeset_int8(ws, share);
	writeset_bytes(ws, key, key_len);
	writeset_bytes(ws, value, len);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
state_del(void *inst, struct dfs_txn *txn, uint32_t share, const char *key, uint32_t key_len)
{
	struct params p = {0};

	if (bad_key(key_len))
		return store_refuse(inst, DFS_INVAL, "the state key");
	param_int8(&p, share);
	param_bytes(&p, key, (int32_t)key_len);
	return txn_del(txn, K_STATE, &p);
}

static int
each_state(void *arg, const struct row *row)
{
	struct state_ask *ask = arg;

	return ask->fn(ask->arg, (const char *)row->bytes[1], (uint32_t)row->len[1], row->bytes[2],
		       (uint32_t)row->len[2]);
}

enum dfs_status
state_scan(void *inst, struct dfs_txn *txn, uint32_t share, const char *prefix, uint32_t prefix_len,
	   dfs_state_fn fn, void *arg)
{
	struct state_ask ask = {.fn = fn, .arg = arg};
	unsigned char end[DFS_STATE_KEY_MAX + 1];
	uint32_t end_len = prefix_len;
	struct params p = {0};

	if (prefix_len > DFS_STATE_KEY_MAX)
		return store_refuse(inst, DFS_INVAL, "the state key");
	if (prefix_len)
		memcpy(end, prefix, prefix_len);
	while (end_len && end[end_len - 1] == 0xff)
		end_len--;
	if (end_len) {
		end[end_len - 1]++;
	} else {
		/* No key is that long, so this is above all of them. */
		memset(end, 0xff, sizeof(end));
		end_len = sizeof(end);
	}
	param_int8(&p, share);
	param_bytes(&p, prefix, (int32_t)prefix_len);
	param_bytes(&p, end, (int32_t)end_len);
	return txn_scan(txn, S_SCAN_STATE, &p, each_state, &ask);
}
