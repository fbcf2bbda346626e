/* SPDX-License-Identifier: MIT
 *
 * Reading what lies in LevelDB, through the snapshot that a transaction's view holds.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct iter {
	struct store *store;
	leveldb_iterator_t *it;
};

enum dfs_status
leveldb_failed(struct store *s, const char *what, char *error)
{
	enum dfs_status st = strstr(error, "orruption") ? DFS_CORRUPT : DFS_IO;

	s->okv.host->fail(s->okv.host->ctx, st, "%s: %s: %s", s->path, what, error);
	leveldb_free(error);
	return st;
}

struct view *
view_new(struct store *s)
{
	struct view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->base.refs = 1;
	v->snapshot = leveldb_create_snapshot(s->db);
	v->read = leveldb_readoptions_create();
	leveldb_readoptions_set_snapshot(v->read, v->snapshot);
	leveldb_readoptions_set_verify_checksums(v->read, 1);
	return v;
}

static void
view_free(struct store *s, struct view *v)
{
	leveldb_readoptions_destroy(v->read);
	leveldb_release_snapshot(s->db, v->snapshot);
	free(v);
}

void
view_release_dropped(struct store *s)
{
	struct view *v;

	lock_take(&s->dropped_lock);
	v = s->dropped;
	s->dropped = NULL;
	lock_release(&s->dropped_lock);
	while (v) {
		struct view *next = v->next;

		view_free(s, v);
		v = next;
	}
}

static void
base_drop(void *base, struct base_view *view, bool nonblock)
{
	struct store *s = base;
	struct view *v = (struct view *)view;

	if (!nonblock) {
		view_free(s, v);
		return;
	}
	/* Releasing takes LevelDB's mutex, which an event loop must not wait for. */
	lock_take(&s->dropped_lock);
	v->next = s->dropped;
	s->dropped = v;
	lock_release(&s->dropped_lock);
}

static enum dfs_status
base_get(void *base, struct base_view *view, const void *key, uint32_t key_len, dfs_okv_fn fn,
	 void *arg)
{
	struct store *s = base;
	char *error = NULL, *value;
	size_t len = 0;

	value = leveldb_get(s->db, ((struct view *)view)->read, key, key_len, &len, &error);
	if (error)
		return leveldb_failed(s, "cannot read", error);
	if (!value)
		return DFS_NOENT;
	if (len > DFS_OKV_VALUE_MAX) {
		leveldb_free(value);
		return s->okv.host->fail(s->okv.host->ctx, DFS_CORRUPT,
					 "%s: a record has %zu bytes", s->path, len);
	}
	fn(arg, key, key_len, value, (uint32_t)len);
	leveldb_free(value);
	return DFS_OK;
}

static enum dfs_status
base_open(void *base, struct base_view *view, const void *key, uint32_t key_len, void **out)
{
	struct store *s = base;
	struct iter *iter = malloc(sizeof(*iter));

	if (!iter)
		return DFS_NOMEM;
	iter->store = s;
	iter->it = leveldb_create_iterator(s->db, ((struct view *)view)->read);
	leveldb_iter_seek(iter->it, key, key_len);
	*out = iter;
	return DFS_OK;
}

static int
base_at(void *arg, const void **key, uint32_t *key_len, const void **value, uint32_t *value_len,
	enum dfs_status *status)
{
	struct iter *iter = arg;
	struct store *s = iter->store;
	size_t klen, vlen;
	char *error = NULL;

	if (!leveldb_iter_valid(iter->it)) {
		leveldb_iter_get_error(iter->it, &error);
		if (!error)
			return 0;
		*status = leveldb_failed(s, "cannot scan", error);
		return -1;
	}
	*key = leveldb_iter_key(iter->it, &klen);
	*value = leveldb_iter_value(iter->it, &vlen);
	if (klen > DFS_OKV_KEY_MAX || vlen > DFS_OKV_VALUE_MAX) {
		*status =
			s->okv.host->fail(s->okv.host->ctx, DFS_CORRUPT,
					  "%s: a record has a key of %zu and a value of %zu bytes",
					  s->path, klen, vlen);
		return -1;
	}
	*key_len = (uint32_t)klen;
	*value_len = (uint32_t)vlen;
	return 1;
}

static void
base_next(void *arg)
{
	leveldb_iter_next(((struct iter *)arg)->it);
}

static void
base_close(void *arg)
{
	struct iter *iter = arg;

	leveldb_iter_destroy(iter->it);
	free(iter);
}

const struct base_ops leveldb_base_ops = {
	.get = base_get,
	.open = base_open,
	.at = base_at,
	.next = base_next,
	.close = base_close,
	.drop = base_drop,
};
