/* SPDX-License-Identifier: MIT
 *
 * The folder of a LevelDB metadata store: its lock, what it may contain, and the durability of
 * files that LevelDB leaves unsynced.
 *
 * A folder is empty, or holds a whole store, or holds the marker file of a creation that did not
 * come to its end.  Anything else is refused: nothing is opened as if it were empty.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#define MARKER "dittofs-creating"
#define MTIME_STEP 20000000 /* ns: two changes that are nearer may show the same mtime */

static enum dfs_status
refuse(struct dfs_diag *diag, enum dfs_status st, const char *path, const char *what, int err)
{
	snprintf(diag->key, sizeof(diag->key), "path");
	snprintf(diag->text, sizeof(diag->text), "%s: %s%s%s", path, what, err ? ": " : "",
		 err ? strerror(err) : "");
	return st;
}

static int
make_parents(const char *path)
{
	char *copy = strdup(path), *p;
	int err = 0;

	if (!copy)
		return ENOMEM;
	for (p = copy + 1; *p && !err; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			err = errno;
		*p = '/';
	}
	free(copy);
	return err;
}

/* What is in the folder. */
struct content {
	bool marker, current, other;
};

static int
look(int dir, struct content *content)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	memset(content, 0, sizeof(*content));
	if (!d) {
		int err = errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    !strcmp(e->d_name, "lost+found"))
			continue;
		if (!strcmp(e->d_name, MARKER))
			content->marker = true;
		else if (!strcmp(e->d_name, "CURRENT"))
			content->current = true;
		else
			content->other = true;
	}
	closedir(d);
	return 0;
}

/* Mark the beginning of a creation; what an earlier one left is removed. */
static enum dfs_status
begin_fresh(int dir, const char *path, const struct content *content, struct dfs_diag *diag)
{
	leveldb_options_t *options;
	char *error = NULL;
	int fd;

	if (content->marker && (content->current || content->other)) {
		options = leveldb_options_create();
		leveldb_destroy_db(options, path, &error);
		leveldb_options_destroy(options);
		if (error) {
			refuse(diag, DFS_IO, path, error, 0);
			leveldb_free(error);
			return DFS_IO;
		}
	}
	fd = openat(dir, MARKER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(diag, DFS_IO, path, "cannot make a file in the folder", errno);
	close(fd);
	if (fsync(dir) < 0)
		return refuse(diag, DFS_IO, path, "cannot sync the folder", errno);
	return DFS_OK;
}

enum dfs_status
folder_open(const char *path, int *dir, bool *fresh, struct dfs_diag *diag)
{
	struct content content;
	enum dfs_status st = DFS_OK;
	int err = make_parents(path);

	if (err)
		return refuse(diag, DFS_IO, path, "cannot make the folders above it", err);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return refuse(diag, DFS_IO, path, "cannot make the folder", errno);
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return refuse(diag, DFS_IO, path, "cannot open the folder", errno);
	/* LevelDB's own lock comes too late: a creation that did not end is cleaned before it. */
	if (flock(*dir, LOCK_EX | LOCK_NB) < 0)
		st = errno == EWOULDBLOCK
			     ? refuse(diag, DFS_BUSY, path,
				      "another process or store has this folder open", 0)
			     : refuse(diag, DFS_IO, path, "cannot lock the folder", errno);
	else if ((err = look(*dir, &content)))
		st = refuse(diag, DFS_IO, path, "cannot read the folder", err);
	else if ((*fresh = content.marker || (!content.current && !content.other)))
		st = begin_fresh(*dir, path, &content, diag);
	else if (!content.current)
		st = refuse(diag, DFS_VERSION, path,
			    "the folder holds files but no store; it is left as it is", 0);
	if (st != DFS_OK)
		close(*dir);
	return st;
}

enum dfs_status
folder_done(int dir, const char *path, struct dfs_diag *diag)
{
	int up;

	if (fsync(dir) < 0 || unlinkat(dir, MARKER, 0) < 0 || fsync(dir) < 0)
		return refuse(diag, DFS_IO, path, "cannot finish the folder", errno);
	/* The folder's own name, too. */
	up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up >= 0) {
		fsync(up);
		close(up);
	}
	return DFS_OK;
}

bool
folder_is_log(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits && !strcmp(name + digits, ".log");
}

enum dfs_status
folder_sync_logs(struct store *s)
{
	const struct dfs_host *host = s->okv.host;
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return host->fail(host->ctx, DFS_IO, "%s: cannot read the folder: %s", s->path,
				  strerror(err));
	}
	while (!err && (e = readdir(d))) {
		if (!folder_is_log(e->d_name))
			continue;
		fd = openat(s->dir, e->d_name, O_WRONLY | O_CLOEXEC);
		if (fd < 0) {
			/* Gone means that LevelDB has moved its records to a synced table. */
			err = errno == ENOENT ? 0 : errno;
			continue;
		}
		if (fdatasync(fd) < 0)
			err = errno;
		close(fd);
	}
	closedir(d);
	if (err)
		return host->fail(host->ctx, DFS_IO, "%s: cannot sync a log file: %s", s->path,
				  strerror(err));
	return folder_sync_names(s);
}

uint64_t
folder_last_log(const struct store *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t last = 0;
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((e = readdir(d))) {
		uint64_t n = folder_is_log(e->d_name) ? strtoull(e->d_name, NULL, 10) : 0;

		if (n > last)
			last = n;
	}
	closedir(d);
	return last;
}

enum dfs_status
folder_sync_names(struct store *s)
{
	const struct dfs_host *host = s->okv.host;
	struct timespec now;
	struct stat st;

	if (fstat(s->dir, &st) < 0)
		return host->fail(host->ctx, DFS_IO, "%s: %s", s->path, strerror(errno));
	if (st.st_mtim.tv_sec == s->dir_synced.tv_sec &&
	    st.st_mtim.tv_nsec == s->dir_synced.tv_nsec)
		return DFS_OK;
	if (fsync(s->dir) < 0)
		return host->fail(host->ctx, DFS_IO, "%s: cannot sync the folder: %s", s->path,
				  strerror(errno));
	/* A change within the clock's step could leave the same time behind: remember only an
	 * old enough one. */
	clock_gettime(CLOCK_REALTIME, &now);
	if ((now.tv_sec - st.st_mtim.tv_sec) * 1000000000L + now.tv_nsec - st.st_mtim.tv_nsec >
	    MTIME_STEP)
		s->dir_synced = st.st_mtim;
	return DFS_OK;
}
