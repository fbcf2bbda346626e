/* SPDX-License-Identifier: MIT
 *
 * Visiting objects in byte order of their keys.
 *
 * Folders come unsorted and may be large, so each is read in windows: one pass over the folder
 * keeps the lowest WINDOW names above the last one visited.  Memory is a window for each level; the
 * core's layout keeps folders small, so that one pass is the rule.  A folder sorts as its name with
 * '/' behind it: "a-" < "a/b" < "a0".
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#define WINDOW 512u

struct entry {
	uint64_t length; /* of an object */
	char name[];     /* folders end in '/' */
};

struct window {
	uint32_t n;
	bool full; /* there may be more */
	struct entry *entry[WINDOW + 1];
};

struct listing {
	struct store *s;
	const char *prefix, *after;
	dfs_object_fn fn;
	void *arg;
	bool stop;
	int error;
	char path[DFS_KEY_MAX + 2]; /* the folder being read, with its '/'; "" for the base */
};

/* Whether what is called key, or lies below it when it ends in '/', can be wanted. */
static bool
wanted(const struct listing *l, const char *key, uint32_t len)
{
	uint32_t prefix_len = (uint32_t)strlen(l->prefix);
	bool folder = key[len - 1] == '/';
	uint32_t shared = folder && len < prefix_len ? len : prefix_len;

	if (strncmp(key, l->prefix, shared) != 0)
		return false;
	return strcmp(key, l->after) > 0 || (folder && strncmp(key, l->after, len) == 0);
}

/* Insert in order, dropping the highest when there are too many. */
static void
insert(struct window *w, struct entry *e)
{
	uint32_t low = 0, high = w->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (strcmp(w->entry[mid]->name, e->name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	memmove(&w->entry[low + 1], &w->entry[low], (w->n - low) * sizeof w->entry[0]);
	w->entry[low] = e;
	if (++w->n > WINDOW) {
		free(w->entry[--w->n]);
		w->full = true;
	}
}

/* 'd', 'f', or 0 for what is neither or gone. */
static char
kind_of(int fd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR ? 'd' : e->d_type == DT_REG ? 'f' : 0;
	if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	return S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : 0;
}

static bool
consider(struct listing *l, struct window *w, int fd, const struct dirent *d, const char *above)
{
	uint32_t path_len = (uint32_t)strlen(l->path), len = (uint32_t)strlen(d->d_name);
	char name[258], key[DFS_KEY_MAX + 260];
	struct entry *e;
	char kind;

	/* Names that no key can have are none of ours. */
	if (dfs_key_length(d->d_name) != len || path_len + len > DFS_KEY_MAX)
		return true;
	kind = kind_of(fd, d);
	if (!kind)
		return true;
	memcpy(name, d->d_name, len + 1);
	if (kind == 'd') {
		name[len++] = '/';
		name[len] = '\0';
	}
	if (above && strcmp(name, above) <= 0)
		return true;
	if (w->n == WINDOW && strcmp(name, w->entry[w->n - 1]->name) > 0) {
		w->full = true;
		return true;
	}
	memcpy(key, l->path, path_len);
	memcpy(key + path_len, name, len + 1);
	if (!wanted(l, key, path_len + len))
		return true;
	e = malloc(sizeof *e + len + 1);
	if (!e)
		return false;
	e->length = 0;
	memcpy(e->name, name, len + 1);
	insert(w, e);
	return true;
}

/* The lowest names of the folder l->path above the given one, with their objects' lengths. */
static void
fill(struct listing *l, struct window *w, const char *above)
{
	char folder[DFS_KEY_MAX + 2];
	uint32_t path_len = (uint32_t)strlen(l->path);
	struct dirent *d;
	DIR *dir;
	int fd;

	w->n = 0;
	w->full = false;
	memcpy(folder, l->path, path_len + 1);
	if (path_len > 0)
		folder[path_len - 1] = '\0';
	fd = path_len > 0 ? path_open(l->s, folder, O_RDONLY | O_DIRECTORY)
			  : openat(l->s->base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		/* Erased meanwhile, or there is nothing under the prefix. */
		if (errno != ENOENT && errno != ENOTDIR)
			l->error = errno;
		if (fd >= 0)
			close(fd);
		return;
	}
	while (errno = 0, d = readdir(dir))
		if (!consider(l, w, fd, d, above)) {
			errno = ENOMEM;
			break;
		}
	l->error = errno;
	for (uint32_t i = 0; i < w->n && !l->error; i++) {
		struct stat st;

		if (strchr(w->entry[i]->name, '/'))
			continue;
		if (fstatat(fd, w->entry[i]->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			w->entry[i]->length = (uint64_t)st.st_size;
		else if (errno == ENOENT)
			w->entry[i]->length = UINT64_MAX;
		else
			l->error = errno;
	}
	closedir(dir);
}

static void list_folder(struct listing *l);

static void
visit(struct listing *l, const struct entry *e)
{
	uint32_t path_len = (uint32_t)strlen(l->path), len = (uint32_t)strlen(e->name);

	memcpy(l->path + path_len, e->name, len + 1);
	if (e->name[len - 1] == '/')
		list_folder(l);
	else if (e->length != UINT64_MAX)
		l->stop = !l->fn(l->arg, l->path, e->length);
	l->path[path_len] = '\0';
}

/* As deep as a key has parts, at most. */
static void
list_folder(struct listing *l)
{
	struct window *w = malloc(sizeof *w);
	struct entry *last = NULL;

	if (!w) {
		l->error = ENOMEM;
		return;
	}
	do {
		fill(l, w, last ? last->name : NULL);
		free(last);
		last = NULL;
		for (uint32_t i = 0; i < w->n; i++) {
			if (!l->error && !l->stop)
				visit(l, w->entry[i]);
			free(last);
			last = w->entry[i];
		}
	} while (w->full && !l->error && !l->stop);
	free(last);
	free(w);
}

enum dfs_status
store_list(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct store *s = inst;
	struct listing l = {.s = s, .prefix = prefix, .after = after, .fn = fn, .arg = arg};
	uint32_t len;

	if (!dfs_key_prefix(prefix))
		return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" begins no object key",
				     prefix);
	/* Begin in the prefix's own folder: what is beside it need not be read. */
	len = path_folder(prefix);
	if (len > 0) {
		memcpy(l.path, prefix, len + 1);
		l.path[len + 1] = '\0';
	}
	list_folder(&l);
	return l.error ? store_error(s, l.error, "listing", prefix) : DFS_OK;
}
