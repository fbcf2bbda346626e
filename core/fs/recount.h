/* SPDX-License-Identifier: MIT
 *
 * Counting what a share uses from its records: every inode that a name leads to or that waits to be
 * reclaimed, and the map rows of each file.
 *
 * For a share that stands still: one that is being opened, or whose server does not run.  Transactions
 * are bounded; memory is for a path down the tree and for each file of several names.
 */
#ifndef DFS_FS_RECOUNT_H
#define DFS_FS_RECOUNT_H

#include "metadata/namespace.h"
#include "metadata/quota.h"

struct dfs_recount {
	uint64_t inodes, bytes;
	uint64_t wrong_used; /* records that say another number of bytes than their rows have */
	uint64_t wrong_sums; /* of a check: sums of the store that are not the recount's */
};

/* Add all to quota, which is empty.  repair: records with wrong `used` are put right. */
enum dfs_status dfs_recount(struct dfs_namespace *ns, struct dfs_quota *quota, bool repair,
			    struct dfs_recount *found);
/* Compare the store's sums with a recount; what differs is logged, up to a number of lines. */
enum dfs_status dfs_recount_check(struct dfs_namespace *ns, struct dfs_recount *found);

#endif
