/* SPDX-License-Identifier: MIT
 *
 * Bringing rows and pages in from the stores.
 *
 * One fetch at a time for a block: whoever comes second waits for the first.  What was read while
 * the lock was free is used only if the row's generation did not change meanwhile; pages that were
 * written meanwhile stay as they are.
 */
#include <string.h>

#include "base/log.h"
#include "payload/file.h"

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

struct row_read {
	uint64_t block;
	struct dfs_row row;
	bool bad;
};

static int
take_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct row_read *r = arg;

	if (block == r->block) {
		r->bad = !dfs_row_resolve(&r->row, segs, n);
		r->row.lsn = lsn;
	}
	return 0;
}

static enum dfs_status
read_row(struct dfs_ctx *ctx, struct dfs_file *file, struct row_read *r)
{
	struct dfs_metadata_store *metadata = file->payload->metadata;
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, ctx, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	r->row.n = 0;
	r->row.lsn = 0;
	r->bad = false;
	st = metadata->ops.scan_map(metadata->inst, txn, file->payload->share_id, &file->content,
				    r->block, take_row, r);
	dfs_metadata_abort(metadata, txn);
	if (st == DFS_OK && r->bad)
		return dfs_fail(DFS_CORRUPT, "share %s: the map row of block %llu is damaged",
				file->payload->prefix, (unsigned long long)r->block);
	return st;
}

/* As dfs_fetch_row, with the block pinned and no other fetch. */
static enum dfs_status
fetch_row(struct dfs_ctx *ctx, struct dfs_block *block)
{
	struct dfs_file *file = block->file;
	struct row_read r = {.block = block->index};
	enum dfs_status st = DFS_OK;

	for (int tries = 0; !block->row_known; tries++) {
		uint32_t gen = block->row_gen;

		if (tries == TRIES_MAX)
			return DFS_DELAY;
		block->fetching = true;
		dfs_file_unlock(file);
		st = read_row(ctx, file, &r);
		dfs_file_lock(file);
		block->fetching = false;
		dfs_file_wake(file);
		if (st != DFS_OK)
			return st;
		if (gen == block->row_gen && !block->row_known &&
		    !dfs_block_set_row(block, &r.row))
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

/* Pages on their way in, and where the store's bytes go next. */
struct landing {
	struct dfs_sink sink;
	struct dfs_buf *bufs[DFS_PAGES];
	uint32_t valid[DFS_PAGES]; /* bytes delivered, gaps zeroed */
	uint32_t at, end;          /* of the block: the piece that is being read */
	bool no_memory;
};

static void
zero_to(struct landing *l, uint32_t p, uint32_t upto)
{
	if (l->valid[p] < upto) {
		memset(l->bufs[p]->data + l->valid[p], 0, upto - l->valid[p]);
		l->valid[p] = upto;
	}
}

static void *
landing_space(void *ctx, uint64_t *len)
{
	struct landing *l = ctx;
	uint32_t p = l->at / DFS_PAGE_SIZE, in = l->at % DFS_PAGE_SIZE, n = DFS_PAGE_SIZE - in;

	if (n > l->end - l->at)
		n = l->end - l->at;
	/* A small file's page is a small buffer; a page in pieces takes them all. */
	if (!l->bufs[p])
		l->bufs[p] = dfs_buf_alloc(in + n);
	if (l->bufs[p] && l->bufs[p]->len < in + n) {
		struct dfs_buf *big = dfs_buf_alloc(DFS_PAGE_SIZE);
		if (big)
			memcpy(big->data, l->bufs[p]->data, l->valid[p]);
		dfs_buf_unref(l->bufs[p]);
		l->bufs[p] = big;
	}
	if (!l->bufs[p] || n == 0) {
		l->no_memory = true;
		return NULL;
	}
	zero_to(l, p, in);
	l->at += n;
	l->valid[p] = in + n;
	*len = n;
	return l->bufs[p]->data + in;
}

/* Adopt a store's buffer as the page when it is one. */
static int
landing_give(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	struct landing *l = ctx;
	uint32_t p = l->at / DFS_PAGE_SIZE;

	if (l->at % DFS_PAGE_SIZE != 0 || l->bufs[p] || data != buf->data || len > DFS_PAGE_SIZE ||
	    len > l->end - l->at || buf->len > DFS_PAGE_SIZE)
		return 0;
	l->bufs[p] = dfs_buf_ref(buf);
	l->valid[p] = (uint32_t)len;
	l->at += (uint32_t)len;
	return 1;
}

/* A later piece of an adopted page must not be written into the store's buffer. */
static bool
own_page(struct landing *l, uint32_t p)
{
	struct dfs_buf *copy;

	if (!l->bufs[p] || dfs_buf_exclusive(l->bufs[p]))
		return true;
	copy = dfs_buf_alloc(DFS_PAGE_SIZE);
	if (!copy)
		return false;
	memcpy(copy->data, l->bufs[p]->data, l->valid[p]);
	dfs_buf_unref(l->bufs[p]);
	l->bufs[p] = copy;
	return true;
}

/* A segment that is in no object: in the log, or zeros. */
static enum dfs_status
read_local(struct dfs_payload *payload, const struct dfs_segment *s, struct landing *l)
{
	enum dfs_status st = DFS_OK;
	uint32_t done = 0;

	if ((s->flags & DFS_SEGMENT_LOG) && s->version == 0)
		return dfs_fail(DFS_IO, "share %s: acknowledged data is damaged in the log",
				payload->prefix);
	while (st == DFS_OK && done < s->length) {
		uint64_t n;
		void *to = landing_space(l, &n);

		if (!to)
			return DFS_DELAY;
		if (s->flags & DFS_SEGMENT_ZERO)
			memset(to, 0, n);
		else
			st = dfs_wal_read(payload->wal, s->version + s->offset + done, to,
					  (uint32_t)n);
		done += (uint32_t)n;
	}
	return st;
}

static enum dfs_status
read_segments(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t index,
	      const struct dfs_segment *segs, uint32_t n, struct landing *l)
{
	char key[DFS_BLOCK_KEY_MAX];

	for (uint32_t i = 0; i < n; i++) {
		const struct dfs_segment *s = &segs[i];
		enum dfs_status st;

		l->at = s->at;
		l->end = s->at + s->length;
		if (!own_page(l, s->at / DFS_PAGE_SIZE))
			return DFS_DELAY;
		if (s->flags & (DFS_SEGMENT_LOG | DFS_SEGMENT_ZERO)) {
			st = read_local(file->payload, s, l);
			if (st != DFS_OK)
				return l->no_memory ? DFS_DELAY : st;
			continue;
		}
		dfs_block_key(key, file->payload->prefix, &file->content, index, s->version);
		st = dfs_block_get(file->payload->blocks, ctx, key, s->offset, s->length, &l->sink);
		if (l->no_memory)
			return DFS_DELAY;
		if (st != DFS_OK)
			return st;
		if (l->at != l->end)
			return dfs_fail(DFS_IO, "block store %s: %s: %u of %u bytes delivered",
					file->payload->blocks->name, key, l->at - s->at, s->length);
	}
	return DFS_OK;
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
			struct dfs_segment s = block->segs[i];

			if (s.at >= to || s.at + s.length <= from)
				continue;
			if (s.at < from) {
				s.offset += from - s.at;
				s.length -= from - s.at;
				s.at = from;
			}
			if (s.at + s.length > to)
				s.length = to - s.at;
			if (out->n == DFS_ROW_MAX)
				return out->n; /* the rest at the next turn */
			out->segs[out->n++] = s;
		}
	}
	return out->n;
}

static void
install(struct dfs_block *block, struct landing *l)
{
	for (uint32_t p = 0; p < block->n_slots; p++) {
		struct dfs_page *page = &block->pages[p];

		if (!l->bufs[p] || page->buf)
			continue;
		dfs_page_set(block, page, l->bufs[p], l->valid[p]);
		l->bufs[p] = NULL;
	}
}

enum dfs_status
dfs_fetch_pages(struct dfs_ctx *ctx, struct dfs_block *block, uint32_t first, uint32_t last)
{
	struct dfs_file *file = block->file;
	struct dfs_row row;
	struct landing l;
	enum dfs_status st;

	if (ctx->nonblock && !dfs_block_inline(file->payload->blocks))
		return DFS_AGAIN;
	block->pins++;
	for (int tries = 0;; tries++) {
		uint32_t gen;

		st = join(ctx, block);
		if (st == DFS_OK)
			st = fetch_row(ctx, block);
		if (st != DFS_OK || wanted(block, first, last, &row) == 0)
			break;
		if (tries == TRIES_MAX) {
			st = st == DFS_OK ? DFS_DELAY : st;
			break;
		}
		if (!dfs_block_get_slots(file, block->index,
					 (row.segs[row.n - 1].at + row.segs[row.n - 1].length - 1) /
						 DFS_PAGE_SIZE)) {
			st = DFS_DELAY;
			break;
		}
		gen = block->row_gen;
		block->fetching = true;
		dfs_file_unlock(file);
		memset(l.bufs, 0, sizeof l.bufs);
		memset(l.valid, 0, sizeof l.valid);
		l.no_memory = false;
		l.sink = (struct dfs_sink){&l, landing_give, landing_space};
		st = read_segments(ctx, file, block->index, row.segs, row.n, &l);
		if (l.no_memory && dfs_cache_reclaim(file->payload->cache, DFS_BLOCK_SIZE))
			st = DFS_AGAIN;
		dfs_file_lock(file);
		block->fetching = false;
		dfs_file_wake(file);
		if (gen == block->row_gen) {
			if (st == DFS_OK)
				install(block, &l);
		} else {
			st = DFS_OK; /* whatever came of it: the row is another now */
		}
		for (uint32_t p = 0; p < DFS_PAGES; p++)
			dfs_buf_unref(l.bufs[p]);
		if (st == DFS_AGAIN && l.no_memory)
			continue;
		if (st == DFS_NOENT)
			st = dfs_fail(DFS_IO, "share %s: an object of block %llu is missing",
				      file->payload->prefix, (unsigned long long)block->index);
		if (st != DFS_OK)
			break;
	}
	unpin(block);
	return st;
}
