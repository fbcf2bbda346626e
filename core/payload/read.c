/* SPDX-License-Identifier: MIT
 *
 * Reading: references to cached pages, zeros for holes, and the page range that must be fetched
 * where neither is known.
 */
#include <string.h>

#include "base/clock.h"
#include "payload/file.h"
#include "payload/offload/readahead.h"

#define TURNS_MAX 64         /* pages that are evicted before they are read */
#define WHOLE_BLOCK_PAGES 16 /* a request for as many brings in the block */
#define FIRST_PAGES (DFS_READAHEAD_FIRST / DFS_PAGE_SIZE)

/* What a read is part of. */
enum pattern { RANDOM, SEQUENTIAL, AHEAD /* and what follows is being brought in */ };

void
dfs_read_release(struct dfs_read *out)
{
	for (uint32_t i = 0; i < out->n; i++)
		dfs_buf_unref(out->spans[i].buf);
	out->n = 0;
}

static void
add_span(struct dfs_read *out, struct dfs_buf *buf, uint32_t at, uint32_t len)
{
	out->spans[out->n].buf = buf;
	out->spans[out->n].data = buf->data + at;
	out->spans[out->n].len = len;
	out->n++;
}

/* Bytes [from, to) of a page that is in memory or is zeros (page NULL or without a buffer).
 * left: pages of the request that follow.  False: no memory. */
static bool
read_page(struct dfs_read *out, const struct dfs_page *page, uint32_t from, uint32_t to,
	  uint32_t left)
{
	uint32_t valid = page && page->buf ? page->valid : 0;
	struct dfs_buf *whole;

	if (valid >= to) {
		add_span(out, dfs_buf_ref(page->buf), from, to - from);
		return true;
	}
	if (valid <= from) {
		add_span(out, dfs_buf_zero(), 0, to - from);
		return true;
	}
	if (out->n + 2 + left <= DFS_READ_SPANS) { /* each that follows takes one at least */
		add_span(out, dfs_buf_ref(page->buf), from, valid - from);
		add_span(out, dfs_buf_zero(), 0, to - valid);
		return true;
	}
	whole = dfs_buf_alloc(to - from);
	if (!whole)
		return false;
	memcpy(whole->data, page->buf->data + from, valid - from);
	memset(whole->data + (valid - from), 0, to - valid);
	add_span(out, whole, 0, to - from);
	return true;
}

static void
touch(struct dfs_block *block)
{
	if (!atomic_load_explicit(&block->referenced, memory_order_relaxed))
		atomic_store_explicit(&block->referenced, true, memory_order_relaxed);
}

/* Whether page p may have stored bytes that are not in memory. */
static bool
missing(const struct dfs_block *block, uint32_t p)
{
	const struct dfs_page *page = dfs_block_page(block, p);

	if (page && page->buf)
		return false;
	if (!block->row_known)
		return true;
	if (page)
		return page->units != 0;
	return dfs_block_stored(block, p * DFS_PAGE_SIZE, (p + 1) * DFS_PAGE_SIZE);
}

/* Bring in page p of the block at index, and what else of [p, last] is asked for.  Called with mu.
 */
static enum dfs_status
bring_in(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index, uint32_t p, uint32_t last,
	 enum pattern pattern)
{
	struct dfs_block *block = dfs_block_get_slots(file, index, 0);

	if (!block)
		return DFS_DELAY;
	if (pattern == AHEAD)
		last = p + FIRST_PAGES > last ? p + FIRST_PAGES - 1 : last;
	else if (pattern == SEQUENTIAL || last - p + 1 >= WHOLE_BLOCK_PAGES)
		last = DFS_PAGES - 1;
	if (last >= DFS_PAGES)
		last = DFS_PAGES - 1;
	return dfs_fetch_pages(ctx, block, p, last);
}

enum dfs_status
dfs_file_read(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t length, uint64_t offset,
	      uint32_t len, struct dfs_read *out)
{
	struct dfs_cache *cache = file->payload->cache;
	uint64_t pos, end;
	enum dfs_status st = DFS_OK;
	enum pattern pattern;
	unsigned turns = 0;
	bool fetched = false;

	out->n = 0;
	out->len = 0;
	out->eof = true;
	if (offset >= length)
		return DFS_OK;
	if (len > DFS_READ_MAX)
		len = DFS_READ_MAX;
	if (len > length - offset)
		len = (uint32_t)(length - offset);
	end = offset + len;
	out->len = len;
	out->eof = end == length;

	dfs_file_lock(file);
	pattern = offset == file->next_read ? SEQUENTIAL : RANDOM;
	/* Before waiting, so that what follows comes beside what is waited for; on a loop after all
	 * went well, for else the read is done again. */
	if (file->payload->blocks->offload && !ctx->nonblock && len > 0 &&
	    dfs_prefetch_note(file, length, offset, len))
		pattern = AHEAD;
	for (pos = offset; pos < end;) {
		uint64_t index = pos / DFS_BLOCK_SIZE, start = index * DFS_BLOCK_SIZE;
		uint32_t p = (uint32_t)(pos - start) / DFS_PAGE_SIZE;
		uint32_t to =
			end - start < DFS_BLOCK_SIZE ? (uint32_t)(end - start) : DFS_BLOCK_SIZE;
		uint32_t last = (to - 1) / DFS_PAGE_SIZE;
		struct dfs_block *block = dfs_block_find(file, index);

		if (block ? missing(block, p) : start < file->extent) {
			st = DFS_DELAY;
			if (++turns < TURNS_MAX)
				st = bring_in(ctx, file, index, p, last, pattern);
			if (st != DFS_OK)
				break;
			/* The lock was free meanwhile: what was collected may be older than what
			 * follows, which a concurrent write may show anyhow. */
			fetched = true;
			continue;
		}
		if (block)
			touch(block);
		for (; p <= last; p++) {
			uint32_t from = (uint32_t)(pos - start) - p * DFS_PAGE_SIZE;
			uint32_t upto = to - p * DFS_PAGE_SIZE;

			if (block && missing(block, p))
				break;
			if (upto > DFS_PAGE_SIZE)
				upto = DFS_PAGE_SIZE;
			if (!read_page(
				    out, block ? dfs_block_page(block, p) : NULL, from, upto,
				    (uint32_t)((end - 1) / DFS_PAGE_SIZE - pos / DFS_PAGE_SIZE))) {
				st = DFS_DELAY;
				break;
			}
			pos += upto - from;
		}
		if (st != DFS_OK)
			break;
	}
	if (st == DFS_OK && file->payload->blocks->offload && ctx->nonblock && len > 0)
		dfs_prefetch_note(file, length, offset, len);
	if (st == DFS_OK)
		file->next_read = end;
	dfs_file_unlock(file);
	if (st != DFS_OK) {
		dfs_read_release(out);
		out->len = 0;
	}
	if (fetched && dfs_cache_over(cache))
		dfs_cache_trim(cache);
	return st;
}
