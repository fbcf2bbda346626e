/* SPDX-License-Identifier: MIT
 *
 * The inside of struct dfs_inode_cache, for the files of this folder.
 *
 * Inodes: a hash table with a lock in each bucket; shards own ranges of buckets, the slabs that
 * inodes are cut from, and a clock hand.  Names: a set-associative table, one lock a set, one
 * entry for each bucket of directory cookies (metadata/dirent.h).
 */
#ifndef DFS_METADATA_CACHE_H
#define DFS_METADATA_CACHE_H

#include "metadata/inode.h"

#define SLAB_INODES 64

struct inode_bucket {
	struct dfs_lock lock;
	struct dfs_inode *head; /* guarded by lock */
};

struct inode_shard {
	struct dfs_lock lock;
	uint32_t used;            /* guarded by lock */
	struct dfs_inode *free;   /* guarded by lock, linked by hash_next */
	struct dfs_inode **extra; /* guarded by lock: slabs beyond the mapped ones */
	uint32_t n_extra;         /* guarded by lock */
	uint64_t hand;            /* guarded by lock: a bucket of this shard */
	uint32_t patience;        /* guarded by lock: pinned inodes that the hand may still meet */
	_Atomic uint32_t epoch;   /* grows, under the bucket's lock, when a changed inode leaves */
} __attribute__((aligned(64)));

#define NAME_WAYS 8

#define NAME_INLINE 32

/* One cache line. */
struct name_entry {
	uint64_t dir, chain, fileid;
	uint32_t ns;
	uint8_t type;
	uint8_t slot : 6; /* cookie - chain */
	uint8_t alone : 1;
	uint8_t len;
	union {
		char bytes[NAME_INLINE];
		char *far; /* len > NAME_INLINE: owned */
	} name;
};

struct name_set {
	struct dfs_lock lock;
	uint32_t changes;   /* guarded by lock: grows with each change of a name of the set */
	uint8_t referenced; /* bit i: entry i was used since the hand passed */
	uint8_t hand;
	uint32_t tags[NAME_WAYS]; /* 0: free */
	struct name_entry entries[NAME_WAYS] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

struct dfs_inode_cache {
	uint64_t mask; /* buckets - 1 */
	unsigned shard_shift;
	uint32_t shard_limit; /* inodes of one shard */
	struct inode_bucket *buckets;
	struct dfs_inode *slabs;     /* mapped, touched as they are cut from the front */
	uint64_t n_inodes;           /* places in slabs */
	_Atomic uint64_t next_inode; /* first that was never used */
	struct name_set *sets;
	uint64_t set_mask;
	_Atomic uint64_t n_names;
	struct inode_shard shards[DFS_INODE_SHARDS];
};

void dfs_name_cache_setup(struct dfs_inode_cache *cache, uint64_t max_names);
void dfs_name_cache_clear(struct dfs_inode_cache *cache);
/* Free every inode of ns, not written ones included; for closing.  False: some were left because
 * a write-back or the clock has them in hand. */
bool dfs_inode_cache_purge(struct dfs_inode_cache *cache, struct dfs_namespace *ns);

#endif
