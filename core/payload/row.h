/* SPDX-License-Identifier: MIT
 *
 * Arithmetic on block map rows.  In memory a row is a sorted list of disjoint segments; stored
 * rows may overlap, newest first, and are resolved when they are read.
 */
#ifndef DFS_PAYLOAD_ROW_H
#define DFS_PAYLOAD_ROW_H

#include <stdbool.h>

#include <dittofs/metadata_store.h>

/* A newest-first list of n segments resolves into at most this many. */
#define DFS_ROW_MAX (2 * DFS_SEGMENTS_MAX)

#define DFS_SEGMENT_LOG (1u << 31) /* in memory only: version + offset is a dfs_wal_at */

static inline bool
dfs_segment_in_object(const struct dfs_segment *seg)
{
	return !(seg->flags & (DFS_SEGMENT_LOG | DFS_SEGMENT_ZERO));
}

/* All that is left of a row whose LSN must not be forgotten. */
#define DFS_SEGMENT_MARKER                                                                         \
	((struct dfs_segment){.length = 1, .flags = DFS_SEGMENT_ZERO | DFS_SEGMENT_HOLE})

struct dfs_row {
	uint64_t lsn; /* what was logged up to there is in the row */
	uint32_t n;
	struct dfs_segment segs[DFS_ROW_MAX];
};

/* Resolve what a store returned.  False: a segment lies outside the block, or too many. */
bool dfs_row_resolve(struct dfs_row *row, const struct dfs_segment *segs, uint32_t n);
/* Let seg hide what is below it.  False: the row would grow over DFS_ROW_MAX. */
bool dfs_row_overlay(struct dfs_row *row, const struct dfs_segment *seg);
/* Keep [0, end) of n segments; answers how many are left. */
uint32_t dfs_row_clip(struct dfs_segment *segs, uint32_t n, uint32_t end);
/* Make [from, to) a hole.  False: as above. */
bool dfs_row_punch(struct dfs_row *row, uint32_t from, uint32_t to);
/* The part of s in [from, to), which it must reach into. */
struct dfs_segment dfs_segment_part(const struct dfs_segment *s, uint32_t from, uint32_t to);
/* Allocated: units that the row has a byte of. */
uint64_t dfs_row_bytes(const struct dfs_row *row);
/* Some of it lies in the object. */
bool dfs_row_has(const struct dfs_segment *segs, uint32_t n, uint64_t version);
/* Bytes of the object, from its first on, that are needed for what lies in it; 0: nothing does. */
uint32_t dfs_row_reach(const struct dfs_segment *segs, uint32_t n, uint64_t version);

#endif
