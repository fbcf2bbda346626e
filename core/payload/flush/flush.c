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
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "io/gate.h"
#include "payload/flush/batch.h"

#define DEDUP_MIN DFS_PAGE_SIZE /* bytes of a block that is worth a hash */

/* Remember what the row names, for the transaction that replaces it.  False: no memory. */
static bool
take_old(struct dfs_flush_part *part)
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
take_dirty(struct dfs_flush_part *part)
{
	struct dfs_block *block = part->block;

	part->row.lsn = block->lsn;
	part->segments = block->log_segments;
	block->log_segments = block->log_stale = 0;
	part->log_cut = block->log_cut;
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
class_of(const struct dfs_ctx *ctx, const struct dfs_flush_part *part)
{
	return ctx->share                                      ? DFS_FINALIZE_PUT
	       : part->block->n_units == DFS_PAGES * DFS_UNITS ? DFS_COMPLETE_PUT
							       : DFS_AGED_PUT;
}

/* Whether an object of the same bytes is there already: then the row names that one.  Called
 * without mu. */
static bool
find_twin(const struct dfs_ctx *ctx, struct dfs_payload *payload, struct dfs_flush_part *part,
	  const struct dfs_flush_object *o, uint64_t version)
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
put_block(struct dfs_ctx *ctx, struct dfs_flush_batch *batch, struct dfs_flush_part *part)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	char key[DFS_BLOCK_KEY_MAX];
	struct dfs_detour *detour;
	struct dfs_flush_object o;
	enum dfs_entry_class class;
	enum dfs_status st;
	uint64_t version = dfs_version_next(payload);

	part->old = NULL;
	part->n_slots = 0;
	part->segments = 0;
	part->log_cut = false;
	part->version = part->twin = 0;
	part->changed = part->hashed = false;
	for (int tries = 0;; tries++) {
		st = dfs_fetch_row(ctx, part->block);
		if (st == DFS_OK)
			st = dfs_flush_describe(ctx, part, &o, version);
		if (st != DFS_BUSY)
			break;
		if (tries == 8)
			return DFS_DELAY;
	}
	if (st == DFS_OK && !take_old(part)) {
		dfs_flush_object_release(&o);
		st = DFS_DELAY;
	}
	if (st != DFS_OK)
		return st;
	take_dirty(part);
	if (!part->changed) {
		dfs_flush_object_release(&o);
		return DFS_OK;
	}
	class = class_of(ctx, part);
	dfs_file_unlock(file);
	if (dfs_flush_only_zeros(part, &o, version) || find_twin(ctx, payload, part, &o, version)) {
		dfs_flush_object_release(&o);
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
	dfs_flush_object_release(&o);
	dfs_file_lock(file);
	if (st == DFS_OK)
		part->version = version;
	return st == DFS_BUSY ? DFS_IO : st; /* DFS_BUSY is ours: fenced */
}

/* Wait for the puts that were started.  Called without mu; answers the first failure, st if that is
 * one. */
static enum dfs_status
finish_puts(struct dfs_flush_batch *batch, enum dfs_status st)
{
	uint32_t put = 0;

	for (uint32_t i = 0; i < batch->n && put < batch->upload.n; i++) {
		struct dfs_flush_part *part = &batch->parts[i];
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
restore(struct dfs_flush_batch *batch)
{
	struct dfs_garbage *garbage = NULL;

	for (uint32_t i = 0; i < batch->n; i++) {
		struct dfs_flush_part *part = &batch->parts[i];
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
		block->log_cut |= part->log_cut;
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
erase_put(struct dfs_ctx *ctx, struct dfs_flush_batch *batch)
{
	struct dfs_payload *payload = batch->file->payload;
	char key[DFS_BLOCK_KEY_MAX];

	for (uint32_t i = 0; i < batch->n; i++) {
		struct dfs_flush_part *part = &batch->parts[i];

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
settle(struct dfs_flush_batch *batch)
{
	struct dfs_file *file = batch->file;
	struct dfs_garbage *garbage = batch->garbage;
	uint64_t used = dfs_file_used(file);

	batch->garbage = NULL;
	for (uint32_t i = 0; i < batch->n; i++) {
		struct dfs_flush_part *part = &batch->parts[i];
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
	if (file->ops && used != dfs_file_used(file))
		file->ops->settled(file->owner);
	return garbage;
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

/* The same for a batch: none that it has, for what such a block shall be is not its row yet.  It was
 * written while it was put, so it stands behind those that the batch has not. */
static struct dfs_block *
next_for(const struct dfs_flush_batch *batch, enum dfs_flush what)
{
	struct dfs_block *block = next_dirty(batch->file, what);

	for (uint32_t i = 0; i < batch->n; i++)
		if (batch->parts[i].block == block)
			return NULL;
	return block;
}

static void
batch_release(struct dfs_flush_batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++)
		free(batch->parts[i].old);
	dfs_drops_free(&batch->drops);
	free(batch->garbage);
}

/* Flush up to DFS_FLUSH_BLOCKS_MAX of the *left blocks that were dirty at the start.  Called with
 * mu. */
static enum dfs_status
flush_batch(struct dfs_ctx *ctx, struct dfs_file *file, enum dfs_flush what,
	    enum dfs_flush_strategy how, uint32_t *left, enum dfs_status *own)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_flush_batch batch;
	struct dfs_block *block;
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
	while (st == DFS_OK && batch.n < DFS_FLUSH_BLOCKS_MAX && (*left) > 0 &&
	       (block = next_for(&batch, what)) != NULL) {
		struct dfs_flush_part *part = &batch.parts[batch.n];

		(*left)--;
		part->block = block;
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
		if (st == DFS_OK && dfs_block_dirty_units(part->block))
			dfs_block_list_dirty(part->block); /* written while it was put */
	}
	dfs_file_unlock(file);
	st = finish_puts(&batch, st);
	if (st == DFS_OK)
		st = dfs_flush_make_current(ctx, &batch);
	if (batch.txn)
		dfs_metadata_abort(payload->metadata, batch.txn);
	if (st != DFS_OK && !batch.unsure)
		erase_put(ctx, &batch);
	if (st == DFS_OK)
		DFS_FAILPOINT("flush-committed");
	dfs_file_lock(file);
	/* Not before: what a truncation has made void meanwhile goes by its commit. */
	seq = atomic_load(&payload->metadata->last_seq);
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
		n += (uint64_t)dfs_block_dirty_units(b) * DFS_UNIT;
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
