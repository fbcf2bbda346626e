/* SPDX-License-Identifier: MIT
 *
 * The end of a flush: the transaction that makes what was put the content of the file.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "payload/flush/batch.h"
#include "payload/metrics.h"

#define TRIES_MAX 64 /* transactions that the store wants repeated */

static bool
fenced(const struct dfs_flush_batch *batch)
{
	struct dfs_file *file = batch->file;
	bool yes;

	dfs_file_lock(file);
	yes = file->truncating || file->discarded || batch->trunc_gen != file->trunc_gen;
	dfs_file_unlock(file);
	return yes;
}

/* The new row's object, of which others may be found: a record of its own, or one reference more to
 * the twin.  old: the row before.  DFS_BUSY: the twin is gone. */
static enum dfs_status
publish_hashed(struct dfs_flush_batch *batch, struct dfs_txn *txn,
	       const struct dfs_flush_part *part, const struct dfs_segment *old, uint32_t n_old)
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

/* What n segments as they are stored have allocated, added to *bytes. */
static bool
count_stored(const struct dfs_segment *segs, uint32_t n, uint64_t *bytes)
{
	struct dfs_row row;

	if (!dfs_row_resolve(&row, segs, n))
		return false;
	*bytes += dfs_row_bytes(&row);
	return true;
}

/* Replace the part's row, and note what it gives up.  *rows: grows by what it takes more. */
static enum dfs_status
publish_row(struct dfs_flush_batch *batch, struct dfs_txn *txn, const struct dfs_flush_part *part,
	    int64_t *rows)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	uint64_t index = part->block->index;
	const struct dfs_segment *old = part->old;
	struct stored stored; /* large, and rarely needed */
	uint32_t n_old = part->n_old;
	uint64_t before = 0;
	enum dfs_status st = DFS_OK;

	if (part->overlaid) {
		stored.block = index;
		stored.n = 0;
		st = metadata->ops.scan_map(metadata->inst, txn, payload->share_id, &file->content,
					    index, take_stored, &stored);
		old = stored.segs;
		n_old = stored.n;
	}
	if (st == DFS_OK && !count_stored(old, n_old, &before))
		st = dfs_fail(DFS_CORRUPT, "share %s: a map row is damaged", payload->prefix);
	*rows += (int64_t)(dfs_row_bytes(&part->row) - before);
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
publish(struct dfs_ctx *ctx, struct dfs_flush_batch *batch)
{
	struct dfs_file *file = batch->file;
	struct dfs_payload *payload = file->payload;
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_txn *txn = batch->txn;
	enum dfs_status st = DFS_OK;
	int64_t rows = 0;

	batch->txn = NULL;
	batch->drops.n = 0;
	free(batch->garbage);
	batch->garbage = NULL;
	if (!txn && (st = dfs_metadata_begin(metadata, ctx, DFS_TXN_WRITE, &txn)) != DFS_OK)
		return st;
	if (fenced(batch))
		st = DFS_BUSY;
	for (uint32_t i = 0; i < batch->n && st == DFS_OK; i++) {
		struct dfs_flush_part *part = &batch->parts[i];

		for (uint32_t k = 0; part->changed && k < part->row.n; k++)
			assert(!(part->row.segs[k].flags & DFS_SEGMENT_LOG));
		if (part->changed)
			st = publish_row(batch, txn, part, &rows);
	}
	if (st == DFS_OK)
		st = dfs_drops_apply(payload, txn, &batch->drops, &batch->garbage);
	if (st == DFS_OK && file->ops) {
		st = file->ops->publish(file->owner, txn, rows);
		if (st == DFS_BUSY)
			st = DFS_DELAY;
	}
	/* From here on the inode is this transaction's, and no truncation commits: one may have since the first look
	 * where the store runs write transactions side by side, before this one has seen anything of it. */
	if (st == DFS_OK && fenced(batch))
		st = DFS_BUSY;
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

enum dfs_status
dfs_flush_make_current(struct dfs_ctx *ctx, struct dfs_flush_batch *batch)
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
		dfs_histogram_add(&dfs_payload_metrics()->publish_seconds,
				  dfs_clock_mono() - began);
		if (st != DFS_AGAIN || ctx->nonblock)
			return st;
		if (tries == TRIES_MAX || dfs_clock_mono() >= ctx->deadline)
			return DFS_DELAY;
		pause_before(tries);
	}
}
