/* SPDX-License-Identifier: MIT
 *
 * Opening and closing the log, pins, and what it tells about itself.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/cond.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "payload/wal/log.h"

#define SEGMENTS_MIN 4
#define FIRST_SEGMENTS 2 /* made at once; the others as they are needed */

static enum dfs_status
lock_folder(struct dfs_wal *wal)
{
	const struct dfs_disk_ops *disk = wal->disk;
	int r;

	wal->folder = disk->open_folder(disk->ctx, wal->path, true);
	if (wal->folder < 0)
		return dfs_fail(DFS_IO, "cannot open the folder %s: %s", wal->path,
				strerror(-wal->folder));
	wal->lock_fd = disk->open(disk->ctx, wal->folder, "LOCK", O_RDWR | O_CREAT);
	r = wal->lock_fd < 0 ? wal->lock_fd : disk->lock(disk->ctx, wal->lock_fd);
	if (r == -EAGAIN)
		return dfs_fail(DFS_BUSY, "another process uses the log %s", wal->path);
	if (r < 0)
		return dfs_fail(r == -ENOSPC ? DFS_NOSPC : DFS_IO, "cannot lock %s/LOCK: %s",
				wal->path, strerror(-r));
	return DFS_OK;
}

static enum dfs_status
first_segments(struct dfs_wal *wal)
{
	for (unsigned i = 0; i < FIRST_SEGMENTS; i++) {
		int r = wal_segment_make(wal, &wal->segments[i], NULL);

		/* One is enough to begin with. */
		if (r == -ENOSPC && i > 0)
			break;
		if (r != 0)
			return dfs_fail(r == -ENOSPC    ? DFS_NOSPC
					: r == -ENOTSUP ? DFS_NOTSUP
							: DFS_IO,
					"cannot make a segment of %llu bytes in %s: %s",
					(unsigned long long)wal->segment_size, wal->path,
					strerror(-r));
		wal->segments[i].state = WAL_FREE;
		wal->n_free++;
		wal->n_files++;
	}
	return DFS_OK;
}

/* The files of an existing log.  One that holds nothing and was not made to its end is made anew
 * when it is needed. */
static enum dfs_status
open_segment(struct dfs_wal *wal, struct wal_segment *seg, const struct wal_super *super)
{
	const struct dfs_disk_ops *disk = wal->disk;
	uint64_t epoch = super->segment[seg->index].epoch;
	bool prepared = super->segment[seg->index].flags & WAL_SEGMENT_PREPARED;
	char name[16];
	int64_t size;
	int r = -ENOENT;

	wal_segment_name(seg, name);
	if (epoch || (prepared && seg->index < wal->n_max))
		r = wal->persister->open(wal, seg, O_RDWR);
	size = r == 0 ? disk->size(disk->ctx, seg->fd) : r;
	if (size == (int64_t)wal->segment_size) {
		seg->state = epoch ? WAL_CLOSED : WAL_FREE;
		seg->epoch = epoch;
		seg->listed = epoch;
		seg->first = super->segment[seg->index].first;
		seg->end = super->segment[seg->index].end;
		wal->n_files++;
		++*(epoch ? &wal->n_used : &wal->n_free);
		return DFS_OK;
	}
	if (epoch && (size >= 0 || size == -ENOENT))
		return dfs_fail(DFS_CORRUPT, "%s/%s holds records and is %s", wal->path, name,
				size < 0 ? "missing" : "not of its size");
	if (epoch || (size < 0 && size != -ENOENT))
		return dfs_fail(size == -ENOTSUP ? DFS_NOTSUP : DFS_IO, "cannot open %s/%s: %s",
				wal->path, name, strerror((int)-size));
	if (size >= 0)
		wal->persister->close(wal, seg);
	r = disk->unlink(disk->ctx, wal->folder, name);
	if (r != 0 && r != -ENOENT)
		return dfs_fail(DFS_IO, "cannot remove %s/%s: %s", wal->path, name, strerror(-r));
	return DFS_OK;
}

/* What depends on the size of a segment, which an existing log keeps. */
static void
set_sizes(struct dfs_wal *wal, uint64_t size)
{
	uint64_t half = wal->segment_size / 2, n = size / wal->segment_size;

	wal->n_max = n < SEGMENTS_MIN           ? SEGMENTS_MIN
		     : n > DFS_WAL_SEGMENTS_MAX ? DFS_WAL_SEGMENTS_MAX
						: (uint32_t)n;
	wal->payload_max = half < DFS_WAL_PAYLOAD_MAX ? (uint32_t)half : DFS_WAL_PAYLOAD_MAX;
	wal->reserve = wal->n_max * wal->segment_size / 16;
	if (wal->reserve > WAL_RESERVE_MAX)
		wal->reserve = WAL_RESERVE_MAX;
	if (wal->reserve > wal->payload_max / 2)
		wal->reserve = wal->payload_max / 2;
}

static enum dfs_status
open_locked_folder(struct dfs_wal *wal, uint64_t size)
{
	struct wal_super super;
	bool created;
	enum dfs_status status = wal_super_open(wal, &created, &super);

	if (status != DFS_OK)
		return status;
	if (created) {
		wal->was_clean = true;
		return first_segments(wal);
	}
	if (super.segment_size != wal->segment_size) {
		dfs_log(DFS_LOG_INFO, "wal %s: its segments have %llu bytes and keep that size",
			wal->path, (unsigned long long)super.segment_size);
		wal->segment_size = super.segment_size;
		set_sizes(wal, size);
	}
	memcpy(wal->uuid, super.uuid, sizeof wal->uuid);
	memcpy(wal->key, super.key, sizeof wal->key);
	wal->generation = super.generation;
	wal->next_epoch = super.next_epoch;
	wal->durable = super.durable;
	wal->was_clean = super.flags & WAL_SUPER_CLEAN;
	atomic_store(&wal->last, super.last);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX && status == DFS_OK; i++)
		status = open_segment(wal, &wal->segments[i], &super);
	return status;
}

static void
release(struct dfs_wal *wal)
{
	const struct dfs_disk_ops *disk = wal->disk;

	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
		if (wal->segments[i].fd >= 0)
			wal->persister->close(wal, &wal->segments[i]);
	if (wal->super_fd >= 0)
		disk->close(disk->ctx, wal->super_fd);
	if (wal->lock_fd >= 0)
		disk->close(disk->ctx, wal->lock_fd);
	if (wal->folder >= 0)
		disk->close(disk->ctx, wal->folder);
	while (wal->queue) {
		struct wal_batch *b = wal->queue;

		wal->queue = b->next;
		wal_batch_unref_locked(wal, b);
	}
	while (wal->spare) {
		struct wal_batch *b = wal->spare;

		wal->spare = b->next;
		wal_batch_free(b);
	}
	wal_writer_free(wal);
	free(wal->super_page);
	free(wal->path);
	pthread_cond_destroy(&wal->room_cond);
	pthread_cond_destroy(&wal->background_cond);
	pthread_mutex_destroy(&wal->mu);
	free(wal);
}

enum dfs_status
dfs_wal_open(const struct dfs_wal_config *config, struct dfs_wal **out)
{
	struct dfs_wal *wal;
	enum dfs_status status;

	*out = NULL;
	if (config->persister != DFS_WAL_FILE && config->persister != DFS_WAL_MMAP)
		return dfs_fail(DFS_INVAL, "a log without a persister is no log");
	if (config->segment_size < WAL_SEGMENT_MIN || config->segment_size % WAL_PAGE ||
	    config->segment_size >= UINT64_C(1) << DFS_WAL_AT_SHIFT)
		return dfs_fail(DFS_INVAL, "log segments of %llu bytes",
				(unsigned long long)config->segment_size);
	wal = calloc(1, sizeof *wal);
	if (!wal || !(wal->super_page = aligned_alloc(WAL_PAGE, WAL_PAGE)))
		abort();
	wal->disk = config->disk ? config->disk : &dfs_disk;
	wal->persister =
		config->persister == DFS_WAL_MMAP ? &wal_persister_mmap : &wal_persister_file;
	wal->path = strdup(config->path);
	wal->segment_size = config->segment_size;
	wal->queue_max = config->queue_max ? config->queue_max : WAL_QUEUE_MAX;
	wal->push_bytes = wal->queue_max / 2 < WAL_PUSH ? wal->queue_max / 2 : WAL_PUSH;
	set_sizes(wal, config->size);
	wal->folder = wal->lock_fd = wal->super_fd = -1;
	wal->queue_tail = &wal->queue;
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		wal->segments[i].index = (uint8_t)i;
		wal->segments[i].fd = -1;
	}
	pthread_mutex_init(&wal->mu, NULL);
	dfs_cond_init(&wal->room_cond);
	dfs_cond_init(&wal->background_cond);

	status = lock_folder(wal);
	if (status == DFS_OK)
		status = open_locked_folder(wal, config->size);
	if (status != DFS_OK) {
		release(wal);
		return status;
	}
	wal_writer_new(wal);
	wal->gate = dfs_gate_new("wal", wal_sync, wal);
	*out = wal;
	return DFS_OK;
}

/* What nobody needs in it is not found again: whoever opens the log next would take it for data that
 * is nowhere else. */
static void
let_go_of_head(struct dfs_wal *wal)
{
	pthread_mutex_lock(&wal->mu);
	if (wal->head && wal->head->pins == 0)
		wal_segment_end_locked(wal);
	pthread_mutex_unlock(&wal->mu);
}

void
dfs_wal_close(struct dfs_wal *wal)
{
	if (!wal)
		return;
	wal_background_stop(wal);
	if (wal->recovered && !atomic_load(&wal->failed))
		dfs_gate_wait_sync(wal->gate, dfs_wal_last(wal), DFS_SYNC_POWER, INT64_MAX);
	dfs_gate_free(wal->gate);
	if (wal->recovered && !atomic_load(&wal->failed))
		let_go_of_head(wal);
	DFS_FAILPOINT("log-close");
	if (wal->recovered && !atomic_load(&wal->failed) && wal_super_write(wal, true) != DFS_OK)
		dfs_log(DFS_LOG_ERROR, "wal %s: %s", wal->path, dfs_fail_text());
	DFS_FAILPOINT("log-closed");
	release(wal);
}

void
dfs_wal_pin(struct dfs_wal *wal, uint64_t segments)
{
	pthread_mutex_lock(&wal->mu);
	for (; segments; segments &= segments - 1) {
		struct wal_segment *seg = &wal->segments[__builtin_ctzll(segments)];

		assert(seg->state == WAL_OPEN || seg->state == WAL_CLOSED);
		seg->pins++;
	}
	pthread_mutex_unlock(&wal->mu);
}

void
dfs_wal_unpin(struct dfs_wal *wal, uint64_t segments)
{
	pthread_mutex_lock(&wal->mu);
	for (; segments; segments &= segments - 1) {
		struct wal_segment *seg = &wal->segments[__builtin_ctzll(segments)];

		assert(seg->pins > 0);
		seg->pins--;
		wal_segment_settle_locked(wal, seg);
	}
	pthread_mutex_unlock(&wal->mu);
}

bool
dfs_wal_room(const struct dfs_wal *wal, uint64_t len)
{
	return atomic_load_explicit(&wal->room_space, memory_order_relaxed) >=
		       WAL_PAGE + wal_page_up(len) &&
	       atomic_load_explicit(&wal->room_queue, memory_order_relaxed) >= len &&
	       !dfs_wal_failed(wal);
}

bool
dfs_wal_failed(const struct dfs_wal *wal)
{
	return atomic_load_explicit(&wal->failed, memory_order_relaxed);
}

bool
dfs_wal_wait_room(struct dfs_wal *wal, uint64_t len, int64_t deadline)
{
	bool room;

	if (dfs_wal_room(wal, len))
		return true;
	pthread_mutex_lock(&wal->mu);
	wal->room_waiters++;
	while (!(room = dfs_wal_room(wal, len)) && !atomic_load(&wal->failed))
		if (!dfs_cond_until(&wal->room_cond, &wal->mu, deadline))
			break;
	wal->room_waiters--;
	pthread_mutex_unlock(&wal->mu);
	return room;
}

/* Segments that the log can have: the configuration's number, or what the disk has room for. */
static uint32_t
capacity_locked(const struct dfs_wal *wal)
{
	return wal->full && wal->n_files < wal->n_max ? wal->n_files : wal->n_max;
}

bool
dfs_wal_pressed(const struct dfs_wal *wal, unsigned percent)
{
	struct dfs_wal *w = (struct dfs_wal *)wal; /* to lock it is no change */
	bool held = false;

	pthread_mutex_lock(&w->mu);
	if (w->n_used > (uint64_t)capacity_locked(w) * percent / 100)
		for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX && !held; i++)
			held = w->segments[i].state == WAL_CLOSED && w->segments[i].pins;
	pthread_mutex_unlock(&w->mu);
	return held;
}

struct dfs_gate *
dfs_wal_gate(struct dfs_wal *wal)
{
	return wal->gate;
}

uint64_t
dfs_wal_last(const struct dfs_wal *wal)
{
	return atomic_load_explicit(&wal->last, memory_order_acquire);
}

uint64_t
dfs_wal_first(const struct dfs_wal *log)
{
	struct dfs_wal *wal = (struct dfs_wal *)log; /* to lock it is no change */
	/* Segments that are free by now come back as long as the superblock lists them. */
	uint64_t first = atomic_load(&wal->listed_first);

	pthread_mutex_lock(&wal->mu);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		const struct wal_segment *seg = &wal->segments[i];

		if ((seg->state == WAL_OPEN || seg->state == WAL_CLOSED) && seg->first < first)
			first = seg->first;
	}
	pthread_mutex_unlock(&wal->mu);
	return first;
}

void
dfs_wal_stats(struct dfs_wal *wal, struct dfs_wal_stats *stats)
{
	pthread_mutex_lock(&wal->mu);
	*stats = (struct dfs_wal_stats){
		.size = capacity_locked(wal) * wal->segment_size,
		.used = wal->n_used * wal->segment_size,
		.queued = wal->queued,
		.appended = wal->appended,
		.bytes = wal->bytes,
		.batches = wal->batches,
		.syncs = wal->syncs,
		.last = dfs_wal_last(wal),
		.written = wal->written,
		.durable = wal->durable,
		.failed = atomic_load(&wal->failed),
	};
	pthread_mutex_unlock(&wal->mu);
}
