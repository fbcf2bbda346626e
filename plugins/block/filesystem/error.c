/* SPDX-License-Identifier: MIT
 *
 * From errno to a status of ours and a sentence for people.
 */
#include <string.h>

#include "store.h"

static const struct {
	int error;
	enum dfs_status status;
	const char *advice;
} table[] = {
	{ENOENT, DFS_NOENT, ""},
	{ENOTDIR, DFS_NOENT, ""},
	{ENOSPC, DFS_NOSPC, "; make room on the file system of the store's folder"},
	{EDQUOT, DFS_NOSPC, "; the server's own quota on that file system is used up"},
	{EROFS, DFS_ROFS, "; the file system is mounted, or was turned, read-only"},
	{ELOOP, DFS_CORRUPT, "; somebody has put a symbolic link into the store's folder"},
	{EMFILE, DFS_IO, "; raise the server's limit of open files"},
	{EACCES, DFS_IO, "; the server's user may not use the store's folder"},
	{EPERM, DFS_IO, "; the server's user may not use the store's folder"},
	{ETIMEDOUT, DFS_TIMEDOUT, ""},
};

enum dfs_status
store_error(struct store *s, int error, const char *what, const char *key)
{
	enum dfs_status status = DFS_IO;
	const char *advice = "";
	char text[128];

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].error == error) {
			status = table[i].status;
			advice = table[i].advice;
		}
	return s->host->fail(s->host->ctx, status, "%s %.300s: %s%s", what, key,
			     strerror_r(error, text, sizeof text), advice);
}

enum dfs_status
store_bad_key(struct store *s, const char *key)
{
	return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" is no object key", key);
}
