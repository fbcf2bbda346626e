/* SPDX-License-Identifier: MIT
 *
 * Walking, making and pruning folders below the base.
 *
 * A key cannot hold ".." or an absolute path; what could still lead outside is a symbolic link that
 * somebody planted.  openat2 refuses those in one call; where it is missing (before Linux 5.6, or
 * under a filter) the path is walked part by part with O_NOFOLLOW.  Renames and unlinks act on the
 * opened parent.  Parents are not kept open between calls: opening one, four folders deep, was
 * measured to cost a fiftieth of what making a file does.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store.h"

uint32_t
path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (uint32_t)(slash - path) : 0;
}

static int
walk(struct store *s, const char *path, int flags)
{
	int fd = s->base;

	for (;;) {
		const char *slash = strchr(path, '/');
		uint32_t len = slash ? (uint32_t)(slash - path) : (uint32_t)strlen(path);
		char part[256];
		int next, error;

		memcpy(part, path, len);
		part[len] = '\0';
		next = openat(fd, part,
			      (slash ? O_PATH | O_DIRECTORY : flags) | O_NOFOLLOW | O_CLOEXEC);
		error = errno;
		path_release(s, fd);
		errno = error;
		if (next < 0 || !slash)
			return next;
		fd = next;
		path = slash + 1;
	}
}

int
path_open(struct store *s, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (atomic_load_explicit(&s->no_openat2, memory_order_relaxed))
		return walk(s, path, flags);
	do
		fd = (int)syscall(SYS_openat2, s->base, path, &how, sizeof how);
	while (fd < 0 && errno == EINTR);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		atomic_store_explicit(&s->no_openat2, true, memory_order_relaxed);
		return walk(s, path, flags);
	}
	return fd;
}

void
path_release(struct store *s, int fd)
{
	if (fd != s->base)
		close(fd);
}

static int
open_folder(struct store *s, const char *path, uint32_t len)
{
	char folder[DFS_KEY_MAX + 1];

	if (len == 0)
		return s->base;
	memcpy(folder, path, len);
	folder[len] = '\0';
	return path_open(s, folder, O_PATH | O_DIRECTORY);
}

int
path_parent(struct store *s, const char *key, const char **name)
{
	uint32_t len = path_folder(key);

	*name = len > 0 ? key + len + 1 : key;
	return open_folder(s, key, len);
}

/* Make one folder unless it is there, and open it; its parent is path[0..parent_len). */
static int
make_folder(struct store *s, int parent, const char *name, const char *path, uint32_t parent_len)
{
	if (mkdirat(parent, name, s->dir_mode) == 0) {
		dirty_dir(s, path, parent_len);
		if (s->chmod_dirs && fchmodat(parent, name, s->dir_mode, 0) != 0)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	return openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
path_make_locked(struct store *s, const char *key)
{
	uint32_t start = 0;
	int fd = s->base;

	for (;;) {
		const char *slash = strchr(key + start, '/');
		char part[256];
		uint32_t len;
		int next, error;

		if (!slash) {
			path_release(s, fd);
			return 0;
		}
		len = (uint32_t)(slash - key) - start;
		memcpy(part, key + start, len);
		part[len] = '\0';
		next = make_folder(s, fd, part, key, start > 0 ? start - 1 : 0);
		error = errno;
		path_release(s, fd);
		errno = error;
		if (next < 0)
			return -1;
		fd = next;
		start += len + 1;
	}
}

void
path_prune(struct store *s, const char *path)
{
	char folder[DFS_KEY_MAX + 1];
	uint32_t len = path_folder(path);
	bool removed = true;

	memcpy(folder, path, len);
	pthread_mutex_lock(&s->tree);
	while (len > 0 && removed) {
		const char *name;
		int fd;

		folder[len] = '\0';
		fd = path_parent(s, folder, &name);
		/* Gone already, or its parent is: what is above may be empty all the same. */
		removed = fd < 0 ? errno == ENOENT
				 : unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
		if (fd >= 0)
			path_release(s, fd);
		len = path_folder(folder);
		if (removed)
			dirty_dir(s, folder, len);
	}
	pthread_mutex_unlock(&s->tree);
}
