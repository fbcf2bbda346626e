/* SPDX-License-Identifier: MIT
 *
 * The mmap persister: what is appended lies in the page cache and survives the process, without a
 * system call; a sync is one, for whoever wants more.  The blocks are there before the map is (a
 * segment is made of written zeros), so that a full disk cannot end the process with SIGBUS.
 */
#include <errno.h>
#include <string.h>

#include "payload/wal/log.h"

static int
mmap_open(struct dfs_wal *wal, struct wal_segment *seg, int flags)
{
	const struct dfs_disk_ops *disk = wal->disk;
	char name[16];
	int fd, r;

	if (!disk->map)
		return -ENOTSUP;
	wal_segment_name(seg, name);
	fd = disk->open(disk->ctx, wal->folder, name, flags);
	if (fd < 0)
		return fd;
	seg->align = 1;
	seg->fd = fd;
	/* A file that is still being made is mapped when it has its blocks. */
	if (disk->size(disk->ctx, fd) != (int64_t)wal->segment_size)
		return 0;
	r = disk->map(disk->ctx, fd, wal->segment_size, &seg->map);
	if (r != 0) {
		disk->close(disk->ctx, fd);
		seg->fd = -1;
		seg->map = NULL;
	}
	return r;
}

static int
mmap_append(struct dfs_wal *wal, struct wal_segment *seg, struct iovec *iov, int n, uint64_t offset)
{
	if (!seg->map)
		return wal_persister_file.append(wal, seg, iov, n, offset);
	for (int i = 0; i < n; i++) {
		memcpy((char *)seg->map + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	return 0;
}

static int
mmap_sync(struct dfs_wal *wal, struct wal_segment *seg, uint64_t from, uint64_t to)
{
	if (!seg->map)
		return wal_persister_file.sync(wal, seg, from, to);
	return wal->disk->sync_map(wal->disk->ctx, seg->map, from, to - from);
}

/* By the file: a bad sector is an error then, not a signal. */
static int
mmap_recover(struct dfs_wal *wal, struct wal_segment *seg, void *data, uint32_t len,
	     uint64_t offset)
{
	return wal_persister_file.recover(wal, seg, data, len, offset);
}

static void
mmap_close(struct dfs_wal *wal, struct wal_segment *seg)
{
	if (seg->map)
		wal->disk->unmap(wal->disk->ctx, seg->map, wal->segment_size);
	seg->map = NULL;
	wal_persister_file.close(wal, seg);
}

const struct wal_persister_ops wal_persister_mmap = {
	.name = "mmap",
	.open = mmap_open,
	.append = mmap_append,
	.sync = mmap_sync,
	.recover = mmap_recover,
	.close = mmap_close,
};
