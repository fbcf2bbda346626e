/* SPDX-License-Identifier: MIT
 *
 * Dirty pages that the log has may leave memory: the row in memory points into the log instead, and a
 * read or the flush brings them back.  A page whose newest bytes lie about in the log is written to it
 * once more in one piece, and leaves at the next look.
 */
#include "base/failpoint.h"
#include "io/gate.h"
#include "payload/file.h"
#include "payload/metrics.h"

/* The dirty units of a page as a range of bytes. */
static void
dirty_range(const struct dfs_page *page, uint32_t *from, uint32_t *to)
{
	*from = (uint32_t)__builtin_ctz(page->dirty) * DFS_UNIT;
	*to = (32 - (uint32_t)__builtin_clz(page->dirty)) * DFS_UNIT;
	if (*to > page->valid)
		*to = page->valid;
}

/* True: the page's bytes lie in one piece in the log now, or soon. */
static bool
relog(struct dfs_block *block, uint32_t p)
{
	struct dfs_file *file = block->file;
	static const struct dfs_slice copy; /* tells nothing new of the inode */
	struct dfs_page *page = &block->pages[p];
	uint64_t page_at = block->index * DFS_BLOCK_SIZE + p * DFS_PAGE_SIZE;
	struct dfs_span span;
	uint32_t from, to;
	dfs_wal_at at;

	dirty_range(page, &from, &to);
	span = (struct dfs_span){page->buf->data + from, to - from, page->buf};
	if (!dfs_log_room(file->payload, to - from) ||
	    dfs_log_slice(file, page_at + from, to - from, &copy, &span, 1, &at) != DFS_OK)
		return false;
	/* The units between are in it too, clean ones and holes, and are dirty for the row that points
	 * there: a flush must put all that the row has of the log. */
	dfs_page_add_units(block, page, dfs_units_mask(from, to));
	dfs_page_mark(block, page, page->dirty | dfs_units_mask(from, to), page->held);
	page->log = at;
	dfs_counter_add(dfs_payload_metrics()->relogged_bytes, to - from);
	DFS_FAILPOINT("spill-logged");
	return true;
}

/* The bytes that left; 0: it stays. */
static uint32_t
spill_page(struct dfs_block *block, uint32_t p)
{
	struct dfs_page *page = &block->pages[p];
	uint32_t from, to, gone;
	struct dfs_segment seg;

	dirty_range(page, &from, &to);
	seg = dfs_log_segment(page->log, p * DFS_PAGE_SIZE + from, to - from);
	if (!dfs_block_overlay(block, &seg))
		return 0;
	gone = page->buf->len;
	dfs_counter_add(dfs_payload_metrics()->spilled_bytes, gone);
	dfs_buf_unref(dfs_page_set(block, page, NULL, 0));
	DFS_FAILPOINT("spill-out");
	return gone;
}

static uint64_t
spill_block(struct dfs_block *block)
{
	struct dfs_payload *payload = block->file->payload;
	bool written = dfs_gate_passed(dfs_wal_gate(payload->wal), block->lsn, DFS_SYNC_PROCESS);
	uint64_t gone = 0;

	if (block->pins || block->fetching || !block->row_known)
		return 0;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		if (!page->buf || !page->dirty || page->held || page->valid == 0)
			continue;
		if (!page->log && relog(block, p))
			written = false; /* the block's LSN is the new one */
		else if (page->log && written)
			gone += spill_page(block, p);
	}
	return gone;
}

uint64_t
dfs_file_spill(struct dfs_file *file, uint64_t bytes)
{
	uint64_t gone = 0;

	if (!file->payload->logging)
		return 0;
	dfs_file_lock(file);
	if (!file->truncating && !file->discarded)
		for (struct dfs_block *b = file->dirty_head; b && gone < bytes; b = b->dirty_next)
			gone += spill_block(b);
	dfs_file_unlock(file);
	return gone;
}
