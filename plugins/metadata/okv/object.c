/* SPDX-License-Identifier: MIT
 *
 * Records of objects, and of those that are dead, on the ordered key-value contract.
 *
 * An object with a hash has an entry under the hash too, which names the version.  With two objects
 * of one hash the entry names the one that was put last, and goes with it.
 */
#include "okv.h"

static bool
has_hash(const uint8_t hash[32])
{
	static const uint8_t none[32];

	return memcmp(hash, none, sizeof(none)) != 0;
}

static uint32_t
hash_key(unsigned char *key, uint32_t share, const uint8_t hash[32])
{
	okv_key(key, share, OKV_HASH);
	memcpy(key + OKV_PREFIX, hash, 32);
	return OKV_HASH_KEY;
}

struct object_ask {
	struct okv_ask ask;
	struct dfs_object_record *rec; /* to be filled, or NULL */
	uint64_t version;
	dfs_object_record_fn fn;
	void *arg;
};

static int
got_object(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct object_ask *ask = arg;
	enum dfs_status st = okv_decode_object(value, value_len, ask->rec);

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "record of object", ask->version);
	ask->rec->version = ask->version;
	return 0;
}

/* The record as this helper knows it. */
static enum dfs_status
get(struct dfs_okv *kv, struct dfs_txn *txn, uint32_t share, uint64_t version,
    struct dfs_object_record *rec)
{
	struct object_ask ask = {{kv, DFS_OK, share}, rec, version, NULL, NULL};
	unsigned char key[13];

	return okv_get(kv, txn, key, okv_key1(key, share, OKV_OBJECT, version), got_object,
		       &ask.ask);
}

/* What the caller's struct has room for; fields that this helper does not know are zero. */
static void
give(struct dfs_object_record *to, const struct dfs_object_record *rec)
{
	uint32_t size = to->size;

	memset(to, 0, size);
	memcpy(to, rec, size < sizeof(*rec) ? size : sizeof(*rec));
	to->size = size;
}

enum dfs_status
dfs_okv_get_object(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version,
		   struct dfs_object_record *rec)
{
	struct dfs_object_record found;
	enum dfs_status st = get(inst, txn, share, version, &found);

	if (st == DFS_OK)
		give(rec, &found);
	return st;
}

static int
got_hash(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct object_ask *ask = arg;
	const unsigned char *bytes;
	uint32_t len;
	enum dfs_status st = okv_decode_bytes(value, value_len, UINT32_MAX, &bytes, &len);

	if (st == DFS_OK && len < 8)
		st = DFS_CORRUPT;
	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "hash entry of length", value_len);
	ask->version = okv_get_be64(bytes);
	return 0;
}

/* The version that the entry of the hash names. */
static enum dfs_status
named(struct dfs_okv *kv, struct dfs_txn *txn, uint32_t share, const uint8_t hash[32],
      uint64_t *version)
{
	struct object_ask ask = {.ask = {kv, DFS_OK, share}};
	unsigned char key[OKV_HASH_KEY];
	enum dfs_status st = okv_get(kv, txn, key, hash_key(key, share, hash), got_hash, &ask.ask);

	*version = ask.version;
	return st;
}

enum dfs_status
dfs_okv_find_object(void *inst, struct dfs_txn *txn, uint32_t share, const uint8_t hash[32],
		    struct dfs_object_record *rec)
{
	struct dfs_object_record found;
	uint64_t version;
	enum dfs_status st = named(inst, txn, share, hash, &version);

	if (st == DFS_OK)
		st = get(inst, txn, share, version, &found);
	if (st == DFS_OK && memcmp(found.hash, hash, sizeof(found.hash)) != 0)
		st = DFS_NOENT;
	if (st == DFS_OK)
		give(rec, &found);
	return st;
}

enum dfs_status
dfs_okv_put_object(void *inst, struct dfs_txn *txn, uint32_t share,
		   const struct dfs_object_record *rec)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_HASH_KEY], value[OKV_OBJECT_BYTES];
	enum dfs_status st;

	if (rec->size < sizeof(*rec) || rec->refs == 0)
		return okv_refuse(kv, DFS_INVAL, "the object's record");
	st = kv->ops->put(kv, txn, key, okv_key1(key, share, OKV_OBJECT, rec->version), value,
			  okv_encode_object(value, rec));
	if (st != DFS_OK || !has_hash(rec->hash))
		return st;
	value[0] = OKV_VERSION;
	okv_put_be64(value + 1, rec->version);
	return kv->ops->put(kv, txn, key, hash_key(key, share, rec->hash), value, 9);
}

enum dfs_status
dfs_okv_del_object(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_HASH_KEY];
	struct dfs_object_record rec;
	uint64_t other;
	enum dfs_status st = get(kv, txn, share, version, &rec);

	if (st == DFS_NOENT)
		return DFS_OK;
	if (st != DFS_OK)
		return st;
	if (has_hash(rec.hash)) {
		st = named(kv, txn, share, rec.hash, &other);
		if (st == DFS_OK && other == version)
			st = kv->ops->erase(kv, txn, key, hash_key(key, share, rec.hash));
		if (st != DFS_OK && st != DFS_NOENT)
			return st;
	}
	return okv_erase1(kv, txn, share, OKV_OBJECT, version);
}

static int
each_object(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct object_ask *ask = arg;
	struct dfs_object_record rec;
	uint64_t version = key_len == 13 ? okv_get_be64((const unsigned char *)key + 5) : 0;
	enum dfs_status st =
		key_len == 13 ? okv_decode_object(value, value_len, &rec) : DFS_CORRUPT;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "record of object", version);
	rec.version = version;
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
dfs_okv_scan_objects(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
		     dfs_object_record_fn fn, void *arg)
{
	struct object_ask ask = {.ask = {inst, DFS_OK, share}, .fn = fn, .arg = arg};
	unsigned char key[13];

	okv_key1(key, share, OKV_OBJECT, from);
	return okv_scan(inst, txn, key, sizeof(key), OKV_PREFIX, each_object, &ask.ask);
}

enum dfs_status
dfs_okv_put_dead(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_dead_record *rec)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_DEAD_KEY], value[1] = {OKV_VERSION};

	if (rec->size < sizeof(*rec))
		return okv_refuse(kv, DFS_INVAL, "the dead object's record");
	return kv->ops->put(kv, txn, key, okv_dead_key(key, share, rec), value, sizeof(value));
}

enum dfs_status
dfs_okv_del_dead(void *inst, struct dfs_txn *txn, uint32_t share, const struct dfs_dead_record *rec)
{
	struct dfs_okv *kv = inst;
	unsigned char key[OKV_DEAD_KEY];

	return kv->ops->erase(kv, txn, key, okv_dead_key(key, share, rec));
}

struct dead_ask {
	struct okv_ask ask;
	dfs_dead_fn fn;
	void *arg;
};

static int
each_dead(void *arg, const void *key, uint32_t key_len, const void *value, uint32_t value_len)
{
	struct dead_ask *ask = arg;
	const unsigned char *k = key, *bytes;
	struct dfs_dead_record rec = {.size = sizeof(rec)};
	uint32_t len;
	enum dfs_status st = key_len == OKV_DEAD_KEY
				     ? okv_decode_bytes(value, value_len, UINT32_MAX, &bytes, &len)
				     : DFS_CORRUPT;

	if (st != DFS_OK)
		return okv_bad(&ask->ask, st, "record of a dead object, key length", key_len);
	rec.at = okv_get_be64(k + 5);
	memcpy(rec.content.bytes, k + 13, sizeof(rec.content.bytes));
	rec.block = okv_get_be64(k + 29);
	rec.version = okv_get_be64(k + 37);
	return ask->fn(ask->arg, &rec);
}

enum dfs_status
dfs_okv_scan_dead(void *inst, struct dfs_txn *txn, uint32_t share,
		  const struct dfs_dead_record *from, dfs_dead_fn fn, void *arg)
{
	static const struct dfs_dead_record first;
	struct dead_ask ask = {{inst, DFS_OK, share}, fn, arg};
	unsigned char key[OKV_DEAD_KEY];

	okv_dead_key(key, share, from ? from : &first);
	return okv_scan(inst, txn, key, sizeof(key), OKV_PREFIX, each_dead, &ask.ask);
}
