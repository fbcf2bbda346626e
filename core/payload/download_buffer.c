/* SPDX-License-Identifier: MIT
 *
 * Sixteen shards of chained hashing.  All entries live equally long, so a shard's list in order of
 * use is in order of expiry too, and sweeping looks at nothing that stays.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cond.h"
#include "base/lock.h"
#include "payload/download_buffer.h"
#include "payload/key.h"
#include "payload/offload/metrics.h"

#define SHARDS 16
#define CHAINS 64
#define WASTE_SLOTS 256

struct item {
	struct item *next;            /* in its chain */
	struct item *older, *younger; /* in the shard's list */
	struct dfs_download_key key;
	struct dfs_pages *pages;
	uint64_t size;
	int64_t expires;
};

struct shard {
	struct dfs_lock mu;
	/* Guarded by mu. */
	struct item *chains[CHAINS];
	struct item *oldest, *youngest;
	size_t n;
} __attribute__((aligned(64)));

struct dfs_download_buffer {
	struct shard shards[SHARDS];
	struct dfs_download_options o;
	_Atomic uint32_t refs;
	_Atomic uint64_t bytes;
	_Atomic bool done;
	_Atomic uint32_t wasted[WASTE_SLOTS];

	pthread_mutex_t mu; /* of the sweeper */
	pthread_cond_t wake;
	bool sweeping, stop; /* guarded by mu */
	pthread_t sweeper;
};

static uint64_t
key_hash(const struct dfs_download_key *key)
{
	return dfs_hash_u64(dfs_content_hash(&key->content) ^ key->block, key->counter);
}

static int64_t
now_of(const struct dfs_download_buffer *b)
{
	return b->o.clock ? b->o.clock() : dfs_clock_mono();
}

struct dfs_download_buffer *
dfs_download_buffer_new(const struct dfs_download_options *options)
{
	struct dfs_download_buffer *b;

	if (options->tick <= 0 || options->expire <= 0)
		return NULL;
	b = aligned_alloc(64, sizeof *b);
	if (!b)
		return NULL;
	memset(b, 0, sizeof *b);
	b->o = *options;
	atomic_init(&b->refs, 1);
	pthread_mutex_init(&b->mu, NULL);
	dfs_cond_init(&b->wake);
	return b;
}

struct dfs_download_buffer *
dfs_download_buffer_ref(struct dfs_download_buffer *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void
dfs_download_buffer_unref(struct dfs_download_buffer *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
		return;
	dfs_download_buffer_done(b);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->mu);
	free(b);
}

static struct item **
find(struct shard *s, uint64_t hash, const struct dfs_download_key *key)
{
	struct item **at = &s->chains[hash / SHARDS % CHAINS];

	while (*at && !dfs_download_key_same(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

static void
list_add(struct shard *s, struct item *item)
{
	item->younger = NULL;
	item->older = s->youngest;
	*(item->older ? &item->older->younger : &s->oldest) = item;
	s->youngest = item;
}

static void
list_del(struct shard *s, struct item *item)
{
	*(item->older ? &item->older->younger : &s->oldest) = item->younger;
	*(item->younger ? &item->younger->older : &s->youngest) = item->older;
}

/* Out of the shard; the pages' reference passes to the caller. */
static struct dfs_pages *
take(struct dfs_download_buffer *b, struct shard *s, struct item **at)
{
	struct item *item = *at;
	struct dfs_pages *pages = item->pages;

	*at = item->next;
	list_del(s, item);
	s->n--;
	atomic_fetch_sub(&b->bytes, item->size);
	if (b->o.account)
		b->o.account(b->o.arg, -(int64_t)item->size);
	free(item);
	return pages;
}

static void
note_waste(struct dfs_download_buffer *b, const struct dfs_content_id *content)
{
	atomic_fetch_add_explicit(&b->wasted[dfs_content_hash(content) % WASTE_SLOTS], 1,
				  memory_order_relaxed);
	dfs_counter_add(dfs_offload_metrics()->prefetch_wasted, 1);
}

static void
expire_locked(struct dfs_download_buffer *b, struct shard *s, int64_t now)
{
	while (s->oldest && s->oldest->expires <= now) {
		const struct dfs_download_key *key = &s->oldest->key;

		note_waste(b, &key->content);
		dfs_pages_unref(take(b, s, find(s, key_hash(key), key)));
	}
}

void
dfs_download_buffer_sweep(struct dfs_download_buffer *b)
{
	int64_t now = now_of(b);

	for (int i = 0; i < SHARDS; i++) {
		dfs_lock_acquire(&b->shards[i].mu);
		expire_locked(b, &b->shards[i], now);
		dfs_lock_release(&b->shards[i].mu);
	}
}

static void *
sweeper(void *arg)
{
	struct dfs_download_buffer *b = arg;

	pthread_mutex_lock(&b->mu);
	while (!b->stop) {
		dfs_cond_until(&b->wake, &b->mu, dfs_clock_mono() + b->o.tick);
		pthread_mutex_unlock(&b->mu);
		dfs_download_buffer_sweep(b);
		pthread_mutex_lock(&b->mu);
	}
	pthread_mutex_unlock(&b->mu);
	return NULL;
}

/* A buffer that is never used needs no thread. */
static void
start_sweeper(struct dfs_download_buffer *b)
{
	pthread_mutex_lock(&b->mu);
	if (!b->sweeping && !b->stop && pthread_create(&b->sweeper, NULL, sweeper, b) == 0) {
		b->sweeping = true;
		pthread_setname_np(b->sweeper, "dfs-landing");
	}
	pthread_mutex_unlock(&b->mu);
}

void
dfs_download_buffer_done(struct dfs_download_buffer *b)
{
	bool join;

	atomic_store(&b->done, true);
	pthread_mutex_lock(&b->mu);
	b->stop = true;
	join = b->sweeping;
	b->sweeping = false;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->mu);
	if (join)
		pthread_join(b->sweeper, NULL);
	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &b->shards[i];

		dfs_lock_acquire(&s->mu);
		while (s->oldest)
			dfs_pages_unref(
				take(b, s, find(s, key_hash(&s->oldest->key), &s->oldest->key)));
		dfs_lock_release(&s->mu);
	}
}

/* Room for size bytes, or not. */
static bool
reserve(struct dfs_download_buffer *b, uint64_t size)
{
	uint64_t bytes = atomic_load(&b->bytes);

	do
		if (bytes + size > b->o.budget)
			return false;
	while (!atomic_compare_exchange_weak(&b->bytes, &bytes, bytes + size));
	return true;
}

bool
dfs_download_buffer_set(struct dfs_download_buffer *b, const struct dfs_download_key *key,
			struct dfs_pages *pages)
{
	uint64_t hash = key_hash(key);
	struct shard *s = &b->shards[hash % SHARDS];
	struct item *item = malloc(sizeof *item), **at;
	int64_t now = now_of(b);
	bool ok = item != NULL;

	if (!ok)
		return false;
	item->key = *key;
	item->pages = dfs_pages_ref(pages);
	item->size = dfs_pages_size(pages);
	item->expires = now + b->o.expire;
	dfs_lock_acquire(&s->mu);
	expire_locked(b, s, now);
	at = find(s, hash, key);
	if (*at)
		dfs_pages_unref(take(b, s, at));
	/* Under the lock: done() comes through here after it has said so. */
	ok = !atomic_load(&b->done) && reserve(b, item->size);
	if (ok) {
		item->next = s->chains[hash / SHARDS % CHAINS];
		s->chains[hash / SHARDS % CHAINS] = item;
		list_add(s, item);
		s->n++;
		if (b->o.account)
			b->o.account(b->o.arg, (int64_t)item->size);
	}
	dfs_lock_release(&s->mu);
	if (!ok) {
		note_waste(b, &key->content);
		dfs_pages_unref(item->pages);
		free(item);
		return false;
	}
	if (!b->o.clock)
		start_sweeper(b);
	return true;
}

struct dfs_pages *
dfs_download_buffer_get(struct dfs_download_buffer *b, const struct dfs_download_key *key)
{
	uint64_t hash = key_hash(key);
	struct shard *s = &b->shards[hash % SHARDS];
	struct dfs_pages *pages = NULL;
	struct item *item;
	int64_t now;

	if (atomic_load_explicit(&b->bytes, memory_order_relaxed) == 0)
		return NULL;
	now = now_of(b);
	dfs_lock_acquire(&s->mu);
	expire_locked(b, s, now);
	item = *find(s, hash, key);
	if (item) {
		pages = dfs_pages_ref(item->pages);
		item->expires = now + b->o.expire;
		list_del(s, item);
		list_add(s, item);
	}
	dfs_lock_release(&s->mu);
	return pages;
}

struct dfs_pages *
dfs_download_buffer_fetch_and_delete(struct dfs_download_buffer *b,
				     const struct dfs_download_key *key)
{
	uint64_t hash = key_hash(key);
	struct shard *s = &b->shards[hash % SHARDS];
	struct dfs_pages *pages = NULL;
	struct item **at;

	if (atomic_load_explicit(&b->bytes, memory_order_relaxed) == 0)
		return NULL;
	dfs_lock_acquire(&s->mu);
	expire_locked(b, s, now_of(b));
	at = find(s, hash, key);
	if (*at)
		pages = take(b, s, at);
	dfs_lock_release(&s->mu);
	return pages;
}

bool
dfs_download_buffer_delete(struct dfs_download_buffer *b, const struct dfs_download_key *key)
{
	struct dfs_pages *pages = dfs_download_buffer_fetch_and_delete(b, key);

	dfs_pages_unref(pages);
	return pages != NULL;
}

size_t
dfs_download_buffer_len(struct dfs_download_buffer *b)
{
	size_t n = 0;

	for (int i = 0; i < SHARDS; i++) {
		dfs_lock_acquire(&b->shards[i].mu);
		n += b->shards[i].n;
		dfs_lock_release(&b->shards[i].mu);
	}
	return n;
}

uint64_t
dfs_download_buffer_bytes(const struct dfs_download_buffer *b)
{
	return atomic_load(&b->bytes);
}

uint64_t
dfs_download_buffer_budget(const struct dfs_download_buffer *b)
{
	return b->o.budget;
}

uint32_t
dfs_download_buffer_wasted(const struct dfs_download_buffer *b,
			   const struct dfs_content_id *content)
{
	return atomic_load_explicit(&b->wasted[dfs_content_hash(content) % WASTE_SLOTS],
				    memory_order_relaxed);
}
