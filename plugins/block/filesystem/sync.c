/* SPDX-License-Identifier: MIT
 *
 * Making puts and erases durable, in groups.
 *
 * Since the last sync two lists are kept: descriptors of the objects put, and paths of the folders
 * changed.  A small group is written file by file, a larger one with one syncfs: on ext4 over a
 * virtio disk, files of 4 KiB, milliseconds for the whole group,
 *
 *     files                    1     8    32   128
 *     fdatasync and fsync    0.5   1.0   2.8   7.7    (writes started on all, then waited for)
 *     syncfs                 0.2   0.4   0.7   2.5
 *
 * and alike for 4 MiB.  But syncfs waits for everybody's bytes on that file system: a lone object
 * does not risk that, and a group only while the machine holds little else to write back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "store.h"

#define FILES_MAX 256u /* descriptors that an unsynced group may hold */
#define DIRS_MAX 1024u /* folders; a power of two, half of the hash set's slots */
#define SYNCFS_FROM 4u
/* Bytes of others that are worth waiting for rather than writing file by file. */
#define FOREIGN_MAX (UINT64_C(64) << 20)

/* What is taken out of the store to be synced. */
struct group {
	int files[FILES_MAX];
	uint32_t n_files;
	char *dirs[2 * DIRS_MAX];
	uint32_t n_dirs;
	uint64_t bytes;
	bool overflow;
};

/* syncfs tells of failed writes since Linux 5.8. */
static bool
kernel_reports(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 8));
}

bool
dirty_init(struct dirty *d)
{
	pthread_mutex_init(&d->mu, NULL);
	d->syncfs_reports = kernel_reports();
	d->files = malloc(FILES_MAX * sizeof d->files[0]);
	d->dirs = calloc(2 * DIRS_MAX, sizeof d->dirs[0]);
	return d->files && d->dirs;
}

static void
forget_locked(struct dirty *d)
{
	for (uint32_t i = 0; i < d->n_files; i++)
		close(d->files[i]);
	for (uint32_t i = 0; d->n_dirs > 0 && i < 2 * DIRS_MAX; i++) {
		free(d->dirs[i]);
		d->dirs[i] = NULL;
	}
	d->n_files = d->n_dirs = 0;
}

void
dirty_free(struct dirty *d)
{
	if (d->files && d->dirs)
		forget_locked(d);
	free(d->files);
	free(d->dirs);
	pthread_mutex_destroy(&d->mu);
}

static void
fail_for_good(struct store *s, const char *what, int error)
{
	char text[128];

	if (!atomic_exchange(&s->failed, true))
		s->host->log(
			s->host->ctx, DFS_LOG_ERROR,
			"%s failed: %s; objects put since the last sync may be lost, the store "
			"takes no more until it is reopened",
			what, strerror_r(error, text, sizeof text));
}

/* More than the lists hold: from here syncfs covers it, or, where that tells no errors, each
 * change is synced as it comes. */
static bool
overflow_locked(struct dirty *d)
{
	if (d->syncfs_reports) {
		forget_locked(d);
		d->overflow = true;
	}
	return d->overflow;
}

void
dirty_file(struct store *s, int fd, uint64_t bytes)
{
	struct dirty *d = &s->dirty;
	bool noted = true;

	pthread_mutex_lock(&d->mu);
	d->bytes += bytes;
	if (d->n_files == FILES_MAX)
		overflow_locked(d);
	if (d->overflow)
		close(fd);
	else if (d->n_files < FILES_MAX)
		d->files[d->n_files++] = fd;
	else
		noted = false;
	pthread_mutex_unlock(&d->mu);
	if (noted)
		return;
	if (fdatasync(fd) != 0)
		fail_for_good(s, "fdatasync", errno);
	close(fd);
}

static int
sync_dir(struct store *s, const char *path)
{
	char up[DFS_KEY_MAX + 1];
	int fd, rc, error;

	snprintf(up, sizeof up, "%s", path);
	/* A folder that is gone: the change is its removal, which its parent tells. */
	for (;;) {
		if (up[0] == '\0')
			return fsync(s->base);
		fd = path_open(s, up, O_RDONLY | O_DIRECTORY);
		if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR))
			break;
		up[path_folder(up)] = '\0';
	}
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	error = errno;
	close(fd);
	errno = error;
	return rc;
}

void
dirty_dir(struct store *s, const char *path, uint32_t len)
{
	struct dirty *d = &s->dirty;
	uint32_t hash = 2166136261u, i;
	bool noted = true;
	char *copy;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)path[i]) * 16777619u;
	pthread_mutex_lock(&d->mu);
	for (i = hash & (2 * DIRS_MAX - 1); !d->overflow && d->dirs[i];
	     i = (i + 1) & (2 * DIRS_MAX - 1))
		if (strncmp(d->dirs[i], path, len) == 0 && d->dirs[i][len] == '\0')
			break;
	if (!d->overflow && !d->dirs[i]) {
		copy = d->n_dirs < DIRS_MAX ? strndup(path, len) : NULL;
		if (copy) {
			d->dirs[i] = copy;
			d->n_dirs++;
		} else {
			noted = overflow_locked(d);
		}
	}
	pthread_mutex_unlock(&d->mu);
	if (!noted) {
		char folder[DFS_KEY_MAX + 1];

		snprintf(folder, sizeof folder, "%.*s", (int)len, path);
		if (sync_dir(s, folder) != 0)
			fail_for_good(s, "fsync of a folder", errno);
	}
}

static void
take_group(struct store *s, struct group *g)
{
	struct dirty *d = &s->dirty;

	/* Whoever makes a folder holds tree until its parent is noted, and another's object may
	 * lie in that folder already. */
	pthread_mutex_lock(&s->tree);
	pthread_mutex_lock(&d->mu);
	memcpy(g->files, d->files, d->n_files * sizeof d->files[0]);
	g->n_files = d->n_files;
	memcpy(g->dirs, d->dirs, sizeof g->dirs);
	g->n_dirs = d->n_dirs;
	g->bytes = d->bytes;
	g->overflow = d->overflow;
	if (d->n_dirs > 0)
		memset(d->dirs, 0, sizeof g->dirs);
	d->n_files = d->n_dirs = 0;
	d->bytes = 0;
	d->overflow = false;
	pthread_mutex_unlock(&d->mu);
	pthread_mutex_unlock(&s->tree);
}

static void
free_group(struct group *g)
{
	for (uint32_t i = 0; i < g->n_files; i++)
		close(g->files[i]);
	for (uint32_t i = 0; i < 2 * DIRS_MAX; i++)
		free(g->dirs[i]);
	free(g);
}

/* Whether the machine has little to write back beside our own bytes. */
static bool
quiet(uint64_t own)
{
	unsigned long long dirty = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return false;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "Dirty: %llu kB", &dirty) == 1)
			break;
	fclose(f);
	return dirty << 10 <= own + FOREIGN_MAX;
}

static int
sync_each(struct store *s, const struct group *g, const char **what)
{
	*what = "fdatasync";
	if (g->n_files > 1)
		for (uint32_t i = 0; i < g->n_files; i++)
			sync_file_range(g->files[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	for (uint32_t i = 0; i < g->n_files; i++)
		if (fdatasync(g->files[i]) != 0)
			return -1;
	*what = "fsync of a folder";
	for (uint32_t i = 0; i < 2 * DIRS_MAX; i++)
		if (g->dirs[i] && sync_dir(s, g->dirs[i]) != 0)
			return -1;
	return 0;
}

enum dfs_status
store_sync(void *inst)
{
	struct store *s = inst;
	const char *what = "syncfs";
	struct group *g = calloc(1, sizeof *g);
	int rc;

	if (!g)
		return s->host->fail(s->host->ctx, DFS_IO, "out of memory");
	take_group(s, g);
	if (g->overflow ||
	    (g->n_files >= SYNCFS_FROM && s->dirty.syncfs_reports && quiet(g->bytes)))
		rc = syncfs(s->base);
	else
		rc = sync_each(s, g, &what);
	if (rc != 0)
		fail_for_good(s, what, errno);
	free_group(g);
	/* Linux reports a failed write once and then calls the pages clean: only a new start, with
	 * what the server still knows, can tell what is there. */
	if (atomic_load(&s->failed))
		return s->host->fail(s->host->ctx, DFS_IO,
				     "a sync of the store's folder has failed; reopen the store");
	return DFS_OK;
}
