/* SPDX-License-Identifier: MIT
 *
 * Truncation, in two halves around the caller's transaction, and the end of a content.
 *
 * The first half raises the fence (truncating, trunc_gen) before it looks at the rows, inside the
 * transaction: a flush that commits earlier is seen in the rows, one that would commit later finds
 * the fence and throws its work away.
 */
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "payload/file.h"

#define RECLAIM_OBJECTS 1024 /* of one transaction, about */
#define RECLAIM_ROWS 1024
#define RECLAIM_TRIES 16

struct cut {
	struct dfs_file *file;
	uint64_t edge; /* the block that keeps its head, UINT64_MAX: none */
	struct dfs_row row;
	bool found, bad; /* edge's row is in row; is damaged */
	struct dfs_drops drops;
	struct dfs_garbage *garbage;
	uint64_t freed; /* bytes of blocks whose units are not counted in memory */
	uint64_t rows;  /* bytes of rows, or parts of rows, that go */
};

static bool
counted(struct dfs_file *file, uint64_t index)
{
	struct dfs_block *block;
	bool yes;

	dfs_file_lock(file);
	block = dfs_block_find(file, index);
	yes = block && block->counted;
	dfs_file_unlock(file);
	return yes;
}

static int
cut_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct cut *cut = arg;
	struct dfs_row row;

	if (!dfs_row_resolve(block == cut->edge ? &cut->row : &row, segs, n)) {
		cut->bad = true;
		return 0;
	}
	if (block == cut->edge) {
		cut->row.lsn = lsn;
		cut->found = true;
		return 1;
	}
	cut->rows += dfs_row_bytes(&row);
	if (!counted(cut->file, block))
		cut->freed += dfs_row_bytes(&row);
	dfs_drops_add(&cut->drops, &cut->file->content, block, row.segs, row.n, NULL, 0);
	return 1;
}

/* Shorten the edge block's row. */
static enum dfs_status
cut_edge(struct cut *cut, struct dfs_txn *txn, uint32_t keep)
{
	struct dfs_payload *payload = cut->file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_row old = cut->row;
	uint64_t before = dfs_row_bytes(&old);

	cut->row.n = dfs_row_clip(cut->row.segs, cut->row.n, keep);
	cut->rows += before - dfs_row_bytes(&cut->row);
	if (!counted(cut->file, cut->edge))
		cut->freed += before - dfs_row_bytes(&cut->row);
	dfs_drops_add(&cut->drops, &cut->file->content, cut->edge, old.segs, old.n, cut->row.segs,
		      cut->row.n);
	/* Below the cut the log may have slices that a clone has covered with a hole. */
	if (cut->row.n == 0 && dfs_log_has(payload, cut->row.lsn))
		cut->row.segs[cut->row.n++] = DFS_SEGMENT_MARKER;
	if (cut->row.n == 0)
		return metadata->ops.del_map(metadata->inst, txn, payload->share_id,
					     &cut->file->content, cut->edge, cut->edge + 1);
	if (cut->row.n > DFS_SEGMENTS_MAX)
		return dfs_fail(DFS_CORRUPT, "share %s: a map row has too many segments",
				payload->prefix);
	return metadata->ops.put_map(metadata->inst, txn, payload->share_id, &cut->file->content,
				     cut->edge, cut->row.lsn, cut->row.segs, cut->row.n);
}

enum dfs_status
dfs_file_truncate_rows(struct dfs_ctx *ctx, struct dfs_file *file, struct dfs_txn *txn,
		       uint64_t old_length, uint64_t new_length, int64_t *change)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	uint64_t first = new_length / DFS_BLOCK_SIZE;
	uint32_t keep = new_length % DFS_BLOCK_SIZE;
	struct cut cut = {.file = file, .edge = keep ? first : UINT64_MAX};
	enum dfs_status st;
	bool rows;

	*change = 0;
	if (new_length >= old_length)
		return DFS_OK;
	dfs_file_lock(file);
	file->truncating = true;
	file->trunc_gen++;
	free(file->trunc_garbage);
	file->trunc_garbage = NULL;
	file->trunc_used = 0;
	rows = file->extent > new_length || file->flushing;
	dfs_file_unlock(file);
	if (!rows)
		return DFS_OK;
	st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, &file->content, first,
				    cut_row, &cut);
	if (st == DFS_OK && cut.bad)
		st = dfs_fail(DFS_CORRUPT, "share %s: a map row is damaged", payload->prefix);
	if (st == DFS_OK)
		st = metadata->ops.del_map(metadata->inst, txn, payload->share_id, &file->content,
					   first + (keep != 0), UINT64_MAX);
	if (st == DFS_OK && cut.found)
		st = cut_edge(&cut, txn, keep);
	if (st == DFS_OK)
		st = dfs_drops_apply(payload, txn, &cut.drops, &cut.garbage);
	*change = -(int64_t)cut.rows;
	dfs_file_lock(file);
	if (st == DFS_OK) {
		file->trunc_garbage = cut.garbage;
		file->trunc_used = cut.freed;
		file->trunc_dead = cut.drops.n > 0;
	} else {
		free(cut.garbage);
		/* The caller gives the transaction up. */
		file->truncating = false;
		dfs_file_wake(file);
	}
	dfs_file_unlock(file);
	dfs_drops_free(&cut.drops);
	return st;
}

void
dfs_file_truncate_pages(struct dfs_file *file, uint64_t old_length, uint64_t new_length)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_garbage *garbage;
	bool given_up, dead;

	dfs_file_lock(file);
	dead = file->trunc_dead;
	file->trunc_dead = false;
	garbage = file->trunc_garbage;
	file->trunc_garbage = NULL;
	given_up = file->truncating;
	file->truncating = false;
	if (new_length < old_length) {
		dfs_file_cut(file, new_length, &garbage);
		if (file->trunc_min > new_length)
			file->trunc_min = new_length;
		if (file->extent > new_length)
			file->extent = new_length;
		file->used -= file->trunc_used < file->used ? file->trunc_used : file->used;
	} else {
		if (given_up)
			dfs_file_cut(file, UINT64_MAX, NULL); /* settles accounts only */
		free(garbage);
		garbage = NULL;
	}
	file->trunc_used = 0;
	dfs_file_wake(file);
	dfs_file_unlock(file);
	dfs_garbage_submit(payload, garbage, atomic_load(&payload->metadata->last_seq));
	if (dead)
		dfs_gc_kick(payload);
}

struct reclaim {
	const struct dfs_content_id *content;
	uint64_t next; /* the block to go on from */
	struct dfs_drops drops;
};

static int
reclaim_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct reclaim *r = arg;

	dfs_drops_add(&r->drops, r->content, block, segs, n, NULL, 0);
	r->next = block + 1;
	return r->drops.n < RECLAIM_OBJECTS && r->next % RECLAIM_ROWS != 0;
}

/* Rows and what they name, in one transaction. */
static enum dfs_status
reclaim_once(struct dfs_payload *payload, struct reclaim *r, struct dfs_garbage **garbage)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, NULL, DFS_TXN_WRITE, &txn);

	if (st != DFS_OK)
		return st;
	r->next = 0;
	r->drops.n = 0;
	st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, r->content, 0,
				    reclaim_row, r);
	if (st == DFS_OK && r->next == 0) {
		dfs_metadata_abort(metadata, txn);
		return DFS_OK;
	}
	if (st == DFS_OK)
		st = metadata->ops.del_map(metadata->inst, txn, payload->share_id, r->content, 0,
					   r->next);
	if (st == DFS_OK)
		st = dfs_drops_apply(payload, txn, &r->drops, garbage);
	if (st == DFS_OK) {
		DFS_FAILPOINT("reclaim-objects");
		st = dfs_metadata_commit(metadata, txn, NULL);
		DFS_FAILPOINT("reclaim-rows");
		return st;
	}
	dfs_metadata_abort(metadata, txn);
	return st;
}

enum dfs_status
dfs_payload_reclaim(struct dfs_payload *payload, const struct dfs_content_id *content)
{
	struct reclaim r = {.content = content, .next = 1};
	enum dfs_status searched = DFS_OK, st = DFS_OK;
	int tries = 0;

	/* Objects that earlier runs have put and never named: while the rows still name the others.  In a
	 * far store a listing costs more than they do: there they are the reconciliation's. */
	if (payload->gc.records && !payload->far) {
		searched = dfs_orphans_of_content(payload, content);
		dfs_gc_kick(payload);
	}
	while (r.next != 0 && st == DFS_OK) {
		struct dfs_garbage *garbage = NULL;

		st = reclaim_once(payload, &r, &garbage);
		if (st == DFS_OK) {
			dfs_garbage_submit(payload, garbage,
					   atomic_load(&payload->metadata->last_seq));
			if (r.drops.n > 0)
				dfs_gc_kick(payload);
			tries = 0;
			continue;
		}
		free(garbage);
		if (st == DFS_AGAIN && ++tries < RECLAIM_TRIES)
			st = DFS_OK;
	}
	dfs_drops_free(&r.drops);
	return st == DFS_OK ? searched : st;
}
