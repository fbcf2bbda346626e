/* SPDX-License-Identifier: MIT
 *
 * Blocks of a file in memory: the table that finds them, page slots, rows, accounts.
 *
 * Most files are small: one block, one page, both inside the smallest structures.  The table is
 * open addressing with linear probing, made when a second block appears.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/pool.h"
#include "payload/file.h"

static struct dfs_pool blocks = DFS_POOL(struct dfs_block);

static uint32_t
home(const struct dfs_file *file, uint64_t index)
{
	return (uint32_t)dfs_hash_u64(index, 0) & file->table_mask;
}

struct dfs_block *
dfs_block_find(const struct dfs_file *file, uint64_t index)
{
	struct dfs_block *b;

	if (!file->table)
		return file->single && file->single->index == index ? file->single : NULL;
	for (uint32_t i = home(file, index); (b = file->table[i]) != NULL;
	     i = (i + 1) & file->table_mask)
		if (b->index == index)
			return b;
	return NULL;
}

static void
table_put(struct dfs_file *file, struct dfs_block *block)
{
	uint32_t i = home(file, block->index);

	while (file->table[i])
		i = (i + 1) & file->table_mask;
	file->table[i] = block;
}

static bool
table_add(struct dfs_file *file, struct dfs_block *block)
{
	if (!file->table && !file->single) {
		file->single = block;
		file->n_blocks = 1;
		return true;
	}
	/* At most half full. */
	if (!file->table || 2 * (file->n_blocks + 1) > file->table_mask + 1) {
		struct dfs_block **old = file->table;
		uint32_t old_size = old ? file->table_mask + 1 : 0;
		uint32_t size = old ? 2 * old_size : 8;
		struct dfs_block **table = calloc(size, sizeof(struct dfs_block *));

		if (!table)
			return false;
		file->table = table;
		file->table_mask = size - 1;
		if (!old)
			table_put(file, file->single);
		file->single = NULL;
		for (uint32_t i = 0; i < old_size; i++)
			if (old[i])
				table_put(file, old[i]);
		free(old);
	}
	table_put(file, block);
	file->n_blocks++;
	return true;
}

static void
table_del(struct dfs_file *file, struct dfs_block *block)
{
	uint32_t hole, i;

	file->n_blocks--;
	if (!file->table) {
		file->single = NULL;
		return;
	}
	for (hole = home(file, block->index); file->table[hole] != block;
	     hole = (hole + 1) & file->table_mask)
		;
	/* Close the gap: move up what would not be found behind it any more. */
	for (i = (hole + 1) & file->table_mask; file->table[i]; i = (i + 1) & file->table_mask) {
		uint32_t h = home(file, file->table[i]->index);

		if (((i - h) & file->table_mask) >= ((i - hole) & file->table_mask)) {
			file->table[hole] = file->table[i];
			hole = i;
		}
	}
	file->table[hole] = NULL;
	if (file->n_blocks == 0) {
		free(file->table);
		file->table = NULL;
	}
}

static uint32_t
slots_for(uint32_t last_page)
{
	return last_page < 1 ? 1 : last_page < 4 ? 4 : last_page < 16 ? 16 : 64;
}

static uint32_t
weight(const struct dfs_block *block)
{
	return (uint32_t)sizeof *block +
	       (block->n_slots > 1 ? block->n_slots * (uint32_t)sizeof(struct dfs_page) : 0);
}

/* Units of page p that the row has data in. */
static uint16_t
row_units(const struct dfs_block *block, uint32_t p)
{
	uint32_t from = p * DFS_PAGE_SIZE, to = from + DFS_PAGE_SIZE;
	uint16_t units = 0;

	for (uint32_t i = 0; i < block->n_segs; i++) {
		const struct dfs_segment *s = &block->segs[i];
		uint32_t a = s->at > from ? s->at : from;
		uint32_t b = s->at + s->length < to ? s->at + s->length : to;

		if (a < b && !(s->flags & DFS_SEGMENT_HOLE))
			units |= dfs_units_mask(a - from, b - from);
	}
	return units;
}

static bool
grow(struct dfs_block *block, uint32_t n_slots)
{
	struct dfs_page *pages = calloc(n_slots, sizeof *pages);

	if (!pages)
		return false;
	memcpy(pages, block->pages, block->n_slots * sizeof *pages);
	block->file->d_resident -= (int32_t)weight(block);
	if (block->pages != &block->first)
		free(block->pages);
	block->pages = pages;
	for (uint32_t p = block->n_slots; p < n_slots; p++)
		pages[p].units = row_units(block, p);
	block->n_slots = (uint8_t)n_slots;
	block->file->d_resident += (int32_t)weight(block);
	return true;
}

struct dfs_block *
dfs_block_get_slots(struct dfs_file *file, uint64_t index, uint32_t last_page)
{
	struct dfs_block *block = dfs_block_find(file, index);

	if (!block) {
		block = dfs_pool_get(&blocks);
		if (!block)
			return NULL;
		block->file = file;
		block->index = index;
		block->segs = &block->one;
		block->pages = &block->first;
		block->n_slots = 1;
		block->row_known = block->counted = index * DFS_BLOCK_SIZE >= file->extent;
		if (!table_add(file, block)) {
			dfs_pool_put(&blocks, block);
			return NULL;
		}
		file->d_resident += (int32_t)weight(block);
		dfs_cache_insert(file->payload->cache, block);
	}
	if (last_page >= block->n_slots && !grow(block, slots_for(last_page)))
		return NULL;
	return block;
}

void
dfs_block_destroy(struct dfs_block *block)
{
	struct dfs_file *file = block->file;

	assert(block->pins == 0 && !block->on_dirty);
	table_del(file, block);
	file->d_resident -= (int32_t)weight(block);
	if (block->pages != &block->first)
		free(block->pages);
	if (block->segs != &block->one)
		free(block->segs);
	dfs_pool_put(&blocks, block);
}

static bool
block_empty(const struct dfs_block *block)
{
	if (block->pins || block->on_dirty)
		return false;
	for (uint32_t p = 0; p < block->n_slots; p++)
		if (block->pages[p].buf)
			return false;
	return true;
}

void
dfs_block_release(struct dfs_block *block)
{
	if (!block_empty(block))
		return;
	dfs_cache_remove(block->file->payload->cache, block);
	dfs_block_destroy(block);
}

#define RUNS_MAX 16 /* as DFS_FLUSH_SEGMENTS_GOAL: of so many pieces each is a segment of its own */

static uint16_t
units_of(const struct dfs_block *block, uint32_t p)
{
	if (p < block->n_slots)
		return block->pages[p].units;
	return block->n_segs ? row_units(block, p) : 0;
}

/* Runs of set bits, of which *last is the last before. */
static uint32_t
runs(uint16_t bits, uint32_t *last)
{
	uint32_t n = (uint32_t)__builtin_popcount(bits & ~((uint32_t)bits << 1 | *last) & 0xffffu);

	*last = bits >> (DFS_UNITS - 1);
	return n;
}

struct dfs_block_measure
dfs_block_measure(const struct dfs_block *block, uint32_t from, uint32_t to)
{
	struct dfs_block_measure m = {0, 0};
	uint32_t pieces = 0, dirty = 0, last = 0, last_dirty = 0, end = 0;
	bool held = false;

	for (uint32_t p = 0; p < DFS_PAGES; p++) {
		uint32_t start = p * DFS_PAGE_SIZE;
		uint16_t units = units_of(block, p), now = 0;

		if (from < start + DFS_PAGE_SIZE && to > start && from < to)
			now = dfs_units_mask(from > start ? from - start : 0,
					     to - start < DFS_PAGE_SIZE ? to - start
									: DFS_PAGE_SIZE);
		units |= now;
		if (p < block->n_slots) {
			now |= block->pages[p].dirty;
			held |= block->pages[p].held;
		}
		m.units += (uint32_t)__builtin_popcount(units);
		pieces += runs(units, &last);
		dirty += runs(now, &last_dirty);
		if (units)
			end = p * DFS_UNITS + 32 - (uint32_t)__builtin_clz(units);
	}
	/* Else its flush allocates nothing but what was written.  What one under way makes of the row is
	 * not known, only that it keeps to the most there may be. */
	if (block->file->payload->fills && pieces > RUNS_MAX && (dirty || held) &&
	    (held || dirty > RUNS_MAX || block->n_segs + 2 * dirty > DFS_SEGMENTS_MAX))
		m.fill = end - m.units;
	return m;
}

void
dfs_block_fill(struct dfs_block *block)
{
	uint32_t fill;

	if (__builtin_expect(!block->file->payload->fills, 1) || !block->row_known)
		return;
	fill = dfs_block_measure(block, 0, 0).fill;
	if (block->counted)
		block->file->used += ((uint64_t)fill - block->n_fill) * DFS_UNIT;
	block->n_fill = (uint16_t)fill;
}

static void
recount(struct dfs_block *block)
{
	struct dfs_file *file = block->file;
	uint32_t n = 0;

	for (uint32_t p = 0; p < block->n_slots; p++)
		n += (uint32_t)__builtin_popcount(block->pages[p].units);
	for (uint32_t p = block->n_slots; block->n_segs && p < DFS_PAGES; p++)
		n += (uint32_t)__builtin_popcount(row_units(block, p));
	if (block->counted)
		file->used += ((uint64_t)n - block->n_units - block->n_fill) * DFS_UNIT;
	block->n_units = (uint16_t)n;
	block->n_fill = 0;
	/* A truncation between its halves has taken the old row into account, or not, by itself. */
	block->counted = block->counted || !file->truncating;
	dfs_block_fill(block);
}

bool
dfs_block_set_row(struct dfs_block *block, const struct dfs_row *row)
{
	const uint32_t n = row->n;
	struct dfs_segment *copy = &block->one;

	block->row_gen++;
	if (n > 1) {
		copy = malloc(n * sizeof *copy);
		if (!copy) {
			block->row_known = false;
			return false;
		}
	}
	if (n > 0)
		memcpy(copy, row->segs, n * sizeof *copy);
	if (block->segs != &block->one)
		free(block->segs);
	block->segs = copy;
	block->n_segs = (uint8_t)n;
	if (row->lsn > block->lsn)
		block->lsn = row->lsn;
	block->row_known = true;
	block->overlaid = false;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];
		/* What is clean is in the row: a new one may list fewer zeros than the old. */
		page->units = row_units(block, p) | page->dirty;
	}
	recount(block);
	return true;
}

bool
dfs_block_overlay(struct dfs_block *block, const struct dfs_segment *seg)
{
	struct dfs_row row = {.n = block->n_segs};

	memcpy(row.segs, block->segs, row.n * sizeof row.segs[0]);
	if (!dfs_row_overlay(&row, seg) || !dfs_block_set_row(block, &row))
		return false;
	block->overlaid = true;
	return true;
}

void
dfs_block_cut(struct dfs_block *block, uint32_t end)
{
	block->row_gen++;
	block->log_cut = true;
	block->whole = false;
	block->n_segs = (uint8_t)dfs_row_clip(block->segs, block->n_segs, end);
	for (uint32_t p = end / DFS_PAGE_SIZE; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];
		uint32_t from = p * DFS_PAGE_SIZE;

		if (end <= from) {
			dfs_page_mark(block, page, 0, false);
			dfs_buf_unref(dfs_page_set(block, page, NULL, 0));
			page->units = 0;
		} else {
			uint16_t keep = dfs_units_mask(0, end - from);

			page->units &= keep;
			dfs_page_mark(block, page, page->dirty & keep, page->held);
			if (page->valid > end - from)
				page->valid = end - from;
		}
	}
	if (block->row_known)
		recount(block);
}

bool
dfs_block_evict(struct dfs_block *block, struct dfs_buf **out, uint32_t *n)
{
	*n = 0;
	if (block->pins)
		return false;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		if (page->buf && !page->dirty && !page->held)
			out[(*n)++] = dfs_page_set(block, page, NULL, 0);
	}
	/* The halves of a truncation must see the same blocks. */
	return block_empty(block) && !block->file->truncating;
}

void
dfs_block_list_dirty(struct dfs_block *block)
{
	struct dfs_file *file = block->file;

	if (block->on_dirty)
		return;
	block->on_dirty = true;
	block->dirty_next = NULL;
	block->dirty_prev = file->dirty_tail;
	if (file->dirty_tail)
		file->dirty_tail->dirty_next = block;
	else
		file->dirty_head = block;
	file->dirty_tail = block;
	if (file->n_dirty++ == 0) {
		atomic_fetch_add_explicit(&file->busy, 1, memory_order_relaxed);
		dfs_flusher_add(file->payload->cache, file);
	}
}

void
dfs_block_list_clean(struct dfs_block *block)
{
	struct dfs_file *file = block->file;

	if (!block->on_dirty)
		return;
	block->on_dirty = false;
	if (block->dirty_prev)
		block->dirty_prev->dirty_next = block->dirty_next;
	else
		file->dirty_head = block->dirty_next;
	if (block->dirty_next)
		block->dirty_next->dirty_prev = block->dirty_prev;
	else
		file->dirty_tail = block->dirty_prev;
	if (--file->n_dirty == 0) {
		dfs_flusher_done(file->payload->cache, file);
		atomic_fetch_sub_explicit(&file->busy, 1, memory_order_release);
	}
}

bool
dfs_block_stored(const struct dfs_block *block, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < block->n_segs; i++)
		if (block->segs[i].at < to && block->segs[i].at + block->segs[i].length > from &&
		    !(block->segs[i].flags & DFS_SEGMENT_HOLE))
			return true;
	return false;
}

bool
dfs_block_all_dirty(const struct dfs_block *block)
{
	for (uint32_t p = 0; p < block->n_slots; p++)
		if (block->pages[p].dirty != 0xffff)
			return false;
	return block->n_slots == DFS_PAGES;
}

uint32_t
dfs_block_dirty_units(const struct dfs_block *block)
{
	uint32_t n = 0;

	for (uint32_t p = 0; p < block->n_slots; p++)
		n += (uint32_t)__builtin_popcount(block->pages[p].dirty);
	return n;
}

bool
dfs_block_complete(const struct dfs_block *block)
{
	for (uint32_t p = 0; p < block->n_slots; p++)
		if (block->pages[p].units && !block->pages[p].buf)
			return false;
	return !dfs_block_stored(block, block->n_slots * DFS_PAGE_SIZE, DFS_BLOCK_SIZE);
}

struct dfs_buf *
dfs_page_set(struct dfs_block *block, struct dfs_page *page, struct dfs_buf *buf, uint32_t valid)
{
	struct dfs_buf *old = page->buf;
	int32_t delta = (buf ? (int32_t)buf->len : 0) - (old ? (int32_t)old->len : 0);

	page->buf = buf;
	page->valid = valid;
	block->file->d_resident += delta;
	if (page->dirty || page->held)
		block->file->d_dirty += delta;
	return old;
}

void
dfs_page_mark(struct dfs_block *block, struct dfs_page *page, uint16_t dirty, bool held)
{
	bool was = page->dirty || page->held, is = dirty || held;

	page->dirty = dirty;
	page->held = held;
	if (page->buf && was != is)
		block->file->d_dirty += is ? (int32_t)page->buf->len : -(int32_t)page->buf->len;
}

void
dfs_page_add_units(struct dfs_block *block, struct dfs_page *page, uint16_t units)
{
	uint32_t n = (uint32_t)__builtin_popcount(units & ~page->units);

	if (n == 0)
		return;
	page->units |= units;
	block->n_units = (uint16_t)(block->n_units + n);
	block->file->used += (uint64_t)n * DFS_UNIT;
}
