/* SPDX-License-Identifier: MIT
 *
 * The operations on records, one file for each kind or two.
 */
#ifndef POSTGRES_RECORDS_H
#define POSTGRES_RECORDS_H

#include <stddef.h>

#include "txn.h"

/* What the caller's struct, of out->size bytes, has room for; what is not known is zero. */
static inline void
give_record(void *out, uint32_t out_size, const void *rec, uint32_t size)
{
	memset(out, 0, out_size);
	memcpy(out, rec, out_size < size ? out_size : size);
	memcpy(out, &out_size, sizeof(out_size));
}

enum dfs_status share_scan(void *inst, struct dfs_txn *txn, dfs_share_fn fn, void *arg);
enum dfs_status share_put(void *inst, struct dfs_txn *txn, const struct dfs_share_record *rec);
enum dfs_status share_del(void *inst, struct dfs_txn *txn, uint32_t share);

/* Up to here every release has known the record. */
#define INODE_SIZE_MIN (offsetof(struct dfs_inode_record, content) + sizeof(struct dfs_content_id))

/* Into the caller's struct of size bytes; row: of K_INODE, from column `at` on. */
void inode_decode(struct dfs_inode_record *out, uint32_t size, const struct row *row, unsigned at);
enum dfs_status inode_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
			  struct dfs_inode_record *rec);
enum dfs_status inode_put(void *inst, struct dfs_txn *txn, uint32_t share,
			  const struct dfs_inode_record *rec);
enum dfs_status inode_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid);
enum dfs_status inodes_get(void *inst, struct dfs_txn *txn, uint32_t share, const uint64_t *ids,
			   uint32_t n, struct dfs_inode_record *recs);
enum dfs_status symlink_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
			    char *buf, uint32_t *len);
enum dfs_status symlink_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
			    const char *text, uint32_t len);
enum dfs_status symlink_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid);

enum dfs_status dirent_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
			   uint64_t cookie, dfs_dirent_fn fn, void *arg);
enum dfs_status dirent_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
			    uint64_t from, dfs_dirent_fn fn, void *arg);
enum dfs_status dirent_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
			   const struct dfs_dirent_record *rec);
enum dfs_status dirent_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
			   uint64_t cookie);

enum dfs_status map_scan(void *inst, struct dfs_txn *txn, uint32_t share,
			 const struct dfs_content_id *content, uint64_t from, dfs_map_fn fn,
			 void *arg);
enum dfs_status map_put(void *inst, struct dfs_txn *txn, uint32_t share,
			const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
			const struct dfs_segment *segs, uint32_t n);
enum dfs_status map_del(void *inst, struct dfs_txn *txn, uint32_t share,
			const struct dfs_content_id *content, uint64_t from, uint64_t to);
enum dfs_status rows_scan(void *inst, struct dfs_txn *txn, uint32_t share,
			  const struct dfs_content_id *content, uint64_t block, dfs_row_fn fn,
			  void *arg);

enum dfs_status object_get(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version,
			   struct dfs_object_record *rec);
enum dfs_status object_find(void *inst, struct dfs_txn *txn, uint32_t share, const uint8_t hash[32],
			    struct dfs_object_record *rec);
enum dfs_status object_put(void *inst, struct dfs_txn *txn, uint32_t share,
			   const struct dfs_object_record *rec);
enum dfs_status object_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t version);
enum dfs_status object_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
			    dfs_object_record_fn fn, void *arg);
enum dfs_status dead_put(void *inst, struct dfs_txn *txn, uint32_t share,
			 const struct dfs_dead_record *rec);
enum dfs_status dead_del(void *inst, struct dfs_txn *txn, uint32_t share,
			 const struct dfs_dead_record *rec);
enum dfs_status dead_scan(void *inst, struct dfs_txn *txn, uint32_t share,
			  const struct dfs_dead_record *from, dfs_dead_fn fn, void *arg);

enum dfs_status orphan_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
			    dfs_orphan_fn fn, void *arg);
enum dfs_status orphan_put(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
			   const struct dfs_content_id *content);
enum dfs_status orphan_del(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid);

enum dfs_status state_get(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
			  uint32_t key_len, void *value, uint32_t *len);
enum dfs_status state_put(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
			  uint32_t key_len, const void *value, uint32_t len);
enum dfs_status state_del(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
			  uint32_t key_len);
enum dfs_status state_scan(void *inst, struct dfs_txn *txn, uint32_t share, const char *prefix,
			   uint32_t prefix_len, dfs_state_fn fn, void *arg);

enum dfs_status usage_add(void *inst, struct dfs_txn *txn, uint32_t share,
			  const struct dfs_usage_record *rec);
enum dfs_status usage_scan(void *inst, struct dfs_txn *txn, uint32_t share, uint32_t kind,
			   uint32_t id, dfs_usage_fn fn, void *arg);
enum dfs_status usage_clear(void *inst, struct dfs_txn *txn, uint32_t share);

enum dfs_status fence_set(void *inst, uint32_t share, uint64_t epoch);

#endif
