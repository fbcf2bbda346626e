/* SPDX-License-Identifier: MIT
 *
 * Bringing rows and pages in from the stores.
 *
 * One fetch at a time for a block: whoever comes second waits for the first.  What was read while
 * the lock was free is used only if the row's generation did not change meanwhile; pages that were
 * written meanwhile stay as they are.
 */
#include <string.h>

#include "base/counter.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "payload/file.h"
#include "payload/offload/download.h"

#define TRIES_MAX 16 /* rows that change under a fetch */

/* Wait for the other fetch.  Called with mu and the block pinned. */
static enum dfs_status
join(struct dfs_ctx *ctx, struct dfs_block *block)
{
	while (block->fetching) {
		if (ctx->nonblock)
			return DFS_AGAIN;
		if (!dfs_file_wait(block->file, ctx->deadline))
			return DFS_DELAY;
	}
	return DFS_OK;
}

struct row_look {
	uint64_t block;
	struct dfs_row *row;
	bool bad;
};

static int
take_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct row_look *l = arg;

	if (block == l->block) {
		l->bad = !dfs_row_resolve(l->row, segs, n);
		l->row->lsn = lsn;
	}
	return 0;
}

enum dfs_status
dfs_row_read(struct dfs_file *file, struct dfs_txn *txn, uint64_t block, struct dfs_row *row)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct row_look l = {block, row, false};
	enum dfs_status st;

	row->n = 0;
	row->lsn = 0;
	st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, &file->content, block,
				    take_row, &l);
	if (st == DFS_OK && l.bad)
		return dfs_fail(DFS_CORRUPT, "share %s: the map row of block %llu is damaged",
				payload->prefix, (unsigned long long)block);
	return st;
}

/* The row as it is now.  Called with mu, which is released meanwhile, and no other fetch. */
static enum dfs_status
read_row(struct dfs_ctx *ctx, struct dfs_block *block, struct dfs_row *row)
{
	struct dfs_file *file = block->file;
	struct dfs_metadata_store *metadata = file->payload->metadata;
	uint64_t index = block->index;
	struct dfs_txn *txn;
	enum dfs_status st;

	block->fetching = true;
	dfs_file_unlock(file);
	st = dfs_metadata_begin(metadata, ctx, DFS_TXN_READ, &txn);
	if (st == DFS_OK) {
		st = dfs_row_read(file, txn, index, row);
		dfs_metadata_abort(metadata, txn);
	}
	dfs_file_lock(file);
	block->fetching = false;
	dfs_file_wake(file);
	return st;
}

/* As dfs_fetch_row, with the block pinned and no other fetch. */
static enum dfs_status
fetch_row(struct dfs_ctx *ctx, struct dfs_block *block)
{
	enum dfs_status st;
	struct dfs_row row;

	for (int tries = 0; !block->row_known; tries++) {
		uint32_t gen = block->row_gen;

		if (tries == TRIES_MAX)
			return DFS_DELAY;
		st = read_row(ctx, block, &row);
		if (st != DFS_OK)
			return st;
		if (gen == block->row_gen && !block->row_known && !dfs_block_set_row(block, &row))
			return DFS_DELAY;
	}
	return DFS_OK;
}

static void
unpin(struct dfs_block *block)
{
	/* An empty block is left to the evictor: it knows the row. */
	if (--block->pins == 0 && block->file->discarded)
		dfs_block_release(block);
}

enum dfs_status
dfs_fetch_row(struct dfs_ctx *ctx, struct dfs_block *block)
{
	enum dfs_status st;

	block->pins++;
	st = join(ctx, block);
	if (st == DFS_OK)
		st = fetch_row(ctx, block);
	unpin(block);
	return st;
}

static struct dfs_download_source
source_of(const struct dfs_block *block)
{
	const struct dfs_file *file = block->file;
	struct dfs_payload *payload = file->payload;

	return (struct dfs_download_source){payload->blocks->offload, payload->cache->landing,
					    payload->prefix, file->content, block->index};
}

/* A segment that is in no object: in the log, or zeros. */
static enum dfs_status
read_local(struct dfs_payload *payload, const struct dfs_segment *s, struct dfs_landing *l)
{
	enum dfs_status st = DFS_OK;
	uint32_t done = 0;

	if ((s->flags & DFS_SEGMENT_LOG) && s->version == 0)
		return dfs_fail(DFS_IO, "share %s: acknowledged data is damaged in the log",
				payload->prefix);
	dfs_landing_piece(l, s->at, s->length);
	while (st == DFS_OK && done < s->length) {
		uint64_t n;
		void *to = l->sink.space(l->sink.ctx, &n);

		if (!to)
			return DFS_NOMEM;
		if (s->flags & DFS_SEGMENT_ZERO)
			memset(to, 0, n);
		else
			st = dfs_wal_read(payload->wal, s->version + s->offset + done, to,
					  (uint32_t)n);
		DFS_FAILPOINT("spill-read");
		done += (uint32_t)n;
	}
	return st;
}

/* At memory speed, or on an event loop: no waiting, so nothing to share. */
static enum dfs_status
read_direct(struct dfs_ctx *ctx, struct dfs_file *file, const struct dfs_download_source *src,
	    const struct dfs_segment *segs, uint32_t n, struct dfs_landing *l)
{
	char key[DFS_BLOCK_KEY_MAX];

	for (uint32_t i = 0; i < n; i++) {
		const struct dfs_segment *s = &segs[i];
		enum dfs_status st;

		dfs_landing_piece(l, s->at, s->length);
		dfs_block_key(key, file->payload->prefix, &src->content, src->block, s->version);
		st = dfs_block_get_direct(file->payload->blocks, ctx, key, s->offset, s->length,
					  &l->sink);
		if (l->no_memory)
			return DFS_NOMEM;
		if (st != DFS_OK)
			return st;
		if (l->at != l->end)
			return dfs_fail(DFS_IO, "block store %s: %s: %u of %u bytes delivered",
					file->payload->blocks->name, key, l->at - s->at, s->length);
	}
	return DFS_OK;
}

/* How many of the segments, from the first on, lie in objects of one block; *src: of which. */
static enum dfs_status
run_of(struct dfs_ctx *ctx, struct dfs_file *file, struct dfs_download_source *src,
       const struct dfs_segment *segs, uint32_t n, uint32_t *run)
{
	bool shared = segs[0].flags & DFS_SEGMENT_SHARED;

	*run = 0;
	while (*run < n && dfs_segment_in_object(&segs[*run]) &&
	       (shared ? segs[*run].version == segs[0].version
		       : !(segs[*run].flags & DFS_SEGMENT_SHARED)))
		++*run;
	if (!shared || *run == 0)
		return DFS_OK;
	return dfs_object_owner(ctx, file->payload, segs[0].version, &src->content, &src->block);
}

/* Bring n segments in, in order: each run of those that are in objects at once. */
static enum dfs_status
read_segments(struct dfs_ctx *ctx, struct dfs_file *file, const struct dfs_download_source *src,
	      const struct dfs_segment *segs, uint32_t n, struct dfs_landing *l)
{
	enum dfs_status st = DFS_OK;

	for (uint32_t i = 0, run; i < n && st == DFS_OK; i += run) {
		struct dfs_download_source from = *src;

		st = run_of(ctx, file, &from, &segs[i], n - i, &run);
		if (st != DFS_OK)
			break;
		if (run == 0)
			st = read_local(file->payload, &segs[i + run++], l);
		else if (src->offload)
			st = dfs_download_segments(&from, ctx, &segs[i], run, l);
		else
			st = read_direct(ctx, file, &from, &segs[i], run, l);
	}
	return st;
}

/* Segments clipped to the runs of pages in [first, last] that are stored and not in memory. */
static uint32_t
wanted(const struct dfs_block *block, uint32_t first, uint32_t last, struct dfs_row *out)
{
	out->n = 0;
	for (uint32_t p = first; p <= last; p++) {
		uint32_t from = p * DFS_PAGE_SIZE, to;

		if (p < block->n_slots && block->pages[p].buf)
			continue;
		while (p < last && !(p + 1 < block->n_slots && block->pages[p + 1].buf))
			p++;
		to = (p + 1) * DFS_PAGE_SIZE;
		for (uint32_t i = 0; i < block->n_segs; i++) {
			const struct dfs_segment *s = &block->segs[i];

			if (s->at >= to || s->at + s->length <= from)
				continue;
			if (out->n == DFS_ROW_MAX)
				return out->n; /* the rest at the next turn */
			out->segs[out->n++] = dfs_segment_part(s, from, to);
		}
	}
	return out->n;
}

static uint32_t
last_page(const struct dfs_row *row)
{
	const struct dfs_segment *s = &row->segs[row->n - 1];

	return (s->at + s->length - 1) / DFS_PAGE_SIZE;
}

static void
install(struct dfs_block *block, struct dfs_landing *l)
{
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		if (!l->bufs[p] || page->buf)
			continue;
		dfs_page_set(block, page, l->bufs[p], l->valid[p]);
		l->bufs[p] = NULL;
	}
}

/* What has been downloaded ahead needs no waiting.  Called with mu; an event loop's. */
static enum dfs_status
take_landed(struct dfs_block *block, uint32_t first, uint32_t last)
{
	struct dfs_download_source src = source_of(block);
	struct dfs_landing l;
	struct dfs_row row;
	enum dfs_status st;

	if (!src.offload || block->fetching || !block->row_known)
		return DFS_AGAIN;
	dfs_download_extent(&src, block->segs, block->n_segs, &first, &last);
	if (wanted(block, first, last, &row) == 0)
		return DFS_OK;
	for (uint32_t i = 0; i < row.n; i++)
		if (!dfs_segment_in_object(&row.segs[i]) ||
		    (row.segs[i].flags & DFS_SEGMENT_SHARED))
			return DFS_AGAIN;
	if (!dfs_block_get_slots(block->file, block->index, last_page(&row)))
		return DFS_AGAIN;
	dfs_landing_init(&l);
	st = dfs_download_landed(&src, row.segs, row.n, &l);
	if (st == DFS_OK)
		install(block, &l);
	dfs_landing_release(&l);
	return st == DFS_OK ? DFS_OK : DFS_AGAIN;
}

/* An object that the row names is missing: another server may have written the block anew.  Called with
 * mu, the block pinned and no other fetch. */
static void
look_again(struct dfs_ctx *ctx, struct dfs_block *block)
{
	uint32_t gen = block->row_gen;
	struct dfs_row row;

	for (uint32_t i = 0; i < block->n_segs; i++)
		if (block->segs[i].flags & DFS_SEGMENT_LOG)
			return; /* it says what no store knows: nobody else has written it */
	if (read_row(ctx, block, &row) == DFS_OK && gen == block->row_gen)
		dfs_block_set_row(block, &row);
}

static enum dfs_status
object_missing(const struct dfs_block *block)
{
	const struct dfs_file *file = block->file;

	dfs_counter_add(dfs_counter_get("payload_objects_missing"), 1);
	dfs_log(DFS_LOG_ERROR, "share %s: an object of block %llu of file %llu is missing",
		file->payload->prefix, (unsigned long long)block->index,
		(unsigned long long)file->fileid);
	return dfs_fail(DFS_IO, "share %s: an object of block %llu is missing",
			file->payload->prefix, (unsigned long long)block->index);
}

enum dfs_status
dfs_fetch_pages(struct dfs_ctx *ctx, struct dfs_block *block, uint32_t first, uint32_t last)
{
	struct dfs_file *file = block->file;
	struct dfs_row row;
	struct dfs_landing l;
	enum dfs_status st;
	bool looked_again = false;

	if (ctx->nonblock && !dfs_block_inline(file->payload->blocks))
		return take_landed(block, first, last);
	block->pins++;
	for (int tries = 0;; tries++) {
		struct dfs_download_source src = source_of(block);
		bool again = false;
		uint32_t gen;

		/* A near store answers sooner than another thread does. */
		if (ctx->nonblock || (!file->payload->far && !dfs_prefetch_active(file)))
			src.offload = NULL;
		st = join(ctx, block);
		if (st == DFS_OK)
			st = fetch_row(ctx, block);
		if (st == DFS_OK && src.offload)
			dfs_download_extent(&src, block->segs, block->n_segs, &first, &last);
		if (st != DFS_OK || wanted(block, first, last, &row) == 0)
			break;
		if (tries == TRIES_MAX) {
			st = DFS_DELAY;
			break;
		}
		if (!dfs_block_get_slots(file, block->index, last_page(&row))) {
			st = DFS_DELAY;
			break;
		}
		gen = block->row_gen;
		block->fetching = true;
		block->fetch_first = (uint8_t)first;
		block->fetch_last = (uint8_t)last;
		dfs_file_unlock(file);
		dfs_landing_init(&l);
		st = read_segments(ctx, file, &src, row.segs, row.n, &l);
		if (st == DFS_NOMEM) {
			again = dfs_cache_reclaim(file->payload->cache, DFS_BLOCK_SIZE);
			st = DFS_DELAY;
		}
		dfs_file_lock(file);
		block->fetching = false;
		dfs_file_wake(file);
		if (gen != block->row_gen)
			again = true; /* whatever came of it: the row is another now */
		else if (st == DFS_OK)
			install(block, &l);
		dfs_landing_release(&l);
		if (again)
			continue;
		if (st == DFS_NOENT && !looked_again) {
			looked_again = true;
			look_again(ctx, block);
			continue;
		}
		if (st == DFS_NOENT)
			st = object_missing(block);
		if (st != DFS_OK)
			break;
	}
	unpin(block);
	return st;
}

static void
prefetch(struct dfs_ctx *ctx, struct dfs_file *file, const struct dfs_download_source *src,
	 const struct dfs_row *row)
{
	for (uint32_t i = 0, run; i < row->n; i += run ? run : 1) {
		struct dfs_download_source from = *src;

		if (run_of(ctx, file, &from, &row->segs[i], row->n - i, &run) == DFS_OK && run > 0)
			dfs_download_prefetch(&from, &row->segs[i], run);
	}
}

/* Start to bring in pages [first, last], last < first: none.  Called with mu, which is released and
 * taken again, a known row, and the block pinned. */
static void
start_pages(struct dfs_ctx *ctx, struct dfs_block *block, uint32_t first, uint32_t last)
{
	struct dfs_download_source src = source_of(block);
	struct dfs_file *file = block->file;
	struct dfs_row row;

	if (first > last || wanted(block, first, last, &row) == 0)
		return;
	dfs_file_unlock(file);
	prefetch(ctx, file, &src, &row);
	dfs_file_lock(file);
}

void
dfs_fetch_ahead(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index, uint32_t first,
		uint32_t last)
{
	struct dfs_block *block;
	enum dfs_status st = DFS_OK;

	if (index * DFS_BLOCK_SIZE >= file->extent)
		return;
	block = dfs_block_get_slots(file, index, 0);
	if (!block)
		return;
	block->pins++;
	/* A fetch of pages by somebody else is no reason to wait, one of the row is. */
	while (st == DFS_OK && block->fetching && !block->row_known)
		if (!dfs_file_wait(file, ctx->deadline))
			st = DFS_DELAY;
	if (st == DFS_OK)
		st = fetch_row(ctx, block);
	if (st == DFS_OK && !file->discarded) {
		uint32_t from = first;

		/* What somebody fetches may have arrived and not be in its place yet. */
		if (block->fetching && block->fetch_first <= last && block->fetch_last >= first) {
			uint32_t before = block->fetch_first;

			from = block->fetch_last + 1u;
			if (before > first)
				start_pages(ctx, block, first, before - 1u);
		}
		start_pages(ctx, block, from, last);
	}
	unpin(block);
}
