/* SPDX-License-Identifier: MIT
 *
 * A namespace: one share's tree of names and inodes on a metadata store, behind the caches.
 *
 * The inode cache is one for the server, bounded by a number of inodes and of names (negative
 * ones included); namespaces share it.  core/fs calls the namespace; the runtime only makes the
 * cache.  What leaves the cache is written first.
 */
#ifndef DFS_METADATA_NAMESPACE_H
#define DFS_METADATA_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "metadata/lease.h"

struct dfs_inode_cache;
struct dfs_metadata_store;
struct dfs_namespace;

/* Memory is taken as it fills: about 256 bytes an inode, 80 a name.  At least 1024 of each. */
struct dfs_inode_cache *dfs_inode_cache_new(uint64_t max_inodes, uint64_t max_names);
/* Every namespace is closed. */
void dfs_inode_cache_free(struct dfs_inode_cache *cache);
void dfs_inode_cache_usage(const struct dfs_inode_cache *cache, uint64_t *inodes, uint64_t *names);

struct dfs_namespace_options {
	const char *name;                       /* the share's, 1..63 bytes */
	uint32_t root_mode, root_uid, root_gid; /* of a root that is made now; mode 0: 0755 */
	bool existing;                          /* DFS_NOENT rather than to make a share */
	/* On a store that several servers share; else not looked at. */
	const struct dfs_server_identity *self;
	enum dfs_lease_wish wish;
	uint64_t log_last; /* the highest LSN of the server's log, 0: it has none */
};

/* Find the share's row or, unless `existing`, create it with its root directory, and take its lease
 * (metadata/lease.h).  DFS_BUSY: another server has it.  DFS_NOENT: a share that would be followed is
 * not there.  Blocking. */
enum dfs_status dfs_namespace_open(struct dfs_metadata_store *store, struct dfs_inode_cache *cache,
				   const struct dfs_namespace_options *options,
				   struct dfs_namespace **ns);
/* Writes back and forgets its inodes.  No reference to one is left.  Blocking, as long as the store does:
 * what another thread writes back is waited for. */
void dfs_namespace_close(struct dfs_namespace *ns);
/* After close, when nothing writes to the share's records any more.  complete: all of the share is in
 * its stores, nothing only in the log: its lease is given back.  log_last: as above.  Blocking. */
void dfs_namespace_free(struct dfs_namespace *ns, bool complete, uint64_t log_last);

#endif
