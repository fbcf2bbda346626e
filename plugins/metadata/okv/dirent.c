/* SPDX-License-Identifier: MIT
 *
 * Directory entries on the ordered key-value contract.
 */
#include "okv.h"

#define DIRENT_SIZE_MIN sizeof(struct dfs_dirent_record)

struct dirent_ask {
	struct okv_ask ask;
	uint64_t dir;
	dfs_dirent_fn fn;
	void *arg;
};

static int
got_dirent(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct dirent_ask *ask = arg;
	struct dfs_dirent_record rec;
	enum dfs_status st =
		key_len == 21 ? okv_decode_dirent(value, value_len, &rec) : DFS_CORRUPT;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "entry of directory", ask->dir);
	rec.cookie = okv_get_be64((const unsigned char *)key + 13);
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
dfs_okv_get_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t cookie,
		   dfs_dirent_fn fn, void *arg)
{
	struct dirent_ask ask = {{inst, DFS_OK, share}, dir, fn, arg};
	unsigned char key[21];

	okv_key2(key, share, OKV_DIRENT, dir, cookie);
	return okv_get(inst, txn, key, sizeof(key), got_dirent, &ask.ask);
}

enum dfs_status
dfs_okv_scan_dirents(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
		     dfs_dirent_fn fn, void *arg)
{
	struct dirent_ask ask = {{inst, DFS_OK, share}, dir, fn, arg};
	unsigned char key[21];

	okv_key2(key, share, OKV_DIRENT, dir, from);
	return okv_scan(inst, txn, key, sizeof(key), 13, got_dirent, &ask.ask);
}

enum dfs_status
dfs_okv_put_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
		   const struct dfs_dirent_record *rec)
{
	struct dfs_okv *kv = inst;
	unsigned char key[21], value[OKV_DIRENT_MAX];
	uint32_t len;

	if (rec->size < DIRENT_SIZE_MIN || rec->name_len > DFS_NAME_MAX || rec->type > 255 ||
	    (rec->name_len == 0) != !!(rec->flags & DFS_DIRENT_TOMBSTONE))
		return okv_refuse(kv, DFS_INVAL, "the directory entry");
	okv_key2(key, share, OKV_DIRENT, dir, rec->cookie);
	len = okv_encode_dirent(value, rec);
	return kv->ops->put(kv, txn, key, sizeof(key), value, len);
}

enum dfs_status
dfs_okv_del_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t cookie)
{
	struct dfs_okv *kv = inst;
	unsigned char key[21];

	okv_key2(key, share, OKV_DIRENT, dir, cookie);
	return kv->ops->erase(kv, txn, key, sizeof(key));
}
