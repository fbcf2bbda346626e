/* SPDX-License-Identifier: MIT
 *
 * Cached inodes: finding, loading, inserting, evicting.
 *
 * A record read from the store may be outdated by the time it is inserted: its inode may have
 * been cached, changed, written and evicted meanwhile.  Therefore a shard's epoch grows whenever
 * an inode that was changed leaves the table, and an insert compares it with the value from before
 * the read.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "metadata/cache.h"
#include "metadata/ns.h"
#include "metadata/writeback.h"

#define CLOCK_STEPS 256 /* buckets that one allocation looks at before the cache grows instead */
/* Where most inodes are pinned (content that waits to be flushed), looking at them all for each
 * new one would cost more than what the cache grows by: so many a piece, saved up to the steps. */
#define CLOCK_PINNED 2
#define LOAD_TRIES 16

static inline uint64_t
bucket_index(const struct dfs_namespace *ns, uint64_t fileid)
{
	return dfs_hash_u64(fileid, ns->id) & ns->cache->mask;
}

static inline struct inode_bucket *
bucket_of(const struct dfs_namespace *ns, uint64_t fileid)
{
	return &ns->cache->buckets[bucket_index(ns, fileid)];
}

static inline struct inode_shard *
shard_of(const struct dfs_namespace *ns, uint64_t fileid)
{
	return &ns->cache->shards[bucket_index(ns, fileid) >> ns->cache->shard_shift];
}

void
dfs_inode_bucket_lock(struct dfs_inode *inode)
{
	dfs_lock_acquire(&bucket_of(inode->ns, inode->fileid)->lock);
}

void
dfs_inode_bucket_unlock(struct dfs_inode *inode)
{
	dfs_lock_release(&bucket_of(inode->ns, inode->fileid)->lock);
}

/* In the chain of b, whose lock is held. */
static inline struct dfs_inode *
chain_find(struct inode_bucket *b, const struct dfs_namespace *ns, uint64_t fileid)
{
	struct dfs_inode *i;

	for (i = b->head; i; i = i->hash_next)
		if (i->fileid == fileid && i->ns == ns)
			break;
	return i;
}

bool
dfs_inode_peek(struct dfs_namespace *ns, uint64_t fileid, struct dfs_attr *attr)
{
	struct inode_bucket *b = bucket_of(ns, fileid);
	struct dfs_inode *inode;

	if (dfs_namespace_uncached(ns))
		return false;
	dfs_lock_acquire(&b->lock);
	inode = chain_find(b, ns, fileid);
	if (inode) {
		*attr = inode->attr;
		inode->state |= DFS_STATE_REFERENCED;
	}
	dfs_lock_release(&b->lock);
	return inode != NULL;
}

/* The first `bytes` of the chain's first inode. */
static inline void
chain_prefetch(struct inode_bucket *b, unsigned bytes)
{
	if (!dfs_lock_try(&b->lock))
		return;
	for (unsigned i = 0; b->head && i < bytes; i += 64)
		__builtin_prefetch((char *)b->head + i, 1);
	dfs_lock_release(&b->lock);
}

void
dfs_inode_prefetch(struct dfs_namespace *ns, uint64_t fileid)
{
	__builtin_prefetch(bucket_of(ns, fileid), 1);
}

void
dfs_inode_prefetch_chain(struct dfs_namespace *ns, uint64_t fileid)
{
	chain_prefetch(bucket_of(ns, fileid), 64);
}

struct dfs_inode *
dfs_inode_find(struct dfs_namespace *ns, uint64_t fileid)
{
	struct inode_bucket *b = bucket_of(ns, fileid);
	struct dfs_inode *inode;

	if (dfs_namespace_uncached(ns))
		return NULL;
	dfs_lock_acquire(&b->lock);
	inode = chain_find(b, ns, fileid);
	if (inode) {
		atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
		inode->state |= DFS_STATE_REFERENCED;
	}
	dfs_lock_release(&b->lock);
	return inode;
}

static void
slot_free(struct inode_shard *shard, struct dfs_inode *inode)
{
	dfs_lock_acquire(&shard->lock);
	inode->hash_next = shard->free;
	shard->free = inode;
	shard->used--;
	dfs_lock_release(&shard->lock);
}

static void
file_free(struct dfs_inode *inode)
{
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);

	if (file)
		inode->ns->content.free(file);
}

void
dfs_inode_unref(struct dfs_inode *inode)
{
	/* Who has the last reference to a removed one is alone with it. */
	if (!inode ||
	    (atomic_load_explicit(&inode->refs, memory_order_relaxed) == (DFS_REFS_FORGOTTEN | 1) &&
	     dfs_writeback_take_leave(inode)))
		return;
	dfs_inode_drop(inode);
}

void
dfs_inode_drop(struct dfs_inode *inode)
{
	uint32_t before;

	before = atomic_fetch_sub_explicit(&inode->refs, 1, memory_order_acq_rel);
	assert((before & ~DFS_REFS_FORGOTTEN) != 0);
	if (before == (DFS_REFS_FORGOTTEN | 1)) {
		file_free(inode);
		slot_free(shard_of(inode->ns, inode->fileid), inode);
	}
}

/* Unlink from its chain; the bucket's lock is held. */
static void
chain_remove(struct inode_bucket *b, struct dfs_inode *inode)
{
	struct dfs_inode **p = &b->head;

	while (*p != inode)
		p = &(*p)->hash_next;
	*p = inode->hash_next;
	inode->state &= ~DFS_STATE_HASHED;
}

/* The bucket's lock is held. */
static bool
pinned(const struct dfs_inode *i)
{
	struct dfs_file *file = atomic_load_explicit(&i->file, memory_order_acquire);

	return atomic_load_explicit(&i->refs, memory_order_acquire) != 0 ||
	       (file && i->ns->content.busy(file));
}

/* One step of the clock: the victim, unlinked, or NULL.  *dirty: an inode that must be written
 * before it can leave, with a reference for the list.  The shard's lock is held. */
static struct dfs_inode *
clock_step(struct dfs_inode_cache *cache, struct inode_shard *shard, struct dfs_inode **dirty)
{
	struct inode_bucket *b = &cache->buckets[shard->hand];
	uint64_t per_shard = (uint64_t)1 << cache->shard_shift;
	struct dfs_inode *i;

	shard->hand = (shard->hand & ~(per_shard - 1)) | ((shard->hand + 1) & (per_shard - 1));
	dfs_lock_acquire(&b->lock);
	for (i = b->head; i; i = i->hash_next) {
		if (pinned(i)) {
			shard->patience -= shard->patience > 0;
			continue;
		}
		if (i->state & DFS_STATE_REFERENCED) {
			i->state &= ~DFS_STATE_REFERENCED;
			continue;
		}
		if (i->state & DFS_STATE_UNPUBLISHED) {
			if (!*dirty) {
				i->state |= DFS_STATE_DIRTY;
				atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
				atomic_fetch_add_explicit(&i->ns->in_hand, 1, memory_order_relaxed);
				*dirty = i;
			}
			continue;
		}
		if (i->state & DFS_STATE_CHANGED)
			atomic_fetch_add_explicit(&shard->epoch, 1, memory_order_release);
		dfs_inode_charge_leaves_locked(i, i->stored.used, 1);
		chain_remove(b, i);
		atomic_fetch_add_explicit(&i->ns->in_hand, 1, memory_order_relaxed);
		break;
	}
	dfs_lock_release(&b->lock);
	return i;
}

/* A slab from the heap: more inodes are pinned than the cache was made for. */
static struct dfs_inode *
slab_extra(struct inode_shard *shard)
{
	struct dfs_inode *slab = aligned_alloc(64, SLAB_INODES * sizeof *slab);
	struct dfs_inode **extra = realloc(shard->extra, (shard->n_extra + 1) * sizeof *extra);

	if (extra)
		shard->extra = extra;
	if (!slab || !extra) {
		free(slab);
		return NULL;
	}
	memset(slab, 0, SLAB_INODES * sizeof *slab);
	shard->extra[shard->n_extra++] = slab;
	return slab;
}

static bool
shard_grow(struct dfs_inode_cache *cache, struct inode_shard *shard)
{
	uint64_t at = cache->n_inodes;
	struct dfs_inode *slab;

	if (atomic_load_explicit(&cache->next_inode, memory_order_relaxed) < cache->n_inodes)
		at = atomic_fetch_add(&cache->next_inode, SLAB_INODES);
	slab = at < cache->n_inodes ? &cache->slabs[at] : slab_extra(shard);
	if (!slab)
		return false;
	for (unsigned i = SLAB_INODES; i-- > 0;) {
		slab[i].hash_next = shard->free;
		shard->free = &slab[i];
	}
	return true;
}

/* The namespace may be gone thereafter. */
static void
hand_back(struct dfs_namespace *ns)
{
	atomic_fetch_sub_explicit(&ns->in_hand, 1, memory_order_release);
}

/* A slot for a new inode, evicting when the shard is at its limit.  NULL: no memory. */
static struct dfs_inode *
slot_alloc(struct dfs_inode_cache *cache, struct inode_shard *shard)
{
	struct dfs_inode *victims[2], *slot, *dirty = NULL;
	struct dfs_namespace *ns;
	unsigned n = 0, want;

	dfs_lock_acquire(&shard->lock);
	/* Two when over the limit: what pinned inodes made it grow by is given back. */
	want = shard->used < cache->shard_limit ? 0 : shard->used == cache->shard_limit ? 1 : 2;
	shard->patience += CLOCK_PINNED;
	if (shard->patience > CLOCK_STEPS)
		shard->patience = CLOCK_STEPS;
	for (unsigned i = 0; n < want && i < CLOCK_STEPS && shard->patience > 0; i++) {
		struct dfs_inode *victim = clock_step(cache, shard, &dirty);
		if (victim)
			victims[n++] = victim;
	}
	dfs_lock_release(&shard->lock);
	if (dirty) {
		ns = dirty->ns;
		dfs_writeback_add(ns->store, dirty);
		hand_back(ns);
	}
	for (unsigned i = 0; i < n; i++) {
		ns = victims[i]->ns;
		file_free(victims[i]);
		slot_free(shard, victims[i]);
		hand_back(ns);
	}
	dfs_lock_acquire(&shard->lock);
	slot = shard->free || shard_grow(cache, shard) ? shard->free : NULL;
	if (slot) {
		shard->free = slot->hash_next;
		shard->used++;
	}
	if (shard->used >= cache->shard_limit)
		/* The next victim, and its slot. */
		chain_prefetch(&cache->buckets[shard->hand], sizeof(struct dfs_inode));
	dfs_lock_release(&shard->lock);
	return slot;
}

static void
slot_fill(struct dfs_inode *inode, struct dfs_namespace *ns, const struct dfs_inode_record *rec)
{
	inode->ns = ns;
	inode->fileid = rec->fileid;
	inode->generation = rec->generation;
	inode->type = rec->type;
	dfs_attr_from_record(&inode->attr, rec);
	if (rec->type == DFS_TYPE_DIR)
		inode->parent = rec->parent;
	else
		inode->stable_length = rec->length;
	inode->verifier = rec->verifier;
	inode->cut = (struct dfs_log_cut){rec->cut_lsn, rec->cut_length};
	inode->stored = (struct dfs_inode_stored){rec->used, rec->uid, rec->gid};
	inode->revision = rec->revision;
	inode->content = rec->content;
	atomic_init(&inode->file, NULL);
	inode->dirty_next = NULL;
	atomic_init(&inode->refs, 1);
	inode->state = DFS_STATE_HASHED;
	inode->flags = rec->flags;
	atomic_init(&inode->opens, 0);
	atomic_init(&inode->cuts, 0);
	atomic_init(&inode->lock.word, 0);
}

void
dfs_inode_epochs_take(struct dfs_namespace *ns, struct dfs_inode_epochs *epochs)
{
	for (unsigned i = 0; i < DFS_INODE_SHARDS; i++)
		epochs->of[i] =
			atomic_load_explicit(&ns->cache->shards[i].epoch, memory_order_acquire);
}

uint32_t
dfs_inode_epoch_then(const struct dfs_inode_epochs *epochs, const struct dfs_namespace *ns,
		     uint64_t fileid)
{
	return epochs->of[shard_of(ns, fileid) - ns->cache->shards];
}

uint32_t
dfs_inode_epoch(struct dfs_namespace *ns, uint64_t fileid)
{
	return atomic_load_explicit(&shard_of(ns, fileid)->epoch, memory_order_acquire);
}

/* The record is newer than what is cached of a share that is followed.  Attributes are taken; where
 * the content has changed, whoever reads goes on with the one that he has, and NULL asks for a new
 * inode beside it.  The bucket is locked, and stays so. */
static struct dfs_inode *
follow(struct inode_bucket *b, struct dfs_inode *inode, const struct dfs_inode_record *rec)
{
	if (inode->generation == rec->generation && inode->revision == rec->revision &&
	    inode->attr.length == rec->length) {
		dfs_attr_from_record(&inode->attr, rec);
		if (inode->type == DFS_TYPE_DIR)
			inode->parent = rec->parent;
		inode->flags = rec->flags;
		return inode;
	}
	chain_remove(b, inode);
	/* Its last reference frees it; with ours there is one. */
	atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
	atomic_fetch_or_explicit(&inode->refs, DFS_REFS_FORGOTTEN, memory_order_relaxed);
	return NULL;
}

struct dfs_inode *
dfs_inode_insert(struct dfs_namespace *ns, const struct dfs_inode_record *rec, uint32_t epoch)
{
	struct inode_bucket *b = bucket_of(ns, rec->fileid);
	struct inode_shard *shard = shard_of(ns, rec->fileid);
	struct dfs_inode *slot = slot_alloc(ns->cache, shard), *inode, *old = NULL;

	if (!slot)
		return NULL;
	slot_fill(slot, ns, rec);
	dfs_lock_acquire(&b->lock);
	inode = chain_find(b, ns, rec->fileid);
	if (inode && ns->lease.follow) {
		old = inode;
		inode = follow(b, inode, rec);
		if (inode)
			old = NULL;
	}
	if (inode) {
		atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
	} else if (atomic_load_explicit(&shard->epoch, memory_order_relaxed) == epoch) {
		slot->hash_next = b->head;
		b->head = slot;
		inode = slot;
	}
	dfs_lock_release(&b->lock);
	if (inode != slot)
		slot_free(shard, slot);
	dfs_inode_unref(old);
	return inode;
}

enum dfs_status
dfs_inode_get(const struct dfs_ctx *ctx, struct dfs_namespace *ns, uint64_t fileid,
	      struct dfs_inode **inode)
{
	unsigned again = 0;

	for (unsigned i = 0; i < LOAD_TRIES + again; i++) {
		struct dfs_inode_record rec = {.size = sizeof rec};
		enum dfs_status status;
		struct dfs_txn *txn;
		uint32_t epoch;

		*inode = dfs_inode_find(ns, fileid);
		if (*inode)
			return DFS_OK;
		if (atomic_load_explicit(&ns->fenced, memory_order_relaxed))
			return dfs_fail(DFS_FENCED, "%s: another server has taken the share over",
					ns->rec.name);
		epoch = dfs_inode_epoch(ns, fileid);
		status = dfs_metadata_begin(ns->store, ctx, DFS_TXN_READ, &txn);
		if (status == DFS_OK) {
			status = ns->store->ops.get_inode(ns->store->inst, txn, ns->rec.id, fileid,
							  &rec);
			dfs_metadata_abort(ns->store, txn);
		}
		if (dfs_metadata_again(ctx, &status, &again))
			continue;
		if (status != DFS_OK)
			return status;
		*inode = dfs_inode_insert(ns, &rec, epoch);
		if (*inode)
			return DFS_OK;
	}
	return DFS_DELAY;
}

void
dfs_inode_forget(struct dfs_inode *inode)
{
	struct inode_bucket *b = bucket_of(inode->ns, inode->fileid);
	struct inode_shard *shard = shard_of(inode->ns, inode->fileid);

	dfs_lock_acquire(&b->lock);
	inode->state |= DFS_STATE_GONE;
	if (inode->state & DFS_STATE_HASHED) {
		atomic_fetch_add_explicit(&shard->epoch, 1, memory_order_release);
		dfs_inode_charge_leaves_locked(inode, 0, 0);
		chain_remove(b, inode);
		atomic_fetch_or_explicit(&inode->refs, DFS_REFS_FORGOTTEN, memory_order_relaxed);
	}
	dfs_lock_release(&b->lock);
}

bool
dfs_inode_cache_purge(struct dfs_inode_cache *cache, struct dfs_namespace *ns)
{
	bool all = true;

	for (uint64_t k = 0; k <= cache->mask; k++) {
		struct inode_bucket *b = &cache->buckets[k];
		struct dfs_inode *list = NULL, **p = &b->head;

		dfs_lock_acquire(&b->lock);
		while (*p) {
			struct dfs_inode *i = *p;
			if (i->ns != ns ||
			    atomic_load_explicit(&i->refs, memory_order_acquire) != 0) {
				all &= i->ns != ns;
				p = &i->hash_next;
				continue;
			}
			*p = i->hash_next;
			i->hash_next = list;
			list = i;
		}
		dfs_lock_release(&b->lock);
		while (list) {
			struct dfs_inode *i = list;
			list = i->hash_next;
			file_free(i);
			slot_free(&cache->shards[k >> cache->shard_shift], i);
		}
	}
	return all;
}
