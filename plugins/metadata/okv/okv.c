/* SPDX-License-Identifier: MIT
 *
 * The ordered key-value helper: transactions, and what its files share.
 */
#include "okv.h"

#include <inttypes.h>

/* The smallest key above all keys that begin with the first n bytes of key; 0: there is none. */
static uint32_t
after_prefix(unsigned char *to, const unsigned char *key, uint32_t n)
{
	memcpy(to, key, n);
	while (n && to[n - 1] == 0xff)
		n--;
	if (n)
		to[n - 1]++;
	return n;
}

enum dfs_status
okv_scan(struct dfs_okv *kv, struct dfs_txn *txn, const unsigned char *key, uint32_t len,
	 uint32_t common, dfs_okv_fn fn, struct okv_ask *ask)
{
	unsigned char to[DFS_OKV_KEY_MAX];
	uint32_t to_len = after_prefix(to, key, common);
	enum dfs_status st;

	/* All bytes 0xff: no key of ours is longer than the maximum, so this is above all. */
	if (!to_len) {
		memset(to, 0xff, sizeof(to));
		to_len = sizeof(to);
	}
	st = kv->ops->scan(kv, txn, key, len, to, to_len, fn, ask);
	return st == DFS_OK ? ask->status : st;
}

int
okv_bad(struct okv_ask *ask, enum dfs_status st, const char *what, uint64_t id)
{
	ask->status = ask->kv->host->fail(
		ask->kv->host->ctx, st,
		st == DFS_VERSION ? "the %s %" PRIu64 " of share %u has a newer format"
				  : "the %s %" PRIu64 " of share %u is damaged",
		what, id, ask->share);
	return 0;
}

enum dfs_status
okv_refuse(struct dfs_okv *kv, enum dfs_status st, const char *what)
{
	return kv->host->fail(kv->host->ctx, st, "%s is outside of what a store keeps", what);
}

enum dfs_status
dfs_okv_begin(void *inst, uint32_t mode, struct dfs_txn **txn)
{
	return ((struct dfs_okv *)inst)->ops->begin(inst, mode, txn);
}

enum dfs_status
dfs_okv_commit(void *inst, struct dfs_txn *txn, uint64_t *seq)
{
	return ((struct dfs_okv *)inst)->ops->commit(inst, txn, seq);
}

void
dfs_okv_abort(void *inst, struct dfs_txn *txn)
{
	((struct dfs_okv *)inst)->ops->abort(inst, txn);
}

enum dfs_status
dfs_okv_sync(void *inst, uint64_t seq, uint32_t level)
{
	return ((struct dfs_okv *)inst)->ops->sync(inst, seq, level);
}

enum dfs_status
dfs_okv_stats(void *inst, struct dfs_metadata_stats *stats)
{
	return ((struct dfs_okv *)inst)->ops->stats(inst, stats);
}

enum dfs_status
dfs_okv_health(void *inst)
{
	return ((struct dfs_okv *)inst)->ops->health(inst);
}
