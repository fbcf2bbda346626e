/* SPDX-License-Identifier: MIT
 *
 * Cloning a range of a file, around the caller's transaction: prepare, then rows inside it, then pages
 * when it has ended.  The caller holds the locks of both inodes from before prepare until after pages.
 */
#ifndef DFS_PAYLOAD_CLONE_H
#define DFS_PAYLOAD_CLONE_H

#include "payload/gc/gc.h"
#include "payload/payload.h"

/* Offsets are multiples of it; so is the length, but at the source's end. */
#define DFS_CLONE_UNIT 4096u
#define DFS_CLONE_MAX (1024ull * DFS_BLOCK_SIZE) /* bytes of one transaction */

struct dfs_clone {
	struct dfs_file *src, *dst; /* of one share; may be the same, the ranges must not overlap */
	uint64_t src_offset, dst_offset, length; /* length: 1..DFS_CLONE_MAX */
	/* Private; zero at the beginning. */
	struct dfs_drops drops;
	struct dfs_garbage *garbage;
	uint64_t freed, added; /* bytes of the destination's rows */
	uint64_t too_big;      /* the block of the destination whose row did not fit */
	bool too_big_set;
};

/* Write both through.  DFS_AGAIN (nonblock), DFS_DELAY, what flushing answers. */
enum dfs_status dfs_file_clone_prepare(struct dfs_ctx *ctx, struct dfs_clone *c);
/* DFS_TOOBIG: give the transaction up, call pages and begin with prepare again. */
enum dfs_status dfs_file_clone_rows(struct dfs_clone *c, struct dfs_txn *txn);
void dfs_file_clone_pages(struct dfs_clone *c, bool committed);

#endif
