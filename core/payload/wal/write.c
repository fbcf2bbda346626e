/* SPDX-License-Identifier: MIT
 *
 * The log's thread: takes what is queued, writes batches that lie in a row as one, and syncs.
 *
 * Direct writes need memory and offsets in whole pages.  A stream of bytes is cut into runs: where
 * whole pages of it lie in memory as whole pages they are written from there, anything else goes
 * through the bounce buffer.
 *
 * A write or sync that fails ends the log: places have been given away, and a second fsync tells
 * nothing about what the first one lost.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "payload/wal/log.h"

#define BOUNCE (4u * WAL_MIB)
/* Bytes of batches that are written at once: a disk is idle between two writes, which costs a fifth at
 * 4 MiB each and a twentieth at this. */
#define RUN_MAX (16u * WAL_MIB)
/* Having reached what was asked for, a round goes on for what came before it began, to here. */
#define ROUND_MAX (8u * WAL_MIB)

struct wal_writer {
	struct iovec iov[IOV_MAX];
	int n;
	uint64_t offset; /* in the segment, of iov[0] */
	uint64_t bytes;  /* in iov */
	uint32_t bounced;
	unsigned char *bounce;
	int error;
};

static const unsigned char zero_page[WAL_PAGE] __attribute__((aligned(WAL_PAGE)));

void
wal_writer_new(struct dfs_wal *wal)
{
	wal->writer = calloc(1, sizeof *wal->writer);
	wal->writer->bounce = aligned_alloc(WAL_PAGE, BOUNCE);
	if (!wal->writer->bounce)
		abort();
}

void
wal_writer_free(struct dfs_wal *wal)
{
	if (wal->writer)
		free(wal->writer->bounce);
	free(wal->writer);
}

enum dfs_status
wal_fail(struct dfs_wal *wal, int error, const char *what)
{
	atomic_store(&wal->failed, true);
	pthread_mutex_lock(&wal->mu);
	pthread_cond_broadcast(&wal->room_cond);
	pthread_mutex_unlock(&wal->mu);
	return dfs_fail(DFS_IO, "the log %s fails as a whole: %s: %s", wal->path, what,
			strerror(-error));
}

/* Half of it reaches the disk. */
static void
tear(struct dfs_wal *wal, struct wal_segment *seg)
{
	struct wal_writer *w = wal->writer;

	if (w->n > 1)
		w->n /= 2;
	else if (w->n == 1 && w->iov[0].iov_len >= 2 * WAL_PAGE)
		w->iov[0].iov_len = wal_page_up(w->iov[0].iov_len / 2);
	if (w->n)
		wal->persister->append(wal, seg, w->iov, w->n, w->offset);
	DFS_FAILPOINT_DIE();
}

static void
flush(struct dfs_wal *wal, struct wal_segment *seg)
{
	struct wal_writer *w = wal->writer;

	if (DFS_FAILPOINT_DUE("wal-torn"))
		tear(wal, seg);
	if (w->n && !w->error)
		w->error = wal->persister->append(wal, seg, w->iov, w->n, w->offset);
	w->offset += w->bytes;
	w->bytes = 0;
	w->bounced = 0;
	w->n = 0;
}

static void
add(struct wal_writer *w, const void *data, uint64_t len)
{
	struct iovec *last = w->n ? &w->iov[w->n - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == data)
		last->iov_len += len;
	else
		w->iov[w->n++] = (struct iovec){(void *)data, len};
	w->bytes += len;
}

/* The next bytes of the stream. */
static void
put(struct dfs_wal *wal, struct wal_segment *seg, const unsigned char *data, uint64_t len)
{
	struct wal_writer *w = wal->writer;
	uint64_t mask = seg->align - 1;

	while (len) {
		uint64_t in_page = w->bytes & mask, run = len;

		/* At a page's start only: there memory and offsets are in step. */
		if (in_page == 0 && (w->n == IOV_MAX || w->bounced == BOUNCE))
			flush(wal, seg);
		if (in_page == 0 && ((uintptr_t)data & mask) == 0 && len > mask) {
			run = len & ~mask;
			add(w, data, run);
		} else {
			if (in_page && run > seg->align - in_page)
				run = seg->align - in_page;
			if (run > BOUNCE - w->bounced)
				run = BOUNCE - w->bounced;
			memcpy(w->bounce + w->bounced, data, run);
			add(w, w->bounce + w->bounced, run);
			w->bounced += (uint32_t)run;
		}
		data += run;
		len -= run;
	}
}

static void
put_batch(struct dfs_wal *wal, struct wal_segment *seg, struct wal_batch *b)
{
	struct wal_header h = {
		.epoch = b->epoch,
		.nonce = wal_nonce(wal->key, b->epoch),
		.first = b->first,
		.durable = wal->durable, /* written by this thread only */
		.total = b->fill,
		.n = b->n,
	};
	uint64_t at = WAL_PAGE;

	wal_header_put(b->page, &h);
	put(wal, seg, b->page, WAL_PAGE);
	for (struct wal_pending *p = b->head; p; p = p->next) {
		if (!p->len)
			continue;
		put(wal, seg, zero_page, p->payload - at);
		for (uint32_t i = 0; i < p->n; i++)
			put(wal, seg, p->spans[i].data, p->spans[i].len);
		at = p->payload + p->len;
	}
	put(wal, seg, zero_page, b->fill - at);
}

/* Batches at the queue's start that lie in a row; *n of them, sealed.  They stay in the queue,
 * where readers find them. */
static struct wal_batch *
run_take_locked(struct dfs_wal *wal, unsigned *n)
{
	struct wal_batch *first = wal->queue;
	uint64_t end = first ? first->offset : 0, start = end;

	*n = 0;
	for (struct wal_batch *b = first; b; b = b->next) {
		uint64_t len = wal_page_up(b->fill);

		if (b->segment != first->segment || b->epoch != first->epoch || b->offset != end ||
		    (*n && end + len - start > RUN_MAX))
			break;
		if (!b->sealed)
			wal_batch_seal_locked(wal);
		end += len;
		++*n;
	}
	return first;
}

static void
run_done_locked(struct dfs_wal *wal, struct wal_segment *seg, unsigned n)
{
	while (n--) {
		struct wal_batch *b = wal->queue;

		wal->queue = b->next;
		if (!wal->queue)
			wal->queue_tail = &wal->queue;
		wal->written = b->first + b->n - 1;
		wal->queue_cost -= b->cost;
		wal->queued -= b->cost - b->n * wal_cost(0);
		wal->batches++;
		seg->unwritten--;
		wal_batch_unref_locked(wal, b);
	}
	wal_segment_settle_locked(wal, seg);
	wal_room_update_locked(wal);
}

/* Write one run.  *bytes: added to; *idle: there was none. */
static enum dfs_status
write_run(struct dfs_wal *wal, uint64_t *bytes, bool *idle)
{
	struct wal_writer *w = wal->writer;
	struct wal_batch *b;
	struct wal_segment *seg;
	uint64_t start, len;
	unsigned n;

	pthread_mutex_lock(&wal->mu);
	b = run_take_locked(wal, &n);
	pthread_mutex_unlock(&wal->mu);
	*idle = !b;
	if (!b)
		return DFS_OK;
	seg = &wal->segments[b->segment];
	/* Before the first byte goes over those of the segment's last use. */
	if (seg->listed != b->epoch) {
		if (wal_super_write(wal, false) != DFS_OK)
			return DFS_IO;
		DFS_FAILPOINT("segment-recycled");
	}
	start = b->offset;
	w->offset = start;
	w->error = 0;
	put_batch(wal, seg, b);
	for (unsigned i = 1; i < n; i++)
		put_batch(wal, seg, b = b->next);
	DFS_FAILPOINT("wal-built");
	flush(wal, seg);
	if (w->error)
		return wal_fail(wal, w->error, "writing");
	DFS_FAILPOINT("wal-written");
	len = w->offset - start;
	if (seg->dirty == seg->dirtied || start < seg->dirty)
		seg->dirty = start;
	if (seg->dirtied < start + len || seg->dirty == start)
		seg->dirtied = start + len;
	wal->unsynced += len;
	*bytes += len;

	pthread_mutex_lock(&wal->mu);
	run_done_locked(wal, seg, n);
	pthread_mutex_unlock(&wal->mu);
	return DFS_OK;
}

static enum dfs_status
sync_segments(struct dfs_wal *wal)
{
	uint64_t written = wal->written; /* written by this thread only */

	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		struct wal_segment *seg = &wal->segments[i];
		int r;

		if (seg->dirty == seg->dirtied)
			continue;
		r = wal->persister->sync(wal, seg, seg->dirty, seg->dirtied);
		if (r != 0)
			return wal_fail(wal, r, "syncing");
		seg->dirty = seg->dirtied = 0;
	}
	wal->unsynced = 0;
	DFS_FAILPOINT("wal-synced");
	pthread_mutex_lock(&wal->mu);
	wal->durable = written;
	wal->syncs++;
	pthread_mutex_unlock(&wal->mu);
	if (++wal->syncs_since_super >= WAL_SYNCS_PER_SUPER)
		return wal_super_write(wal, false);
	return DFS_OK;
}

enum dfs_status
wal_sync(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	struct dfs_wal *wal = arg;
	uint64_t target = dfs_wal_last(wal), bytes = 0;
	bool idle = false;

	if (atomic_load(&wal->failed))
		return dfs_fail(DFS_IO, "the log %s has failed", wal->path);
	while (wal->written < target && !idle && (wal->written < seq || bytes < ROUND_MAX))
		if (write_run(wal, &bytes, &idle) != DFS_OK)
			return DFS_IO;
	if (wal->durable < wal->written &&
	    (level >= DFS_SYNC_POWER || wal->unsynced >= WAL_SYNC_BYTES) &&
	    sync_segments(wal) != DFS_OK)
		return DFS_IO;
	*durable = wal->written;
	return DFS_OK;
}
