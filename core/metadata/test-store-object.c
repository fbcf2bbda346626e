/* SPDX-License-Identifier: MIT
 *
 * The test store's objects and dead objects, its rows of all contents, and its sums of usage.
 */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "metadata/test-store-map.h"

static struct key
key_object(uint32_t share, uint64_t version)
{
	version = htobe64(version);
	return key_of('b', share, &version, sizeof version);
}

static struct key
key_dead(uint32_t share, const struct dfs_dead_record *rec)
{
	struct {
		uint64_t at;
		struct dfs_content_id content;
		uint64_t block, version;
	} k = {htobe64(rec->at), rec->content, htobe64(rec->block), htobe64(rec->version)};

	return key_of('x', share, &k, sizeof k);
}

struct visit {
	dfs_row_fn row;
	dfs_object_record_fn object;
	dfs_dead_fn dead;
	dfs_usage_fn usage;
	void *arg;
};

static int
visit_row(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;
	struct dfs_content_id content;
	uint64_t block;

	memcpy(&content, key + 5, sizeof content);
	memcpy(&block, key + 21, sizeof block);
	return v->row(v->arg, &content, be64toh(block), *(const uint64_t *)value,
		      (const struct dfs_segment *)((const char *)value + 8),
		      (uint32_t)((len - 8) / sizeof(struct dfs_segment)));
}

enum dfs_status
ts_scan_rows(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_content_id *content,
	     uint64_t block, dfs_row_fn fn, void *arg)
{
	struct {
		struct dfs_content_id content;
		uint64_t block;
	} from = {*content, htobe64(block)};
	struct visit v = {.row = fn, .arg = arg};

	ts_scan(t, key_of('m', share, &from, sizeof from), 5, visit_row, &v);
	return DFS_OK;
}

enum dfs_status
ts_get_object(void *inst, struct dfs_txn *t, uint32_t share, uint64_t version,
	      struct dfs_object_record *rec)
{
	size_t len;
	const void *v = ts_get(t, key_object(share, version), &len);

	if (v)
		memcpy(rec, v, sizeof *rec);
	return v ? DFS_OK : DFS_NOENT;
}

static int
visit_object(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;

	return v->object(v->arg, value);
}

enum dfs_status
ts_scan_objects(void *inst, struct dfs_txn *t, uint32_t share, uint64_t from,
		dfs_object_record_fn fn, void *arg)
{
	struct visit v = {.object = fn, .arg = arg};

	ts_scan(t, key_object(share, from), 5, visit_object, &v);
	return DFS_OK;
}

struct find {
	const uint8_t *hash;
	struct dfs_object_record *rec;
	bool found;
};

static int
find(void *arg, const struct dfs_object_record *rec)
{
	struct find *f = arg;

	f->found = memcmp(rec->hash, f->hash, sizeof rec->hash) == 0;
	if (f->found)
		*f->rec = *rec;
	return !f->found;
}

enum dfs_status
ts_find_object(void *inst, struct dfs_txn *t, uint32_t share, const uint8_t hash[32],
	       struct dfs_object_record *rec)
{
	struct find f = {hash, rec, false};

	ts_scan_objects(inst, t, share, 0, find, &f);
	return f.found ? DFS_OK : DFS_NOENT;
}

enum dfs_status
ts_put_object(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_object_record *rec)
{
	return ts_put(t, key_object(share, rec->version), rec, sizeof *rec);
}

enum dfs_status
ts_del_object(void *inst, struct dfs_txn *t, uint32_t share, uint64_t version)
{
	return ts_del(t, key_object(share, version));
}

enum dfs_status
ts_put_dead(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_dead_record *rec)
{
	return ts_put(t, key_dead(share, rec), rec, sizeof *rec);
}

enum dfs_status
ts_del_dead(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_dead_record *rec)
{
	return ts_del(t, key_dead(share, rec));
}

static int
visit_dead(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;

	return v->dead(v->arg, value);
}

enum dfs_status
ts_scan_dead(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_dead_record *from,
	     dfs_dead_fn fn, void *arg)
{
	static const struct dfs_dead_record first;
	struct visit v = {.dead = fn, .arg = arg};

	ts_scan(t, key_dead(share, from ? from : &first), 5, visit_dead, &v);
	return DFS_OK;
}

static struct key
key_usage(uint32_t share, uint32_t kind, uint32_t id)
{
	uint32_t k[2] = {htobe32(kind), htobe32(id)};

	return key_of('u', share, k, sizeof k);
}

enum dfs_status
ts_add_usage(void *inst, struct dfs_txn *t, uint32_t share, const struct dfs_usage_record *rec)
{
	struct key key = key_usage(share, rec->kind, rec->id);
	struct dfs_usage_record sum = *rec;
	size_t len;
	const struct dfs_usage_record *old = ts_get(t, key, &len);

	if (old) {
		sum.bytes += old->bytes;
		sum.files += old->files;
	}
	return sum.bytes || sum.files ? ts_put(t, key, &sum, sizeof sum) : ts_del(t, key);
}

static int
visit_usage(void *arg, const unsigned char *key, size_t klen, const void *value, size_t len)
{
	struct visit *v = arg;

	return v->usage(v->arg, value);
}

enum dfs_status
ts_scan_usage(void *inst, struct dfs_txn *t, uint32_t share, uint32_t kind, uint32_t id,
	      dfs_usage_fn fn, void *arg)
{
	struct visit v = {.usage = fn, .arg = arg};

	ts_scan(t, key_usage(share, kind, id), 5, visit_usage, &v);
	return DFS_OK;
}

static int
take_first(void *arg, const struct dfs_usage_record *rec)
{
	*(struct dfs_usage_record *)arg = *rec;
	return 0;
}

enum dfs_status
ts_clear_usage(void *inst, struct dfs_txn *t, uint32_t share)
{
	for (;;) {
		struct dfs_usage_record first = {.size = 0};

		ts_scan_usage(inst, t, share, 0, 0, take_first, &first);
		if (!first.size)
			return DFS_OK;
		ts_del(t, key_usage(share, first.kind, first.id));
	}
}
