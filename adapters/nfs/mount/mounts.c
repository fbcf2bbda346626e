/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/mount/mounts.h"

struct row {
	struct row *next;
	char host[INET6_ADDRSTRLEN];
	char path[NFS_MOUNTS_PATH_MAX];
};

struct nfs_mounts {
	pthread_mutex_t mu;
	struct row *head, **tail; /* guarded by mu, oldest first */
	uint32_t n;               /* guarded by mu */
};

struct nfs_mounts *
nfs_mounts_new(void)
{
	struct nfs_mounts *mounts = calloc(1, sizeof *mounts);

	if (!mounts)
		return NULL;
	pthread_mutex_init(&mounts->mu, NULL);
	mounts->tail = &mounts->head;
	return mounts;
}

/* Drop the rows of the host; path NULL: all.  limit: how many at most. */
static void
drop_locked(struct nfs_mounts *mounts, const char *host, const char *path, uint32_t limit)
{
	struct row **at = &mounts->head;

	while (*at && limit) {
		struct row *row = *at;
		if ((host && strcmp(row->host, host) != 0) ||
		    (path && strcmp(row->path, path) != 0)) {
			at = &row->next;
			continue;
		}
		*at = row->next;
		if (!row->next)
			mounts->tail = at;
		free(row);
		mounts->n--;
		limit--;
	}
}

void
nfs_mounts_free(struct nfs_mounts *mounts)
{
	if (!mounts)
		return;
	drop_locked(mounts, NULL, NULL, UINT32_MAX);
	pthread_mutex_destroy(&mounts->mu);
	free(mounts);
}

static void
cut_copy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

void
nfs_mounts_add(struct nfs_mounts *mounts, const char *host, const char *path)
{
	struct row *row = malloc(sizeof *row);

	if (!row)
		return;
	row->next = NULL;
	cut_copy(row->host, host, sizeof row->host);
	cut_copy(row->path, path, sizeof row->path);
	pthread_mutex_lock(&mounts->mu);
	drop_locked(mounts, row->host, row->path, 1);
	if (mounts->n == NFS_MOUNTS_MAX)
		drop_locked(mounts, NULL, NULL, 1);
	*mounts->tail = row;
	mounts->tail = &row->next;
	mounts->n++;
	pthread_mutex_unlock(&mounts->mu);
}

void
nfs_mounts_remove(struct nfs_mounts *mounts, const char *host, const char *path)
{
	char cut[NFS_MOUNTS_PATH_MAX];

	cut_copy(cut, path, sizeof cut);
	pthread_mutex_lock(&mounts->mu);
	drop_locked(mounts, host, cut, 1);
	pthread_mutex_unlock(&mounts->mu);
}

void
nfs_mounts_remove_all(struct nfs_mounts *mounts, const char *host)
{
	pthread_mutex_lock(&mounts->mu);
	drop_locked(mounts, host, NULL, UINT32_MAX);
	pthread_mutex_unlock(&mounts->mu);
}

void
nfs_mounts_each(struct nfs_mounts *mounts,
		bool (*fn)(void *arg, const char *host, const char *path), void *arg)
{
	pthread_mutex_lock(&mounts->mu);
	for (struct row *row = mounts->head; row; row = row->next)
		if (!fn(arg, row->host, row->path))
			break;
	pthread_mutex_unlock(&mounts->mu);
}
