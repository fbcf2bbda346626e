/* SPDX-License-Identifier: MIT
 *
 * Inside a flush: the blocks that go out together, what each becomes, and the bytes of its object.
 * All of it is one thread's, that of the flush.
 */
#ifndef DFS_PAYLOAD_FLUSH_BATCH_H
#define DFS_PAYLOAD_FLUSH_BATCH_H

#include "payload/file.h"
#include "payload/offload/upload.h"

#define DFS_FLUSH_BLOCKS_MAX 16    /* of one transaction */
#define DFS_FLUSH_SEGMENTS_GOAL 16 /* a row of more is written as a whole when that is possible */
#define DFS_FLUSH_SPANS_MAX 160    /* pages, their zero tails, and as many gaps as segments */

struct dfs_flush_part {
	struct dfs_block *block; /* pinned */
	struct dfs_row row;      /* what it shall be */
	struct dfs_segment *old; /* what it was, in objects; NULL: nothing */
	uint32_t n_old;
	uint64_t version;  /* put; 0: nothing */
	uint64_t segments; /* of the log: the pins that were the block's */
	bool log_cut;      /* the block's, when it was taken */
	bool changed;      /* the row is new */
	bool overlaid;     /* old is not all of the stored row */
	bool hashed;       /* the row is one object, whose hash this is */
	uint64_t twin;     /* that object was there before, as this version; 0: it is put */
	uint8_t hash[32];
	uint16_t dirty[DFS_PAGES]; /* as they were taken */
	dfs_wal_at log[DFS_PAGES];
	uint8_t n_slots;
};

struct dfs_flush_batch {
	struct dfs_file *file;
	struct dfs_txn *txn; /* open already: the flush runs on an event loop */
	bool unsure;         /* the transaction failed in its commit: it may have happened */
	uint32_t trunc_gen;
	uint32_t n;
	uint64_t put_seq;
	struct dfs_drops drops;      /* of the last attempt at the transaction */
	struct dfs_garbage *garbage; /* and what has no record of those */
	enum dfs_flush_strategy how;
	struct dfs_upload upload; /* offload NULL: the store is called here and now */
	struct dfs_flush_part parts[DFS_FLUSH_BLOCKS_MAX];
};

/* The bytes of one object and where they lie in the block. */
struct dfs_flush_object {
	uint32_t n_spans, n_segs, length;
	struct dfs_span spans[DFS_FLUSH_SPANS_MAX];
	struct dfs_buf *refs[DFS_PAGES];
	uint32_t n_refs;
	struct dfs_segment segs[DFS_FLUSH_SEGMENTS_GOAL];
	bool too_many;
};

/* object.c: decide what to put for the block and describe it.  Called with mu and a known row.
 * DFS_OK: o has references to buffers, to be released.  DFS_BUSY: look again. */
enum dfs_status dfs_flush_describe(struct dfs_ctx *ctx, struct dfs_flush_part *part,
				   struct dfs_flush_object *o, uint64_t version);
/* An object of nothing but zeros is not put: its segments say so.  True: it is one.  The zeros
 * count as allocated, as what was written does. */
bool dfs_flush_only_zeros(struct dfs_flush_part *part, struct dfs_flush_object *o,
			  uint64_t version);
void dfs_flush_object_release(struct dfs_flush_object *o);

/* publish.c: blocks durable first, then the rows that name them.  Called without mu.  DFS_BUSY:
 * fenced by a truncation. */
enum dfs_status dfs_flush_make_current(struct dfs_ctx *ctx, struct dfs_flush_batch *batch);

#endif
