/* SPDX-License-Identifier: MIT
 *
 * Block store "rot13": an example for authors of block stores.
 *
 * The contract is in <dittofs/block_store.h>; this file shows each of its operations in the
 * simplest form that is right.  Objects lie in one array, sorted by key, behind one lock.  That
 * makes put slow in a store of millions of objects, and everything else easy to see.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <dittofs/block_check.h> /* checks keys and spans for us */
#include <dittofs/block_store.h>

/* ---- configuration ----
 *
 * The core fills this struct from the table below it: it has checked types and ranges, refused
 * unknown keys, and put the defaults in. */
struct rot13_config {
	uint64_t size;
	int64_t places;
};

static const struct dfs_config_item config_table[] = {
	{"size", DFS_CONFIG_SIZE, 0, offsetof(struct rot13_config, size), 1 << 20, INT64_MAX, "1G",
	 NULL, "Bytes that the objects may hold together."},
	{"places", DFS_CONFIG_INT, 0, offsetof(struct rot13_config, places), 0, 25, "13", NULL,
	 "Places by which letters are rotated."},
	{NULL, DFS_CONFIG_END, 0, 0, 0, 0, NULL, NULL, NULL},
};

/* ---- the instance ----
 *
 * All state hangs here: a server may open any number of instances, so there are no globals. */
struct object {
	char *key;
	unsigned char *bytes;
	uint32_t length;
};

struct rot13 {
	const struct dfs_host *host; /* outlives the instance */
	uint64_t size;
	int places;
	pthread_mutex_t mu;      /* guards all below */
	struct object **objects; /* sorted by key */
	size_t n, room;
	uint64_t used;
};

/* Explaining a failure: the status decides what happens, the sentence is for people. */
#define FAIL(r, status, ...) (r)->host->fail((r)->host->ctx, status, __VA_ARGS__)

static enum dfs_status
rot13_create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	const struct rot13_config *c = config; /* freed after this call: copy what is needed */
	struct rot13 *r = calloc(1, sizeof *r);

	if (!r) {
		strcpy(diag->text, "out of memory");
		return DFS_NOMEM;
	}
	r->host = host;
	r->size = c->size;
	r->places = (int)c->places;
	pthread_mutex_init(&r->mu, NULL);
	*inst = r;
	return DFS_OK;
}

static void
object_free(struct object *o)
{
	free(o->key);
	free(o->bytes);
	free(o);
}

/* The core has stopped calling; nothing runs any more. */
static void
rot13_destroy(void *inst)
{
	struct rot13 *r = inst;

	for (size_t i = 0; i < r->n; i++)
		object_free(r->objects[i]);
	free(r->objects);
	pthread_mutex_destroy(&r->mu);
	free(r);
}

static void
rotate(unsigned char *to, const unsigned char *from, uint64_t len, int places)
{
	for (uint64_t i = 0; i < len; i++) {
		unsigned char c = from[i];

		if (c >= 'a' && c <= 'z')
			c = (unsigned char)('a' + (c - 'a' + places) % 26);
		else if (c >= 'A' && c <= 'Z')
			c = (unsigned char)('A' + (c - 'A' + places) % 26);
		to[i] = c;
	}
}

/* The first object whose key is not below the given one. */
static size_t
lower_bound_locked(const struct rot13 *r, const char *key)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(r->objects[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct object *
find_locked(const struct rot13 *r, const char *key)
{
	size_t i = lower_bound_locked(r, key);

	return i < r->n && strcmp(r->objects[i]->key, key) == 0 ? r->objects[i] : NULL;
}

static void
remove_locked(struct rot13 *r, size_t i)
{
	r->used -= r->objects[i]->length;
	object_free(r->objects[i]);
	memmove(&r->objects[i], &r->objects[i + 1], (--r->n - i) * sizeof r->objects[0]);
}

/* ---- operations ---- */

static struct object *
object_new(const char *key, const struct dfs_span *spans, uint32_t n, uint64_t length, int places)
{
	struct object *o = calloc(1, sizeof *o);
	unsigned char *to;

	if (!o)
		return NULL;
	o->key = strdup(key);
	o->bytes = to = malloc(length);
	o->length = (uint32_t)length;
	if (!o->key || !o->bytes) {
		object_free(o);
		return NULL;
	}
	/* The spans are borrowed for the call.  A span with a dfs_buf could be kept by reference
	 * (host->buf_ref) instead of copied; these bytes are changed, so they are copied. */
	for (uint32_t i = 0; i < n; i++) {
		rotate(to, spans[i].data, spans[i].len, places);
		to += spans[i].len;
	}
	return o;
}

static enum dfs_status
insert_locked(struct rot13 *r, struct object *o)
{
	size_t i = lower_bound_locked(r, o->key);
	int replaces = i < r->n && strcmp(r->objects[i]->key, o->key) == 0;
	uint64_t used = r->used - (replaces ? r->objects[i]->length : 0);

	if (o->length > r->size - used)
		return FAIL(r, DFS_NOSPC, "the store's size of %llu bytes is reached",
			    (unsigned long long)r->size);
	if (replaces) {
		remove_locked(r, i);
	} else if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct object **more = realloc(r->objects, room * sizeof *more);

		if (!more)
			return FAIL(r, DFS_NOSPC, "out of memory");
		r->objects = more;
		r->room = room;
	}
	memmove(&r->objects[i + 1], &r->objects[i], (r->n++ - i) * sizeof r->objects[0]);
	r->objects[i] = o;
	r->used += o->length;
	return DFS_OK;
}

/* Whole or not at all: the object is complete before anybody can see it. */
static enum dfs_status
rot13_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	struct rot13 *r = inst;
	struct object *o;
	uint64_t length;
	enum dfs_status st;

	(void)flags; /* DFS_NONBLOCK is never set for the thread model BLOCKING, see the end */
	if (dfs_key_length(key) == 0)
		return FAIL(r, DFS_INVAL, "\"%.100s\" is no key", key);
	st = dfs_spans_check(spans, n, &length);
	if (st != DFS_OK)
		return FAIL(r, st, "the object %s has no or too many bytes or spans", key);
	o = object_new(key, spans, n, length, r->places);
	if (!o)
		return FAIL(r, DFS_NOSPC, "out of memory");
	pthread_mutex_lock(&r->mu);
	st = insert_locked(r, o);
	pthread_mutex_unlock(&r->mu);
	if (st != DFS_OK)
		object_free(o);
	return st;
}

/* space() lends room, perhaps less than is left to deliver: fill all of it, then ask again. */
static void
deliver(const struct dfs_sink *sink, const unsigned char *from, uint64_t length, int places)
{
	while (length > 0) {
		uint64_t len = 0;
		unsigned char *to = sink->space(sink->ctx, &len);

		if (len > length)
			len = length;
		rotate(to, from, len, 26 - places);
		from += len;
		length -= len;
	}
}

static enum dfs_status
rot13_get(void *inst, const char *key, uint64_t offset, uint64_t length,
	  const struct dfs_sink *sink, uint32_t flags)
{
	struct rot13 *r = inst;
	enum dfs_status st = DFS_OK;
	struct object *o;

	(void)flags;
	if (dfs_key_length(key) == 0)
		return FAIL(r, DFS_INVAL, "\"%.100s\" is no key", key);
	pthread_mutex_lock(&r->mu);
	o = find_locked(r, key);
	if (!o)
		st = FAIL(r, DFS_NOENT, "there is no object %s", key);
	else if (offset > o->length || length > o->length - offset) /* no sum that could wrap */
		st = FAIL(r, DFS_INVAL, "the range lies beyond the end of %s", key);
	else
		deliver(sink, o->bytes + offset, length, r->places);
	pthread_mutex_unlock(&r->mu);
	return st;
}

static enum dfs_status
rot13_head(void *inst, const char *key, uint64_t *length, uint32_t flags)
{
	struct rot13 *r = inst;
	struct object *o;

	(void)flags;
	if (dfs_key_length(key) == 0)
		return FAIL(r, DFS_INVAL, "\"%.100s\" is no key", key);
	pthread_mutex_lock(&r->mu);
	o = find_locked(r, key);
	if (o)
		*length = o->length;
	pthread_mutex_unlock(&r->mu);
	return o ? DFS_OK : FAIL(r, DFS_NOENT, "there is no object %s", key);
}

static enum dfs_status
rot13_erase(void *inst, const char *key, uint32_t flags)
{
	struct rot13 *r = inst;
	size_t i;

	(void)flags;
	if (dfs_key_length(key) == 0)
		return FAIL(r, DFS_INVAL, "\"%.100s\" is no key", key);
	pthread_mutex_lock(&r->mu);
	i = lower_bound_locked(r, key);
	if (i < r->n && strcmp(r->objects[i]->key, key) == 0)
		remove_locked(r, i);
	pthread_mutex_unlock(&r->mu);
	return DFS_OK; /* what is absent is erased */
}

static enum dfs_status
rot13_erase_prefix(void *inst, const char *prefix)
{
	struct rot13 *r = inst;
	size_t i, len = strlen(prefix);

	if (len == 0 || !dfs_key_prefix(prefix) || prefix[len - 1] != '/')
		return FAIL(r, DFS_INVAL, "\"%.100s\" is no prefix to erase", prefix);
	pthread_mutex_lock(&r->mu);
	i = lower_bound_locked(r, prefix);
	while (i < r->n && strncmp(r->objects[i]->key, prefix, len) == 0)
		remove_locked(r, i);
	pthread_mutex_unlock(&r->mu);
	return DFS_OK;
}

/* The first key that begins with prefix and sorts after `after`; 0: none. */
static int
next_key(struct rot13 *r, const char *prefix, const char *after, char *key, uint64_t *length)
{
	size_t i;
	int found;

	pthread_mutex_lock(&r->mu);
	i = lower_bound_locked(r, strcmp(after, prefix) > 0 ? after : prefix);
	if (i < r->n && strcmp(r->objects[i]->key, after) == 0)
		i++;
	found = i < r->n && strncmp(r->objects[i]->key, prefix, strlen(prefix)) == 0;
	if (found) {
		strcpy(key, r->objects[i]->key);
		*length = r->objects[i]->length;
	}
	pthread_mutex_unlock(&r->mu);
	return found;
}

/* fn may call back into the store, so it is called without the lock: each step begins anew. */
static enum dfs_status
rot13_list(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct rot13 *r = inst;
	char key[DFS_KEY_MAX + 1];
	uint64_t length;

	if (!dfs_key_prefix(prefix))
		return FAIL(r, DFS_INVAL, "\"%.100s\" begins no key", prefix);
	while (next_key(r, prefix, after, key, &length)) {
		if (!fn(arg, key, length))
			break;
		after = key;
	}
	return DFS_OK;
}

/* Nothing survives the process: the capability VOLATILE says so, and sync is not called. */
static enum dfs_status
rot13_sync(void *inst)
{
	(void)inst;
	return DFS_OK;
}

static enum dfs_status
rot13_stats(void *inst, struct dfs_block_stats *stats)
{
	struct rot13 *r = inst;

	pthread_mutex_lock(&r->mu);
	stats->bytes_total = r->size;
	stats->bytes_used = r->used;
	stats->bytes_free = r->size - r->used;
	stats->objects = r->n;
	pthread_mutex_unlock(&r->mu);
	return DFS_OK;
}

static enum dfs_status
rot13_health(void *inst)
{
	(void)inst;
	return DFS_OK;
}

/* ---- the description ---- */

static const struct dfs_block_ops ops = {
	.size = sizeof ops, /* so that a newer core knows which operations this table has */
	.create = rot13_create,
	.destroy = rot13_destroy,
	.put = rot13_put,
	.get = rot13_get,
	.head = rot13_head,
	.erase = rot13_erase,
	.erase_prefix = rot13_erase_prefix,
	.list = rot13_list,
	.sync = rot13_sync,
	.stats = rot13_stats,
	.health = rot13_health,
};

/* The one symbol that the file exports.  BLOCKING: any threads, but only workers, because rotating
 * 4 MiB takes milliseconds, which an event loop does not have. */
DFS_PLUGIN_DEFINE(block_rot13, .kind = DFS_KIND_BLOCK, .abi_major = DFS_BLOCK_ABI_MAJOR,
		  .abi_minor = DFS_BLOCK_ABI_MINOR, .name = "rot13", .version = "1.0",
		  .summary = "example: objects in memory, letters rotated", .license = "MIT",
		  .thread_model = DFS_THREADS_BLOCKING, .caps = DFS_BLOCK_CAP_VOLATILE,
		  .config = config_table, .config_size = sizeof(struct rot13_config), .ops = &ops);
