/* SPDX-License-Identifier: MIT
 *
 * Shared by the files of the ordered key-value helper.
 */
#ifndef OKV_OKV_H
#define OKV_OKV_H

#include "codec.h"

/* Where a get or a scan leaves what went wrong in the callback. */
struct okv_ask {
	struct dfs_okv *kv;
	enum dfs_status status;
	uint32_t share;
};

static inline enum dfs_status
okv_get(struct dfs_okv *kv, struct dfs_txn *txn, const unsigned char *key, uint32_t len,
	dfs_okv_fn fn, struct okv_ask *ask)
{
	enum dfs_status st = kv->ops->get(kv, txn, key, len, fn, ask);

	return st == DFS_OK ? ask->status : st;
}

/* Scan [key, end of the range that shares the first `common` bytes with key). */
enum dfs_status okv_scan(struct dfs_okv *kv, struct dfs_txn *txn, const unsigned char *key,
			 uint32_t len, uint32_t common, dfs_okv_fn fn, struct okv_ask *ask);

/* Erase the row that one number names. */
static inline enum dfs_status
okv_erase1(struct dfs_okv *kv, struct dfs_txn *txn, uint32_t share, enum okv_kind kind, uint64_t id)
{
	unsigned char key[13];

	return kv->ops->erase(kv, txn, key, okv_key1(key, share, kind, id));
}

/* A record that cannot be decoded: say so, keep the status in ask, stop the scan. */
int okv_bad(struct okv_ask *ask, enum dfs_status st, const char *what, uint64_t id);
/* An argument outside of the contract. */
enum dfs_status okv_refuse(struct dfs_okv *kv, enum dfs_status st, const char *what);

#endif
