/* SPDX-License-Identifier: MIT
 *
 * The superblock: two slots, written in turn, so that a torn write leaves the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "payload/wal/log.h"

static int
slot_io(struct dfs_wal *wal, unsigned slot, bool write)
{
	struct iovec iov = {wal->super_page, WAL_PAGE};
	bool torn = write && DFS_FAILPOINT_DUE("super-torn");
	ssize_t r;

	if (torn)
		iov.iov_len /= 2;
	if (write)
		r = wal->disk->pwritev(wal->disk->ctx, wal->super_fd, &iov, 1, slot * WAL_PAGE);
	else
		r = wal->disk->preadv(wal->disk->ctx, wal->super_fd, &iov, 1, slot * WAL_PAGE);
	if (torn)
		DFS_FAILPOINT_DIE();
	return r < 0 ? (int)r : r != WAL_PAGE ? -EIO : 0;
}

static int
one_name(void *arg, const char *name)
{
	*(bool *)arg = true;
	return 0;
}

/* A new log: only where no segment says that there was one. */
static enum dfs_status
super_create(struct dfs_wal *wal, bool unsound)
{
	const struct dfs_disk_ops *disk = wal->disk;
	bool segments = false;
	int r;

	r = disk->list(disk->ctx, wal->folder, "seg-", one_name, &segments);
	if (r < 0)
		return dfs_fail(DFS_IO, "cannot list %s: %s", wal->path, strerror(-r));
	if (segments)
		return dfs_fail(DFS_CORRUPT,
				unsound ? "%s/SUPER: neither superblock is sound, but "
					  "there are segments"
					: "%s/SUPER is missing, but there are segments",
				wal->path);
	if (unsound)
		dfs_log(DFS_LOG_WARN, "wal %s: its creation was interrupted; it begins anew",
			wal->path);
	if (getrandom(wal->uuid, sizeof wal->uuid, 0) != sizeof wal->uuid ||
	    getrandom(wal->key, sizeof wal->key, 0) != sizeof wal->key)
		return dfs_fail(DFS_IO, "getrandom fails: no key for the log");
	wal->next_epoch = 1;
	/* Only to tell a full disk from a broken one; where it cannot be asked, the write tells. */
	if (disk->allocate(disk->ctx, wal->super_fd, 2 * WAL_PAGE) == -ENOSPC)
		return dfs_fail(DFS_NOSPC, "no room for the superblock of %s", wal->path);
	/* Both slots: from now on there is always one that is sound. */
	for (int i = 0; i < 2; i++)
		if (wal_super_write(wal, true) != DFS_OK)
			return DFS_IO;
	r = disk->sync_folder(disk->ctx, wal->folder);
	if (r != 0)
		return dfs_fail(DFS_IO, "cannot sync %s: %s", wal->path, strerror(-r));
	return DFS_OK;
}

/* Numbers that no log of ours has, though the checksum is right. */
static bool
plausible(const struct wal_super *super)
{
	bool ok = super->segment_size >= WAL_SEGMENT_MIN && super->segment_size % WAL_PAGE == 0 &&
		  super->segment_size < UINT64_C(1) << DFS_WAL_AT_SHIFT &&
		  super->next_epoch < WAL_NUMBER_MAX && super->durable < WAL_NUMBER_MAX &&
		  super->last < WAL_NUMBER_MAX;

	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
		ok = ok && super->segment[i].epoch < super->next_epoch &&
		     super->segment[i].first < WAL_NUMBER_MAX &&
		     super->segment[i].end < WAL_NUMBER_MAX;
	return ok;
}

enum dfs_status
wal_super_open(struct dfs_wal *wal, bool *created, struct wal_super *super)
{
	const struct dfs_disk_ops *disk = wal->disk;
	struct wal_super slot;
	bool exists = true, sound = false;
	int r;

	*created = false;
	wal->super_fd = disk->open(disk->ctx, wal->folder, "SUPER", O_RDWR);
	if (wal->super_fd == -ENOENT) {
		exists = false;
		wal->super_fd = disk->open(disk->ctx, wal->folder, "SUPER", O_RDWR | O_CREAT);
	}
	if (wal->super_fd < 0)
		return dfs_fail(wal->super_fd == -ENOSPC ? DFS_NOSPC : DFS_IO,
				"cannot open %s/SUPER: %s", wal->path, strerror(-wal->super_fd));
	for (unsigned i = 0; i < 2 && exists; i++) {
		r = slot_io(wal, i, false);
		if (r != 0 || !wal_super_get(wal->super_page, &slot))
			continue;
		if (!sound || slot.generation > super->generation)
			*super = slot;
		sound = true;
	}
	if (!sound) {
		*created = true;
		return super_create(wal, exists);
	}
	if (super->format != WAL_FORMAT)
		return dfs_fail(DFS_VERSION, "%s has format %u; this program knows format %u",
				wal->path, super->format, WAL_FORMAT);
	if (super->incompat & ~WAL_INCOMPAT_KNOWN)
		return dfs_fail(DFS_VERSION, "%s needs features (%#llx) that are not known here",
				wal->path, (unsigned long long)super->incompat);
	if (!plausible(super))
		return dfs_fail(DFS_CORRUPT, "%s/SUPER holds numbers that cannot be", wal->path);
	/* The slot may be with the kernel alone: before the other is written, or a segment removed that only
	 * the other lists, it is what the disk has. */
	r = disk->datasync(disk->ctx, wal->super_fd);
	return r == 0 ? DFS_OK : dfs_fail(DFS_IO, "syncing %s/SUPER: %s", wal->path, strerror(-r));
}

void
wal_super_listed(struct dfs_wal *wal, const struct wal_super *super)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
		if (super->segment[i].epoch && super->segment[i].first < first)
			first = super->segment[i].first;
	atomic_store(&wal->listed_first, first);
}

enum dfs_status
wal_super_write(struct dfs_wal *wal, bool clean)
{
	struct wal_super super = {
		.format = WAL_FORMAT,
		.generation = ++wal->generation,
		.segment_size = wal->segment_size,
		.flags = clean ? WAL_SUPER_CLEAN : 0,
	};
	int r;

	memcpy(super.uuid, wal->uuid, sizeof super.uuid);
	memcpy(super.key, wal->key, sizeof super.key);
	pthread_mutex_lock(&wal->mu);
	super.next_epoch = wal->next_epoch;
	super.durable = wal->durable;
	super.last = atomic_load_explicit(&wal->last, memory_order_relaxed);
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++) {
		const struct wal_segment *seg = &wal->segments[i];

		if (seg->state == WAL_OPEN || seg->state == WAL_CLOSED) {
			super.segment[i].epoch = seg->epoch;
			super.segment[i].first = seg->first;
			super.segment[i].end = clean && !seg->end ? super.last : seg->end;
		}
		if (seg->state >= WAL_FREE)
			super.segment[i].flags = WAL_SEGMENT_PREPARED;
	}
	pthread_mutex_unlock(&wal->mu);

	wal_super_put(wal->super_page, &super);
	r = slot_io(wal, super.generation % 2, true);
	DFS_FAILPOINT("super-written");
	if (r == 0)
		r = wal->disk->datasync(wal->disk->ctx, wal->super_fd);
	if (r != 0)
		return wal_fail(wal, r, "writing the superblock");
	DFS_FAILPOINT("super-synced");
	for (unsigned i = 0; i < DFS_WAL_SEGMENTS_MAX; i++)
		wal->segments[i].listed = super.segment[i].epoch;
	wal_super_listed(wal, &super);
	wal->syncs_since_super = 0;
	return DFS_OK;
}
