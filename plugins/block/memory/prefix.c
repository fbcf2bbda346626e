/* SPDX-License-Identifier: MIT
 *
 * Erasing and listing by prefix.
 *
 * Below a file all is in one trie and in order.  A wider prefix means a walk over all slots, a few
 * with each hold of a lock; a list then keeps the lowest keys that it meets, visits them, and walks
 * again for more: four times as many with each walk, so that a page costs little memory and a whole
 * list few walks.
 */
#include <stdlib.h>
#include <string.h>

#include <dittofs/block_check.h>

#include "store.h"

#define STEP 64u       /* slots, or objects, per hold of a lock */
#define PAGE_MIN 1024u /* objects that a list keeps at first */

/* ---- erasing ---- */

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

static void
free_cuts(struct memory *m, struct shard *shard, struct trie *cuts, uint32_t n)
{
	struct tally tally = {.m = m};

	for (uint32_t i = 0; i < n; i++)
		trie_clear(&cuts[i], release_tallied, &tally);
	if (tally.objects == 0)
		return;
	pthread_mutex_lock(&shard->mu);
	shard->objects -= tally.objects;
	pthread_mutex_unlock(&shard->mu);
}

static struct trie
cut_locked(struct shard *shard, struct trie *trie, const char *prefix, uint32_t len)
{
	struct trie cut = trie_cut(trie, prefix, len);

	if (cut.root && !trie->root)
		table_drop(&shard->table, trie);
	return cut;
}

static void
erase_place(struct memory *m, struct place p, const char *prefix, uint32_t len)
{
	struct trie cut = {NULL}, *trie;

	pthread_mutex_lock(&p.shard->mu);
	trie = table_find(&p.shard->table, p.hash);
	if (trie)
		cut = cut_locked(p.shard, trie, prefix, len);
	pthread_mutex_unlock(&p.shard->mu);
	free_cuts(m, p.shard, &cut, 1);
}

static void
erase_shard(struct memory *m, struct shard *shard, const char *prefix, uint32_t len)
{
	uint32_t generation = 0, at = UINT32_MAX;

	while (at > 0) {
		struct table *t = &shard->table;
		struct trie cuts[STEP];
		uint32_t n = 0;

		pthread_mutex_lock(&shard->mu);
		if (at == UINT32_MAX || t->generation != generation) {
			generation = t->generation;
			at = t->size;
		}
		for (uint32_t steps = 0; at > 0 && steps < STEP; steps++) {
			struct slot *slot = &t->slots[--at];

			if (!slot->trie.root)
				continue;
			cuts[n] = cut_locked(shard, &slot->trie, prefix, len);
			n += cuts[n].root != NULL;
		}
		pthread_mutex_unlock(&shard->mu);
		free_cuts(m, shard, cuts, n);
	}
}

enum dfs_status
erase_prefix(void *inst, const char *prefix)
{
	struct memory *m = inst;
	uint32_t len = (uint32_t)strnlen(prefix, DFS_KEY_MAX + 1);
	struct place place;

	if (len == 0 || !dfs_key_prefix(prefix) || prefix[len - 1] != '/')
		return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" is no prefix to erase",
				     prefix);
	erase_place(m, (struct place){&m->shard[ODD], 0}, prefix, len);
	if (place_of_prefix(m, prefix, &place))
		erase_place(m, place, prefix, len);
	else
		for (uint32_t i = 0; i < SHARDS; i++)
			erase_shard(m, &m->shard[i], prefix, len);
	return DFS_OK;
}

/* ---- listing ---- */

/* The lowest `keep` keys met so far, referenced; room for twice as many. */
struct page {
	struct memory *m;
	const char *prefix, *after;
	struct object **objects;
	uint32_t n, keep;
	bool dropped;                /* there are more, above */
	char bound[DFS_KEY_MAX + 1]; /* once something was dropped: nothing above is wanted */
};

static int
by_key(const void *a, const void *b)
{
	return strcmp((*(struct object *const *)a)->key, (*(struct object *const *)b)->key);
}

static void
trim(struct page *p)
{
	qsort(p->objects, p->n, sizeof p->objects[0], by_key);
	if (p->n <= p->keep)
		return;
	strcpy(p->bound, p->objects[p->keep - 1]->key);
	p->dropped = true;
	while (p->n > p->keep)
		object_unref(p->m->host, p->objects[--p->n]);
}

/* Takes the reference over. */
static void
consider(struct page *p, struct object *o)
{
	if (p->dropped && strcmp(o->key, p->bound) > 0) {
		object_unref(p->m->host, o);
		return;
	}
	if (p->n == 2 * p->keep)
		trim(p);
	p->objects[p->n++] = o;
}

/* Up to STEP objects of a trie behind `from`, which moves on; true: there may be more. */
static bool
take_locked(const struct page *p, const struct trie *trie, char *from, struct object **batch,
	    uint32_t *n)
{
	uint32_t got = trie_scan(trie, p->prefix, from, batch + *n, STEP - *n);
	bool more = *n + got == STEP;

	for (uint32_t i = 0; i < got; i++)
		object_ref(batch[*n + i]);
	*n += got;
	if (more && got > 0)
		strcpy(from, batch[*n - 1]->key);
	return more;
}

/* One place is in order: when a page is full of it, what follows is not on this page. */
static void
collect_place(struct page *p, struct place place)
{
	char from[DFS_KEY_MAX + 1];
	uint32_t total = 0;
	bool more = true;

	strcpy(from, p->after);
	while (more) {
		struct object *batch[STEP];
		const struct trie *trie;
		uint32_t n = 0;

		pthread_mutex_lock(&place.shard->mu);
		trie = table_find(&place.shard->table, place.hash);
		more = trie && take_locked(p, trie, from, batch, &n);
		pthread_mutex_unlock(&place.shard->mu);
		total += n;
		for (uint32_t i = 0; i < n; i++)
			consider(p, batch[i]);
		/* Two pages' worth, so that trim() sees that there is more. */
		if (total > 2 * p->keep)
			more = false;
	}
}

static void
collect_shard(struct page *p, struct shard *shard)
{
	char from[DFS_KEY_MAX + 1];
	uint32_t generation = 0, at = UINT32_MAX;

	strcpy(from, p->after);
	while (at > 0) {
		struct table *t = &shard->table;
		struct object *batch[STEP];
		uint32_t n = 0;

		pthread_mutex_lock(&shard->mu);
		if (at == UINT32_MAX || t->generation != generation) {
			generation = t->generation;
			at = t->size;
			strcpy(from, p->after);
		}
		for (uint32_t steps = 0; at > 0 && steps < STEP && n < STEP; steps++) {
			if (t->slots[at - 1].trie.root &&
			    take_locked(p, &t->slots[at - 1].trie, from, batch, &n))
				break;
			strcpy(from, p->after);
			at--;
		}
		pthread_mutex_unlock(&shard->mu);
		for (uint32_t i = 0; i < n; i++)
			consider(p, batch[i]);
	}
}

/* One walk; false: no memory. */
static bool
fill_page(struct page *p)
{
	struct object **more = realloc(p->objects, 2 * (size_t)p->keep * sizeof *more);
	struct place place;

	if (!more)
		return false;
	p->objects = more;
	p->n = 0;
	p->dropped = false;
	collect_place(p, (struct place){&p->m->shard[ODD], 0});
	if (place_of_prefix(p->m, p->prefix, &place))
		collect_place(p, place);
	else
		for (uint32_t i = 0; i < SHARDS; i++)
			collect_shard(p, &p->m->shard[i]);
	trim(p);
	return true;
}

enum dfs_status
list(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct memory *m = inst;
	char last[DFS_KEY_MAX + 1];
	struct page p = {.m = m, .prefix = prefix, .after = last, .keep = PAGE_MIN};
	bool go_on = true;

	if (!dfs_key_prefix(prefix))
		return m->host->fail(m->host->ctx, DFS_INVAL, "\"%.200s\" begins no object key",
				     prefix);
	/* Cut where it is longer than any key: the same keys sort behind it. */
	strncpy(last, after, DFS_KEY_MAX);
	last[DFS_KEY_MAX] = '\0';
	do {
		if (!fill_page(&p)) {
			free(p.objects);
			return m->host->fail(m->host->ctx, DFS_NOMEM, "out of memory");
		}
		for (uint32_t i = 0; i < p.n; i++) {
			struct object *o = p.objects[i];

			/* A walk that began anew has met some objects twice. */
			if (go_on && strcmp(o->key, last) > 0) {
				strcpy(last, o->key);
				go_on = fn(arg, o->key, o->length);
			}
			object_unref(m->host, o);
		}
		p.keep *= 4;
	} while (go_on && p.dropped);
	free(p.objects);
	return DFS_OK;
}
