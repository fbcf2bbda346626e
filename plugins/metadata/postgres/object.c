/* SPDX-License-Identifier: MIT
 *
 * Records of objects, and of those that are dead.
 */
#include "records.h"

static const uint8_t no_hash[32];

static void
decode(struct dfs_object_record *rec, const struct row *row)
{
	memset(rec, 0, sizeof(*rec));
	rec->size = sizeof(*rec);
	rec->version = row_int(row, 1);
	memcpy(rec->content.bytes, row->bytes[2], sizeof(rec->content.bytes));
	rec->block = row_int(row, 3);
	rec->refs = row_int(row, 4);
	rec->length = (uint32_t)row_int(row, 5);
	if (row->len[6] == (int32_t)sizeof(rec->hash))
		memcpy(rec->hash, row->bytes[6], sizeof(rec->hash));
}

static int
got_object(void *arg, const struct row *row)
{
	struct dfs_object_record *out = arg, rec;

	decode(&rec, row);
	give_record(out, out->size, &rec, sizeof(rec));
	return 0;
}

enum dfs_status
object_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version,
	   struct dfs_object_record *rec)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, version);
	return txn_get(txn, K_OBJECT, &p, got_object, rec);
}

enum dfs_status
object_find(void *inst, struct dfs_txn *txn, uint32_t share, const uint8_t hash[32],
	    struct dfs_object_record *rec)
{
	struct params p = {0};
	PGresult *res = NULL;
	enum dfs_status st;

	param_int8(&p, share);
	param_bytes(&p, hash, 32);
	st = txn_ask(txn, S_FIND_OBJECT, &p, true, &res);
	return st == DFS_OK ? txn_first(txn, res, K_OBJECT, got_object, rec) : st;
}

enum dfs_status
object_put(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_object_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	if (rec->size < sizeof(*rec) || rec->refs == 0)
		return store_refuse(inst, DFS_INVAL, "the object's record");
	writeset_begin(ws, K_OBJECT, WS_PUT);
	writeset_int8(ws, share);
	writeset_int8(ws, rec->version);
	writeset_bytes(ws, rec->content.bytes, sizeof(rec->content.bytes));
	writeset_int8(ws, rec->block);
	writeset_int8(ws, rec->refs);
	writeset_int8(ws, rec->length);
	if (memcmp(rec->hash, no_hash, sizeof(no_hash)) != 0)
		writeset_bytes(ws, rec->hash, sizeof(rec->hash));
	else
		writeset_null(ws);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
object_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version)
{
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, version);
	return txn_del(txn, K_OBJECT, &p);
}

struct object_ask {
	dfs_object_record_fn fn;
	void *arg;
};

static int
each_object(void *arg, const struct row *row)
{
	struct object_ask *ask = arg;
	struct dfs_object_record rec;

	decode(&rec, row);
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
object_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from, dfs_object_record_fn fn,
	    void *arg)
{
	struct object_ask ask = {fn, arg};
	struct params p = {0};

	param_int8(&p, share);
	param_int8(&p, from);
	return txn_scan(txn, S_SCAN_OBJECTS, &p, each_object, &ask);
}

/* ---- dead objects ---- */

static void
dead_keys(struct params *p, uint32_t share, const struct dfs_dead_record *rec)
{
	param_int8(p, share);
	param_int8(p, rec->at);
	param_bytes(p, rec->content.bytes, sizeof(rec->content.bytes));
	param_int8(p, rec->block);
	param_int8(p, rec->version);
}

enum dfs_status
dead_put(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_dead_record *rec)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);
	struct params p = {0};

	if (!ws)
		return st;
	dead_keys(&p, share, rec);
	txn_key(ws, K_DEAD, WS_PUT, &p);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
dead_del(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_dead_record *rec)
{
	struct params p = {0};

	dead_keys(&p, share, rec);
	return txn_del(txn, K_DEAD, &p);
}

struct dead_ask {
	dfs_dead_fn fn;
	void *arg;
};

static int
each_dead(void *arg, const struct row *row)
{
	struct dead_ask *ask = arg;
	struct dfs_dead_record rec = {.size = sizeof(rec)};

	rec.at = row_int(row, 1);
	memcpy(rec.content.bytes, row->bytes[2], sizeof(rec.content.bytes));
	rec.block = row_int(row, 3);
	rec.version = row_int(row, 4);
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
dead_scan(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_dead_record *from,
	  dfs_dead_fn fn, void *arg)
{
	static const struct dfs_dead_record first;
	struct dead_ask ask = {fn, arg};
	struct params p = {0};

	dead_keys(&p, share, from ? from : &first);
	return txn_scan(txn, S_SCAN_DEAD, &p, each_dead, &ask);
}
