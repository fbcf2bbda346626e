/* SPDX-License-Identifier: MIT
 *
 * Where a store's bytes become pages: buffers in the places that they have in their block.  A
 * store's own buffer is adopted where it is a page; else the bytes are copied into fresh ones.
 */
#ifndef DFS_PAYLOAD_LANDING_H
#define DFS_PAYLOAD_LANDING_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/block_store.h>

#include "base/buf.h"
#include "payload/payload.h"

#define DFS_PAGES (DFS_BLOCK_SIZE / DFS_PAGE_SIZE)

struct dfs_landing {
	struct dfs_sink sink;
	struct dfs_buf *bufs[DFS_PAGES];
	uint32_t valid[DFS_PAGES]; /* bytes delivered, gaps zeroed */
	uint32_t at, end;          /* of the block: the piece that is being read */
	bool no_memory;
};

void dfs_landing_init(struct dfs_landing *l);
/* The next piece goes to [at, at + length) of the block. */
void dfs_landing_piece(struct dfs_landing *l, uint32_t at, uint32_t length);
void dfs_landing_release(struct dfs_landing *l);

/* Bytes of an object in the buffers that they landed in, immutable from then on: the first begins
 * `lead` bytes into its buffer, each further buffer has the next page's.  Any thread. */
struct dfs_pages {
	_Atomic uint32_t refs;
	uint32_t offset, length; /* of the object */
	uint32_t lead;
	uint32_t n;
	struct dfs_buf *bufs[];
};

/* What landed at [at, at + length) of the block, taken out of l; one reference.  NULL: no memory. */
struct dfs_pages *dfs_landing_take(struct dfs_landing *l, uint32_t at, uint32_t offset,
				   uint32_t length);
struct dfs_pages *dfs_pages_ref(struct dfs_pages *pages);
void dfs_pages_unref(struct dfs_pages *pages); /* NULL is allowed */
/* Bytes of memory that it keeps. */
uint64_t dfs_pages_size(const struct dfs_pages *pages);
/* Deliver [offset, offset + length) of the object, which it has.  False: the sink has no space. */
bool dfs_pages_deliver(const struct dfs_pages *pages, uint32_t offset, uint32_t length,
		       const struct dfs_sink *sink);

#endif
