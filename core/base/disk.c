/* SPDX-License-Identifier: MIT
 *
 * The real disk: system calls, with errno turned into the answer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"

static inline ssize_t
answer(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* Makes the folder's own name durable. */
static int
sync_parent(int folder)
{
	int parent = openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	/* One that may not be read: all of the file system, then. */
	if (parent < 0)
		return (int)answer(syncfs(folder));
	r = (int)answer(fsync(parent));
	close(parent);
	return r;
}

static int
disk_open_folder(void *ctx, const char *path, bool make)
{
	bool made = make && mkdir(path, 0700) == 0;
	int fd, r;

	if (make && !made && errno != EEXIST)
		return -errno;
	fd = (int)answer(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0 || !make)
		return fd;
	/* One that was there may be of a run that ended before it came to this, but also a mount
	 * point in a file system that syncs nothing. */
	r = sync_parent(fd);
	if (r == 0 || !made)
		return fd;
	close(fd);
	return r;
}

static int
disk_open(void *ctx, int folder, const char *name, int flags)
{
	return (int)answer(openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

static int
disk_close(void *ctx, int fd)
{
	return (int)answer(close(fd));
}

static ssize_t
disk_preadv(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	ssize_t r;

	do
		r = preadv(fd, iov, n, (off_t)offset);
	while (r < 0 && errno == EINTR);
	return answer(r);
}

static ssize_t
disk_pwritev(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset)
{
	ssize_t r;

	do
		r = pwritev(fd, iov, n, (off_t)offset);
	while (r < 0 && errno == EINTR);
	return answer(r);
}

static int
disk_datasync(void *ctx, int fd)
{
	return (int)answer(fdatasync(fd));
}

static int
disk_sync_folder(void *ctx, int folder)
{
	return (int)answer(fsync(folder));
}

static int
disk_allocate(void *ctx, int fd, uint64_t length)
{
	int r;

	do
		r = fallocate(fd, 0, 0, (off_t)length);
	while (r != 0 && errno == EINTR);
	return (int)answer(r);
}

static int
disk_unlink(void *ctx, int folder, const char *name)
{
	return (int)answer(unlinkat(folder, name, 0));
}

static int64_t
disk_size(void *ctx, int fd)
{
	struct stat st;

	return fstat(fd, &st) != 0 ? -errno : st.st_size;
}

static int
disk_list(void *ctx, int folder, const char *prefix, int (*fn)(void *arg, const char *name),
	  void *arg)
{
	/* A descriptor of its own: the folder's keeps no reading position. */
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int error;

	if (!dir) {
		error = errno;
		if (fd >= 0)
			close(fd);
		return -error;
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0)
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && !fn(arg, entry->d_name))
			break;
	error = entry ? 0 : errno;
	closedir(dir);
	return -error;
}

static int
disk_lock(void *ctx, int fd)
{
	/* The open file description's, so that two logs of one process exclude each other, too. */
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int
disk_map(void *ctx, int fd, uint64_t length, void **map)
{
	*map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *map == MAP_FAILED ? -errno : 0;
}

static int
disk_unmap(void *ctx, void *map, uint64_t length)
{
	return (int)answer(munmap(map, length));
}

static int
disk_sync_map(void *ctx, void *map, uint64_t offset, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = offset & ~(page - 1);

	return (int)answer(msync((char *)map + from, len + (offset - from), MS_SYNC));
}

const struct dfs_disk_ops dfs_disk = {
	.open_folder = disk_open_folder,
	.open = disk_open,
	.close = disk_close,
	.preadv = disk_preadv,
	.pwritev = disk_pwritev,
	.datasync = disk_datasync,
	.sync_folder = disk_sync_folder,
	.allocate = disk_allocate,
	.unlink = disk_unlink,
	.size = disk_size,
	.list = disk_list,
	.lock = disk_lock,
	.map = disk_map,
	.unmap = disk_unmap,
	.sync_map = disk_sync_map,
};
