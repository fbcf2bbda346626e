/* SPDX-License-Identifier: MIT
 *
 * Erasing one object, or all below a folder; folders that become empty go as well.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

enum dfs_status
store_erase(void *inst, const char *key, uint32_t flags)
{
	struct store *s = inst;
	const char *name;
	int fd, error = 0;

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (dfs_key_length(key) == 0)
		return store_bad_key(s, key);
	fd = path_parent(s, key, &name);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return DFS_OK;
	if (fd < 0)
		return store_error(s, errno, "erasing", key);
	if (unlinkat(fd, name, 0) != 0)
		error = errno;
	path_release(s, fd);
	/* EISDIR: the key names a folder, so there is no such object. */
	if (error && error != ENOENT && error != EISDIR)
		return store_error(s, error, "erasing", key);
	if (!error)
		dirty_dir(s, key, path_folder(key));
	path_prune(s, key);
	return DFS_OK;
}

/* Erase what lies in the folder path[0..len); path has room for DFS_KEY_MAX + 257 bytes.  The depth
 * is bounded by the length of a path. */
static int
empty_folder(struct store *s, char *path, uint32_t len)
{
	int fd = path_open(s, path, O_RDONLY | O_DIRECTORY), error = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
	dir = fdopendir(fd);
	if (!dir) {
		error = errno;
		close(fd);
		return error;
	}
	while (!error && (errno = 0, e = readdir(dir))) {
		uint32_t name_len = (uint32_t)strlen(e->d_name);

		/* Nothing of ours begins with a dot, and what is longer than a key is none of ours.
		 */
		if (e->d_name[0] == '.' || len + 1 + name_len > DFS_KEY_MAX)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR) {
			error = errno;
			continue;
		}
		path[len] = '/';
		memcpy(path + len + 1, e->d_name, name_len + 1);
		error = empty_folder(s, path, len + 1 + name_len);
		path[len] = '\0';
	}
	if (!error)
		error = errno;
	closedir(dir);
	dirty_dir(s, path, len);
	if (!error) {
		/* As if an object in it had been erased: the folder goes unless a put was quicker.
		 */
		strcpy(path + len, "/x");
		path_prune(s, path);
		path[len] = '\0';
	}
	return error;
}

enum dfs_status
store_erase_prefix(void *inst, const char *prefix)
{
	struct store *s = inst;
	char path[DFS_KEY_MAX + 257];
	uint32_t len = (uint32_t)strnlen(prefix, DFS_KEY_MAX + 1);
	int error;

	if (len == 0 || !dfs_key_prefix(prefix) || prefix[len - 1] != '/')
		return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" is no prefix to erase",
				     prefix);
	memcpy(path, prefix, len - 1);
	path[len - 1] = '\0';
	error = empty_folder(s, path, len - 1);
	return error ? store_error(s, error, "erasing all of", prefix) : DFS_OK;
}
