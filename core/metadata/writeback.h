/* SPDX-License-Identifier: MIT
 *
 * Inodes whose records wait in memory for the store's next sync: a directory's times after its
 * entries changed, access times, a renamed file's ctime.
 *
 * The list holds a reference to each inode on it.  Volatile stores are written only when the
 * list gets long, because records must be in the store before their inodes leave the cache.
 */
#ifndef DFS_METADATA_WRITEBACK_H
#define DFS_METADATA_WRITEBACK_H

#include <stdint.h>

#include "metadata/inode.h"
#include "metadata/store.h"

struct dfs_writeback *dfs_writeback_new(struct dfs_metadata_store *store);
void dfs_writeback_free(struct dfs_writeback *wb);
/* Takes over one reference to inode. */
void dfs_writeback_add(struct dfs_metadata_store *store, struct dfs_inode *inode);
/* The last reference to a removed inode ends, and a flush keeps its file: true, it is taken over and ended on the store's
 * lane. */
bool dfs_writeback_take_leave(struct dfs_inode *inode);
/* Write all that was on the list when called.  With seq also wait for what other threads had taken from
 * it: *seq becomes the number of the last such commit, if that is higher. */
enum dfs_status dfs_writeback_run(struct dfs_metadata_store *store, uint64_t *seq);
/* Called at the start of operations, with no lock held: keeps the list short.  DFS_AGAIN: it is
 * too long and this thread must not wait. */
enum dfs_status dfs_writeback_relieve(struct dfs_metadata_store *store, const struct dfs_ctx *ctx);
/* Write until neither the list nor another thread has an inode of ns, which is closing; what a
 * store that failed does not take is dropped. */
void dfs_writeback_finish(struct dfs_metadata_store *store, struct dfs_namespace *ns);
/* The list's length at which operations begin to shorten it. */
void dfs_writeback_limit(struct dfs_metadata_store *store, uint32_t limit);

#endif
