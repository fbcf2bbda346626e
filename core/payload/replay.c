/* SPDX-License-Identifier: MIT
 *
 * What a recovery found in the log becomes dirty content again, without being read: the block's row
 * in memory points into the log.  Slices that shatter a block into more pieces than a row can have
 * go into pages instead.
 */
#include "payload/file.h"

/* A page that is in memory takes the bytes themselves. */
static enum dfs_status
into_page(struct dfs_file *file, struct dfs_block *block, uint32_t p, uint32_t lo, uint32_t hi,
	  dfs_wal_at at)
{
	struct dfs_page *page = &block->pages[p];
	uint32_t need = page->valid > hi ? page->valid : hi;
	struct dfs_buf *bytes = dfs_buf_alloc(hi - lo), *spare = dfs_buf_alloc(need);
	enum dfs_status st = bytes && spare
				     ? dfs_wal_read(file->payload->wal, at, bytes->data, hi - lo)
				     : DFS_NOMEM;

	if (st == DFS_OK)
		dfs_page_put_bytes(block, page, lo, hi, bytes->data, &spare);
	dfs_buf_unref(bytes);
	dfs_buf_unref(spare);
	return st;
}

/* Bytes [from, to) of the block, which lie at `at`.  The block is pinned and its row known. */
static enum dfs_status
replay_piece(struct dfs_ctx *ctx, struct dfs_file *file, struct dfs_block *block, uint32_t from,
	     uint32_t to, dfs_wal_at at, bool damaged)
{
	uint32_t p = from / DFS_PAGE_SIZE, start = p * DFS_PAGE_SIZE;
	const struct dfs_segment seg = dfs_log_segment(damaged ? 0 : at, from, to - from);
	struct dfs_page *page = &block->pages[p];
	enum dfs_status st = DFS_OK;

	if (!page->buf && !dfs_block_overlay(block, &seg)) {
		st = dfs_fetch_pages(ctx, block, 0, DFS_PAGES - 1);
		page = &block->pages[p];
		if (st == DFS_OK && !page->buf && !dfs_block_overlay(block, &seg))
			st = DFS_NOMEM;
	}
	if (st == DFS_OK && page->buf && !damaged)
		st = into_page(file, block, p, from - start, to - start, at);
	if (st == DFS_OK)
		dfs_page_note_written(block, page, from - start, to - start, damaged ? 0 : at);
	return st;
}

/* The part of the slice in one block, [from, to). */
static enum dfs_status
replay_block(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index, uint64_t lsn,
	     uint32_t from, uint32_t to, dfs_wal_at at, bool damaged)
{
	struct dfs_block *block = dfs_block_get_slots(file, index, (to - 1) / DFS_PAGE_SIZE);
	enum dfs_status st;
	uint32_t len;

	if (!block)
		return DFS_NOMEM;
	st = dfs_fetch_row(ctx, block);
	if (st != DFS_OK || block->lsn >= lsn)
		return st;
	len = to - from;
	block->pins++;
	while (from < to && st == DFS_OK) {
		uint32_t end = (from / DFS_PAGE_SIZE + 1) * DFS_PAGE_SIZE;

		if (end > to)
			end = to;
		st = replay_piece(ctx, file, block, from, end, at, damaged);
		at += end - from;
		from = end;
	}
	block->pins--;
	dfs_block_fill(block);
	if (st == DFS_OK)
		dfs_log_adopt(block, 1ull << DFS_WAL_SEGMENT(at), lsn, len);
	return st;
}

enum dfs_status
dfs_file_replay(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t lsn, uint64_t offset,
		uint32_t len, dfs_wal_at at, bool damaged)
{
	uint64_t end = offset + len;
	enum dfs_status st = DFS_OK;

	dfs_file_lock(file);
	while (offset < end && st == DFS_OK) {
		uint64_t index = offset / DFS_BLOCK_SIZE, start = index * DFS_BLOCK_SIZE;
		uint32_t from = (uint32_t)(offset - start);
		uint32_t to =
			end - start < DFS_BLOCK_SIZE ? (uint32_t)(end - start) : DFS_BLOCK_SIZE;

		st = replay_block(ctx, file, index, lsn, from, to, at, damaged);
		at += to - from;
		offset += to - from;
	}
	if (st == DFS_OK) {
		file->write_seq++;
		file->log_lsn = lsn;
	}
	dfs_file_unlock(file);
	return st;
}
