/* SPDX-License-Identifier: MIT
 *
 * Downloads: parts of objects on their way from a store into pages, one at a time for the same
 * part.  Whoever needs bytes that are on their way joins, and a prefetch that is joined becomes as
 * urgent as its reader.  What arrives when nobody waits any more goes to the download buffer.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_DOWNLOAD_H
#define DFS_PAYLOAD_OFFLOAD_DOWNLOAD_H

#include "payload/download_buffer.h"
#include "payload/offload/offload.h"

struct dfs_download {
	struct dfs_transfer t;
	struct dfs_download *next; /* in its place of the table while listed */
	struct dfs_download_key id;
	uint32_t offset, length; /* of the object */
	uint32_t at;             /* of the block: where the first byte belongs */
	unsigned waiters;        /* who take the pages themselves; guarded by mu */
	bool listed;             /* guarded by mu */
	bool no_memory;
	int64_t first_byte; /* monotonic ns; 0: none yet */
	struct dfs_landing landing;
	struct dfs_pages *pages; /* once it is done, and went well */
	struct dfs_download_buffer *buffer;
	char key[DFS_KEY_MAX + 1];
};

/* A block whose objects are asked for; everything is borrowed. */
struct dfs_download_source {
	struct dfs_offload *offload;
	struct dfs_download_buffer *buffer;
	const char *prefix; /* of the keys */
	struct dfs_content_id content;
	uint64_t block;
};

/* Bring segments of the block's row in: from the buffer, from downloads under way, from the store.
 * Every wait ends at the context's deadline or after the offloader's time for demand reads:
 * DFS_DELAY, and what is on its way still arrives.  DFS_NOMEM: give memory back and come again. */
enum dfs_status dfs_download_segments(const struct dfs_download_source *src,
				      const struct dfs_ctx *ctx, const struct dfs_segment *segs,
				      uint32_t n, struct dfs_landing *l);
/* The same from the buffer alone, without waiting: DFS_AGAIN when something is missing there. */
enum dfs_status dfs_download_landed(const struct dfs_download_source *src,
				    const struct dfs_segment *segs, uint32_t n,
				    struct dfs_landing *l);
/* Grow [*first, *last], pages of the block, over what has landed or is on its way together with
 * some of them: it would be lost otherwise. */
void dfs_download_extent(const struct dfs_download_source *src, const struct dfs_segment *segs,
			 uint32_t n, uint32_t *first, uint32_t *last);
/* Start what of the segments is neither there nor on its way; nobody waits.  All of them are in
 * objects. */
void dfs_download_prefetch(const struct dfs_download_source *src, const struct dfs_segment *segs,
			   uint32_t n);

#endif
