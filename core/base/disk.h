/* SPDX-License-Identifier: MIT
 *
 * How the log touches the disk: a table, so that tests can put a simulated disk below it, which
 * forgets, tears and reorders what was not synced.
 *
 * Every function answers 0 or more, or the negative of an errno value.  Any thread.
 */
#ifndef DFS_BASE_DISK_H
#define DFS_BASE_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct dfs_disk_ops {
	void *ctx; /* first argument of all */
	/* A folder's descriptor; make: create it with mode 0700 where it is absent, durably. */
	int (*open_folder)(void *ctx, const char *path, bool make);
	/* flags: as open(2)'s, O_CREAT with mode 0600, O_DIRECT where it is wanted; a file system that
	 * refuses O_DIRECT answers -EINVAL. */
	int (*open)(void *ctx, int folder, const char *name, int flags);
	int (*close)(void *ctx, int fd);
	ssize_t (*preadv)(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset);
	ssize_t (*pwritev)(void *ctx, int fd, const struct iovec *iov, int n, uint64_t offset);
	int (*datasync)(void *ctx, int fd);
	/* Makes the names of the folder durable. */
	int (*sync_folder)(void *ctx, int folder);
	int (*allocate)(void *ctx, int fd, uint64_t length);
	int (*unlink)(void *ctx, int folder, const char *name);
	int64_t (*size)(void *ctx, int fd);
	/* Names of the folder that begin with prefix; fn answers 0 to stop. */
	int (*list)(void *ctx, int folder, const char *prefix,
		    int (*fn)(void *arg, const char *name), void *arg);
	/* An exclusive lock on the whole file that ends with the process; -EAGAIN: somebody has it. */
	int (*lock)(void *ctx, int fd);
	/* The first length bytes, allocated before, shared with the file; sync_map makes changes of
	 * [offset, offset+len) of a map durable.  A disk without maps leaves the three NULL. */
	int (*map)(void *ctx, int fd, uint64_t length, void **map);
	int (*unmap)(void *ctx, void *map, uint64_t length);
	int (*sync_map)(void *ctx, void *map, uint64_t offset, uint64_t len);
};

/* The real disk. */
extern const struct dfs_disk_ops dfs_disk;

#endif
