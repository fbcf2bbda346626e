/* SPDX-License-Identifier: MIT
 *
 * What a flush puts for a block: the whole of it or what is dirty, and the row that follows.
 */
#include <string.h>

#include "base/zero.h"
#include "payload/flush/batch.h"

static void
add_bytes(struct dfs_flush_object *o, const void *data, uint32_t len, struct dfs_buf *buf)
{
	struct dfs_span *last = o->n_spans ? &o->spans[o->n_spans - 1] : NULL;

	o->length += len;
	if (last && last->buf == buf && (const unsigned char *)last->data + last->len == data) {
		last->len += len;
		return;
	}
	if (o->n_spans == DFS_FLUSH_SPANS_MAX) {
		o->too_many = true;
		return;
	}
	o->spans[o->n_spans++] = (struct dfs_span){data, len, buf};
}

static void
add_zeros(struct dfs_flush_object *o, uint32_t len)
{
	while (len > 0) {
		struct dfs_buf *zero = dfs_buf_zero();
		uint32_t n = len < DFS_PAGE_SIZE ? len : DFS_PAGE_SIZE;

		add_bytes(o, zero->data, n, zero);
		dfs_buf_unref(zero); /* it lives for ever anyhow */
		len -= n;
	}
}

/* Bytes [from, to) of page p, which is in memory, at the end of the object. */
static void
add_piece(struct dfs_flush_object *o, const struct dfs_page *page, uint32_t p, uint32_t from,
	  uint32_t to, uint64_t version)
{
	struct dfs_segment *seg = o->n_segs ? &o->segs[o->n_segs - 1] : NULL;
	uint32_t at = p * DFS_PAGE_SIZE + from;

	if (to > page->valid)
		to = page->valid;
	if (from >= to)
		return;
	if (!seg || seg->at / DFS_UNIT + (seg->length + DFS_UNIT - 1) / DFS_UNIT < at / DFS_UNIT) {
		if (o->n_segs == DFS_FLUSH_SEGMENTS_GOAL) {
			o->too_many = true;
			return;
		}
		seg = &o->segs[o->n_segs++];
		*seg = (struct dfs_segment){.version = version, .offset = o->length, .at = at};
	} else if (seg->at + seg->length < at) {
		/* The page before ends inside its last unit. */
		add_zeros(o, at - seg->at - seg->length);
		seg->length = at - seg->at;
	}
	if (o->n_refs == 0 || o->refs[o->n_refs - 1] != page->buf)
		o->refs[o->n_refs++] = dfs_buf_ref(page->buf);
	add_bytes(o, page->buf->data + from, to - from, page->buf);
	seg->length += to - from;
}

/* Collect units: of each page those in its `units`, or `dirty` only; gaps of up to `gap` units
 * inside a page are filled. */
static void
collect(struct dfs_flush_object *o, const struct dfs_block *block, bool whole, uint32_t gap,
	uint64_t version)
{
	o->n_spans = o->n_segs = o->length = o->n_refs = 0;
	o->too_many = false;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		const struct dfs_page *page = &block->pages[p];
		uint16_t units = whole ? page->units : page->dirty;

		for (uint32_t u = 0; u < DFS_UNITS && page->buf;) {
			uint32_t first, end;

			if (!(units >> u & 1)) {
				u++;
				continue;
			}
			first = u;
			for (end = u; u < DFS_UNITS && u - end <= gap; u++)
				if (units >> u & 1)
					end = u + 1;
			u = end;
			add_piece(o, page, p, first * DFS_UNIT, end * DFS_UNIT, version);
		}
	}
}

void
dfs_flush_object_release(struct dfs_flush_object *o)
{
	for (uint32_t i = 0; i < o->n_refs; i++)
		dfs_buf_unref(o->refs[i]);
	o->n_refs = 0;
}

/* Lay the object's segments over the block's row.  False: too many segments. */
static bool
lay_over(struct dfs_flush_part *part, const struct dfs_flush_object *o)
{
	const struct dfs_block *block = part->block;

	if (block->n_segs > DFS_ROW_MAX)
		return false;
	part->row.n = block->n_segs;
	memcpy(part->row.segs, block->segs, block->n_segs * sizeof block->segs[0]);
	for (uint32_t i = 0; i < o->n_segs; i++)
		if (!dfs_row_overlay(&part->row, &o->segs[i]))
			return false;
	return part->row.n <= DFS_SEGMENTS_MAX;
}

static void
make_whole(struct dfs_flush_part *part, struct dfs_flush_object *o, uint64_t version)
{
	dfs_flush_object_release(o);
	collect(o, part->block, true, 0, version);
	/* A file of many small holes: fill the smaller ones. */
	for (uint32_t gap = 1; o->too_many && gap <= DFS_UNITS; gap *= 2) {
		dfs_flush_object_release(o);
		collect(o, part->block, true, gap, version);
	}
	if (o->too_many)
		return;
	part->row.n = o->n_segs;
	memcpy(part->row.segs, o->segs, o->n_segs * sizeof o->segs[0]);
}

/* Every page of the block with a hole between: the last resort of make_whole, one segment. */
static void
make_solid(struct dfs_flush_part *part, struct dfs_flush_object *o, uint64_t version)
{
	struct dfs_block *block = part->block;
	uint32_t done = 0;

	dfs_flush_object_release(o);
	o->n_spans = o->n_segs = o->length = o->n_refs = 0;
	o->too_many = false;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		if (!page->buf || !page->units || page->valid == 0)
			continue;
		add_zeros(o, p * DFS_PAGE_SIZE - done);
		o->refs[o->n_refs++] = dfs_buf_ref(page->buf);
		add_bytes(o, page->buf->data, page->valid, page->buf);
		done = p * DFS_PAGE_SIZE + page->valid;
	}
	o->n_segs = 1;
	o->segs[0] = (struct dfs_segment){.version = version, .length = done};
	part->row.n = 1;
	part->row.segs[0] = o->segs[0];
}

/* Bring back what is dirty and left memory for the log.  Called with mu; DFS_BUSY: look again. */
static enum dfs_status
unspill(struct dfs_ctx *ctx, struct dfs_block *block)
{
	uint32_t first = DFS_PAGES, last = 0;
	enum dfs_status st;

	for (uint32_t p = 0; p < block->n_slots; p++)
		if (block->pages[p].dirty && !block->pages[p].buf) {
			first = first < p ? first : p;
			last = p;
		}
	if (first == DFS_PAGES)
		return DFS_OK;
	st = dfs_fetch_pages(ctx, block, first, last);
	return st == DFS_OK ? DFS_BUSY : st;
}

enum dfs_status
dfs_flush_describe(struct dfs_ctx *ctx, struct dfs_flush_part *part, struct dfs_flush_object *o,
		   uint64_t version)
{
	struct dfs_block *block = part->block;
	uint32_t dirty = dfs_block_dirty_units(block);
	bool complete = dfs_block_complete(block);
	enum dfs_status st;

	o->n_segs = o->n_refs = 0;
	part->version = 0;
	part->changed = false;
	if (dirty == 0)
		return DFS_OK;
	if (!complete && (st = unspill(ctx, block)) != DFS_OK)
		return st;
	if (!(complete && (block->n_segs == 0 || 2 * dirty >= block->n_units))) {
		collect(o, block, false, 0, version);
		if (!o->too_many && lay_over(part, o) &&
		    (part->row.n <= DFS_FLUSH_SEGMENTS_GOAL || !complete)) {
			part->changed = true;
			return DFS_OK;
		}
		if (!complete) {
			st = dfs_fetch_pages(ctx, block, 0, DFS_PAGES - 1);
			if (st != DFS_OK) {
				dfs_flush_object_release(o);
				return st;
			}
			/* The lock was free: look again. */
			if (!block->row_known || !dfs_block_complete(block)) {
				dfs_flush_object_release(o);
				return DFS_BUSY;
			}
		}
	}
	make_whole(part, o, version);
	if (o->too_many)
		make_solid(part, o, version);
	part->changed = o->n_segs > 0;
	return DFS_OK;
}

bool
dfs_flush_only_zeros(struct dfs_flush_part *part, struct dfs_flush_object *o, uint64_t version)
{
	for (uint32_t i = 0; i < o->n_spans; i++)
		if (!dfs_is_zero(o->spans[i].data, o->spans[i].len))
			return false;
	for (uint32_t i = 0; i < part->row.n; i++) {
		struct dfs_segment *seg = &part->row.segs[i];

		if (seg->version == version)
			*seg = (struct dfs_segment){
				.at = seg->at, .length = seg->length, .flags = DFS_SEGMENT_ZERO};
	}
	return true;
}
