/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/container.h"
#include "base/log.h"
#include "payload/flush/strategy.h"
#include "payload/key.h"
#include "payload/offload/upload.h"
#include "payload/store.h"

/* A put or an erase. */
struct dfs_put {
	struct dfs_transfer t;
	char key[DFS_KEY_MAX + 1];
	uint64_t seq;
	uint64_t length;           /* 0: erase */
	struct dfs_detour *detour; /* NULL: none */
	uint32_t n;
	struct dfs_span spans[];
};

static struct dfs_put *
put_of(struct dfs_transfer *t)
{
	return DFS_CONTAINER_OF(t, struct dfs_put, t);
}

static void
put_free(struct dfs_transfer *t)
{
	struct dfs_put *put = put_of(t);

	for (uint32_t i = 0; i < put->n; i++)
		dfs_buf_unref(put->spans[i].buf);
	dfs_detour_unref(put->detour);
	free(put);
}

static enum dfs_status
put_call(struct dfs_transfer *t)
{
	struct dfs_put *put = put_of(t);
	struct dfs_block_store *store = t->offload->store;
	enum dfs_status st;
	bool left;

	if (put->length == 0)
		return dfs_block_erase_direct(store, NULL, put->key);
	st = dfs_detour_put(put->detour, store, NULL, put->key, put->spans, put->n, &put->seq);
	if (st != DFS_OK)
		return st;
	t->bytes = put->length;
	dfs_offload_lock(t->offload);
	left = t->left;
	t->returned = true;
	dfs_offload_unlock(t->offload);
	if (left)
		dfs_block_erase_direct(store, NULL, put->key);
	return DFS_OK;
}

/* Keep bytes that lie in no buffer. */
static bool
keep(struct dfs_span *to, const struct dfs_span *from)
{
	*to = *from;
	if (from->buf) {
		dfs_buf_ref(from->buf);
		return true;
	}
	to->buf = dfs_buf_alloc((uint32_t)from->len);
	if (!to->buf)
		return false;
	memcpy(to->buf->data, from->data, from->len);
	to->data = to->buf->data;
	return true;
}

static struct dfs_put *
put_new(struct dfs_offload *o, enum dfs_entry_class class, const char *key,
	struct dfs_detour *detour, const struct dfs_span *spans, uint32_t n)
{
	uint64_t staged = dfs_detour_staged(detour);
	struct dfs_put *put;

	if (staged > 0)
		n = 0;
	put = malloc(sizeof *put + n * sizeof put->spans[0]);
	if (!put)
		return NULL;
	put->seq = 0;
	put->length = staged;
	put->n = 0;
	while (put->n < n && keep(&put->spans[put->n], &spans[put->n]))
		put->length += spans[put->n++].len;
	if (put->n < n || strlen(key) > DFS_KEY_MAX) {
		while (put->n > 0)
			dfs_buf_unref(put->spans[--put->n].buf);
		free(put);
		return NULL;
	}
	strcpy(put->key, key);
	put->detour = dfs_detour_ref(detour);
	dfs_transfer_init(&put->t, o, class);
	put->t.call = put_call;
	put->t.free = put_free;
	return put;
}

void
dfs_upload_init(struct dfs_upload *u, struct dfs_offload *o, const struct dfs_content_id *content,
		int64_t deadline)
{
	u->offload = o;
	u->content = *content;
	u->deadline = deadline || !o ? deadline : dfs_clock_mono() + o->times.upload;
	u->per_file = 0;
	u->n = 0;
}

enum dfs_status
dfs_upload_add(struct dfs_upload *u, enum dfs_entry_class class, const char *key,
	       struct dfs_detour *detour, const struct dfs_span *spans, uint32_t n)
{
	struct dfs_put *put = put_new(u->offload, class, key, detour, spans, n);
	enum dfs_status st;

	if (!put)
		return dfs_fail(DFS_DELAY, "block store %s: no memory for a transfer",
				u->offload->store->name);
	put->t.entry.per_file = u->per_file;
	st = dfs_transfer_start(&put->t, &u->content);
	if (st != DFS_OK) {
		dfs_transfer_unref(&put->t);
		return st;
	}
	u->puts[u->n++] = put;
	return DFS_OK;
}

/* The same once more. */
static enum dfs_status
put_again(struct dfs_upload *u, struct dfs_put **put)
{
	struct dfs_put *old = *put;

	*put = put_new(u->offload, old->t.entry.class, old->key, old->detour, old->spans, old->n);
	dfs_transfer_unref(&old->t);
	if (!*put)
		return DFS_DELAY;
	(*put)->t.entry.per_file = u->per_file;
	return dfs_transfer_start(&(*put)->t, &u->content);
}

enum dfs_status
dfs_upload_wait(struct dfs_upload *u, uint32_t i, uint64_t *seq)
{
	struct dfs_offload *o = u->offload;
	struct dfs_put *put = u->puts[i];
	enum dfs_status st = DFS_OK;
	unsigned tries = 1;

	u->puts[i] = NULL;
	for (;; tries++) {
		if (st == DFS_OK)
			st = dfs_transfer_wait(&put->t, u->deadline, o->times.upload);
		/* One that still runs has had its time, and may succeed: not beside a second. */
		if (st == DFS_OK || put->t.left || !dfs_offload_again(o, st, tries, u->deadline))
			break;
		st = put_again(u, &put);
		if (!put)
			return dfs_fail(DFS_DELAY, "block store %s: no memory for a transfer",
					o->store->name);
	}
	if (st == DFS_OK) {
		if (seq && *seq < put->seq)
			*seq = put->seq;
		dfs_offload_good(o, tries > 1);
	}
	dfs_transfer_unref(&put->t);
	return dfs_offload_status(st);
}

enum dfs_status
dfs_offload_erase(struct dfs_offload *o, const struct dfs_ctx *ctx, const char *key)
{
	struct dfs_content_id id = dfs_offload_flow(key);
	struct dfs_upload u;
	enum dfs_status st;

	dfs_upload_init(&u, o, &id, ctx ? ctx->deadline : 0);
	st = dfs_upload_add(&u, DFS_COMPACT, key, NULL, NULL, 0);
	return st == DFS_OK ? dfs_upload_wait(&u, 0, NULL) : st;
}

void
dfs_offload_erase_later(struct dfs_offload *o, const struct dfs_content_id *content,
			const char *key)
{
	struct dfs_put *put = put_new(o, DFS_COMPACT, key, NULL, NULL, 0);

	if (!put)
		return;
	dfs_transfer_start(&put->t, content);
	dfs_transfer_unref(&put->t);
}
