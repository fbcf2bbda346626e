/* SPDX-License-Identifier: MIT
 *
 * The texts of symbolic links.
 */
#include "records.h"

struct symlink_ask {
	char *buf;
	uint32_t *len;
	bool bad;
};

static int
got_symlink(void *arg, const struct row *row)
{
	struct symlink_ask *ask = arg;

	ask->bad = row->len[2] < 0 || row->len[2] > DFS_SYMLINK_MAX;
	if (ask->bad)
		return 0;
	memcpy(ask->buf, row->bytes[2], (size_t)row->len[2]);
	*ask->len = (uint32_t)row->len[2];
	return 0;
}

enum dfs_status
symlink_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid, char *buf,
	    uint32_t *len)
{
	struct store *s = inst;
	struct symlink_ask ask = {buf, len, false};
	struct params p = {0};
	enum dfs_status st;

	param_int8(&p, share);
	param_int8(&p, fileid);
	st = txn_get(txn, K_SYMLINK, &p, got_symlink, &ask);
	if (ask.bad)
		return s->host->fail(s->host->ctx, DFS_CORRUPT,
				     "the symbolic link %llu of share %u is damaged",
				     (unsigned long long)fileid, share);
	return st;
}

enum dfs_status
symlink_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid, const char *text,
	    uint32_t len)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (len > DFS_SYMLINK_MAX)
		return store_refuse(inst, DFS_TOOBIG, "the text of the symbolic link");
	writeset_begin(ws, K_SYMLINK, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, fileid);
	writeset_bytes(ws, text, len);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
symlink_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, fileid);
	return txn_del(txn, K_SYMLINK, &p);
}
