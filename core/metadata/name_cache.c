/* SPDX-License-Identifier: MIT
 *
 * The cache of directory entries, absent ones included.
 *
 * Set-associative: a set of eight entries has one lock and one clock hand, so the bound is exact
 * and there is no list to keep.  The key is (namespace, directory, chain of cookies), with the
 * name beside: one entry for a chain, so whatever changes a chain replaces what was known of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/big.h"
#include "base/hash.h"
#include "metadata/cache.h"
#include "metadata/dirent.h"
#include "metadata/ns.h"

static inline const char *
entry_name(const struct name_entry *e)
{
	return e->len > NAME_INLINE ? e->name.far : e->name.bytes;
}

/* Release what an occupied entry owns. */
static inline void
entry_clear(struct name_entry *e)
{
	if (e->len > NAME_INLINE)
		free(e->name.far);
}

void
dfs_name_cache_setup(struct dfs_inode_cache *cache, uint64_t max_names)
{
	uint64_t sets = 1;

	if (max_names < 1024)
		max_names = 1024;
	while (2 * sets * NAME_WAYS <= max_names)
		sets <<= 1;
	cache->set_mask = sets - 1;
	cache->sets = dfs_big_alloc(sets * sizeof *cache->sets);
	if (!cache->sets)
		abort();
}

void
dfs_name_cache_clear(struct dfs_inode_cache *cache)
{
	uint64_t left = atomic_load(&cache->n_names);

	/* Sets that were never touched need not be looked at when all names are found. */
	for (uint64_t i = 0; left && i <= cache->set_mask; i++)
		for (unsigned k = 0; k < NAME_WAYS; k++)
			if (cache->sets[i].tags[k]) {
				entry_clear(&cache->sets[i].entries[k]);
				left--;
			}
	dfs_big_free(cache->sets, (cache->set_mask + 1) * sizeof *cache->sets);
}

static struct name_set *
set_of(const struct dfs_namespace *ns, uint64_t dir, uint64_t chain, uint32_t *tag)
{
	uint64_t h = dfs_hash_u64(chain, dir + ((uint64_t)ns->id << 48));

	*tag = (uint32_t)(h >> 32) | 1; /* 0: free */
	return &ns->cache->sets[h & ns->cache->set_mask];
}

/* Index of the chain's entry, NAME_WAYS: none.  The set is locked. */
static unsigned
find(const struct name_set *set, uint32_t tag, const struct dfs_namespace *ns, uint64_t dir,
     uint64_t chain)
{
	unsigned k;

	for (k = 0; k < NAME_WAYS; k++) {
		const struct name_entry *e;

		if (set->tags[k] != tag)
			continue;
		e = &set->entries[k];
		if (e->chain == chain && e->dir == dir && e->ns == ns->id)
			break;
	}
	return k;
}

void
dfs_name_cache_prefetch(struct dfs_namespace *ns, uint64_t dir, uint64_t chain)
{
	uint32_t tag;
	struct name_set *set = set_of(ns, dir, chain, &tag);

	__builtin_prefetch(set, 1);
	__builtin_prefetch(&set->entries[0]);
}

/* NAME_WAYS: none. */
static unsigned
free_place(const struct name_set *set)
{
	unsigned k;

	for (k = 0; k < NAME_WAYS && set->tags[k]; k++)
		;
	return k;
}

bool
dfs_name_cache_find(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name, uint64_t chain,
		    struct dfs_dirent *d)
{
	uint32_t tag;
	struct name_set *set = set_of(ns, dir, chain, &tag);
	bool found = false;
	unsigned k;

	if (dfs_namespace_uncached(ns))
		return false;
	dfs_lock_acquire(&set->lock);
	k = find(set, tag, ns, dir, chain);
	if (k < NAME_WAYS) {
		const struct name_entry *e = &set->entries[k];

		found = e->len == name.len && memcmp(entry_name(e), name.bytes, name.len) == 0;
		if (found) {
			*d = (struct dfs_dirent){chain + e->slot, e->fileid, e->type, e->alone};
			set->referenced |= (uint8_t)(1u << k);
		}
	} else {
		/* What is not known will be told soon. */
		k = free_place(set);
		__builtin_prefetch(&set->entries[k < NAME_WAYS ? k : set->hand], 1);
	}
	dfs_lock_release(&set->lock);
	return found;
}

/* The place for a new entry: a free one, or the first that the hand finds unused. */
static unsigned
victim(struct name_set *set)
{
	unsigned k = free_place(set);

	if (k < NAME_WAYS)
		return k;
	for (;;) {
		k = set->hand;
		set->hand = (uint8_t)((k + 1) % NAME_WAYS);
		if (!(set->referenced & (1u << k)))
			return k;
		set->referenced &= (uint8_t) ~(1u << k);
	}
}

static void
put_locked(struct dfs_namespace *ns, struct name_set *set, uint32_t tag, uint64_t dir,
	   struct dfs_name name, const struct dfs_dirent *d)
{
	uint64_t chain = d->cookie & ~(uint64_t)(DFS_CHAIN_MAX - 1);
	unsigned k = find(set, tag, ns, dir, chain);
	struct name_entry *e;

	if (k == NAME_WAYS)
		k = victim(set);
	e = &set->entries[k];
	if (set->tags[k])
		entry_clear(e);
	else
		atomic_fetch_add_explicit(&ns->cache->n_names, 1, memory_order_relaxed);
	if (name.len > NAME_INLINE) {
		e->name.far = malloc(name.len);
		if (!e->name.far) {
			set->tags[k] = 0;
			atomic_fetch_sub_explicit(&ns->cache->n_names, 1, memory_order_relaxed);
			return;
		}
	}
	e->dir = dir;
	e->chain = chain;
	e->fileid = d->fileid;
	e->ns = ns->id;
	e->type = (uint8_t)d->type;
	e->slot = (uint8_t)(d->cookie - chain) & (DFS_CHAIN_MAX - 1);
	e->alone = d->alone;
	e->len = (uint8_t)name.len;
	memcpy(name.len > NAME_INLINE ? e->name.far : e->name.bytes, name.bytes, name.len);
	set->tags[k] = tag;
}

void
dfs_name_cache_set(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name,
		   const struct dfs_dirent *d)
{
	uint32_t tag;
	struct name_set *set = set_of(ns, dir, d->cookie & ~(uint64_t)(DFS_CHAIN_MAX - 1), &tag);

	dfs_lock_acquire(&set->lock);
	set->changes++;
	put_locked(ns, set, tag, dir, name, d);
	dfs_lock_release(&set->lock);
}

uint32_t
dfs_name_cache_changes(struct dfs_namespace *ns, uint64_t dir, uint64_t chain)
{
	uint32_t tag, changes;
	struct name_set *set = set_of(ns, dir, chain, &tag);

	dfs_lock_acquire(&set->lock);
	changes = set->changes;
	dfs_lock_release(&set->lock);
	return changes;
}

void
dfs_name_cache_fill(struct dfs_namespace *ns, uint64_t dir, struct dfs_name name,
		    const struct dfs_dirent *d, uint32_t expected)
{
	uint32_t tag;
	struct name_set *set = set_of(ns, dir, d->cookie & ~(uint64_t)(DFS_CHAIN_MAX - 1), &tag);

	dfs_lock_acquire(&set->lock);
	if (set->changes == expected)
		put_locked(ns, set, tag, dir, name, d);
	dfs_lock_release(&set->lock);
}
