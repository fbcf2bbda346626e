/* SPDX-License-Identifier: MIT
 *
 * Directory entries: cookies, the records of one hash value, and the cache of names.
 *
 * A cookie is the keyed hash of the name with its low 6 bits free: names of one hash form a
 * chain of at most 64 cookies.  The first lies at the lowest; DFS_DIRENT_MORE on an entry says
 * that the chain goes on at the next cookie; a removed entry with a successor leaves a tombstone.
 * So a look-up is one point read, and a cookie never changes while its entry lives.
 */
#ifndef DFS_METADATA_DIRENT_H
#define DFS_METADATA_DIRENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "metadata/inode.h"

#define DFS_CHAIN_MAX 64u

/* Where a name is or would be. */
struct dfs_dirent {
	uint64_t cookie; /* of the entry; of the chain's head when there is none */
	uint64_t fileid; /* 0: no such entry */
	uint32_t type;
	bool alone; /* the chain holds this entry and nothing else, or nothing at all */
};

/* Head of the name's chain: 64 <= cookie < 2^63, low 6 bits zero. */
uint64_t dfs_dirent_cookie(const struct dfs_namespace *ns, struct dfs_name name);

/* --- in a transaction ---------------------------------------------------------------------- */

/* Find name; DFS_OK also when it is absent (fileid 0). */
enum dfs_status dfs_dirent_read(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir,
				struct dfs_name name, uint64_t chain, struct dfs_dirent *d);
/* Add an entry for an absent name; d is what read or the cache said, and is brought up to date.
 * DFS_NOSPC: 64 names of one hash. */
enum dfs_status dfs_dirent_add(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir,
			       struct dfs_name name, struct dfs_dirent *d, uint64_t fileid,
			       uint32_t type);
/* Remove a present one. */
enum dfs_status dfs_dirent_del(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir,
			       struct dfs_name name, struct dfs_dirent *d);
/* Let a present one name another file. */
enum dfs_status dfs_dirent_replace(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir,
				   struct dfs_name name, struct dfs_dirent *d, uint64_t fileid,
				   uint32_t type);

/* --- the cache ----------------------------------------------------------------------------- */

/* The answer to a find that follows soon. */
void dfs_name_cache_prefetch(struct dfs_namespace *ns, uint64_t dir, uint64_t chain);
/* True: known, the answer is in d (absent names are known, too). */
bool dfs_name_cache_find(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name,
			 uint64_t chain, struct dfs_dirent *d);
/* After a committed change, with dir's lock held. */
void dfs_name_cache_set(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name,
			const struct dfs_dirent *d);
/* How often a name near this one was changed, for fill. */
uint32_t dfs_name_cache_changes(struct dfs_namespace *ns, uint64_t dir, uint64_t chain);
/* What was read from the store, unless there were changes since `expected` was asked, before the read:
 * it may be outdated then. */
void dfs_name_cache_fill(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name,
			 const struct dfs_dirent *d, uint32_t expected);

/* Find name in the cache or the store.  DFS_OK also when it is absent. */
enum dfs_status dfs_dirent_find(const struct dfs_ctx *ctx, struct dfs_inode *dir,
				struct dfs_name name, uint64_t chain, struct dfs_dirent *d);

#endif
