/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/replace.h"

static bool
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n == 0)
			errno = EIO;
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

bool
dfs_file_replace(int folder, const char *name, const void *bytes, size_t len)
{
	char new_name[DFS_REPLACE_NAME_MAX + sizeof ".new"];
	bool good;
	int fd, err;

	if (snprintf(new_name, sizeof new_name, "%s.new", name) >= (int)sizeof new_name) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = openat(folder, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	good = write_all(fd, bytes, len) && fsync(fd) == 0;
	err = errno;
	close(fd);
	errno = err;
	return good && renameat(folder, new_name, folder, name) == 0 && fsync(folder) == 0;
}
