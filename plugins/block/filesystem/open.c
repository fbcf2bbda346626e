/* SPDX-License-Identifier: MIT
 *
 * Opening the base folder: making it, knowing it as ours, keeping others out, clearing what a crash
 * left; and the health check.
 *
 * The marker file carries the lock, so that a folder of somebody else is refused before anything in
 * it is touched.  An empty marker is one whose making was cut short.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#define FORMAT "dittofs-block-filesystem "
#define FORMAT_VERSION "1\n"

static enum dfs_status refuse(struct dfs_diag *diag, enum dfs_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum dfs_status
refuse(struct dfs_diag *diag, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(diag->text, sizeof diag->text, fmt, ap);
	va_end(ap);
	strcpy(diag->key, "path");
	return status;
}

static enum dfs_status
refuse_errno(struct dfs_diag *diag, const char *path, const char *what)
{
	int error = errno;
	enum dfs_status st = error == EROFS                       ? DFS_ROFS
			     : error == ENOSPC || error == EDQUOT ? DFS_NOSPC
			     : error == EACCES || error == EPERM  ? DFS_ACCESS
								  : DFS_IO;

	return refuse(diag, st, "%.200s: %s: %s", path, what, strerror(error));
}

/* mkdir -p, each new folder's name made durable. */
static int
make_base(const char *path, mode_t mode)
{
	char *copy = strdup(path), *slash = copy;
	int rc = -1;

	while (copy && slash) {
		char at;

		slash = strchr(slash + 1, '/');
		at = slash ? '/' : '\0';
		if (slash)
			*slash = '\0';
		rc = mkdir(copy, mode);
		if (rc == 0) {
			char *name = strrchr(copy, '/');
			int up;

			chmod(copy, mode);
			*name = '\0';
			up = open(name == copy ? "/" : copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			*name = '/';
			if (up >= 0) {
				fsync(up);
				close(up);
			}
		} else if (errno != EEXIST) {
			break;
		}
		rc = 0;
		if (slash)
			*slash = at;
	}
	free(copy);
	return rc;
}

/* 1, 0, or -1 with errno.  A fresh file system's lost+found does not count. */
static int
folder_is_empty(int base)
{
	int fd = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), empty = 1;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (empty && (e = readdir(dir)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
			!strcmp(e->d_name, "lost+found") || !strcmp(e->d_name, MARKER);
	closedir(dir);
	return empty;
}

static enum dfs_status
check_marker(struct store *s, const char *path, struct dfs_diag *diag)
{
	static const char mine[] = FORMAT FORMAT_VERSION;
	char text[64];
	ssize_t n = pread(s->lock, text, sizeof text - 1, 0);

	if (n < 0)
		return refuse_errno(diag, path, "reading " MARKER);
	text[n] = '\0';
	if (n == 0) {
		if (folder_is_empty(s->base) != 1)
			return refuse(diag, DFS_CORRUPT,
				      "%.200s: " MARKER " is empty, but the folder is not", path);
		if (pwrite(s->lock, mine, sizeof mine - 1, 0) != sizeof mine - 1 ||
		    fsync(s->lock) != 0 || fsync(s->base) != 0)
			return refuse_errno(diag, path, "writing " MARKER);
		return DFS_OK;
	}
	if (strcmp(text, mine) == 0)
		return DFS_OK;
	if (strncmp(text, FORMAT, sizeof FORMAT - 1) != 0)
		return refuse(diag, DFS_VERSION, "%.200s: " MARKER " is not of this store", path);
	text[strcspn(text, "\n")] = '\0';
	return refuse(diag, DFS_VERSION, "%.200s has the format \"%.40s\", this is for \"%.40s\"",
		      path, text, FORMAT "1");
}

static enum dfs_status
claim(struct store *s, const char *path, struct dfs_diag *diag)
{
	s->lock = openat(s->base, MARKER, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (s->lock < 0 && errno == ENOENT) {
		int empty = folder_is_empty(s->base);

		if (empty < 0)
			return refuse_errno(diag, path, "reading the folder");
		if (!empty)
			return refuse(diag, DFS_CONFIG,
				      "%.200s holds files, but no " MARKER
				      ": it is no block store's",
				      path);
		s->lock = openat(s->base, MARKER, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (s->lock < 0)
		return refuse_errno(diag, path, "opening " MARKER);
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return refuse(diag, DFS_BUSY, "%.200s is in use by another store or server",
				      path);
		return refuse_errno(diag, path, "locking " MARKER);
	}
	return check_marker(s, path, diag);
}

/* Files that a crash left half written. */
static int
clear_temp(struct store *s)
{
	int fd = openat(s->temp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int rc = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (rc == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = unlinkat(s->temp, e->d_name, 0);
	closedir(dir);
	return rc;
}

/* What the umask takes away is seen at a file made for that: asking for the umask would change
 * it for a moment, under all threads. */
static int
learn_umask(struct store *s)
{
	struct stat st;
	int fd = openat(s->temp, "umask", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0777);
	int rc = fd >= 0 ? fstat(fd, &st) : -1;

	if (rc == 0) {
		s->chmod_files = s->file_mode & ~st.st_mode;
		s->chmod_dirs = s->dir_mode & ~st.st_mode;
	}
	if (fd >= 0) {
		close(fd);
		unlinkat(s->temp, "umask", 0);
	}
	return rc;
}

enum dfs_status
store_open(struct store *s, const struct filesystem_config *c, struct dfs_diag *diag)
{
	enum dfs_status st;

	s->dir_mode = c->dir_mode;
	s->file_mode = c->file_mode;
	s->reserve = c->reserve;
	s->base = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->base < 0 && errno == ENOENT) {
		if (!c->create_dir)
			return refuse(diag, DFS_CONFIG,
				      "%.200s does not exist, and create_dir is false", c->path);
		if (make_base(c->path, c->dir_mode) != 0)
			return refuse_errno(diag, c->path, "making the folder");
		s->base = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->base < 0 && errno == ENOTDIR)
		return refuse(diag, DFS_CONFIG, "%.200s is not a folder", c->path);
	if (s->base < 0)
		return refuse_errno(diag, c->path, "opening the folder");
	st = claim(s, c->path, diag);
	if (st != DFS_OK)
		return st;
	if (mkdirat(s->base, TEMP, 0700) != 0 && errno != EEXIST)
		return refuse_errno(diag, c->path, "making " TEMP);
	s->temp = openat(s->base, TEMP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->temp < 0)
		return refuse_errno(diag, c->path, "opening " TEMP);
	if (clear_temp(s) != 0 || learn_umask(s) != 0)
		return refuse_errno(diag, c->path, "clearing " TEMP);
	return DFS_OK;
}

void
store_close(struct store *s)
{
	int fds[] = {s->temp, s->base, s->lock};

	dirty_free(&s->dirty);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pthread_mutex_destroy(&s->tree);
	free(s);
}

enum dfs_status
store_health(void *inst)
{
	struct store *s = inst;
	char name[40];
	int fd, error = 0;

	if (atomic_load(&s->failed))
		return s->host->fail(s->host->ctx, DFS_IO, "a sync has failed; reopen the store");
	snprintf(name, sizeof name, "probe-%llx",
		 (unsigned long long)atomic_fetch_add(&s->next_temp, 1));
	fd = openat(s->temp, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return store_error(s, errno, "making the probe file", name);
	if (write(fd, "probe\n", 6) != 6 || fdatasync(fd) != 0)
		error = errno;
	if (unlinkat(s->temp, name, 0) != 0 && !error)
		error = errno;
	close(fd);
	return error ? store_error(s, error, "writing the probe file", name) : DFS_OK;
}
