/* SPDX-License-Identifier: MIT
 *
 * Between the files of the test store: its sorted map.
 */
#ifndef DFS_METADATA_TEST_STORE_MAP_H
#define DFS_METADATA_TEST_STORE_MAP_H

#include <stddef.h>

#include <dittofs/metadata_store.h>

/* Keys: kind, share, then numbers or bytes. */
struct key {
	uint32_t len;
	unsigned char bytes[160];
};

struct key key_of(char kind, uint32_t share, const void *rest, uint32_t len);
enum dfs_status ts_put(struct dfs_txn *t, struct key k, const void *value, size_t len);
enum dfs_status ts_del(struct dfs_txn *t, struct key k);
const void *ts_get(struct dfs_txn *t, struct key k, size_t *len); /* NULL: absent */
/* Visit from k while the first `prefix` bytes stay; fn returns 0 to stop. */
void ts_scan(struct dfs_txn *t, struct key k, uint32_t prefix,
	     int (*fn)(void *arg, const unsigned char *key, size_t klen, const void *value,
		       size_t len),
	     void *arg);

/* test-store-object.c */
#define TEST_STORE_OBJECT_OPS                                                                      \
	.scan_rows = ts_scan_rows, .get_object = ts_get_object, .find_object = ts_find_object,     \
	.put_object = ts_put_object, .del_object = ts_del_object, .scan_objects = ts_scan_objects, \
	.put_dead = ts_put_dead, .del_dead = ts_del_dead, .scan_dead = ts_scan_dead,               \
	.add_usage = ts_add_usage, .scan_usage = ts_scan_usage, .clear_usage = ts_clear_usage
enum dfs_status ts_scan_rows(void *inst, struct dfs_txn *t, uint32_t share,
			     const struct dfs_content_id *content, uint64_t block, dfs_row_fn fn,
			     void *arg);
enum dfs_status ts_get_object(void *inst, struct dfs_txn *t, uint32_t share, uint64_t version,
			      struct dfs_object_record *rec);
enum dfs_status ts_find_object(void *inst, struct dfs_txn *t, uint32_t share,
			       const uint8_t hash[32], struct dfs_object_record *rec);
enum dfs_status ts_put_object(void *inst, struct dfs_txn *t, uint32_t share,
			      const struct dfs_object_record *rec);
enum dfs_status ts_del_object(void *inst, struct dfs_txn *t, uint32_t share, uint64_t version);
enum dfs_status ts_scan_objects(void *inst, struct dfs_txn *t, uint32_t share, uint64_t from,
				dfs_object_record_fn fn, void *arg);
enum dfs_status ts_put_dead(void *inst, struct dfs_txn *t, uint32_t share,
			    const struct dfs_dead_record *rec);
enum dfs_status ts_del_dead(void *inst, struct dfs_txn *t, uint32_t share,
			    const struct dfs_dead_record *rec);
enum dfs_status ts_scan_dead(void *inst, struct dfs_txn *t, uint32_t share,
			     const struct dfs_dead_record *from, dfs_dead_fn fn, void *arg);
enum dfs_status ts_add_usage(void *inst, struct dfs_txn *t, uint32_t share,
			     const struct dfs_usage_record *rec);
enum dfs_status ts_scan_usage(void *inst, struct dfs_txn *t, uint32_t share, uint32_t kind,
			      uint32_t id, dfs_usage_fn fn, void *arg);
enum dfs_status ts_clear_usage(void *inst, struct dfs_txn *t, uint32_t share);

#endif
