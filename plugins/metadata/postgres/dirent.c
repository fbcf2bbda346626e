/* SPDX-License-Identifier: MIT
 *
 * Directory entries.
 *
 * READDIRPLUS is a scan and then a batch of inodes.  When readers of folders are seen to want them, scans
 * bring each entry's inode along, and the batch is answered from that.
 */
#include "records.h"

struct dirent_ask {
	struct store *s;
	dfs_dirent_fn fn;
	void *arg;
	uint64_t dir;
	enum dfs_status status;
};

static int
each_dirent(void *arg, const struct row *row)
{
	struct dirent_ask *ask = arg;
	struct dfs_dirent_record rec = {.size = sizeof(rec)};

	rec.cookie = row_int(row, 2);
	rec.fileid = row_int(row, 3);
	rec.type = (uint32_t)row_int(row, 4);
	rec.flags = (uint32_t)row_int(row, 5);
	rec.name = (const char *)row->bytes[6];
	rec.name_len = (uint32_t)row->len[6];
	if (row->len[6] < 0 || row->len[6] > DFS_NAME_MAX) {
		ask->status = ask->s->host->fail(ask->s->host->ctx, DFS_CORRUPT,
						 "an entry of directory %llu is damaged",
						 (unsigned long long)ask->dir);
		return 0;
	}
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
dirent_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t cookie,
	   dfs_dirent_fn fn, void *arg)
{
	struct dirent_ask ask = {inst, fn, arg, dir, DFS_OK};
	struct params p = {0};
	enum dfs_status st;

	param_int8(&p, share);
	param_int8(&p, dir);
	param_int8(&p, cookie);
	st = txn_get(txn, K_DIRENT, &p, each_dirent, &ask);
	return st == DFS_OK ? ask.status : st;
}

enum dfs_status
dirent_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t from,
	    dfs_dirent_fn fn, void *arg)
{
	struct store *s = inst;
	struct dirent_ask ask = {s, fn, arg, dir, DFS_OK};
	bool listing =
		!txn->write && atomic_exchange_explicit(&s->listing, false, memory_order_relaxed);
	struct params p = {0};
	enum dfs_status st;

	if (from >> 63)
		return txn->failed;
	param_int8(&p, share);
	param_int8(&p, dir);
	param_int8(&p, from);
	st = txn_scan(txn, listing ? S_SCAN_LISTING : S_SCAN_DIRENTS, &p, each_dirent, &ask);
	return st == DFS_OK ? ask.status : st;
}

enum dfs_status
dirent_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
	   const struct dfs_dirent_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (rec->size < sizeof(*rec) || rec->name_len > DFS_NAME_MAX || rec->type > 255 ||
	    rec->cookie >> 63 || (rec->name_len == 0) != !!(rec->flags & DFS_DIRENT_TOMBSTONE))
		return store_refuse(inst, DFS_INVAL, "the directory entry");
	writeset_begin(ws, K_DIRENT, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, dir);
	writeset_int8(ws, rec->cookie);
	writeset_int8(ws, rec->fileid);
	writeset_int2(ws, (uint16_t)rec->type);
	writeset_int8(ws, rec->flags);
	writeset_bytes(ws, rec->name, rec->name_len);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
dirent_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir, uint64_t cookie)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, dir);
	param_int8(&p, cookie);
	return txn_del(txn, K_DIRENT, &p);
}
