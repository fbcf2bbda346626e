/* SPDX-License-Identifier: MIT
 *
 * Ordered key-value helper for authors of metadata stores.
 *
 * Who has an ordered key-value store implements the few functions of struct dfs_okv_ops and gets
 * the whole metadata store contract: the library encodes the typed records, versioned, into keys
 * and values.  It is a static, position-independent library (libdittofs-okv.a): a plugin that uses
 * it still needs no symbol of ours at load time.  Keys sort as unsigned bytes.
 *
 * A write transaction excludes other write transactions (begin waits, or answers DFS_AGAIN with
 * DFS_NONBLOCK); read transactions see either none or all of each commit.
 */
#ifndef DITTOFS_OKV_H
#define DITTOFS_OKV_H

#include <dittofs/metadata_store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_OKV_KEY_MAX 512
#define DFS_OKV_VALUE_MAX (DFS_STATE_VALUE_MAX + 64)

/* Return 0 to stop the scan.  The bytes are valid inside the callback. */
typedef int (*dfs_okv_fn)(void *arg, const void *key, uint32_t key_len, const void *value,
			  uint32_t value_len);

struct dfs_okv_ops {
	uint32_t size;
	enum dfs_status (*begin)(void *kv, uint32_t mode, struct dfs_txn **txn);
	enum dfs_status (*commit)(void *kv, struct dfs_txn *txn, uint64_t *seq);
	void (*abort)(void *kv, struct dfs_txn *txn);
	enum dfs_status (*sync)(void *kv, uint64_t seq, uint32_t level);
	/* fn is called once with the value, or not at all: DFS_NOENT. */
	enum dfs_status (*get)(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len,
			       dfs_okv_fn fn, void *arg);
	/* Ascending over [from, to) of the transaction's own view. */
	enum dfs_status (*scan)(void *kv, struct dfs_txn *txn, const void *from, uint32_t from_len,
				const void *to, uint32_t to_len, dfs_okv_fn fn, void *arg);
	enum dfs_status (*put)(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len,
			       const void *value, uint32_t value_len);
	enum dfs_status (*erase)(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len);
	enum dfs_status (*stats)(void *kv, struct dfs_metadata_stats *stats);
	enum dfs_status (*health)(void *kv);
};

/* Every metadata store instance made with the helper begins with this. */
struct dfs_okv {
	const struct dfs_okv_ops *ops;
	const struct dfs_host *host;
};

/* The typed operations over kv->ops, for use in a struct dfs_metadata_ops: see
 * DFS_OKV_METADATA_OPS.  inst is a struct whose first member is struct dfs_okv. */
#define DFS_OKV_METADATA_OPS                                                                       \
	.begin = dfs_okv_begin, .commit = dfs_okv_commit, .abort = dfs_okv_abort,                  \
	.sync = dfs_okv_sync, .scan_shares = dfs_okv_scan_shares, .put_share = dfs_okv_put_share,  \
	.del_share = dfs_okv_del_share, .get_inode = dfs_okv_get_inode,                            \
	.put_inode = dfs_okv_put_inode, .del_inode = dfs_okv_del_inode,                            \
	.get_inodes = dfs_okv_get_inodes, .get_symlink = dfs_okv_get_symlink,                      \
	.put_symlink = dfs_okv_put_symlink, .del_symlink = dfs_okv_del_symlink,                    \
	.get_dirent = dfs_okv_get_dirent, .scan_dirents = dfs_okv_scan_dirents,                    \
	.put_dirent = dfs_okv_put_dirent, .del_dirent = dfs_okv_del_dirent,                        \
	.scan_map = dfs_okv_scan_map, .put_map = dfs_okv_put_map, .del_map = dfs_okv_del_map,      \
	.scan_rows = dfs_okv_scan_rows, .get_object = dfs_okv_get_object,                          \
	.find_object = dfs_okv_find_object, .put_object = dfs_okv_put_object,                      \
	.del_object = dfs_okv_del_object, .scan_objects = dfs_okv_scan_objects,                    \
	.put_dead = dfs_okv_put_dead, .del_dead = dfs_okv_del_dead,                                \
	.scan_dead = dfs_okv_scan_dead, .scan_orphans = dfs_okv_scan_orphans,                      \
	.put_orphan = dfs_okv_put_orphan, .del_orphan = dfs_okv_del_orphan,                        \
	.get_state = dfs_okv_get_state, .put_state = dfs_okv_put_state,                            \
	.del_state = dfs_okv_del_state, .scan_state = dfs_okv_scan_state, .stats = dfs_okv_stats,  \
	.health = dfs_okv_health, .add_usage = dfs_okv_add_usage,                                  \
	.scan_usage = dfs_okv_scan_usage, .clear_usage = dfs_okv_clear_usage

enum dfs_status dfs_okv_begin(void *inst, uint32_t mode, struct dfs_txn **txn);
enum dfs_status dfs_okv_commit(void *inst, struct dfs_txn *txn, uint64_t *seq);
void dfs_okv_abort(void *inst, struct dfs_txn *txn);
enum dfs_status dfs_okv_sync(void *inst, uint64_t seq, uint32_t level);
enum dfs_status dfs_okv_scan_shares(void *inst, struct dfs_txn *txn, dfs_share_fn fn, void *arg);
enum dfs_status dfs_okv_put_share(void *inst, struct dfs_txn *txn,
				  const struct dfs_share_record *rec);
enum dfs_status dfs_okv_del_share(void *inst, struct dfs_txn *txn, uint32_t share);
enum dfs_status dfs_okv_get_inode(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
				  struct dfs_inode_record *rec);
enum dfs_status dfs_okv_put_inode(void *inst, struct dfs_txn *txn, uint32_t share,
				  const struct dfs_inode_record *rec);
enum dfs_status dfs_okv_del_inode(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid);
enum dfs_status dfs_okv_get_inodes(void *inst, struct dfs_txn *txn, uint32_t share,
				   const uint64_t *ids, uint32_t n, struct dfs_inode_record *recs);
enum dfs_status dfs_okv_get_symlink(void *inst, struct dfs_txn *txn, uint32_t share,
				    uint64_t fileid, char *buf, uint32_t *len);
enum dfs_status dfs_okv_put_symlink(void *inst, struct dfs_txn *txn, uint32_t share,
				    uint64_t fileid, const char *text, uint32_t len);
enum dfs_status dfs_okv_del_symlink(void *inst, struct dfs_txn *txn, uint32_t share,
				    uint64_t fileid);
enum dfs_status dfs_okv_get_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
				   uint64_t cookie, dfs_dirent_fn fn, void *arg);
enum dfs_status dfs_okv_scan_dirents(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
				     uint64_t from, dfs_dirent_fn fn, void *arg);
enum dfs_status dfs_okv_put_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
				   const struct dfs_dirent_record *rec);
enum dfs_status dfs_okv_del_dirent(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t dir,
				   uint64_t cookie);
enum dfs_status dfs_okv_scan_map(void *inst, struct dfs_txn *txn, uint32_t share,
				 const struct dfs_content_id *content, uint64_t from, dfs_map_fn fn,
				 void *arg);
enum dfs_status dfs_okv_put_map(void *inst, struct dfs_txn *txn, uint32_t share,
				const struct dfs_content_id *content, uint64_t block, uint64_t lsn,
				const struct dfs_segment *segs, uint32_t n);
enum dfs_status dfs_okv_del_map(void *inst, struct dfs_txn *txn, uint32_t share,
				const struct dfs_content_id *content, uint64_t from, uint64_t to);
enum dfs_status dfs_okv_scan_rows(void *inst, struct dfs_txn *txn, uint32_t share,
				  const struct dfs_content_id *content, uint64_t block,
				  dfs_row_fn fn, void *arg);
enum dfs_status dfs_okv_get_object(void *inst, struct dfs_txn *txn, uint32_t share,
				   uint64_t version, struct dfs_object_record *rec);
enum dfs_status dfs_okv_find_object(void *inst, struct dfs_txn *txn, uint32_t share,
				    const uint8_t hash[32], struct dfs_object_record *rec);
enum dfs_status dfs_okv_put_object(void *inst, struct dfs_txn *txn, uint32_t share,
				   const struct dfs_object_record *rec);
enum dfs_status dfs_okv_del_object(void *inst, struct dfs_txn *txn, uint32_t share,
				   uint64_t version);
enum dfs_status dfs_okv_scan_objects(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
				     dfs_object_record_fn fn, void *arg);
enum dfs_status dfs_okv_put_dead(void *inst, struct dfs_txn *txn, uint32_t share,
				 const struct dfs_dead_record *rec);
enum dfs_status dfs_okv_del_dead(void *inst, struct dfs_txn *txn, uint32_t share,
				 const struct dfs_dead_record *rec);
enum dfs_status dfs_okv_scan_dead(void *inst, struct dfs_txn *txn, uint32_t share,
				  const struct dfs_dead_record *from, dfs_dead_fn fn, void *arg);
enum dfs_status dfs_okv_scan_orphans(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t from,
				     dfs_orphan_fn fn, void *arg);
enum dfs_status dfs_okv_put_orphan(void *inst, struct dfs_txn *txn, uint32_t share, uint64_t fileid,
				   const struct dfs_content_id *content);
enum dfs_status dfs_okv_del_orphan(void *inst, struct dfs_txn *txn, uint32_t share,
				   uint64_t fileid);
enum dfs_status dfs_okv_get_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
				  uint32_t key_len, void *value, uint32_t *len);
enum dfs_status dfs_okv_put_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
				  uint32_t key_len, const void *value, uint32_t len);
enum dfs_status dfs_okv_del_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *key,
				  uint32_t key_len);
enum dfs_status dfs_okv_scan_state(void *inst, struct dfs_txn *txn, uint32_t share,
				   const char *prefix, uint32_t prefix_len, dfs_state_fn fn,
				   void *arg);
enum dfs_status dfs_okv_stats(void *inst, struct dfs_metadata_stats *stats);
enum dfs_status dfs_okv_health(void *inst);
enum dfs_status dfs_okv_add_usage(void *inst, struct dfs_txn *txn, uint32_t share,
				  const struct dfs_usage_record *rec);
enum dfs_status dfs_okv_scan_usage(void *inst, struct dfs_txn *txn, uint32_t share, uint32_t kind,
				   uint32_t id, dfs_usage_fn fn, void *arg);
enum dfs_status dfs_okv_clear_usage(void *inst, struct dfs_txn *txn, uint32_t share);

#ifdef __cplusplus
}
#endif
#endif
