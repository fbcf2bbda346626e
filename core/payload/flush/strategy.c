/* SPDX-License-Identifier: MIT */
#include "payload/flush/strategy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cond.h"
#include "base/container.h"
#include "base/crc32c.h"
#include "base/failpoint.h"
#include "base/iov.h"
#include "base/log.h"
#include "payload/file.h"

#define FOLDER "___flushed"
#define TEMP_PREFIX "___temp"
#define THRESHOLD (8u << 20)
#define SPANS_AT_ONCE 64

struct dfs_detour {
	_Atomic uint32_t refs;
	int fd;          /* of the local file; -1: the detour is a temporary key */
	uint32_t length; /* of the file */
	uint32_t crc;
	char name[]; /* the file's path, or the key */
};

/* ---- a share's ---- */

bool
dfs_strategy_init(struct dfs_payload *payload, const struct dfs_flush_options *o)
{
	struct dfs_strategy *s = &payload->strategy;

	s->kind = o->strategy;
	s->threshold = o->size_threshold ? o->size_threshold : THRESHOLD;
	s->concurrency = o->upload_concurrency;
	snprintf(s->temp, sizeof s->temp, "%s/%s/", payload->prefix,
		 o->temp_prefix ? o->temp_prefix : TEMP_PREFIX);
	for (unsigned i = 0; i < sizeof payload->uuid; i++)
		snprintf(s->label + 2 * i, 3, "%02x", payload->uuid[i]);
	strcpy(s->label + 32, "-");
	pthread_mutex_init(&s->mu, NULL);
	dfs_cond_init(&s->ended);
	return !o->local_dir || asprintf(&s->folder, "%s/" FOLDER, o->local_dir) > 0;
}

void
dfs_strategy_destroy(struct dfs_payload *payload)
{
	struct dfs_strategy *s = &payload->strategy;

	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->mu);
	free(s->folder);
}

static enum dfs_status
make_folder(const struct dfs_payload *payload)
{
	const char *folder = payload->strategy.folder;
	char parent[strlen(folder) + 1];

	strcpy(parent, folder);
	*strrchr(parent, '/') = '\0';
	if ((mkdir(parent, 0700) != 0 && errno != EEXIST) ||
	    (mkdir(folder, 0700) != 0 && errno != EEXIST))
		return dfs_fail(DFS_IO,
				"share %s: the folder %s of local_temp_dir cannot be made: %s",
				payload->prefix, folder, strerror(errno));
	return DFS_OK;
}

/* Files of the last run: the log, or the client, still has what is in them. */
static void
remove_files(const struct dfs_strategy *s)
{
	DIR *dir = opendir(s->folder);
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, s->label, strlen(s->label)) == 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

/* One of this run may go too: its put then finds no origin to copy, and does without. */
static void
erase_objects(struct dfs_task *task)
{
	struct dfs_strategy *s = DFS_CONTAINER_OF(task, struct dfs_strategy, task);
	struct dfs_payload *payload = DFS_CONTAINER_OF(s, struct dfs_payload, strategy);
	enum dfs_status st = dfs_block_erase_prefix(payload->blocks, s->temp);

	if (st != DFS_OK)
		dfs_log(DFS_LOG_WARN,
			"share %s: temporary objects of an earlier run, below %s, may be left: %s: "
			"%s",
			payload->prefix, s->temp, dfs_status_name(st), dfs_fail_text());
	pthread_mutex_lock(&s->mu);
	s->cleaning = false;
	pthread_cond_broadcast(&s->ended);
	pthread_mutex_unlock(&s->mu);
}

enum dfs_status
dfs_strategy_start(struct dfs_payload *payload)
{
	struct dfs_strategy *s = &payload->strategy;
	bool local = s->kind == DFS_STRATEGY_LOCAL || s->kind == DFS_STRATEGY_HYBRID;
	enum dfs_status st;

	if (local && !s->folder)
		return dfs_fail(DFS_CONFIG, "share %s: its flush_strategy wants a local_temp_dir",
				payload->prefix);
	if (local && (st = make_folder(payload)) != DFS_OK)
		return st;
	if (s->folder)
		remove_files(s);
	if (!payload->blocks->ops.copy || !payload->blocks->lane)
		return DFS_OK;
	s->task.run = erase_objects;
	s->cleaning = true;
	if (!dfs_lane_submit(payload->blocks->lane, &s->task))
		s->cleaning = false;
	return DFS_OK;
}

bool
dfs_strategy_stop(struct dfs_payload *payload, int64_t deadline)
{
	struct dfs_strategy *s = &payload->strategy;
	bool ended;

	pthread_mutex_lock(&s->mu);
	while (s->cleaning && dfs_cond_until(&s->ended, &s->mu, deadline))
		;
	ended = !s->cleaning;
	pthread_mutex_unlock(&s->mu);
	return ended;
}

/* ---- a put's ---- */

static struct dfs_detour *
detour_new(const char *first, const char *second, uint64_t version)
{
	size_t size = strlen(first) + strlen(second) + 18;
	struct dfs_detour *d = malloc(sizeof *d + size);

	if (!d)
		return NULL;
	atomic_init(&d->refs, 1);
	d->fd = -1;
	d->length = d->crc = 0;
	snprintf(d->name, size, "%s%s%016llx", first, second, (unsigned long long)version);
	return d;
}

struct dfs_detour *
dfs_detour_ref(struct dfs_detour *d)
{
	if (d)
		atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void
dfs_detour_unref(struct dfs_detour *d)
{
	if (!d || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (d->fd >= 0) {
		unlink(d->name);
		close(d->fd);
	}
	free(d);
}

uint64_t
dfs_detour_staged(const struct dfs_detour *d)
{
	return d ? d->length : 0;
}

static bool
write_all(int fd, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, v, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		dfs_iov_advance(&v, &n, (size_t)done);
	}
	return true;
}

/* Not synced: until the object is named the bytes are where they were before, too. */
static bool
write_file(struct dfs_detour *d, const struct dfs_span *spans, uint32_t n)
{
	d->fd = open(d->name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->fd < 0)
		return false;
	for (uint32_t i = 0; i < n; i += SPANS_AT_ONCE) {
		uint32_t count = n - i < SPANS_AT_ONCE ? n - i : SPANS_AT_ONCE;
		struct iovec iov[SPANS_AT_ONCE];

		for (uint32_t k = 0; k < count; k++) {
			const struct dfs_span *span = &spans[i + k];

			iov[k] = (struct iovec){(void *)span->data, span->len};
			d->crc = dfs_crc32c(d->crc, span->data, span->len);
			d->length += (uint32_t)span->len;
		}
		if (!write_all(d->fd, iov, (int)count))
			return false;
	}
	return true;
}

static struct dfs_detour *
begin_local(struct dfs_payload *payload, uint64_t version, const struct dfs_span *spans, uint32_t n)
{
	struct dfs_strategy *s = &payload->strategy;
	char first[strlen(s->folder) + 2];
	struct dfs_detour *d;

	snprintf(first, sizeof first, "%s/", s->folder);
	d = detour_new(first, s->label, version);
	if (d && write_file(d, spans, n)) {
		atomic_store(&s->failed, false);
		DFS_FAILPOINT("local-written");
		return d;
	}
	if (!atomic_exchange(&s->failed, true))
		dfs_log(DFS_LOG_WARN,
			"share %s: %s cannot be written: %s: objects go out of memory",
			payload->prefix, s->folder, strerror(errno));
	dfs_detour_unref(d);
	return NULL;
}

enum dfs_status
dfs_detour_begin(struct dfs_payload *payload, const struct dfs_ctx *ctx,
		 enum dfs_flush_strategy how, uint64_t version, const struct dfs_span *spans,
		 uint32_t n, struct dfs_detour **detour)
{
	*detour = NULL;
	if (how == DFS_STRATEGY_LOCAL && ctx->nonblock)
		return DFS_AGAIN;
	if (how == DFS_STRATEGY_LOCAL)
		*detour = begin_local(payload, version, spans, n);
	else if (how == DFS_STRATEGY_DIRECT && payload->blocks->ops.copy)
		*detour = detour_new(payload->strategy.temp, "", version);
	return DFS_OK;
}

static enum dfs_status
put_file(struct dfs_detour *d, struct dfs_block_store *store, const char *key, uint64_t *seq)
{
	struct dfs_buf *buf = dfs_buf_alloc(d->length);
	struct dfs_span span;
	enum dfs_status st;
	uint32_t done = 0;

	if (!buf)
		return dfs_fail(DFS_DELAY, "no memory to read %s", d->name);
	while (done < d->length) {
		ssize_t got = pread(d->fd, buf->data + done, d->length - done, done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (uint32_t)got;
	}
	span = (struct dfs_span){buf->data, d->length, buf};
	if (done < d->length || dfs_crc32c(0, buf->data, done) != d->crc)
		st = dfs_fail(DFS_IO, "%s is not what was written to it", d->name);
	else
		st = dfs_block_put_direct(store, NULL, key, &span, 1, seq);
	dfs_buf_unref(buf);
	return st;
}

static enum dfs_status
put_temporary(struct dfs_detour *d, struct dfs_block_store *store, const struct dfs_ctx *ctx,
	      const char *key, const struct dfs_span *spans, uint32_t n, uint64_t *seq)
{
	enum dfs_status st = dfs_block_put_direct(store, ctx, d->name, spans, n, NULL);
	char text[512]; /* of the copy's failure, which is the one to tell of */

	if (st != DFS_OK)
		return st;
	DFS_FAILPOINT("temporary-put");
	st = dfs_block_copy_direct(store, ctx, d->name, key, seq);
	if (st == DFS_NOTSUP || st == DFS_NOENT)
		st = dfs_block_put_direct(store, ctx, key, spans, n, seq);
	DFS_FAILPOINT("temporary-copied");
	snprintf(text, sizeof text, "%s", dfs_fail_text());
	dfs_block_erase_direct(store, ctx, d->name); /* or else the next start does */
	return st == DFS_OK ? DFS_OK : dfs_fail(st, "%s", text);
}

enum dfs_status
dfs_detour_put(struct dfs_detour *d, struct dfs_block_store *store, const struct dfs_ctx *ctx,
	       const char *key, const struct dfs_span *spans, uint32_t n, uint64_t *seq)
{
	if (!d)
		return dfs_block_put_direct(store, ctx, key, spans, n, seq);
	return d->fd >= 0 ? put_file(d, store, key, seq)
			  : put_temporary(d, store, ctx, key, spans, n, seq);
}
