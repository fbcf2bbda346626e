/* SPDX-License-Identifier: MIT
 *
 * Cloning a range of a file: its objects come to belong to both.
 *
 * Both files are written through before, under the locks of both inodes, so that the rows say all; the
 * caller's transaction then marks the source's segments as shared, counts, and lays them into the
 * destination's rows.  Those rows get an LSN above all slices of the destination that the log has, so
 * that none of them comes back; a row that loses its last byte stays as a mark for that reason.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "payload/clone.h"
#include "payload/file.h"

static enum dfs_status
put_row(struct dfs_file *file, struct dfs_txn *txn, uint64_t block, const struct dfs_row *row)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;

	if (row->n > DFS_SEGMENTS_MAX)
		return DFS_TOOBIG;
	return metadata->ops.put_map(metadata->inst, txn, payload->share_id, &file->content, block,
				     row->lsn, row->segs, row->n);
}

static bool
in_range(const struct dfs_segment *seg, uint32_t from, uint32_t to)
{
	return seg->at < to && seg->at + seg->length > from;
}

/* Bytes [from, to) of the source's block: what is there is shared from now on. */
static enum dfs_status
share_source(struct dfs_file *src, struct dfs_txn *txn, uint64_t block, uint32_t from, uint32_t to,
	     struct dfs_row *row)
{
	enum dfs_status st = dfs_row_read(src, txn, block, row);
	bool changed = false;

	for (uint32_t i = 0; i < row->n && st == DFS_OK; i++) {
		struct dfs_segment *seg = &row->segs[i];

		if (!in_range(seg, from, to) || !dfs_segment_in_object(seg) ||
		    (seg->flags & DFS_SEGMENT_SHARED))
			continue;
		st = dfs_object_share(src->payload, txn, &src->content, block, row->segs, row->n,
				      i);
		changed = true;
	}
	return st == DFS_OK && changed ? put_row(src, txn, block, row) : st;
}

/* Lay bytes [from, to) of the source's row, moved by `shift`, into the destination's. */
static bool
lay_in(struct dfs_row *dst, const struct dfs_row *src, uint32_t from, uint32_t to, int64_t shift)
{
	if (!dfs_row_punch(dst, (uint32_t)(from + shift), (uint32_t)(to + shift)))
		return false;
	for (uint32_t i = 0; i < src->n; i++) {
		struct dfs_segment seg = src->segs[i];

		if (!in_range(&seg, from, to))
			continue;
		seg = dfs_segment_part(&seg, from, to);
		seg.at = (uint32_t)(seg.at + shift);
		if (!dfs_row_overlay(dst, &seg))
			return false;
	}
	return true;
}

/* References that the new row has and the old one had not. */
static enum dfs_status
count_new(struct dfs_payload *payload, struct dfs_txn *txn, const struct dfs_row *old,
	  const struct dfs_row *row)
{
	enum dfs_status st = DFS_OK;

	for (uint32_t i = 0; i < row->n && st == DFS_OK; i++)
		if (dfs_segment_in_object(&row->segs[i]) &&
		    !dfs_row_has(row->segs, i, row->segs[i].version) &&
		    !dfs_row_has(old->segs, old->n, row->segs[i].version))
			st = dfs_object_ref(payload, txn, row->segs[i].version);
	return st;
}

/* The destination's block, of which [from, to) becomes the source's bytes at src_offset. */
static enum dfs_status
clone_block(struct dfs_clone *c, struct dfs_txn *txn, uint64_t block, uint32_t from, uint32_t to,
	    uint64_t src_offset)
{
	struct dfs_payload *payload = c->dst->payload;
	struct dfs_row src[2], old, row;
	uint64_t first = src_offset / DFS_BLOCK_SIZE;
	uint32_t lo = src_offset % DFS_BLOCK_SIZE, n = to - from;
	uint32_t here = n < DFS_BLOCK_SIZE - lo ? n : DFS_BLOCK_SIZE - lo;
	enum dfs_status st = share_source(c->src, txn, first, lo, lo + here, &src[0]);

	if (st == DFS_OK && here < n)
		st = share_source(c->src, txn, first + 1, 0, n - here, &src[1]);
	/* After that: in one file a row may be both. */
	if (st == DFS_OK)
		st = dfs_row_read(c->dst, txn, block, &old);
	if (st != DFS_OK)
		return st;
	row = old;
	if (!lay_in(&row, &src[0], lo, lo + here, (int64_t)from - lo) ||
	    (here < n && !lay_in(&row, &src[1], 0, n - here, (int64_t)from + here)))
		return DFS_TOOBIG;
	if (row.n == 0 && old.n == 0)
		return DFS_OK;
	if (payload->wal)
		row.lsn = dfs_wal_last(payload->wal);
	if (row.n == 0 && dfs_log_has(payload, old.lsn))
		row.segs[row.n++] = DFS_SEGMENT_MARKER;
	c->freed += dfs_row_bytes(&old);
	c->added += dfs_row_bytes(&row);
	dfs_drops_add(&c->drops, &c->dst->content, block, old.segs, old.n, row.segs, row.n);
	st = count_new(payload, txn, &old, &row);
	if (st == DFS_OK && row.n > 0)
		return put_row(c->dst, txn, block, &row);
	if (st == DFS_OK)
		st = payload->metadata->ops.del_map(payload->metadata->inst, txn, payload->share_id,
						    &c->dst->content, block, block + 1);
	return st;
}

/* All of the block dirty, so that its next object is all of it.  Called without mu. */
static enum dfs_status
make_dirty(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index)
{
	enum dfs_status st = DFS_DELAY;
	struct dfs_block *block;

	dfs_file_lock(file);
	block = dfs_block_get_slots(file, index, DFS_PAGES - 1);
	if (block) {
		block->pins++;
		st = dfs_fetch_pages(ctx, block, 0, DFS_PAGES - 1);
		for (uint32_t p = 0; p < block->n_slots && st == DFS_OK; p++) {
			if (!block->pages[p].buf)
				continue;
			block->pages[p].log = 0;
			dfs_page_mark(block, &block->pages[p], block->pages[p].units, false);
		}
		if (st == DFS_OK && block->n_segs > 0) {
			dfs_block_list_dirty(block);
			file->write_seq++;
		}
		block->pins--;
	}
	dfs_file_unlock(file);
	return st;
}

/* The rows around the block that did not fit are made short. */
static enum dfs_status
shorten(struct dfs_ctx *ctx, struct dfs_clone *c)
{
	uint64_t start = c->too_big * DFS_BLOCK_SIZE;
	uint64_t at = start > c->dst_offset ? start : c->dst_offset;
	uint64_t src = (c->src_offset + (at - c->dst_offset)) / DFS_BLOCK_SIZE;
	enum dfs_status st = make_dirty(ctx, c->dst, c->too_big);

	for (uint64_t i = src; i < src + 2 && st == DFS_OK; i++)
		st = make_dirty(ctx, c->src, i);
	return st;
}

static enum dfs_status
write_through(struct dfs_ctx *ctx, struct dfs_file *file)
{
	enum dfs_status st = dfs_file_flush(ctx, file, DFS_FLUSH_ALL);

	if (st != DFS_OK)
		return st;
	dfs_file_lock(file);
	if (file->n_dirty > 0)
		st = DFS_DELAY;
	dfs_file_unlock(file);
	return st;
}

enum dfs_status
dfs_file_clone_prepare(struct dfs_ctx *ctx, struct dfs_clone *c)
{
	enum dfs_status st = DFS_OK;

	assert(c->src->payload == c->dst->payload);
	if (c->too_big_set)
		st = shorten(ctx, c);
	c->too_big_set = false;
	if (st == DFS_OK)
		st = write_through(ctx, c->src);
	if (st == DFS_OK && c->dst != c->src)
		st = write_through(ctx, c->dst);
	return st;
}

enum dfs_status
dfs_file_clone_rows(struct dfs_clone *c, struct dfs_txn *txn)
{
	uint64_t at = c->dst_offset, end = c->dst_offset + c->length;
	enum dfs_status st = DFS_OK;

	c->freed = c->added = 0;
	dfs_file_lock(c->dst);
	if (c->dst->extent < end)
		c->dst->extent = (end + DFS_BLOCK_SIZE - 1) / DFS_BLOCK_SIZE * DFS_BLOCK_SIZE;
	dfs_file_unlock(c->dst);
	while (at < end && st == DFS_OK) {
		uint64_t block = at / DFS_BLOCK_SIZE, start = block * DFS_BLOCK_SIZE;
		uint64_t to = end - start < DFS_BLOCK_SIZE ? end : start + DFS_BLOCK_SIZE;

		st = clone_block(c, txn, block, (uint32_t)(at - start), (uint32_t)(to - start),
				 c->src_offset + (at - c->dst_offset));
		if (st == DFS_TOOBIG) {
			c->too_big = block;
			c->too_big_set = true;
		}
		at = to;
	}
	return st == DFS_OK ? dfs_drops_apply(c->dst->payload, txn, &c->drops, &c->garbage) : st;
}

/* Memory knows nothing of the rows of [offset, offset + length) any more, and nothing of the pages if
 * they are others now.  All is clean.  Called with mu. */
static void
forget(struct dfs_file *file, uint64_t offset, uint64_t length, bool pages)
{
	for (uint64_t i = offset / DFS_BLOCK_SIZE; i <= (offset + length - 1) / DFS_BLOCK_SIZE;
	     i++) {
		struct dfs_block *block = dfs_block_find(file, i);

		if (!block)
			continue;
		block->row_gen++;
		/* Its bytes stay part of file->used, but are counted anew when the row is known. */
		block->row_known = block->counted = false;
		for (uint32_t p = 0; pages && p < block->n_slots; p++)
			dfs_buf_unref(dfs_page_set(block, &block->pages[p], NULL, 0));
	}
}

void
dfs_file_clone_pages(struct dfs_clone *c, bool committed)
{
	struct dfs_payload *payload = c->dst->payload;
	uint64_t seq = atomic_load(&payload->metadata->last_seq);

	if (committed) {
		dfs_file_lock(c->src);
		forget(c->src, c->src_offset, c->length, false);
		dfs_file_unlock(c->src);
		dfs_file_lock(c->dst);
		forget(c->dst, c->dst_offset, c->length, true);
		c->dst->used += c->added;
		c->dst->used -= c->freed < c->dst->used ? c->freed : c->dst->used;
		c->dst->meta_seq = seq;
		dfs_file_unlock(c->dst);
		dfs_garbage_submit(payload, c->garbage, seq);
		if (c->drops.n > 0)
			dfs_gc_kick(payload);
	} else {
		free(c->garbage);
	}
	c->garbage = NULL;
	dfs_drops_free(&c->drops);
}
