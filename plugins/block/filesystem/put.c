/* SPDX-License-Identifier: MIT
 *
 * Putting an object: written, or linked, under a temporary name, then renamed, so that it is there whole or not
 * at all, whatever happens to the process.  What a power failure may do before the next sync is
 * told in dittofs-block-filesystem(5).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store.h"

/* From this size on the kernel is told to begin writing at once: a group of 32 objects of 4 MiB was
 * then put and synced in 47 ms, else in 72 ms.  For small objects it would make each put wait for
 * a block allocation: 128 of 4 KiB took 43 ms, else 5 ms. */
#define WRITE_EARLY (UINT64_C(1) << 20)
/* So often a folder may vanish under a put before it locks the tree. */
#define RACES_MAX 4

static int
write_spans(int fd, const struct dfs_span *spans, uint32_t n)
{
	struct iovec iov[1024], *v = iov;
	int left = 0;

	for (uint32_t i = 0; i < n; i++)
		if (spans[i].len > 0)
			iov[left++] = (struct iovec){(void *)spans[i].data, spans[i].len};
	while (left > 0) {
		ssize_t done = writev(fd, v, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		while (left > 0 && (size_t)done >= v->iov_len) {
			done -= (ssize_t)v->iov_len;
			v++;
			left--;
		}
		if (left > 0) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int
rename_into_place(struct store *s, const char *temp, const char *key)
{
	const char *name;
	int fd = path_parent(s, key, &name), error = 0;

	if (fd < 0)
		return -1;
	if (renameat(s->temp, temp, fd, name) != 0)
		error = errno;
	path_release(s, fd);
	errno = error;
	return error ? -1 : 0;
}

/* Another thread may prune a folder as empty between our making it and renaming into it. */
static int
place(struct store *s, const char *temp, const char *key)
{
	int races = 0;

	while (rename_into_place(s, temp, key) != 0) {
		int rc, error;

		if (errno != ENOENT || races > RACES_MAX)
			return -1;
		pthread_mutex_lock(&s->tree);
		rc = path_make_locked(s, key);
		if (rc == 0 && ++races == RACES_MAX)
			rc = rename_into_place(s, temp, key);
		error = errno;
		pthread_mutex_unlock(&s->tree);
		errno = error;
		if (rc != 0 || races == RACES_MAX)
			return rc;
	}
	return 0;
}

static enum dfs_status
put_error(struct store *s, int error, const char *key)
{
	switch (error) {
	case EISDIR:
	case ENOTDIR:
	case ENOTEMPTY:
	case EEXIST:
		return s->host->fail(s->host->ctx, DFS_INVAL,
				     "the object %s would be a folder and a file at once", key);
	case ENOENT:
		return s->host->fail(s->host->ctx, DFS_IO,
				     "putting %s: the store's folder has been removed", key);
	default:
		return store_error(s, error, "putting", key);
	}
}

/* The file system's last bytes are not ours: a metadata store on it that finds no space may have to
 * stop for good, and removing needs it. */
static bool
leaves_reserve(const struct store *s, uint64_t length)
{
	struct statvfs v;

	return s->reserve == 0 || fstatvfs(s->base, &v) != 0 || store_free(s, &v) >= length;
}

static void
name_temp(struct store *s, char temp[32])
{
	snprintf(temp, 32, "%llx", (unsigned long long)atomic_fetch_add(&s->next_temp, 1));
}

enum dfs_status
store_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	struct store *s = inst;
	uint64_t length;
	enum dfs_status st;
	char temp[32];
	int fd, error = 0;

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (dfs_key_length(key) == 0)
		return store_bad_key(s, key);
	st = dfs_spans_check(spans, n, &length);
	if (st != DFS_OK)
		return s->host->fail(s->host->ctx, st,
				     st == DFS_TOOBIG
					     ? "the object %s is larger than 4 MiB"
					     : "the object %s is empty or of too many spans",
				     key);
	if (atomic_load_explicit(&s->failed, memory_order_relaxed))
		return s->host->fail(s->host->ctx, DFS_IO,
				     "putting %s: an earlier sync has failed; reopen the store",
				     key);
	if (!leaves_reserve(s, length))
		return store_error(s, ENOSPC, "putting", key);
	name_temp(s, temp);
	fd = openat(s->temp, temp, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
		    s->file_mode);
	if (fd < 0)
		return put_error(s, errno, key);
	if (write_spans(fd, spans, n) != 0 || (s->chmod_files && fchmod(fd, s->file_mode) != 0))
		error = errno;
	if (!error && length >= WRITE_EARLY)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (!error && place(s, temp, key) != 0)
		error = errno;
	if (error) {
		unlinkat(s->temp, temp, 0);
		close(fd);
		return put_error(s, error, key);
	}
	dirty_dir(s, key, path_folder(key));
	dirty_file(s, fd, length);
	return DFS_OK;
}

/* One more name of the file, which nobody writes to any more.  Its bytes are noted for the next sync,
 * or durable, whatever becomes of the first name. */
enum dfs_status
store_copy(void *inst, const char *from, const char *to, uint32_t flags)
{
	struct store *s = inst;
	const char *name;
	char temp[32];
	int fd, error = 0;

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (dfs_key_length(from) == 0 || dfs_key_length(to) == 0)
		return store_bad_key(s, dfs_key_length(from) == 0 ? from : to);
	if (atomic_load_explicit(&s->failed, memory_order_relaxed))
		return s->host->fail(s->host->ctx, DFS_IO,
				     "copying %s: an earlier sync has failed; reopen the store",
				     from);
	fd = path_parent(s, from, &name);
	if (fd < 0)
		return store_error(s, errno == ENOTDIR ? ENOENT : errno, "copying", from);
	name_temp(s, temp);
	if (linkat(fd, name, s->temp, temp, 0) != 0)
		error = errno;
	path_release(s, fd);
	/* EPERM: the file system has no links, or from is a folder. */
	if (error == EPERM || error == EMLINK || error == EOPNOTSUPP)
		return s->host->fail(s->host->ctx, DFS_NOTSUP, "copying %s: %s", from,
				     error == EMLINK ? "it has too many names"
						     : "the file system has no hard links");
	if (error)
		return store_error(s, error, "copying", from);
	if (place(s, temp, to) != 0)
		error = errno;
	/* It is there still when it failed, and when `to` was a name of the same file. */
	unlinkat(s->temp, temp, 0);
	if (error)
		return put_error(s, error, to);
	dirty_dir(s, to, path_folder(to));
	return DFS_OK;
}
