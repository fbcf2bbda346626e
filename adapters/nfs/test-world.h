/* SPDX-License-Identifier: MIT
 *
 * For tests and fuzzers: two shares, /one and /two, of the real core/fs on the memory stores, whose
 * plugins are found through DFS_PLUGIN_PATH.
 */
#ifndef NFS_TEST_WORLD_H
#define NFS_TEST_WORLD_H

#include "fs/share.h"
#include "metadata/lock/lock.h"

struct test_world {
	struct dfs_registry *registry;
	struct dfs_workers *workers;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_inode_cache *inodes;
	struct dfs_cache *pages;
	struct dfs_lock_domain lock_domain;
	struct dfs_share *one, *two;
};

/* Everybody is admitted, nobody squashed, until rules say otherwise. */
void test_world_init(struct test_world *w);
void test_world_clear(struct test_world *w);

#endif
