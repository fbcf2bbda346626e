/* SPDX-License-Identifier: MIT
 *
 * Writing: received pages become the file's content by pointer; what covers a page in part is
 * merged by whichever copy is shorter.
 *
 * A page whose buffer somebody else holds (a reply being sent, a flush, a memory store) is never
 * changed: it gets another buffer.  prepare does all that can fail.
 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "payload/file.h"

/* The server has one cache; reservations, which know no file, give its clean pages up when the
 * pool is at its limit. */
static struct dfs_buf *
alloc(struct dfs_cache *cache, uint32_t len)
{
	struct dfs_buf *b = dfs_buf_alloc(len);

	if (!b && cache && dfs_cache_reclaim(cache, DFS_WRITE_MAX))
		b = dfs_buf_alloc(len);
	return b;
}

enum dfs_status
dfs_write_reserve(uint64_t offset, uint32_t len, struct dfs_write *w)
{
	uint64_t end = offset + len;

	w->offset = offset;
	w->len = len;
	w->n = 0;
	if (len > DFS_WRITE_MAX)
		return DFS_INVAL;
	if (offset > (uint64_t)DFS_FILE_LENGTH_MAX - len)
		return DFS_FBIG;
	while (offset < end) {
		uint32_t lo = offset % DFS_PAGE_SIZE, n = DFS_PAGE_SIZE - lo;
		struct dfs_buf *b;

		if (n > end - offset)
			n = (uint32_t)(end - offset);
		/* At its natural place in the page, unless that wastes most of the buffer. */
		if (lo + n > 4 * n)
			lo = 0;
		b = alloc(dfs_cache_of_server(), lo + n);
		if (!b) {
			dfs_write_cancel(w);
			return DFS_DELAY;
		}
		w->bufs[w->n] = b;
		w->iov[w->n] = (struct iovec){b->data + lo, n};
		w->n++;
		offset += n;
	}
	return DFS_OK;
}

void
dfs_write_cancel(struct dfs_write *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		dfs_buf_unref(w->bufs[i]);
	w->n = 0;
}

static void
unpin_range(struct dfs_file *file)
{
	for (uint32_t i = 0; i < file->prep_n; i++) {
		struct dfs_block *b = dfs_block_find(file, file->prep_index + i);

		b->pins--;
	}
	file->prep_n = 0;
}

void
dfs_file_unprepare(struct dfs_file *file)
{
	unpin_range(file);
	for (int i = 0; i < 2; i++) {
		dfs_buf_unref(file->spare[i]);
		file->spare[i] = NULL;
	}
}

/* [lo, hi) of the page will be written in part: bring in the rest, keep a buffer ready. */
static enum dfs_status
prepare_part(struct dfs_ctx *ctx, struct dfs_block *block, uint32_t p, uint32_t lo, uint32_t hi,
	     struct dfs_buf **spare)
{
	struct dfs_page *page = &block->pages[p];
	uint32_t from = p * DFS_PAGE_SIZE, need = hi;
	enum dfs_status st;

	if (!page->buf && page->units &&
	    (dfs_block_stored(block, from, from + lo) ||
	     dfs_block_stored(block, from + hi, from + DFS_PAGE_SIZE))) {
		st = dfs_fetch_pages(ctx, block, p, p);
		if (st != DFS_OK)
			return st;
		page = &block->pages[p];
	}
	if (page->buf && page->valid > need)
		need = page->valid;
	if (*spare && (*spare)->len >= need)
		return DFS_OK;
	dfs_buf_unref(*spare);
	*spare = dfs_buf_alloc(need);
	return *spare ? DFS_OK : DFS_DELAY;
}

static enum dfs_status
prepare_blocks(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t offset, uint64_t end)
{
	enum dfs_status st;

	unpin_range(file);
	file->prep_index = offset / DFS_BLOCK_SIZE;
	for (uint64_t pos = offset; pos < end;) {
		uint64_t index = pos / DFS_BLOCK_SIZE, start = index * DFS_BLOCK_SIZE;
		uint32_t from = (uint32_t)(pos - start);
		uint32_t to =
			end - start < DFS_BLOCK_SIZE ? (uint32_t)(end - start) : DFS_BLOCK_SIZE;
		uint32_t first = from / DFS_PAGE_SIZE, last = (to - 1) / DFS_PAGE_SIZE;
		uint32_t lo = from % DFS_PAGE_SIZE, hi = to - last * DFS_PAGE_SIZE;
		struct dfs_block *block = dfs_block_get_slots(file, index, last);

		if (!block)
			return DFS_DELAY;
		block->pins++;
		file->prep_n++;
		if (!block->row_known && (st = dfs_fetch_row(ctx, block)) != DFS_OK)
			return st;
		if (first == last) {
			/* A copy of exactly one page needs a buffer too. */
			if ((hi - lo < DFS_PAGE_SIZE || end - offset == DFS_PAGE_SIZE) &&
			    (st = prepare_part(ctx, block, first, lo, hi,
					       &file->spare[pos != offset])) != DFS_OK)
				return st;
		} else {
			if (lo && (st = prepare_part(ctx, block, first, lo, DFS_PAGE_SIZE,
						     &file->spare[0])) != DFS_OK)
				return st;
			if (hi < DFS_PAGE_SIZE &&
			    (st = prepare_part(ctx, block, last, 0, hi, &file->spare[1])) != DFS_OK)
				return st;
		}
		pos = start + to;
	}
	return DFS_OK;
}

enum dfs_status
dfs_file_prepare(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t length, uint64_t offset,
		 uint32_t len)
{
	struct dfs_cache *cache = file->payload->cache;
	enum dfs_status st;

	if (len == 0)
		return DFS_OK;
	if (offset > (uint64_t)DFS_FILE_LENGTH_MAX - len)
		return DFS_FBIG;
	st = dfs_throttle_write(ctx, file->payload, len);
	if (st != DFS_OK)
		return st;
	dfs_file_lock(file);
	if (file->truncating) {
		file->truncating = false;
		dfs_file_wake(file);
	}
	st = prepare_blocks(ctx, file, offset, offset + len);
	if (st == DFS_DELAY && !ctx->nonblock) {
		dfs_file_unlock(file);
		dfs_cache_reclaim(cache, DFS_WRITE_MAX);
		dfs_file_lock(file);
		st = prepare_blocks(ctx, file, offset, offset + len);
	}
	if (st != DFS_OK)
		dfs_file_unprepare(file);
	dfs_file_unlock(file);
	/* What a loop cannot get now, a worker may wait for. */
	return st == DFS_DELAY && ctx->nonblock ? DFS_AGAIN : st;
}

static void
zero_gap(struct dfs_buf *buf, uint32_t valid, uint32_t lo)
{
	if (valid < lo)
		memset(buf->data + valid, 0, lo - valid);
}

void
dfs_page_put_bytes(struct dfs_block *block, struct dfs_page *page, uint32_t lo, uint32_t hi,
		   const void *src, struct dfs_buf **spare)
{
	uint32_t valid = page->buf ? page->valid : 0, need = valid > hi ? valid : hi;
	struct dfs_buf *b = page->buf, *old = NULL;

	if (!b || b->len < need || !dfs_buf_exclusive(b)) {
		b = *spare;
		*spare = NULL;
		assert(b && b->len >= need);
		if (valid > 0) {
			memcpy(b->data, page->buf->data, valid < lo ? valid : lo);
			if (valid > hi)
				memcpy(b->data + hi, page->buf->data + hi, valid - hi);
		}
		old = dfs_page_set(block, page, b, need);
	}
	zero_gap(b, valid, lo);
	memcpy(b->data + lo, src, hi - lo);
	page->valid = need;
	dfs_buf_unref(old);
}

/* Make buf, which holds [lo, hi) at data, part of the page; takes buf. */
static void
put_buf(struct dfs_block *block, struct dfs_page *page, uint32_t lo, uint32_t hi,
	struct dfs_buf *buf, const unsigned char *data, struct dfs_buf **spare)
{
	uint32_t valid = page->buf ? page->valid : 0, need = valid > hi ? valid : hi;
	uint32_t keep = (valid < lo ? valid : lo) + (valid > hi ? valid - hi : 0);
	bool in_place = page->buf && page->buf->len >= need && keep > hi - lo &&
			dfs_buf_exclusive(page->buf);

	if (in_place || data != buf->data + lo || buf->len < need) {
		dfs_page_put_bytes(block, page, lo, hi, data, spare);
		dfs_buf_unref(buf);
		return;
	}
	if (keep > 0) {
		memcpy(buf->data, page->buf->data, valid < lo ? valid : lo);
		if (valid > hi)
			memcpy(buf->data + hi, page->buf->data + hi, valid - hi);
	}
	zero_gap(buf, valid, lo);
	dfs_buf_unref(dfs_page_set(block, page, buf, need));
}

/* The dirty units of the page lie in the log from `at` on, one after the other, if that is so when
 * [lo, hi), which lies at `at` (0: nowhere), is newest. */
static dfs_wal_at
logged_at(const struct dfs_page *page, uint32_t lo, uint32_t hi, dfs_wal_at at)
{
	uint16_t units = dfs_units_mask(lo, hi);
	uint32_t first, end;

	if (!at || lo % DFS_UNIT || hi % DFS_UNIT)
		return 0; /* the unit's other bytes are elsewhere */
	if (!(page->dirty & ~units))
		return at;
	/* Behind what is there already, without a gap? */
	if (!page->log || page->dirty & units)
		return 0;
	first = (uint32_t)__builtin_ctz(page->dirty) * DFS_UNIT;
	end = (32 - (uint32_t)__builtin_clz(page->dirty)) * DFS_UNIT;
	return end == lo && page->log + (end - first) == at ? page->log : 0;
}

void
dfs_page_note_written(struct dfs_block *block, struct dfs_page *page, uint32_t lo, uint32_t hi,
		      dfs_wal_at at)
{
	uint16_t units = dfs_units_mask(lo, hi);

	page->log = logged_at(page, lo, hi, at);
	dfs_page_add_units(block, page, units);
	dfs_page_mark(block, page, page->dirty | units, page->held);
	dfs_block_list_dirty(block);
	/* A sequential writer's last page: is the block whole? */
	if (hi == DFS_PAGE_SIZE && block->n_slots == DFS_PAGES &&
	    page == &block->pages[DFS_PAGES - 1] && block->file->payload->eager &&
	    dfs_block_all_dirty(block)) {
		block->whole = true;
		dfs_flusher_hurry(block->file->payload->cache, block->file);
	}
}

/* Called with mu; the blocks are prepared.  *units: whether it allocates any itself. */
static int64_t
growth(const struct dfs_file *file, uint64_t offset, uint32_t len, bool *units)
{
	uint64_t end = offset + len;
	int64_t n = 0;

	*units = false;
	for (uint64_t pos = offset; pos < end;) {
		uint64_t index = pos / DFS_BLOCK_SIZE, start = index * DFS_BLOCK_SIZE;
		uint32_t to =
			end - start < DFS_BLOCK_SIZE ? (uint32_t)(end - start) : DFS_BLOCK_SIZE;
		const struct dfs_block *block = dfs_block_find(file, index);
		struct dfs_block_measure m = dfs_block_measure(block, (uint32_t)(pos - start), to);

		n += (int64_t)m.units + m.fill - block->n_units - block->n_fill;
		*units |= m.units != block->n_units;
		pos = start + to;
	}
	return n > 0 ? n * DFS_UNIT : 0;
}

uint64_t
dfs_file_growth(struct dfs_file *file, uint64_t offset, uint32_t len, bool *overwrites)
{
	uint64_t bytes;
	bool units;

	dfs_file_lock(file);
	bytes = (uint64_t)growth(file, offset, len, &units);
	dfs_file_unlock(file);
	*overwrites = !units;
	return bytes;
}

void
dfs_file_unprepared(struct dfs_file *file)
{
	dfs_file_lock(file);
	dfs_file_unprepare(file);
	dfs_file_unlock(file);
}

/* Called with mu.  Whether the write keeps within what was reserved for it. */
static bool
has_room(const struct dfs_file *file, const struct dfs_slice *slice, uint64_t offset, uint32_t len)
{
	bool units;

	return !slice->bounded || growth(file, offset, len, &units) <= (int64_t)slice->room;
}

static void
written(struct dfs_file *file)
{
	struct dfs_cache *cache = file->payload->cache;

	for (uint32_t i = 0; i < file->prep_n && file->payload->fills; i++)
		dfs_block_fill(dfs_block_find(file, file->prep_index + i));
	dfs_file_unprepare(file);
	file->write_seq++;
	dfs_file_unlock(file);
	DFS_FAILPOINT("write-cached");
	if (dfs_cache_over(cache))
		dfs_cache_trim(cache);
}

static enum dfs_status
give_up(struct dfs_file *file, enum dfs_status status)
{
	dfs_file_unprepare(file);
	dfs_file_unlock(file);
	return status;
}

enum dfs_status
dfs_file_write(struct dfs_file *file, const struct dfs_slice *slice, struct dfs_write *w)
{
	struct dfs_span spans[DFS_WRITE_SPANS];
	uint64_t pos = w->offset;
	struct dfs_block *block = NULL;
	dfs_wal_at at;
	enum dfs_status st;

	for (uint32_t i = 0; i < w->n; i++)
		spans[i] = (struct dfs_span){w->iov[i].iov_base, w->iov[i].iov_len, w->bufs[i]};
	dfs_file_lock(file);
	if (!has_room(file, slice, w->offset, w->len)) {
		dfs_file_unlock(file);
		return DFS_BUSY;
	}
	st = dfs_log_slice(file, w->offset, w->len, slice, spans, w->n, &at);
	if (st != DFS_OK)
		return give_up(file, st);
	DFS_FAILPOINT("write-logged");
	for (uint32_t i = 0; i < w->n; i++) {
		uint64_t index = pos / DFS_BLOCK_SIZE;
		uint32_t lo = pos % DFS_PAGE_SIZE, n = (uint32_t)w->iov[i].iov_len;
		struct dfs_page *page;

		if (!block || block->index != index)
			block = dfs_block_find(file, index);
		page = &block->pages[pos % DFS_BLOCK_SIZE / DFS_PAGE_SIZE];
		put_buf(block, page, lo, lo + n, w->bufs[i], w->iov[i].iov_base,
			&file->spare[i > 0]);
		dfs_page_note_written(block, page, lo, lo + n, at ? at + (pos - w->offset) : 0);
		pos += n;
	}
	w->n = 0;
	written(file);
	return DFS_OK;
}

enum dfs_status
dfs_file_copy_in(struct dfs_file *file, const struct dfs_slice *slice, uint64_t offset,
		 const void *data, uint32_t len)
{
	const struct dfs_span span = {data, len, NULL};
	const unsigned char *src = data;
	uint64_t pos = offset, end = offset + len;
	dfs_wal_at at;
	enum dfs_status st;

	assert(len <= DFS_PAGE_SIZE);
	dfs_file_lock(file);
	if (!has_room(file, slice, offset, len)) {
		dfs_file_unlock(file);
		return DFS_BUSY;
	}
	st = dfs_log_slice(file, offset, len, slice, &span, 1, &at);
	if (st != DFS_OK)
		return give_up(file, st);
	while (pos < end) {
		struct dfs_block *block = dfs_block_find(file, pos / DFS_BLOCK_SIZE);
		struct dfs_page *page = &block->pages[pos % DFS_BLOCK_SIZE / DFS_PAGE_SIZE];
		uint32_t lo = pos % DFS_PAGE_SIZE, n = DFS_PAGE_SIZE - lo;

		if (n > end - pos)
			n = (uint32_t)(end - pos);
		dfs_page_put_bytes(block, page, lo, lo + n, src, &file->spare[pos != offset]);
		dfs_page_note_written(block, page, lo, lo + n, at ? at + (pos - offset) : 0);
		src += n;
		pos += n;
	}
	written(file);
	return DFS_OK;
}
