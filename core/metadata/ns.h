/* SPDX-License-Identifier: MIT
 *
 * The inside of struct dfs_namespace, for core/metadata and core/fs.
 */
#ifndef DFS_METADATA_NS_H
#define DFS_METADATA_NS_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "io/worker.h"
#include "metadata/inode.h"
#include "metadata/lease.h"
#include "metadata/orphan.h"
#include "metadata/store.h"

#define DFS_ROOT_FILEID 2

struct dfs_namespace {
	struct dfs_metadata_store *store;
	struct dfs_inode_cache *cache;
	struct dfs_share_record rec;
	struct dfs_lease lease; /* as it was when opened */
	bool log_settled;       /* what an earlier run left in the log was taken over or given up */
	_Atomic bool fenced;    /* another server has taken the share over */
	_Atomic bool uncached;  /* follow or fenced: nothing is served from memory alone */
	struct dfs_namespace *leased_next; /* store->leased_lock: of those with a lease */
	uint32_t id;                       /* unique in the process: keys of the caches */
	struct dfs_hash_key cookies;       /* from the share's uuid */
	uint64_t root_generation;
	struct dfs_lock rename_lock; /* directories move between parents one at a time */

	/* ids.c */
	struct dfs_lock fileid_lock;
	uint64_t next_fileid, end_fileid; /* guarded by fileid_lock */
	uint64_t fileid_range;            /* guarded by fileid_lock */
	uint64_t content_hi;              /* of this opening */
	_Atomic uint64_t content_lo;

	/* Set by core/fs before the first operation. */
	struct dfs_quota *quota; /* NULL: usage is not kept; metadata/quota.h */
	struct dfs_content_ops content;
	void *content_arg;
	bool no_orphans; /* nothing survives the process: reclaim needs no record */
	struct dfs_orphans orphans;

	/* Inodes that a write-back or the cache's clock has in hand, or that leave on the lane: work that no
	 * operation of this share waits for, so that closing waits for it here. */
	_Atomic uint32_t in_hand;
};

/* Whether only the store knows how things are. */
static inline bool
dfs_namespace_uncached(const struct dfs_namespace *ns)
{
	return __builtin_expect(atomic_load_explicit(&ns->uncached, memory_order_relaxed), 0);
}

/* fenced.c.  A commit was refused: find the shares of the store that are another server's now, and
 * serve nothing of them any more. */
void dfs_namespace_check_leases(struct dfs_metadata_store *store);

/* Lock and unlock the hash bucket that guards inode's attr and state. */
void dfs_inode_bucket_lock(struct dfs_inode *inode);
void dfs_inode_bucket_unlock(struct dfs_inode *inode);
/* The inode leaves the cache, its bucket locked: of what it is charged with, this stays. */
void dfs_inode_charge_leaves_locked(struct dfs_inode *inode, uint64_t used, int64_t files);

/* Whether the content was made since the share was opened: nothing of it can be left of a crash. */
bool dfs_content_id_recent(const struct dfs_namespace *ns, const struct dfs_content_id *id);
/* A file id that was never used; DFS_AGAIN when a new range must be taken. */
enum dfs_status dfs_fileid_new(const struct dfs_ctx *ctx, struct dfs_namespace *ns,
			       uint64_t *fileid);
void dfs_content_id_new(struct dfs_namespace *ns, struct dfs_content_id *id);
/* Never 0; not secret. */
uint64_t dfs_random_u64(void);

#endif
