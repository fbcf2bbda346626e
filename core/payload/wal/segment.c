/* SPDX-License-Identifier: MIT
 *
 * Segments: making them, opening the next one, setting them free, and what room they leave.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "payload/wal/log.h"

void
wal_segment_name(const struct wal_segment *seg, char name[16])
{
	snprintf(name, 16, WAL_SEGMENT_NAME, seg->index % DFS_WAL_SEGMENTS_MAX);
}

/* allocated: the file reads as zeros already, and may stay like that when there is no time: its first
 * use is slower then, by the file system's own bookkeeping, but nobody waits for two writes. */
static int
write_zeros(struct dfs_wal *wal, struct wal_segment *seg, bool allocated,
	    enum wal_haste (*haste)(struct dfs_wal *wal))
{
	size_t chunk = wal->segment_size < WAL_MIB ? wal->segment_size : WAL_MIB;
	void *zeros = aligned_alloc(WAL_PAGE, chunk);
	int r = 0;

	if (!zeros)
		return -ENOMEM;
	memset(zeros, 0, chunk);
	for (uint64_t at = 0; at < wal->segment_size && r == 0; at += chunk) {
		size_t len = wal->segment_size - at < chunk ? wal->segment_size - at : chunk;
		enum wal_haste how = haste ? haste(wal) : WAL_CALM;
		struct iovec iov = {zeros, len};

		if (how == WAL_HURRY && allocated)
			break;
		if (how == WAL_STOP)
			r = -EINTR;
		else
			r = wal->persister->append(wal, seg, &iov, 1, at);
	}
	free(zeros);
	return r;
}

int
wal_segment_make(struct dfs_wal *wal, struct wal_segment *seg,
		 enum wal_haste (*haste)(struct dfs_wal *wal))
{
	const struct dfs_disk_ops *disk = wal->disk;
	char name[16];
	int r;

	wal_segment_name(seg, name);
	r = disk->unlink(disk->ctx, wal->folder, name);
	if (r != 0 && r != -ENOENT)
		return r;
	r = wal->persister->open(wal, seg, O_RDWR | O_CREAT | O_EXCL);
	if (r != 0)
		return r;
	/* Zeros alone reserve the space, too; asked for at once, it lies in fewer pieces. */
	r = disk->allocate(disk->ctx, seg->fd, wal->segment_size);
	DFS_FAILPOINT("segment-allocated");
	if (r == 0 || r == -EOPNOTSUPP)
		r = write_zeros(wal, seg, r == 0, haste);
	if (r == 0)
		r = disk->datasync(disk->ctx, seg->fd);
	if (r == 0)
		r = disk->sync_folder(disk->ctx, wal->folder);
	wal->persister->close(wal, seg);
	if (r == 0)
		r = wal->persister->open(wal, seg, O_RDWR);
	if (r != 0)
		disk->unlink(disk->ctx, wal->folder, name);
	DFS_FAILPOINT("segment-made");
	return r;
}

static void
close_head_locked(struct dfs_wal *wal)
{
	struct wal_segment *seg = wal->head;

	wal_batch_seal_locked(wal);
	seg->state = WAL_CLOSED;
	seg->end = atomic_load_explicit(&wal->last, memory_order_relaxed);
	wal->head = NULL;
}

static struct wal_segment *
pick_locked(struct dfs_wal *wal)
{
	/* The first: so the segments in use stay few and their end of the log can shrink. */
	for (uint32_t i = 0; i < wal->n_max; i++)
		if (wal->segments[i].state == WAL_FREE)
			return &wal->segments[i];
	return NULL;
}

bool
wal_segment_end_locked(struct dfs_wal *wal)
{
	struct wal_segment *head = wal->head;

	/* The head stays open for small records as long as nothing can follow it. */
	if (head && (wal->n_free || (head->pins == 0 && head->unwritten == 0 && !wal->open))) {
		close_head_locked(wal);
		wal_segment_settle_locked(wal, head);
	}
	return !wal->head;
}

bool
wal_segment_next_locked(struct dfs_wal *wal)
{
	struct wal_segment *seg;
	uint64_t last = atomic_load_explicit(&wal->last, memory_order_relaxed);

	if (!wal_segment_end_locked(wal) || !(seg = pick_locked(wal)))
		return false;
	seg->state = WAL_OPEN;
	seg->epoch = wal->next_epoch++;
	seg->first = last + 1;
	seg->end = 0;
	wal->head = seg;
	wal->head_offset = 0;
	wal->n_free--;
	wal->n_used++;
	wal_room_update_locked(wal);
	wal_background_wake_locked(wal); /* the next spare */
	DFS_FAILPOINT("segment-opened");
	return true;
}

void
wal_segment_settle_locked(struct dfs_wal *wal, struct wal_segment *seg)
{
	if (seg->pins || seg->unwritten)
		return;
	/* Nothing can follow it and nobody needs it: begin it anew before it is too full to promise
	 * room for any record. */
	if (seg->state == WAL_OPEN && !wal->open && wal->n_free == 0 &&
	    wal->segment_size - wal->head_offset < wal->payload_max + 2 * WAL_PAGE + wal->reserve)
		close_head_locked(wal);
	if (seg->state != WAL_CLOSED)
		return;
	seg->epoch = 0;
	wal->n_used--;
	DFS_FAILPOINT("segment-freed");
	if (seg->index < wal->n_max) {
		seg->state = WAL_FREE;
		wal->n_free++;
	} else {
		/* The log was larger once.  The next start removes the file. */
		seg->state = WAL_ABSENT;
		wal->n_files--;
	}
	wal_room_update_locked(wal);
}

void
wal_room_update_locked(struct dfs_wal *wal)
{
	/* What may stay empty at a segment's end because the next record does not fit. */
	uint64_t waste = wal_page_up(wal->payload_max) + 2 * WAL_PAGE;
	uint64_t left = 0, space, queue;
	bool more;

	if (wal->head) {
		left = wal->segment_size - wal->head_offset;
		if (wal->open)
			left -= wal_page_up(wal->open->fill);
	}
	if (wal->n_free) {
		space = left > waste ? left - waste : 0;
		space += wal->n_free * (wal->segment_size - waste) + waste - 2 * WAL_PAGE;
	} else {
		space = left;
	}
	space = space > wal->reserve ? space - wal->reserve : 0;
	queue = wal->queue_max > wal->queue_cost ? wal->queue_max - wal->queue_cost : 0;
	/* Half of the queue at a time: waking all for each record that it can take again keeps the
	 * processors, and this lock, from who empties it. */
	more = space > wal->room_space || (queue > wal->room_queue && queue >= wal->queue_max / 2);
	atomic_store_explicit(&wal->room_space, space, memory_order_relaxed);
	atomic_store_explicit(&wal->room_queue, queue, memory_order_relaxed);
	if (wal->room_waiters && more)
		pthread_cond_broadcast(&wal->room_cond);
}
