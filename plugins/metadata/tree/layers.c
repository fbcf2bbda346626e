/* SPDX-License-Identifier: MIT
 *
 * Transactions over layers: see layers.h.
 */
#include "layers.h"

#include <stdlib.h>
#include <string.h>

#include "txn.h"

/* Up to so many changes move into the tree under the lock that readers need to begin.  Larger
 * transactions copy the nodes that they change instead, and readers go on beside them. */
#define CHANGES_IN_PLACE 256
#define SPARES_MAX 16

static struct layer *
layer_new(void)
{
	struct layer *layer = calloc(1, sizeof(*layer));

	if (!layer)
		return NULL;
	arena_init(&layer->arena);
	tree_init(&layer->tree, &layer->arena);
	layer->refs = 1;
	return layer;
}

static void
layer_free(struct layer *layer)
{
	tree_clear(&layer->tree);
	arena_clear(&layer->arena);
	free(layer);
}

bool
layers_init(struct layers *l, const struct base_ops *ops, void *base, struct base_view *view,
	    uint64_t limit, uint64_t full)
{
	memset(l, 0, sizeof(*l));
	l->base_ops = ops;
	l->base = base;
	l->view = view;
	l->limit = limit;
	l->full = full;
	l->current = layer_new();
	return l->current != NULL; /* layers_clear also after a failure */
}

void
layers_clear(struct layers *l)
{
	while (l->spare) {
		struct dfs_txn *txn = l->spare;

		l->spare = txn->next;
		free(txn);
	}
	free(l->spare_write);
	if (l->frozen)
		layer_free(l->frozen);
	if (l->current)
		layer_free(l->current);
	if (l->view)
		l->base_ops->drop(l->base, l->view, false);
	memset(l, 0, sizeof(*l));
}

/* ---- views ---- */

/* Fix what the transaction reads. */
static void
take_view_locked(struct layers *l, struct dfs_txn *txn)
{
	txn->current = l->current;
	txn->current->refs++;
	tree_snapshot(&txn->current->tree, &txn->snapshot);
	txn->frozen = l->frozen;
	if (txn->frozen)
		txn->frozen->refs++;
	txn->view = l->view;
	if (txn->view)
		atomic_fetch_add_explicit(&txn->view->refs, 1, memory_order_relaxed);
}

/* What is returned is to be freed after the lock is released. */
static struct layer *
put_layer_locked(struct layer *layer)
{
	return layer && --layer->refs == 0 ? layer : NULL;
}

static void
put_view(struct layers *l, struct base_view *view, bool nonblock)
{
	if (view && atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) == 1)
		l->base_ops->drop(l->base, view, nonblock);
}

static void
end_view(struct layers *l, struct dfs_txn *txn, bool keep_txn)
{
	struct layer *current, *frozen;

	lock_take(&l->lock);
	tree_release(&txn->snapshot);
	current = put_layer_locked(txn->current);
	frozen = put_layer_locked(txn->frozen);
	if (keep_txn && l->spares < SPARES_MAX) {
		txn->next = l->spare;
		l->spare = txn;
		l->spares++;
		keep_txn = false;
	}
	struct base_view *view = txn->view;
	bool nonblock = txn->nonblock;

	lock_release(&l->lock);
	if (keep_txn)
		free(txn);
	if (current)
		layer_free(current);
	if (frozen)
		layer_free(frozen);
	put_view(l, view, nonblock);
}

/* ---- begin ---- */

static enum dfs_status
begin_read(struct layers *l, bool nonblock, struct dfs_txn **out)
{
	struct dfs_txn *txn;

	lock_take(&l->lock);
	txn = l->spare;
	if (txn) {
		l->spare = txn->next;
		l->spares--;
	} else {
		lock_release(&l->lock);
		txn = malloc(sizeof(*txn));
		if (!txn)
			return DFS_NOMEM;
		lock_take(&l->lock);
	}
	take_view_locked(l, txn);
	lock_release(&l->lock);
	txn->write = false;
	txn->nonblock = nonblock;
	txn->has_changes = false;
	*out = txn;
	return DFS_OK;
}

static enum dfs_status
begin_write(struct layers *l, bool nonblock, struct dfs_txn **out)
{
	struct dfs_txn *txn;

	if (!lock_spin(&l->writer)) {
		if (nonblock)
			return DFS_AGAIN;
		lock_take(&l->writer);
	}
	if (!l->spare_write)
		l->spare_write = malloc(sizeof(*txn));
	txn = l->spare_write;
	if (!txn) {
		lock_release(&l->writer);
		return DFS_NOMEM;
	}
	lock_take(&l->lock);
	if (l->full && arena_live(&l->current->arena) >= l->full) {
		lock_release(&l->lock);
		lock_release(&l->writer);
		return DFS_DELAY;
	}
	take_view_locked(l, txn);
	lock_release(&l->lock);
	l->spare_write = NULL;
	txn->write = true;
	txn->nonblock = nonblock;
	txn->has_changes = false;
	txn->changes = 0;
	txn->sorted = false;
	txn->n_few = 0;
	tree_init(&txn->own, &txn->current->arena);
	*out = txn;
	return DFS_OK;
}

enum dfs_status
layers_begin(struct layers *l, uint32_t mode, struct dfs_txn **txn)
{
	bool nonblock = mode & DFS_NONBLOCK;

	if ((mode & ~DFS_NONBLOCK) == DFS_TXN_WRITE)
		return begin_write(l, nonblock, txn);
	return begin_read(l, nonblock, txn);
}

/* ---- the end ---- */

static void
end_write(struct layers *l, struct dfs_txn *txn)
{
	end_view(l, txn, false);
	l->spare_write = txn;
	lock_release(&l->writer);
}

void
layers_abort(struct layers *l, struct dfs_txn *txn)
{
	if (!txn->write) {
		end_view(l, txn, true);
		return;
	}
	own_drop(txn, true);
	end_write(l, txn);
}

/* Move one change.  A layer over a base keeps tombstones: they hide what lies below. */
static void
move_change(struct layers *l, struct layer *to, struct record *r)
{
	if (r->tombstone && !l->base_ops) {
		tree_erase(&to->tree, r->bytes, r->key_len);
		tree_record_free(&to->arena, r);
	} else {
		tree_put(&to->tree, r);
	}
}

/* The current layer was rotated since the transaction began: its records must not go with the
 * memory of the old layer. */
static enum dfs_status
move_records(struct dfs_txn *txn, struct layer *to)
{
	struct tree moved;
	struct cursor c;

	if (!own_sort(txn))
		return DFS_NOMEM;
	tree_init(&moved, &to->arena);
	for (tree_seek(&c, txn->own.edit, "", 0); tree_at(&c); tree_next(&c)) {
		const struct record *r = tree_at(&c);
		struct record *copy = tree_record(&to->arena, r->bytes, r->key_len, record_value(r),
						  r->value_len, r->tombstone);

		if (!copy || !arena_reserve(&to->arena, TREE_CHANGE_BYTES)) {
			if (copy)
				tree_record_free(&to->arena, copy);
			tree_drop(&moved, true);
			return DFS_NOMEM;
		}
		tree_put(&moved, copy);
	}
	tree_drop(&txn->own, true);
	txn->own = moved;
	txn->own.snapshots.prev = txn->own.snapshots.next = &txn->own.snapshots;
	return DFS_OK;
}

/* Before the changes move: free what old snapshots held back, and bring records that lie in the
 * memory of a rotated layer into the current one, `to`. */
static enum dfs_status
prepare(struct layers *l, struct dfs_txn *txn, struct layer *to, uint64_t oldest)
{
	struct layer *old = txn->current;
	enum dfs_status st;

	tree_reclaim(&to->tree, oldest);
	if (to == old)
		return DFS_OK;
	st = move_records(txn, to);
	if (st != DFS_OK)
		return st;
	lock_take(&l->lock);
	to->refs++;
	txn->current = to;
	old = put_layer_locked(old);
	lock_release(&l->lock);
	if (old)
		layer_free(old);
	return DFS_OK;
}

/* Move the changes into the current layer; with the locks writer and apply held. */
static enum dfs_status
apply_changes(struct layers *l, struct dfs_txn *txn, uint64_t *seq)
{
	struct layer *to;
	struct snapshot pin;
	struct cursor c;
	enum dfs_status st = DFS_OK;
	bool beside = txn->changes > CHANGES_IN_PLACE;

	lock_take(&l->lock);
	/* The transaction reads no more, and its own snapshot would only force copies. */
	tree_release(&txn->snapshot);
	txn->snapshot.prev = txn->snapshot.next = &txn->snapshot;
	to = l->current;
	if (to != txn->current || tree_has_retired(&to->tree)) {
		uint64_t oldest = tree_oldest(&to->tree);

		lock_release(&l->lock);
		st = prepare(l, txn, to, oldest);
		if (st != DFS_OK)
			return st;
		lock_take(&l->lock);
	}
	if (beside)
		tree_snapshot(&to->tree, &pin);
	if (!tree_edit(&to->tree, txn->changes)) {
		st = DFS_NOMEM;
	} else {
		if (beside)
			lock_release(&l->lock);
		for (uint32_t i = 0; i < txn->n_few; i++)
			move_change(l, to, txn->few[i]);
		for (tree_seek(&c, txn->own.edit, "", 0); tree_at(&c); tree_next(&c))
			move_change(l, to, (struct record *)tree_at(&c));
		if (beside)
			lock_take(&l->lock);
		tree_publish(&to->tree);
		*seq = to->seq = ++l->seq;
	}
	if (beside)
		tree_release(&pin);
	lock_release(&l->lock);
	return st;
}

enum dfs_status
layers_commit(struct layers *l, struct dfs_txn *txn, uint64_t *seq)
{
	enum dfs_status st = DFS_OK;
	uint64_t reached = 0;

	if (!txn->write || !txn->has_changes) {
		lock_take(&l->lock);
		reached = l->seq;
		lock_release(&l->lock);
	} else {
		lock_take(&l->apply);
		st = apply_changes(l, txn, &reached);
		lock_release(&l->apply);
	}
	if (seq)
		*seq = reached;
	if (!txn->write) {
		end_view(l, txn, true);
		return st;
	}
	own_drop(txn, st != DFS_OK);
	end_write(l, txn);
	return st;
}

/* ---- changes ---- */

static enum dfs_status
change(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
       uint32_t value_len, bool tombstone)
{
	struct arena *arena = &txn->current->arena;
	struct record *r;

	if (!txn->write || key_len < 1 || key_len > DFS_OKV_KEY_MAX ||
	    value_len > DFS_OKV_VALUE_MAX)
		return DFS_INVAL;
	/* Erasing is how space comes back: it may go a little over the limit. */
	if (arena_live(arena) + key_len + value_len > l->limit + (tombstone ? l->limit / 64 : 0))
		return DFS_NOSPC;
	r = tree_record(arena, key, key_len, value, value_len, tombstone);
	if (!r)
		return DFS_NOMEM;
	if (!own_put(txn, r)) {
		tree_record_free(arena, r);
		return DFS_NOMEM;
	}
	txn->changes++;
	txn->has_changes = true;
	return DFS_OK;
}

enum dfs_status
layers_put(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len,
	   const void *value, uint32_t value_len)
{
	return change(l, txn, key, key_len, value, value_len, false);
}

enum dfs_status
layers_erase(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	return change(l, txn, key, key_len, NULL, 0, true);
}

/* ---- rotation ---- */

uint64_t
layers_bytes(struct layers *l)
{
	uint64_t bytes;

	lock_take(&l->lock);
	bytes = arena_live(&l->current->arena);
	lock_release(&l->lock);
	return bytes;
}

struct layer *
layers_rotate(struct layers *l, enum dfs_status *status)
{
	struct layer *next = layer_new(), *frozen = NULL;

	*status = next ? DFS_OK : DFS_NOMEM;
	if (!next)
		return NULL;
	lock_take(&l->apply);
	lock_take(&l->lock);
	if (l->current->tree.root) {
		frozen = l->frozen = l->current;
		l->current = next;
		next = NULL;
	}
	lock_release(&l->lock);
	lock_release(&l->apply);
	if (next)
		layer_free(next);
	return frozen;
}

void
layers_drop_frozen(struct layers *l, struct base_view *view)
{
	struct base_view *old;
	struct layer *frozen;

	lock_take(&l->lock);
	old = l->view;
	l->view = view;
	frozen = put_layer_locked(l->frozen);
	l->frozen = NULL;
	lock_release(&l->lock);
	if (frozen)
		layer_free(frozen);
	put_view(l, old, false);
}
