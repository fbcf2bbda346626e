/* SPDX-License-Identifier: MIT
 *
 * Writing ahead: slices into the log, and what a truncation makes of those that are in it.
 *
 * A block pins the log's segments that hold what is dirty in it; the pins go when the map row that
 * has it all is durable, or when all that a segment had of the block was overwritten by slices that
 * are durable themselves.  Replay takes a slice for new when its LSN is above that of the block's row.
 * Where a truncation took rows away the inode's record says which slices are void: one pair
 * (cut.lsn, cut.length) is enough, because the rare second truncation that leaves more than the
 * first did writes the file through before.
 */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/gate.h"
#include "payload/file.h"

#define LOG_HIGH 50 /* percent: from there on the flusher hurries */
#define ROOM_STEP (DFS_SECOND / 200)

/* The log's own pins are counted too: here it is which share holds what. */
static void
note_pins(struct dfs_payload *payload, uint64_t segments, uint64_t bytes)
{
	dfs_lock_acquire(&payload->log.mu);
	for (; segments; segments &= segments - 1) {
		unsigned i = (unsigned)__builtin_ctzll(segments);

		payload->log.blocks[i]++;
		payload->log.bytes[i] += bytes;
		payload->log.used += bytes;
	}
	dfs_lock_release(&payload->log.mu);
}

void
dfs_log_pin(struct dfs_payload *payload, uint64_t segments)
{
	if (!segments)
		return;
	dfs_wal_pin(payload->wal, segments);
	note_pins(payload, segments, 0);
}

void
dfs_log_unpin(struct dfs_payload *payload, uint64_t segments)
{
	if (!segments)
		return;
	dfs_lock_acquire(&payload->log.mu);
	for (uint64_t left = segments; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (--payload->log.blocks[i] > 0)
			continue;
		payload->log.used -= payload->log.bytes[i];
		payload->log.bytes[i] = 0;
	}
	dfs_lock_release(&payload->log.mu);
	dfs_wal_unpin(payload->wal, segments);
}

static void
note_bytes(struct dfs_payload *payload, unsigned segment, uint64_t bytes)
{
	dfs_lock_acquire(&payload->log.mu);
	payload->log.bytes[segment] += bytes;
	payload->log.used += bytes;
	dfs_lock_release(&payload->log.mu);
}

bool
dfs_log_has(const struct dfs_payload *payload, uint64_t lsn)
{
	return payload->wal && lsn >= dfs_wal_first(payload->wal);
}

bool
dfs_log_pressed(const struct dfs_payload *payload)
{
	return payload->logging && (2 * payload->log.used > payload->log.quota ||
				    dfs_wal_pressed(payload->wal, LOG_HIGH));
}

uint64_t
dfs_payload_room(const struct dfs_payload *payload)
{
	struct dfs_wal_stats stats;
	uint64_t own = payload->log.quota, used = payload->log.used, all;

	if (!payload->logging || atomic_load(&payload->flush_status) == DFS_OK)
		return UINT64_MAX;
	dfs_wal_stats(payload->wal, &stats);
	all = stats.size > stats.used ? stats.size - stats.used : 0;
	own = own > used ? own - used : 0;
	return own < all ? own : all;
}

bool
dfs_log_room(const struct dfs_payload *payload, uint32_t len)
{
	return !payload->logging ||
	       (payload->log.used + len <= payload->log.quota && dfs_wal_room(payload->wal, len));
}

bool
dfs_log_wait_room(struct dfs_payload *payload, uint32_t len, int64_t deadline)
{
	while (!dfs_log_room(payload, len)) {
		int64_t now = dfs_clock_mono(), step = now + ROOM_STEP;

		if (now >= deadline || dfs_wal_failed(payload->wal))
			return false;
		if (payload->log.used + len <= payload->log.quota)
			dfs_wal_wait_room(payload->wal, len, step < deadline ? step : deadline);
		else
			usleep(ROOM_STEP / 1000);
	}
	return true;
}

void
dfs_log_adopt(struct dfs_block *block, uint64_t segments, uint64_t lsn, uint32_t bytes)
{
	struct dfs_payload *payload = block->file->payload;

	dfs_log_pin(payload, segments & ~block->log_segments);
	if (bytes)
		note_bytes(payload, (unsigned)__builtin_ctzll(segments), bytes);
	block->log_segments |= segments;
	block->lsn = lsn;
}

/* Segments with a dirty page's newest bytes; all, when one cannot say. */
static uint64_t
live_segments(const struct dfs_block *block)
{
	uint64_t live = 0;

	for (uint32_t p = 0; p < block->n_slots; p++) {
		const struct dfs_page *page = &block->pages[p];

		if (page->dirty && !page->log)
			return UINT64_MAX;
		if (page->dirty)
			live |= 1ull << DFS_WAL_SEGMENT(page->log);
	}
	return live;
}

/* The block has come to another segment, `newest`: let go of those that it has overwritten.  What
 * overwrote it must be durable first, so that happens a segment later. */
static void
drop_stale(struct dfs_block *block, uint64_t newest, uint64_t lsn)
{
	struct dfs_payload *payload = block->file->payload;

	if (block->log_stale && dfs_gate_passed(dfs_wal_gate(payload->wal), block->stale_lsn,
						dfs_sync_level_of(payload))) {
		dfs_log_unpin(payload, block->log_stale);
		block->log_segments &= ~block->log_stale;
		block->log_stale = 0;
	}
	if (block->log_cut)
		return; /* until the next flush: the truncation may not be durable yet */
	block->log_stale |= block->log_segments & ~newest & ~live_segments(block);
	block->stale_lsn = lsn;
}

enum dfs_status
dfs_log_slice(struct dfs_file *file, uint64_t offset, uint32_t len, const struct dfs_slice *slice,
	      const struct dfs_span *spans, uint32_t n, dfs_wal_at *at)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_block *first = dfs_block_find(file, offset / DFS_BLOCK_SIZE);
	uint64_t last = (offset + len - 1) / DFS_BLOCK_SIZE, before = first->log_segments, bit, lsn;
	struct dfs_wal_record record = {
		.type = DFS_WAL_WRITE,
		.len = len,
		.content = file->content,
		.fileid = file->fileid,
		.offset = offset,
		.length = slice->length,
		.mtime = slice->mtime,
		.change = slice->change,
	};
	enum dfs_status st;

	*at = 0;
	if (!payload->logging)
		return DFS_OK;
	memcpy(record.share, payload->uuid, sizeof record.share);
	st = dfs_wal_append(payload->wal, &record, spans, n, &first->log_segments, &lsn, at);
	if (st != DFS_OK)
		return st == DFS_AGAIN ? DFS_DELAY : st;
	bit = 1ull << DFS_WAL_SEGMENT(*at);
	if (before & bit) {
		note_bytes(payload, DFS_WAL_SEGMENT(*at), len);
	} else {
		note_pins(payload, bit, len);
		drop_stale(first, bit, lsn);
	}
	first->lsn = lsn;
	for (uint64_t i = first->index + 1; i <= last; i++)
		dfs_log_adopt(dfs_block_find(file, i), bit, lsn, 0);
	file->log_lsn = lsn;
	return DFS_OK;
}

enum dfs_status
dfs_file_truncate_log(struct dfs_ctx *ctx, struct dfs_file *file, uint64_t new_length,
		      struct dfs_log_cut *cut)
{
	struct dfs_wal *wal = file->payload->wal;
	enum dfs_status st;

	if (!wal)
		return DFS_OK;
	if (new_length > cut->length && cut->lsn >= dfs_wal_first(wal)) {
		/* What was written between the two, above the first, must not be taken for void. */
		st = dfs_file_flush(ctx, file, DFS_FLUSH_ALL);
		if (st != DFS_OK)
			return st;
	} else {
		cut->length = new_length;
	}
	return DFS_OK;
}

void
dfs_file_truncate_cut(struct dfs_file *file, struct dfs_log_cut *cut)
{
	if (file->payload->wal)
		cut->lsn = dfs_wal_last(file->payload->wal);
}
