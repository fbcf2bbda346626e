/* SPDX-License-Identifier: MIT
 *
 * Block store "memory": objects in this process, gone with it.
 *
 * Keys are spread by hash over shards; each shard is an ordered trie behind a mutex that is held
 * for a walk of a few nodes only: making, delivering and freeing objects happens outside.  So every
 * operation runs at memory speed on the event loops, and erasing a deleted file's objects is one
 * cut per shard, whatever else the store holds.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dittofs/block_check.h>

#include "object.h"
#include "trie.h"

/* Few, because erase_prefix visits all; with 0.2 us a walk eight feed dozens of loops. */
#define SHARDS 8u
#define LIST_BATCH 64u
/* What the trie and the allocator add to an object, roughly. */
#define OBJECT_OVERHEAD 64u

struct memory_config {
	uint64_t size;
};

static const struct dfs_config_item config_table[] = {
	{"size", DFS_CONFIG_SIZE, 0, offsetof(struct memory_config, size), 0, INT64_MAX, "0", NULL,
         "Memory that the objects may take, their keys and bookkeeping included; "
         "0 is half of the machine's memory."},
	{0},
};

struct shard {
	pthread_mutex_t mu;
	struct trie trie; /* guarded by mu */
	uint64_t objects; /* guarded by mu; what erase_prefix frees just now still counts */
} __attribute__((aligned(64)));

struct memory {
	const struct dfs_host *host;
	uint64_t limit;
	_Atomic uint64_t used __attribute__((aligned(64)));
	struct shard shard[SHARDS];
};

static struct shard *
shard_of(struct memory *m, const char *key, uint32_t len)
{
	uint64_t h = len, word;

	for (; len >= 8; key += 8, len -= 8) {
		memcpy(&word, key, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, key, len);
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return &m->shard[h >> 61];
}
_Static_assert(SHARDS == 8, "shard_of takes three bits");

static enum dfs_status
bad_key(const struct memory *m, const char *key)
{
	return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" is no object key", key);
}

static void
release(struct memory *m, struct object *o)
{
	atomic_fetch_sub_explicit(&m->used, o->charge + OBJECT_OVERHEAD, memory_order_relaxed);
	object_unref(m->host, o);
}

static void
release_each(void *arg, struct object *o)
{
	release(arg, o);
}

static enum dfs_status
create(const struct dfs_host *host, const void *config, void **inst, struct dfs_diag *diag)
{
	const struct memory_config *c = config;
	struct memory *m = aligned_alloc(64, sizeof *m);

	if (!m) {
		strcpy(diag->text, "out of memory");
		return DFS_NOMEM;
	}
	memset(m, 0, sizeof *m);
	m->host = host;
	m->limit = c->size;
	if (m->limit == 0)
		m->limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	for (uint32_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&m->shard[i].mu, NULL);
	*inst = m;
	return DFS_OK;
}

static void
destroy(void *inst)
{
	struct memory *m = inst;

	for (uint32_t i = 0; i < SHARDS; i++) {
		trie_clear(&m->shard[i].trie, release_each, m);
		pthread_mutex_destroy(&m->shard[i].mu);
	}
	free(m);
}

static enum dfs_status
put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct shard *shard;
	struct object *o, *old;
	uint64_t length, charge;
	enum dfs_status st;
	bool ok;

	if (key_len == 0)
		return bad_key(m, key);
	st = dfs_spans_check(spans, n, &length);
	if (st != DFS_OK)
		return m->host->fail(m->host->ctx, st, st == DFS_TOOBIG
		                     ? "the object %s is larger than 4 MiB"
		                     : "the object %s is empty or of too many spans", key);
	st = object_new(m->host, key, key_len, spans, n, (uint32_t)length, &o);
	if (st != DFS_OK)
		return st;
	charge = o->charge + OBJECT_OVERHEAD;
	if (atomic_fetch_add_explicit(&m->used, charge, memory_order_relaxed) + charge > m->limit) {
		release(m, o);
		return m->host->fail(m->host->ctx, DFS_NOSPC,
		                     "the store's limit of %llu bytes is reached",
		                     (unsigned long long)m->limit);
	}
	shard = shard_of(m, key, key_len);
	pthread_mutex_lock(&shard->mu);
	ok = trie_put(&shard->trie, o, &old);
	shard->objects += ok && !old;
	pthread_mutex_unlock(&shard->mu);
	if (!ok) {
		release(m, o);
		return m->host->fail(m->host->ctx, DFS_NOSPC, "out of memory");
	}
	if (old)
		release(m, old);
	return DFS_OK;
}

static enum dfs_status
get(void *inst, const char *key, uint64_t offset, uint64_t length, const struct dfs_sink *sink,
    uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct shard *shard;
	struct object *o;
	enum dfs_status st;

	if (key_len == 0)
		return bad_key(m, key);
	shard = shard_of(m, key, key_len);
	pthread_mutex_lock(&shard->mu);
	o = trie_find(&shard->trie, key, key_len);
	if (o)
		object_ref(o);
	pthread_mutex_unlock(&shard->mu);
	if (!o)
		return m->host->fail(m->host->ctx, DFS_NOENT, "there is no object %s", key);
	if (offset > o->length || length > o->length - offset)
		st = m->host->fail(m->host->ctx, DFS_INVAL,
		                   "bytes %llu+%llu of the object %s, which has %u",
		                   (unsigned long long)offset, (unsigned long long)length, key, o->length);
	else
		st = object_deliver(m->host, o, offset, length, sink);
	object_unref(m->host, o);
	return st;
}

static enum dfs_status
head(void *inst, const char *key, uint64_t *length, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct shard *shard;
	const struct object *o;

	if (key_len == 0)
		return bad_key(m, key);
	shard = shard_of(m, key, key_len);
	pthread_mutex_lock(&shard->mu);
	o = trie_find(&shard->trie, key, key_len);
	if (o)
		*length = o->length;
	pthread_mutex_unlock(&shard->mu);
	return o ? DFS_OK : m->host->fail(m->host->ctx, DFS_NOENT, "there is no object %s", key);
}

static enum dfs_status
erase(void *inst, const char *key, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct shard *shard;
	struct object *o;

	if (key_len == 0)
		return bad_key(m, key);
	shard = shard_of(m, key, key_len);
	pthread_mutex_lock(&shard->mu);
	o = trie_remove(&shard->trie, key, key_len);
	shard->objects -= o != NULL;
	pthread_mutex_unlock(&shard->mu);
	if (o)
		release(m, o);
	return DFS_OK;
}

struct tally {
	struct memory *m;
	uint64_t objects;
};

static void
release_tallied(void *arg, struct object *o)
{
	struct tally *t = arg;

	release(t->m, o);
	t->objects++;
}

static enum dfs_status
erase_prefix(void *inst, const char *prefix)
{
	struct memory *m = inst;
	uint32_t len = (uint32_t)strnlen(prefix, DFS_KEY_MAX + 1);

	if (len == 0 || !dfs_key_prefix(prefix) || prefix[len - 1] != '/')
		return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" is no prefix to erase", prefix);
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &m->shard[i];
		struct tally tally = {.m = m};
		struct trie cut;

		pthread_mutex_lock(&shard->mu);
		cut = trie_cut(&shard->trie, prefix, len);
		pthread_mutex_unlock(&shard->mu);
		if (!cut.root)
			continue;
		trie_clear(&cut, release_tallied, &tally);
		pthread_mutex_lock(&shard->mu);
		shard->objects -= tally.objects;
		pthread_mutex_unlock(&shard->mu);
	}
	return DFS_OK;
}

/* Where list() stands in one shard: a batch of objects, referenced. */
struct cursor {
	struct object *batch[LIST_BATCH];
	uint32_t pos, n;
	int at_end; /* the shard has no more behind the batch */
};

static void
refill(struct memory *m, uint32_t i, struct cursor *c, const char *prefix, const char *after)
{
	struct shard *shard = &m->shard[i];
	/* after may be the key of an object of the old batch: that is dropped last. */
	struct object *last = c->n > 0 ? c->batch[c->n - 1] : NULL;

	pthread_mutex_lock(&shard->mu);
	c->n = trie_scan(&shard->trie, prefix, last ? last->key : after, c->batch, LIST_BATCH);
	for (uint32_t k = 0; k < c->n; k++)
		object_ref(c->batch[k]);
	pthread_mutex_unlock(&shard->mu);
	c->pos = 0;
	c->at_end = c->n < LIST_BATCH;
	if (last)
		object_unref(m->host, last);
}

/* The lowest key of all cursors; NULL at the end. */
static struct cursor *
lowest(struct memory *m, struct cursor *cursors, const char *prefix, const char *after)
{
	struct cursor *low = NULL;

	for (uint32_t i = 0; i < SHARDS; i++) {
		struct cursor *c = &cursors[i];

		if (c->pos == c->n && !c->at_end)
			refill(m, i, c, prefix, after);
		if (c->pos < c->n &&
		    (!low || strcmp(c->batch[c->pos]->key, low->batch[low->pos]->key) < 0))
			low = c;
	}
	return low;
}

static enum dfs_status
list(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct memory *m = inst;
	struct cursor *cursors, *c;
	int go_on = 1;

	if (!dfs_key_prefix(prefix))
		return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" begins no object key", prefix);
	cursors = calloc(SHARDS, sizeof *cursors);
	if (!cursors)
		return m->host->fail(m->host->ctx, DFS_NOMEM, "out of memory");
	while (go_on && (c = lowest(m, cursors, prefix, after))) {
		struct object *o = c->batch[c->pos++];

		go_on = fn(arg, o->key, o->length);
		/* The last of a batch says where the next begins. */
		if (c->pos < c->n || c->at_end)
			object_unref(m->host, o);
	}
	for (uint32_t i = 0; i < SHARDS; i++) {
		c = &cursors[i];
		if (c->pos == c->n && c->n > 0 && !c->at_end)
			c->pos--;
		while (c->pos < c->n)
			object_unref(m->host, c->batch[c->pos++]);
	}
	free(cursors);
	return DFS_OK;
}

static enum dfs_status
sync_nothing(void *inst)
{
	return DFS_OK;
}

static enum dfs_status
stats(void *inst, struct dfs_block_stats *out)
{
	struct memory *m = inst;
	uint64_t used = atomic_load_explicit(&m->used, memory_order_relaxed);

	out->bytes_total = m->limit;
	out->bytes_used = used;
	out->bytes_free = used < m->limit ? m->limit - used : 0;
	out->objects = 0;
	for (uint32_t i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&m->shard[i].mu);
		out->objects += m->shard[i].objects;
		pthread_mutex_unlock(&m->shard[i].mu);
	}
	return DFS_OK;
}

static enum dfs_status
health(void *inst)
{
	return DFS_OK;
}

static const struct dfs_block_ops ops = {
	.size = sizeof ops,
	.create = create,
	.destroy = destroy,
	.put = put,
	.get = get,
	.head = head,
	.erase = erase,
	.erase_prefix = erase_prefix,
	.list = list,
	.sync = sync_nothing,
	.stats = stats,
	.health = health,
};

DFS_PLUGIN_DEFINE(block_memory, .kind = DFS_KIND_BLOCK, .abi_major = DFS_BLOCK_ABI_MAJOR,
                  .abi_minor = DFS_BLOCK_ABI_MINOR, .name = "memory", .version = "1.0",
                  .summary = "objects in this process's memory, gone when it ends",
                  .license = "MIT", .thread_model = DFS_THREADS_NONBLOCKING,
                  .caps = DFS_BLOCK_CAP_VOLATILE, .config = config_table,
                  .config_size = sizeof(struct memory_config), .ops = &ops);
