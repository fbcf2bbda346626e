/* SPDX-License-Identifier: MIT
 *
 * Flushing a file: new objects for what is dirty, the block store's gate, then one metadata
 * transaction that flips the map rows and publishes the inode.
 *
 * A block's object is its whole new version, or, where little of it is dirty, those units alone,
 * laid over the old row; too many segments make it whole again.  So nothing is read to be flushed
 * but for that.  One flush at a time for a file; writes go on beside it and stay dirty.  A
 * truncation fences: what was put before it is thrown away and taken again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/zero.h"
#include "io/gate.h"
#include "payload/file.h"
#include "payload/metrics.h"
#include "payload/offload/upload.h"

#define BATCH_BLOCKS 16  /* of one transaction */
#define SEGMENTS_GOAL 16 /* a row of more is written as a whole when that is possible */
#define DEDUP_MIN DFS_PAGE_SIZE /* bytes of a block that is worth a hash */
#define TRIES_MAX 64     /* transactions that the store wants repeated */
#define SPANS_MAX 160    /* pages, their zero tails, and as many gaps as segments */

struct part {
	struct dfs_block *block;   /* pinned */
	struct dfs_row row;        /* what it shall be */
	struct dfs_segment *old;   /* what it was, in objects; NULL: nothing */
	uint32_t n_old;
	uint64_t version;          /* put; 0: nothing */
	uint64_t segments;         /* of the log: the pins that were the block's */
	bool changed;              /* the row is new */
	bool overlaid;             /* old is not all of the stored row */
	bool hashed;               /* the row is one object, whose hash this is */
	uint64_t twin;             /* that object was there before, as this version; 0: it is put */
	uint8_t hash[32];
	uint16_t dirty[DFS_PAGES]; /* as they were taken */
	dfs_wal_at log[DFS_PAGES];
	uint8_t n_slots;
};

struct batch {
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
	struct part parts[BATCH_BLOCKS];
};

/* The bytes of one object and where they lie in the block. */
struct object {
	uint32_t n_spans, n_segs, length;
	struct dfs_span spans[SPANS_MAX];
	struct dfs_buf *refs[DFS_PAGES];
	uint32_t n_refs;
	struct dfs_segment segs[SEGMENTS_GOAL];
	bool too_many;
};

static void
add_bytes(struct object *o, const void *data, uint32_t len, struct dfs_buf *buf)
{
	struct dfs_span *last = o->n_spans ? &o->spans[o->n_spans - 1] : NULL;

	o->length += len;
	if (last && last->buf == buf && (const unsigned char *)last->data + last->len == data) {
		last->len += len;
		return;
	}
	if (o->n_spans == SPANS_MAX) {
		o->too_many = true;
		return;
	}
	o->spans[o->n_spans++] = (struct dfs_span){data, len, buf};
}

static void
add_zeros(struct object *o, uint32_t len)
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
add_piece(struct object *o, const struct dfs_page *page, uint32_t p, uint32_t from, uint32_t to,
	  uint64_t version)
{
	struct dfs_segment *seg = o->n_segs ? &o->segs[o->n_segs - 1] : NULL;
	uint32_t at = p * DFS_PAGE_SIZE + from;

	if (to > page->valid)
		to = page->valid;
	if (from >= to)
		return;
	if (!seg || seg->at / DFS_UNIT + (seg->length + DFS_UNIT - 1) / DFS_UNIT < at / DFS_UNIT) {
		if (o->n_segs == SEGMENTS_GOAL) {
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
collect(struct object *o, const struct dfs_block *block, bool whole, uint32_t gap, uint64_t version)
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

static void
object_release(struct object *o)
{
	for (uint32_t i = 0; i < o->n_refs; i++)
		dfs_buf_unref(o->refs[i]);
	o->n_refs = 0;
}

/* Lay the object's segments over the block's row.  False: too many segments. */
static bool
lay_over(struct part *part, const struct object *o)
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
make_whole(struct part *part, struct object *o, uint64_t version)
{
	object_release(o);
	collect(o, part->block, true, 0, version);
	/* A file of many small holes: fill the smaller ones. */
	for (uint32_t gap = 1; o->too_many && gap <= DFS_UNITS; gap *= 2) {
		object_release(o);
		collect(o, part->block, true, gap, version);
	}
	if (o->too_many)
		return;
	part->row.n = o->n_segs;
	memcpy(part->row.segs, o->segs, o->n_segs * sizeof o->segs[0]);
}

/* Every page of the block with a hole between: the last resort of make_whole, one segment. */
static void
make_solid(struct part *part, struct object *o, uint64_t version)
{
	struct dfs_block *block = part->block;
	uint32_t done = 0;

	object_release(o);
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

static uint32_t
dirty_units(const struct dfs_block *block)
{
	uint32_t n = 0;

	for (uint32_t p = 0; p < block->n_slots; p++)
		n += (uint32_t)__builtin_popcount(block->pages[p].dirty);
	return n;
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

/* Decide what to put for the block and describe it.  Called with mu and a known row. */
static enum dfs_status
describe(struct dfs_ctx *ctx, struct part *part, struct object *o, uint64_t version)
{
	struct dfs_block *block = part->block;
	uint32_t dirty = dirty_units(block);
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
		    (part->row.n <= SEGMENTS_GOAL || !complete)) {
			part->changed = true;
			return DFS_OK;
		}
		if (!complete) {
			st = dfs_fetch_pages(ctx, block, 0, DFS_PAGES - 1);
			if (st != DFS_OK) {
				object_release(o);
				return st;
			}
			/* The lock was free: look again. */
			if (!block->row_known || !dfs_block_complete(block)) {
				object_release(o);
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

/* An object of nothing but zeros is not put: its segments say so.  True: it is one.  The zeros count as
 * allocated, as what was written does. */
static bool
only_zeros(struct part *part, struct object *o, uint64_t version)
{
	for (uint32_t i = 0; i < o->n_spans; i++)
		if (!dfs_is_zero(o->spans[i].data, o->spans[i].len))
			return false;
	for (uint32_t i = 0; i < part->row.n; i++) {
		struct dfs_segment *seg = &part->row.segs[i];

		if (seg->version == version)
			*seg = (struct dfs_segment){.at = seg->at,
						    .length = seg->length,
						    .flags = DFS_SEGMENT_ZERO};
	}
	return true;
}

/* Remember what the row names, for the transaction that replaces it.  False: no memory. */
static bool
take_old(struct part *part)
{
	struct dfs_block *block = part->block;

	part->old = NULL;
	part->n_old = 0;
	part->overlaid = block->overlaid;
	if (!part->changed || block->n_segs == 0)
		return true;
	part->old = malloc(block->n_segs * sizeof *part->old);
	if (!part->old)
		return false;
	part->n_old = block->n_segs;
	memcpy(part->old, block->segs, block->n_segs * sizeof *part->old);
	return true;
}

/* Remember what is dirty now, and mark it as on its way. */
static void
take_dirty(struct part *part)
{
	struct dfs_block *block = part->block;

	part->row.lsn = block->lsn;
	part->segments = block->log_segments;
	block->log_segments = block->log_stale = 0;
	block->log_cut = block->whole = false;
	part->n_slots = block->n_slots;
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		part->dirty[p] = page->dirty;
		part->log[p] = page->log;
		if (page->dirty)
			dfs_page_mark(block, page, 0, true);
	}
}

/* How urgent the put is: a request that waits has its share in ctx. */
static enum dfs_entry_class
class_of(const struct dfs_ctx *ctx, const struct part *part)
{
	return ctx->share                                      ? DFS_FINALIZE_PUT
	       : part->block->n_units == DFS_PAGES * DFS_UNITS ? DFS_COMPLETE_PUT
							       : DFS_AGED_PUT;
}

/* Whether an object of the same bytes is there already: then the row names that one.  Called without
 * mu. */
static bool
find_twin(const struct dfs_ctx *ctx, struct dfs_payload *payload, struct part *part,
	  const struct object *o, uint64_t version)
{
	struct dfs_segment *seg = &part->row.segs[0];

	/* Not on an event loop: a hash takes milliseconds. */
	if (!payload->dedup || ctx->nonblock || part->row.n != 1 || seg->version != version ||
	    seg->at != 0 || seg->length < DEDUP_MIN ||
	    !dfs_dedup_hash(o->spans, o->n_spans, part->hash))
		return false;
	part->hashed = true;
	seg->flags |= DFS_SEGMENT_SHARED;
	part->twin = dfs_dedup_find(ctx, payload, part->hash, seg->length);
	if (part->twin)
		seg->version = part->twin;
	return part->twin != 0;
}

/* Put the block's new object, or start to.  Called with mu; the block is pinned. */
static enum dfs_status
put_block(struct dfs_ctx *ctx, struct batch *batch, struct part *part)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	char key[DFS_BLOCK_KEY_MAX];
	struct dfs_detour *detour;
	struct object o;
	enum dfs_entry_class class;
	enum dfs_status st;
	uint64_t version = dfs_version_next(payload);

	part->old = NULL;
	part->n_slots = 0;
	part->segments = 0;
	part->version = part->twin = 0;
	part->changed = part->hashed = false;
	for (int tries = 0;; tries++) {
		st = dfs_fetch_row(ctx, part->block);
		if (st == DFS_OK)
			st = describe(ctx, part, &o, version);
		if (st != DFS_BUSY)
			break;
		if (tries == 8)
			return DFS_DELAY;
	}
	if (st == DFS_OK && !take_old(part)) {
		object_release(&o);
		st = DFS_DELAY;
	}
	if (st != DFS_OK)
		return st;
	take_dirty(part);
	if (!part->changed) {
		object_release(&o);
		return DFS_OK;
	}
	class = class_of(ctx, part);
	dfs_file_unlock(file);
	if (only_zeros(part, &o, version) || find_twin(ctx, payload, part, &o, version)) {
		object_release(&o);
		dfs_file_lock(file);
		return DFS_OK;
	}
	dfs_block_key(key, payload->prefix, &file->content, part->block->index, version);
	st = dfs_detour_begin(payload, ctx, batch->how, version, o.spans, o.n_spans, &detour);
	if (st == DFS_OK && batch->upload.offload)
		st = dfs_upload_add(&batch->upload, class, key, detour, o.spans, o.n_spans);
	else if (st == DFS_OK)
		st = dfs_detour_put(detour, payload->blocks, ctx, key, o.spans, o.n_spans,
				    &batch->put_seq);
	dfs_detour_unref(detour);
	object_release(&o);
	dfs_file_lock(file);
	if (st == DFS_OK)
		part->version = version;
	return st == DFS_BUSY ? DFS_IO : st; /* DFS_BUSY is ours: fenced */
}

/* Wait for the puts that were started.  Called without mu; answers the first failure, st if that is
 * one. */
static enum dfs_status
finish_puts(struct batch *batch, enum dfs_status st)
{
	uint32_t put = 0;

	for (uint32_t i = 0; i < batch->n && put < batch->upload.n; i++) {
		struct part *part = &batch->parts[i];
		enum dfs_status one;

		if (!part->version)
			continue;
		one = dfs_upload_wait(&batch->upload, put++, &batch->put_seq);
		if (one != DFS_OK)
			part->version = 0;
		if (st == DFS_OK)
			st = one == DFS_BUSY ? DFS_IO : one;
	}
	return st;
}

/* Everything taken is dirty again, but for what a truncation has cut meanwhile.  Called with mu. */
static struct dfs_garbage *
restore(struct batch *batch)
{
	struct dfs_garbage *garbage = NULL;

	for (uint32_t i = 0; i < batch->n; i++) {
		struct part *part = &batch->parts[i];
		struct dfs_block *block = part->block;
		bool dirty = false;

		for (uint32_t p = 0; p < block->n_slots; p++) {
			struct dfs_page *page = &block->pages[p];
			uint16_t back =
				p < part->n_slots && page->buf ? part->dirty[p] & page->units : 0;

			/* Beside newer units the old ones do not lie in one piece with them. */
			if (back)
				page->log = page->dirty ? 0 : part->log[p];
			dfs_page_mark(block, page, page->dirty | back, false);
			dirty |= page->dirty != 0;
		}
		dfs_log_unpin(batch->file->payload, part->segments & block->log_segments);
		block->log_segments |= part->segments;
		block->log_stale &= ~part->segments; /* newest again */
		if (!dirty) {
			garbage = dfs_garbage_add_pins(garbage, block->log_segments);
			block->log_segments = 0;
		}
		if (dirty && !batch->file->discarded)
			dfs_block_list_dirty(block);
		block->pins--;
	}
	return garbage;
}

/* Objects that were put for nothing.  Called without mu; best effort, an orphan does no harm. */
static void
erase_put(struct dfs_ctx *ctx, struct batch *batch)
{
	struct dfs_payload *payload = batch->file->payload;
	char key[DFS_BLOCK_KEY_MAX];

	for (uint32_t i = 0; i < batch->n; i++) {
		struct part *part = &batch->parts[i];

		if (!part->version)
			continue;
		dfs_block_key(key, payload->prefix, &batch->file->content, part->block->index,
			      part->version);
		if (batch->upload.offload)
			dfs_offload_erase_later(batch->upload.offload, &batch->file->content, key);
		else
			dfs_block_erase(payload->blocks, ctx, key);
	}
}

/* The new rows hold.  Called with mu. */
static struct dfs_garbage *
settle(struct batch *batch)
{
	struct dfs_file *file = batch->file;
	struct dfs_garbage *garbage = batch->garbage;

	batch->garbage = NULL;
	for (uint32_t i = 0; i < batch->n; i++) {
		struct part *part = &batch->parts[i];
		struct dfs_block *block = part->block;

		for (uint32_t p = 0; p < block->n_slots; p++)
			if (block->pages[p].held)
				dfs_page_mark(block, &block->pages[p], block->pages[p].dirty,
					      false);
		if (part->changed) {
			uint64_t start = block->index * DFS_BLOCK_SIZE;

			/* Truncations since the fence was passed have cut the stored row. */
			if (file->trunc_min < start + DFS_BLOCK_SIZE)
				part->row.n =
					dfs_row_clip(part->row.segs, part->row.n,
						     file->trunc_min > start
							     ? (uint32_t)(file->trunc_min - start)
							     : 0);
			dfs_block_set_row(block, &part->row);
			if (part->row.n > 0 && file->extent < start + DFS_BLOCK_SIZE)
				file->extent = start + DFS_BLOCK_SIZE;
		}
		garbage = dfs_garbage_add_pins(garbage, part->segments);
		block->pins--;
	}
	return garbage;
}

static bool
fenced(const struct batch *batch)
{
	return batch->file->truncating || batch->file->discarded ||
	       batch->trunc_gen != batch->file->trunc_gen;
}

/* The new row's object, of which others may be found: a record of its own, or one reference more to
 * the twin.  old: the row before.  DFS_BUSY: the twin is gone. */
static enum dfs_status
publish_hashed(struct batch *batch, struct dfs_txn *txn, const struct part *part,
	       const struct dfs_segment *old, uint32_t n_old)
{
	struct dfs_payload *payload = batch->file->payload;
	const struct dfs_segment *seg = &part->row.segs[0];
	enum dfs_status st;

	if (!part->twin)
		return dfs_dedup_record(payload, txn, &batch->file->content, part->block->index,
					seg->version, part->hash, seg->length);
	if (dfs_row_has(old, n_old, part->twin))
		return DFS_OK; /* the same bytes once more */
	st = dfs_dedup_ref(payload, txn, part->twin, part->hash, seg->length);
	return st == DFS_NOENT ? DFS_BUSY : st;
}

struct stored {
	uint64_t block;
	uint32_t n;
	struct dfs_segment segs[DFS_SEGMENTS_MAX];
};

static int
take_stored(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct stored *s = arg;

	if (block == s->block) {
		s->n = n;
		memcpy(s->segs, segs, n * sizeof *segs);
	}
	return 0;
}

/* Replace the part's row, and note what it gives up. */
static enum dfs_status
publish_row(struct batch *batch, struct dfs_txn *txn, const struct part *part)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	uint64_t index = part->block->index;
	const struct dfs_segment *old = part->old;
	struct stored stored; /* large, and rarely needed */
	uint32_t n_old = part->n_old;
	enum dfs_status st = DFS_OK;

	if (part->overlaid) {
		stored.block = index;
		stored.n = 0;
		st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, &file->content,
					    index, take_stored, &stored);
		old = stored.segs;
		n_old = stored.n;
	}
	if (st == DFS_OK && part->hashed)
		st = publish_hashed(batch, txn, part, old, n_old);
	if (st != DFS_OK)
		return st;
	dfs_drops_add(&batch->drops, &file->content, index, old, n_old, part->row.segs,
		      part->row.n);
	return metadata->ops.put_map(metadata->inst, txn, payload->share_id, &file->content, index,
				     part->row.lsn, part->row.segs, part->row.n);
}

/* One attempt at the transaction.  DFS_BUSY: fenced. */
static enum dfs_status
publish(struct dfs_ctx *ctx, struct batch *batch)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_txn *txn = batch->txn;
	enum dfs_status st = DFS_OK;
	bool fence;

	batch->txn = NULL;
	batch->drops.n = 0;
	free(batch->garbage);
	batch->garbage = NULL;
	if (!txn && (st = dfs_metadata_begin(metadata, ctx, DFS_TXN_WRITE, &txn)) != DFS_OK)
		return st;
	dfs_file_lock(file);
	fence = fenced(batch);
	dfs_file_unlock(file);
	if (fence)
		st = DFS_BUSY;
	for (uint32_t i = 0; i < batch->n && st == DFS_OK; i++) {
		struct part *part = &batch->parts[i];

		for (uint32_t k = 0; part->changed && k < part->row.n; k++)
			assert(!(part->row.segs[k].flags & DFS_SEGMENT_LOG));
		if (part->changed)
			st = publish_row(batch, txn, part);
	}
	if (st == DFS_OK)
		st = dfs_drops_apply(payload, txn, &batch->drops, &batch->garbage);
	if (st == DFS_OK && file->publish) {
		st = file->publish(file->owner, txn, dfs_file_used(file));
		if (st == DFS_BUSY)
			st = DFS_DELAY;
	}
	if (st != DFS_OK) {
		dfs_metadata_abort(metadata, txn);
		return st;
	}
	st = dfs_metadata_commit(metadata, txn, NULL);
	batch->unsure = st != DFS_OK && st != DFS_AGAIN;
	return st;
}

static void
pause_before(int tries)
{
	struct timespec ts = {.tv_nsec = 50000L << (tries < 8 ? tries : 8)};

	nanosleep(&ts, NULL);
}

/* Blocks durable first, then the rows that name them. */
static enum dfs_status
make_current(struct dfs_ctx *ctx, struct batch *batch)
{
	struct dfs_payload *payload = batch->file->payload;
	enum dfs_status st;

	DFS_FAILPOINT("blocks-put");
	if (payload->blocks->gate && payload->durability >= DFS_DURABILITY_POWER &&
	    batch->put_seq) {
		if (ctx->nonblock)
			return DFS_AGAIN;
		st = dfs_gate_wait_sync(payload->blocks->gate, batch->put_seq, DFS_SYNC_POWER,
					ctx->deadline);
		if (st != DFS_OK)
			return st == DFS_TIMEDOUT ? DFS_DELAY : st;
	}
	DFS_FAILPOINT("blocks-synced");
	for (int tries = 0;; tries++) {
		int64_t began = dfs_clock_mono();

		st = publish(ctx, batch);
		dfs_histogram_add(&dfs_payload_metrics()->publish_seconds, dfs_clock_mono() - began);
		if (st != DFS_AGAIN || ctx->nonblock)
			return st;
		if (tries == TRIES_MAX || dfs_clock_mono() >= ctx->deadline)
			return DFS_DELAY;
		pause_before(tries);
	}
}

/* The dirty block that is the next to go. */
static struct dfs_block *
next_dirty(const struct dfs_file *file, enum dfs_flush what)
{
	struct dfs_block *block = file->dirty_head;

	while (block && what == DFS_FLUSH_WHOLE && !block->whole)
		block = block->dirty_next;
	return block;
}

static void
batch_release(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++)
		free(batch->parts[i].old);
	dfs_drops_free(&batch->drops);
	free(batch->garbage);
}

/* Flush up to BATCH_BLOCKS of the *left blocks that were dirty at the start.  Called with mu. */
static enum dfs_status
flush_batch(struct dfs_ctx *ctx, struct dfs_file *file, enum dfs_flush what,
	    enum dfs_flush_strategy how, uint32_t *left, enum dfs_status *own)
{
	struct dfs_payload *payload = file->payload;
	struct batch batch;
	struct dfs_garbage *garbage;
	enum dfs_status st = DFS_OK;
	uint64_t seq;

	batch.file = file;
	batch.how = how;
	batch.txn = NULL;
	batch.unsure = false;
	batch.trunc_gen = file->trunc_gen;
	file->trunc_min = UINT64_MAX;
	batch.n = 0;
	batch.put_seq = 0;
	batch.drops = (struct dfs_drops){0};
	batch.garbage = NULL;
	dfs_upload_init(&batch.upload, ctx->nonblock ? NULL : payload->blocks->offload,
			&file->content, ctx->deadline);
	batch.upload.per_file = payload->strategy.concurrency;
	if (ctx->nonblock) {
		/* Whether the transaction can run at once must be known before anything is put. */
		dfs_file_unlock(file);
		st = dfs_metadata_begin(payload->metadata, ctx, DFS_TXN_WRITE, &batch.txn);
		dfs_file_lock(file);
		batch.trunc_gen = file->trunc_gen;
		file->trunc_min = UINT64_MAX;
	}
	while (st == DFS_OK && batch.n < BATCH_BLOCKS && (*left) > 0 && next_dirty(file, what)) {
		struct part *part = &batch.parts[batch.n];

		(*left)--;
		part->block = next_dirty(file, what);
		part->block->pins++;
		batch.n++;
		st = put_block(ctx, &batch, part);
		if (st != DFS_OK && st != DFS_BUSY && !part->n_slots && file->n_dirty > 1 &&
		    !ctx->nonblock) {
			/* Its own trouble (what it needs cannot be read): the others go without it. */
			dfs_block_list_clean(part->block);
			dfs_block_list_dirty(part->block);
			part->block->pins--;
			batch.n--;
			*own = st;
			st = DFS_OK;
			continue;
		}
		if (st == DFS_OK || part->n_slots)
			dfs_block_list_clean(part->block);
		if (st == DFS_OK && dirty_units(part->block))
			dfs_block_list_dirty(part->block); /* written while it was put */
	}
	dfs_file_unlock(file);
	st = finish_puts(&batch, st);
	if (st == DFS_OK)
		st = make_current(ctx, &batch);
	if (batch.txn)
		dfs_metadata_abort(payload->metadata, batch.txn);
	if (st != DFS_OK && !batch.unsure)
		erase_put(ctx, &batch);
	seq = atomic_load(&payload->metadata->last_seq);
	if (st == DFS_OK)
		DFS_FAILPOINT("flush-committed");
	dfs_file_lock(file);
	if (st == DFS_OK)
		file->meta_seq = seq;
	garbage = st == DFS_OK ? settle(&batch) : restore(&batch);
	if (st == DFS_OK)
		DFS_FAILPOINT("flush-settled");
	if (garbage || batch.drops.n > 0) {
		dfs_file_unlock(file);
		dfs_garbage_submit(payload, garbage, seq);
		if (batch.drops.n > 0)
			dfs_gc_kick(payload);
		dfs_file_lock(file);
	}
	batch_release(&batch);
	return st;
}

/* The flush that begins takes what is dirty now. */
static enum dfs_flush_strategy
strategy_of(const struct dfs_file *file)
{
	enum dfs_flush_strategy kind = file->payload->strategy.kind;
	uint64_t n = 0;

	if (kind != DFS_STRATEGY_HYBRID)
		return kind;
	for (const struct dfs_block *b = file->dirty_head; b; b = b->dirty_next)
		n += (uint64_t)dirty_units(b) * DFS_UNIT;
	return n < file->payload->strategy.threshold ? DFS_STRATEGY_DIRECT : DFS_STRATEGY_LOCAL;
}

/* Called with mu; no other flush runs. */
static enum dfs_status
flush_blocks(struct dfs_ctx *ctx, struct dfs_file *file, enum dfs_flush what)
{
	uint32_t left = file->n_dirty, target = file->write_seq;
	enum dfs_flush_strategy how = strategy_of(file);
	enum dfs_status st = DFS_OK, own = DFS_OK; /* own: of blocks that were left out */
	int fences = 0;

	while (left > 0 && next_dirty(file, what) && st == DFS_OK) {
		while (file->truncating && st == DFS_OK) {
			if (ctx->nonblock)
				st = DFS_AGAIN;
			else if (!dfs_file_wait(file, ctx->deadline))
				st = DFS_DELAY;
		}
		if (file->discarded || st != DFS_OK)
			break;
		st = flush_batch(ctx, file, what, how, &left, &own);
		if (st == DFS_BUSY) {
			/* Fenced: take what is left of it again. */
			left = file->n_dirty;
			st = ctx->nonblock ? DFS_AGAIN : ++fences > 16 ? DFS_DELAY : DFS_OK;
		}
	}
	if (file->discarded)
		return DFS_OK;
	if (st == DFS_OK)
		st = own;
	if (st == DFS_OK && what == DFS_FLUSH_ALL)
		file->flushed_seq = target;
	if (st != DFS_AGAIN)
		file->flush_failed = st != DFS_OK;
	return st;
}

enum dfs_status
dfs_file_flush(struct dfs_ctx *ctx, struct dfs_file *file, enum dfs_flush what)
{
	enum dfs_status st = DFS_OK;
	uint32_t target;

	dfs_file_lock(file);
	target = file->write_seq;
	while (file->flushing && st == DFS_OK) {
		if (ctx->nonblock)
			st = DFS_AGAIN;
		else if (!dfs_file_wait(file, ctx->deadline))
			st = DFS_DELAY;
	}
	/* The one that ran may have taken everything along. */
	if (st == DFS_OK && file->n_dirty > 0 && !file->discarded &&
	    (int32_t)(target - file->flushed_seq) > 0) {
		file->flushing = true;
		atomic_fetch_add_explicit(&file->busy, 1, memory_order_relaxed);
		st = flush_blocks(ctx, file, what);
		file->flushing = false;
		atomic_fetch_sub_explicit(&file->busy, 1, memory_order_release);
		dfs_file_wake(file);
	}
	dfs_file_unlock(file);
	return st;
}

/* Size and times are in the log with the bytes. */
static enum dfs_status
commit_to_log(struct dfs_ctx *ctx, struct dfs_file *file)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_gate *gate = dfs_wal_gate(payload->wal);
	uint32_t level = dfs_sync_level_of(payload);
	uint64_t lsn;

	dfs_file_lock(file);
	lsn = file->log_lsn;
	dfs_file_unlock(file);
	if (lsn && !dfs_gate_passed(gate, lsn, level))
		dfs_ctx_ticket(ctx, gate, lsn, level);
	return DFS_OK;
}

static bool
commits_to_log(const struct dfs_payload *payload)
{
	return payload->logging && payload->durability < DFS_DURABILITY_REMOTE;
}

bool
dfs_payload_commits_at_once(const struct dfs_payload *payload)
{
	return payload->lazy || commits_to_log(payload);
}

enum dfs_status
dfs_file_commit(struct dfs_ctx *ctx, struct dfs_file *file)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_gate *gate = payload->metadata->gate;
	enum dfs_status st;
	uint64_t seq;

	if (payload->lazy && !file->flush_failed)
		return DFS_OK;
	if (commits_to_log(payload))
		return commit_to_log(ctx, file);
	if (ctx->nonblock && atomic_load_explicit(&file->busy, memory_order_acquire) &&
	    (!dfs_block_inline(payload->blocks) ||
	     (payload->blocks->gate && payload->durability >= DFS_DURABILITY_POWER)))
		return DFS_AGAIN;
	st = dfs_file_flush(ctx, file, DFS_FLUSH_ALL);
	if (st != DFS_OK || !gate || payload->durability == DFS_DURABILITY_NONE)
		return st;
	/* An earlier flush may be committed and not durable yet. */
	dfs_file_lock(file);
	seq = file->meta_seq;
	dfs_file_unlock(file);
	if (seq && !dfs_gate_passed(gate, seq, dfs_sync_level_of(payload)))
		dfs_ctx_ticket(ctx, gate, seq, dfs_sync_level_of(payload));
	return DFS_OK;
}
