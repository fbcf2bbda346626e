/* SPDX-License-Identifier: MIT
 *
 * Reading an object, or only its length.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

/* A folder, or something that somebody else put there, is no object. */
static enum dfs_status
open_object(struct store *s, const char *key, int flags, int *fd, uint64_t *length)
{
	struct stat st;

	if (dfs_key_length(key) == 0)
		return store_bad_key(s, key);
	*fd = path_open(s, key, flags);
	if (*fd < 0)
		return store_error(s, errno, "opening", key);
	if (fstat(*fd, &st) != 0) {
		int error = errno;

		close(*fd);
		return store_error(s, error, "opening", key);
	}
	if (!S_ISREG(st.st_mode)) {
		close(*fd);
		return store_error(s, ENOENT, "opening", key);
	}
	*length = (uint64_t)st.st_size;
	return DFS_OK;
}

static enum dfs_status
deliver(struct store *s, int fd, const char *key, uint64_t offset, uint64_t length,
	const struct dfs_sink *sink)
{
	while (length > 0) {
		uint64_t room_len = 0;
		unsigned char *room = sink->space(sink->ctx, &room_len);

		if (!room || room_len == 0)
			return s->host->fail(s->host->ctx, DFS_NOMEM,
					     "the reader has no room for %s", key);
		if (room_len > length)
			room_len = length;
		length -= room_len;
		while (room_len > 0) {
			ssize_t n = pread(fd, room, room_len, (off_t)offset);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return store_error(s, errno, "reading", key);
			if (n == 0)
				return s->host->fail(s->host->ctx, DFS_CORRUPT,
						     "reading %s: the file was cut short meanwhile",
						     key);
			room += n;
			room_len -= (uint64_t)n;
			offset += (uint64_t)n;
		}
	}
	return DFS_OK;
}

enum dfs_status
store_get(void *inst, const char *key, uint64_t offset, uint64_t length,
	  const struct dfs_sink *sink, uint32_t flags)
{
	struct store *s = inst;
	uint64_t size;
	enum dfs_status st;
	int fd;

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	/* Non-blocking: a FIFO planted in the folder must not hang us. */
	st = open_object(s, key, O_RDONLY | O_NONBLOCK, &fd, &size);
	if (st != DFS_OK)
		return st;
	if (offset > size || length > size - offset)
		st = s->host->fail(s->host->ctx, DFS_INVAL,
				   "bytes %llu+%llu of the object %s, which has %llu",
				   (unsigned long long)offset, (unsigned long long)length, key,
				   (unsigned long long)size);
	else
		st = deliver(s, fd, key, offset, length, sink);
	close(fd);
	return st;
}

enum dfs_status
store_head(void *inst, const char *key, uint64_t *length, uint32_t flags)
{
	enum dfs_status st;
	int fd;

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	st = open_object(inst, key, O_PATH, &fd, length);
	if (st == DFS_OK)
		close(fd);
	return st;
}
