/* SPDX-License-Identifier: MIT
 *
 * Block store "memory": objects in this process, gone with it.
 *
 * The keys that a server uses are alike: a file's folder, then chunk and block.  So keys of the
 * usual number of parts are grouped by all but their last two, and groups are spread by hash: a
 * point operation costs two cache misses however many objects there are, and all that is a file's
 * lies in one small trie.  Keys of another number of parts share one trie of their own, and are
 * only slower. A lock is held for one step; making, delivering and freeing objects happens outside.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dittofs/block_check.h>

#include "store.h"

/* What the table, the trie and the allocator add to an object, roughly. */
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

/* ---- places ---- */

/* How many parts the key has, and where its group ends when it has depth of them. */
static uint32_t
count_parts(const char *key, uint32_t len, uint32_t depth, uint32_t *group_len)
{
	const char *end = key + len;
	uint32_t parts = 1;

	*group_len = 0;
	for (const char *p = key; (p = memchr(p, '/', (size_t)(end - p))); p++)
		if (parts++ + 2 == depth)
			*group_len = (uint32_t)(p - key);
	return parts;
}

static uint64_t
hash_bytes(const char *p, uint32_t len)
{
	uint64_t h = len + 1, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, p, len);
	h = (h ^ word) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

static struct place
group_place(struct memory *m, const char *key, uint32_t group_len)
{
	uint64_t hash = hash_bytes(key, group_len);

	return (struct place){&m->shard[hash % SHARDS], hash};
}

struct place
place_of(struct memory *m, const char *key, uint32_t len)
{
	uint32_t depth = atomic_load_explicit(&m->depth, memory_order_relaxed), group_len;

	if (count_parts(key, len, depth, &group_len) != depth)
		return (struct place){&m->shard[ODD], 0};
	return group_place(m, key, group_len);
}

bool
place_of_prefix(struct memory *m, const char *prefix, struct place *place)
{
	uint32_t depth = atomic_load_explicit(&m->depth, memory_order_relaxed), group_len;
	uint32_t folders = count_parts(prefix, (uint32_t)strlen(prefix), depth, &group_len) - 1;

	if (folders + 2 < depth)
		return false;
	*place = group_place(m, prefix, group_len);
	return true;
}

/* The first object decides what the usual number of parts is. */
static void
learn_depth(struct memory *m, const char *key, uint32_t len)
{
	uint32_t none = 0, group_len;

	if (atomic_load_explicit(&m->depth, memory_order_relaxed) == 0)
		atomic_compare_exchange_strong(&m->depth, &none,
					       count_parts(key, len, 0, &group_len));
}

static bool
insert(struct place p, struct object *o, struct object **old)
{
	struct trie *trie;
	bool ok = false;

	*old = NULL;
	pthread_mutex_lock(&p.shard->mu);
	trie = table_add(&p.shard->table, p.hash);
	/* A new trie is never left empty: its first put needs no memory. */
	if (trie)
		ok = trie_put(trie, o, old);
	p.shard->objects += ok && !*old;
	pthread_mutex_unlock(&p.shard->mu);
	return ok;
}

/* A reference, NULL when there is none. */
static struct object *
find(struct memory *m, const char *key, uint32_t len)
{
	struct place p = place_of(m, key, len);
	struct object *o = NULL;
	const struct trie *trie;

	pthread_mutex_lock(&p.shard->mu);
	trie = table_find(&p.shard->table, p.hash);
	if (trie)
		o = trie_find(trie, key, len);
	if (o)
		object_ref(o);
	pthread_mutex_unlock(&p.shard->mu);
	return o;
}

enum dfs_status
bad_key(const struct memory *m, const char *key)
{
	return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" is no object key", key);
}

static enum dfs_status
no_object(const struct memory *m, const char *key)
{
	return m->host->fail(m->host->ctx, DFS_NOENT, "there is no object %s", key);
}

void
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

/* ---- operations ---- */

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
	for (uint32_t i = 0; i <= ODD; i++)
		pthread_mutex_init(&m->shard[i].mu, NULL);
	*inst = m;
	return DFS_OK;
}

static void
destroy(void *inst)
{
	struct memory *m = inst;

	for (uint32_t i = 0; i <= ODD; i++) {
		struct table *t = &m->shard[i].table;

		for (uint32_t k = 0; k < t->size; k++)
			trie_clear(&t->slots[k].trie, release_each, m);
		table_clear(t);
		pthread_mutex_destroy(&m->shard[i].mu);
	}
	free(m);
}

/* The arguments are checked. */
static enum dfs_status
put_object(struct memory *m, const char *key, uint32_t key_len, const struct dfs_span *spans,
	   uint32_t n, uint32_t length)
{
	struct object *o, *old;
	uint64_t charge;
	enum dfs_status st;

	st = object_new(m->host, key, key_len, spans, n, length, &o);
	if (st != DFS_OK)
		return st;
	charge = o->charge + OBJECT_OVERHEAD;
	if (atomic_fetch_add_explicit(&m->used, charge, memory_order_relaxed) + charge > m->limit) {
		release(m, o);
		return m->host->fail(m->host->ctx, DFS_NOSPC,
				     "the store's limit of %llu bytes is reached",
				     (unsigned long long)m->limit);
	}
	learn_depth(m, key, key_len);
	if (!insert(place_of(m, key, key_len), o, &old)) {
		release(m, o);
		return m->host->fail(m->host->ctx, DFS_NOSPC, "out of memory");
	}
	if (old)
		release(m, old);
	return DFS_OK;
}

static enum dfs_status
put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	uint64_t length;
	enum dfs_status st;

	if (key_len == 0)
		return bad_key(m, key);
	st = dfs_spans_check(spans, n, &length);
	if (st != DFS_OK)
		return m->host->fail(m->host->ctx, st,
				     st == DFS_TOOBIG
					     ? "the object %s is larger than 4 MiB"
					     : "the object %s is empty or of too many spans",
				     key);
	return put_object(m, key, key_len, spans, n, (uint32_t)length);
}

/* The copy refers to the same buffers. */
static enum dfs_status
copy(void *inst, const char *from, const char *to, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t from_len = dfs_key_length(from), to_len = dfs_key_length(to);
	struct object *o;
	enum dfs_status st;

	if (from_len == 0 || to_len == 0)
		return bad_key(m, from_len == 0 ? from : to);
	o = find(m, from, from_len);
	if (!o)
		return no_object(m, from);
	struct dfs_span spans[o->n_pieces];
	for (uint32_t i = 0; i < o->n_pieces; i++)
		spans[i] = (struct dfs_span){o->pieces[i].data, o->pieces[i].len, o->pieces[i].buf};
	st = put_object(m, to, to_len, spans, o->n_pieces, o->length);
	object_unref(m->host, o);
	return st;
}

static enum dfs_status
get(void *inst, const char *key, uint64_t offset, uint64_t length, const struct dfs_sink *sink,
    uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct object *o;
	enum dfs_status st;

	if (key_len == 0)
		return bad_key(m, key);
	o = find(m, key, key_len);
	if (!o)
		return no_object(m, key);
	if (offset > o->length || length > o->length - offset)
		st = m->host->fail(
			m->host->ctx, DFS_INVAL, "bytes %llu+%llu of the object %s, which has %u",
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
	struct object *o;

	if (key_len == 0)
		return bad_key(m, key);
	o = find(m, key, key_len);
	if (!o)
		return no_object(m, key);
	*length = o->length;
	object_unref(m->host, o);
	return DFS_OK;
}

static enum dfs_status
erase(void *inst, const char *key, uint32_t flags)
{
	struct memory *m = inst;
	uint32_t key_len = dfs_key_length(key);
	struct object *o = NULL;
	struct trie *trie;
	struct place p;

	if (key_len == 0)
		return bad_key(m, key);
	p = place_of(m, key, key_len);
	pthread_mutex_lock(&p.shard->mu);
	trie = table_find(&p.shard->table, p.hash);
	if (trie)
		o = trie_remove(trie, key, key_len);
	if (o && !trie->root)
		table_drop(&p.shard->table, trie);
	p.shard->objects -= o != NULL;
	pthread_mutex_unlock(&p.shard->mu);
	if (o)
		release(m, o);
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
	for (uint32_t i = 0; i <= ODD; i++) {
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
	.copy = copy,
};

DFS_PLUGIN_DEFINE(block_memory, .kind = DFS_KIND_BLOCK, .abi_major = DFS_BLOCK_ABI_MAJOR,
		  .abi_minor = DFS_BLOCK_ABI_MINOR, .name = "memory", .version = "1.0",
		  .summary = "objects in this process's memory, gone when it ends",
		  .license = "MIT", .thread_model = DFS_THREADS_NONBLOCKING,
		  .caps = DFS_BLOCK_CAP_VOLATILE, .config = config_table,
		  .config_size = sizeof(struct memory_config), .ops = &ops);
