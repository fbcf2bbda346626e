/* SPDX-License-Identifier: MIT
 *
 * Truncation, in two halves around the caller's transaction, and the end of a content.
 *
 * The first half raises the fence (truncating, trunc_gen) before it looks at the rows, inside the
 * transaction: a flush that commits earlier is seen in the rows, one that would commit later finds
 * the fence and throws its work away.
 */
#include <string.h>

#include "base/log.h"
#include "payload/file.h"

#define RECLAIM_OBJECTS 1024 /* looked up and erased in one step */

struct cut {
	struct dfs_file *file;
	uint64_t edge; /* the block that keeps its head, UINT64_MAX: none */
	struct dfs_row row;
	bool found, bad; /* edge's row is in row; is damaged */
	struct dfs_garbage *garbage;
	uint64_t freed; /* bytes of blocks whose units are not counted in memory */
};

static uint64_t
row_bytes(const struct dfs_row *row)
{
	uint64_t units = 0;
	uint32_t next = 0; /* first unit not counted yet */

	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t from = row->segs[i].at / DFS_UNIT;
		uint32_t end = (row->segs[i].at + row->segs[i].length + DFS_UNIT - 1) / DFS_UNIT;

		if (from < next)
			from = next;
		if (end > from)
			units += end - from;
		next = end;
	}
	return units * DFS_UNIT;
}

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
	if (!counted(cut->file, block))
		cut->freed += row_bytes(&row);
	for (uint32_t i = 0; i < row.n; i++)
		if (!(row.segs[i].flags & DFS_SEGMENT_ZERO) &&
		    !dfs_row_has(row.segs, i, row.segs[i].version))
			cut->garbage = dfs_garbage_add(cut->garbage, &cut->file->content, block,
						       row.segs[i].version);
	return 1;
}

/* Shorten the edge block's row. */
static enum dfs_status
cut_edge(struct cut *cut, struct dfs_txn *txn, uint32_t keep)
{
	struct dfs_payload *payload = cut->file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_row old = cut->row;
	uint64_t before = row_bytes(&old);

	cut->row.n = dfs_row_clip(cut->row.segs, cut->row.n, keep);
	if (!counted(cut->file, cut->edge))
		cut->freed += before - row_bytes(&cut->row);
	for (uint32_t i = 0; i < old.n; i++)
		if (!(old.segs[i].flags & DFS_SEGMENT_ZERO) && !dfs_row_has(cut->row.segs, cut->row.n, old.segs[i].version) &&
		    !dfs_row_has(old.segs, i, old.segs[i].version))
			cut->garbage = dfs_garbage_add(cut->garbage, &cut->file->content, cut->edge,
						       old.segs[i].version);
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
		       uint64_t old_length, uint64_t new_length)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	uint64_t first = new_length / DFS_BLOCK_SIZE;
	uint32_t keep = new_length % DFS_BLOCK_SIZE;
	struct cut cut = {.file = file, .edge = keep ? first : UINT64_MAX};
	enum dfs_status st;
	bool rows;

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
	dfs_file_lock(file);
	if (st == DFS_OK) {
		file->trunc_garbage = cut.garbage;
		file->trunc_used = cut.freed;
	} else {
		free(cut.garbage);
		/* The caller gives the transaction up. */
		file->truncating = false;
		dfs_file_wake(file);
	}
	dfs_file_unlock(file);
	return st;
}

void
dfs_file_truncate_pages(struct dfs_file *file, uint64_t old_length, uint64_t new_length)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_garbage *garbage;
	bool given_up;

	dfs_file_lock(file);
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
}

struct reclaim {
	uint64_t next; /* the block to go on from */
	uint32_t n;
	struct {
		uint64_t block, version;
	} objects[RECLAIM_OBJECTS];
};

static int
reclaim_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct reclaim *r = arg;

	for (uint32_t i = 0; i < n && r->n < RECLAIM_OBJECTS; i++) {
		if (dfs_row_has(segs, i, segs[i].version))
			continue;
		r->objects[r->n].block = block;
		r->objects[r->n].version = segs[i].version;
		r->n++;
	}
	r->next = block + 1;
	return r->n <= RECLAIM_OBJECTS - DFS_SEGMENTS_MAX;
}

/* One step; *more: rows may be left. */
static enum dfs_status
reclaim_step(struct dfs_payload *payload, const struct dfs_content_id *content, struct reclaim *r,
	     bool *more)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	char key[DFS_BLOCK_KEY_MAX];
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, NULL, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	r->next = 0;
	r->n = 0;
	st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, content, 0, reclaim_row,
				    r);
	dfs_metadata_abort(metadata, txn);
	*more = r->next != 0;
	if (st != DFS_OK || !*more)
		return st;
	/* Objects first: rows that are left after a crash name what to erase again. */
	for (uint32_t i = 0; i < r->n && st == DFS_OK; i++) {
		dfs_block_key(key, payload->prefix, content, r->objects[i].block,
			      r->objects[i].version);
		st = dfs_block_erase(payload->blocks, NULL, key);
	}
	if (st != DFS_OK)
		return st;
	for (int tries = 0; tries < 16; tries++) {
		st = dfs_metadata_begin(metadata, NULL, DFS_TXN_WRITE, &txn);
		if (st != DFS_OK)
			return st;
		st = metadata->ops.del_map(metadata->inst, txn, payload->share_id, content, 0,
					   r->next);
		if (st == DFS_OK)
			st = dfs_metadata_commit(metadata, txn, NULL);
		else
			dfs_metadata_abort(metadata, txn);
		if (st != DFS_AGAIN)
			break;
	}
	return st;
}

enum dfs_status
dfs_payload_reclaim(struct dfs_payload *payload, const struct dfs_content_id *content)
{
	struct reclaim *r = malloc(sizeof *r);
	enum dfs_status st = DFS_OK;
	bool more = true;

	if (!r)
		return DFS_NOMEM;
	while (more && st == DFS_OK)
		st = reclaim_step(payload, content, r, &more);
	free(r);
	if (st == DFS_OK) {
		/* Objects that were put and never published, before a crash. */
		char prefix[DFS_BLOCK_KEY_MAX];

		dfs_block_prefix(prefix, payload->prefix, content);
		st = dfs_block_erase_prefix(payload->blocks, prefix);
	}
	return st;
}
