/* SPDX-License-Identifier: MIT
 *
 * The file persister: direct writes into segments that were written before, so that a sync is a
 * flush of the disk's cache and nothing else.  A file system without O_DIRECT gets the same by way
 * of the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/log.h"
#include "payload/wal/log.h"

static int
file_open(struct dfs_wal *wal, struct wal_segment *seg, int flags)
{
	char name[16];
	int fd = -EINVAL;

	wal_segment_name(seg, name);
	if (!wal->buffered)
		fd = wal->disk->open(wal->disk->ctx, wal->folder, name, flags | O_DIRECT);
	if (fd == -EINVAL) {
		fd = wal->disk->open(wal->disk->ctx, wal->folder, name, flags);
		if (fd >= 0 && !wal->buffered) {
			wal->buffered = true;
			dfs_log(DFS_LOG_INFO,
				"wal %s: the file system has no direct I/O; writes are copied by "
				"the page cache",
				wal->path);
		}
	}
	if (fd < 0)
		return fd;
	seg->align = wal->buffered ? 1 : WAL_PAGE;
	seg->fd = fd;
	return 0;
}

static int
file_append(struct dfs_wal *wal, struct wal_segment *seg, struct iovec *iov, int n, uint64_t offset)
{
	while (n) {
		ssize_t r = wal->disk->pwritev(wal->disk->ctx, seg->fd, iov, n, offset);

		if (r <= 0)
			return r < 0 ? (int)r : -EIO;
		offset += (uint64_t)r;
		dfs_iov_advance(&iov, &n, (size_t)r);
	}
	return 0;
}

static int
file_sync(struct dfs_wal *wal, struct wal_segment *seg, uint64_t from, uint64_t to)
{
	return wal->disk->datasync(wal->disk->ctx, seg->fd);
}

static int
read_all(struct dfs_wal *wal, int fd, void *data, uint32_t len, uint64_t offset)
{
	while (len) {
		struct iovec iov = {data, len};
		ssize_t r = wal->disk->preadv(wal->disk->ctx, fd, &iov, 1, offset);

		if (r <= 0)
			return r < 0 ? (int)r : -EIO;
		data = (char *)data + r;
		len -= (uint32_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

static int
file_recover(struct dfs_wal *wal, struct wal_segment *seg, void *data, uint32_t len,
	     uint64_t offset)
{
	uint64_t from, to;
	unsigned char *bounce;
	int r;

	if ((((uintptr_t)data | len | offset) & (seg->align - 1)) == 0)
		return read_all(wal, seg->fd, data, len, offset);
	from = offset & ~(uint64_t)(WAL_PAGE - 1);
	to = wal_page_up(offset + len);
	bounce = aligned_alloc(WAL_PAGE, to - from);
	if (!bounce)
		return -ENOMEM;
	r = read_all(wal, seg->fd, bounce, (uint32_t)(to - from), from);
	if (r == 0)
		memcpy(data, bounce + (offset - from), len);
	free(bounce);
	return r;
}

static void
file_close(struct dfs_wal *wal, struct wal_segment *seg)
{
	wal->disk->close(wal->disk->ctx, seg->fd);
	seg->fd = -1;
}

const struct wal_persister_ops wal_persister_file = {
	.name = "file",
	.open = file_open,
	.append = file_append,
	.sync = file_sync,
	.recover = file_recover,
	.close = file_close,
};
