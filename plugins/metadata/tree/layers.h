/* SPDX-License-Identifier: MIT
 *
 * Transactions over layers of ordered records: the store in memory is one tree, a store on disk
 * is a tree of recent commits (the overlay) over what the disk holds.
 *
 * A write transaction gathers its changes in a small tree of its own and moves them into the
 * current layer at commit, so an abort forgets them and readers never see a part.  A read
 * transaction holds a snapshot.  Rotation freezes the current layer, which is then written to the
 * base and dropped, while commits go on in a new one.
 *
 * Locks, outermost first: writer (one write transaction), apply (a commit moves its changes, or
 * a rotation), lock (what a snapshot needs; about a microsecond).
 */
#ifndef TREE_LAYERS_H
#define TREE_LAYERS_H

#include <dittofs/okv.h>

#include "lock.h"
#include "tree.h"

/* What lies below the layers.  A view of it never changes; the plugin makes a new one whenever a
 * layer has been written. */
struct base_view {
	_Atomic uint64_t refs;
};

struct base_ops {
	/* fn is called with the value, or DFS_NOENT. */
	enum dfs_status (*get)(void *base, struct base_view *view, const void *key,
			       uint32_t key_len, dfs_okv_fn fn, void *arg);
	/* An iterator at the first key >= key. */
	enum dfs_status (*open)(void *base, struct base_view *view, const void *key,
				uint32_t key_len, void **iter);
	/* 1: *key and *value are the record at the iterator; 0: the end; -1: *status says why. */
	int (*at)(void *iter, const void **key, uint32_t *key_len, const void **value,
		  uint32_t *value_len, enum dfs_status *status);
	void (*next)(void *iter);
	void (*close)(void *iter);
	/* Nobody holds the view any more.  nonblock: on an event loop. */
	void (*drop)(void *base, struct base_view *view, bool nonblock);
};

struct layer {
	struct arena arena;
	struct tree tree;
	uint64_t seq;  /* last commit in it; guarded by lock */
	uint64_t refs; /* guarded by lock */
};

struct layers {
	const struct base_ops *base_ops; /* NULL: nothing lies below */
	void *base;
	uint64_t limit; /* bytes of the current layer; a change beyond it is DFS_NOSPC */
	uint64_t full;  /* bytes at which no write transaction begins: DFS_DELAY; 0: none */
	struct lock writer, apply, lock;
	struct layer *current, *frozen; /* guarded by lock */
	struct base_view *view;         /* guarded by lock */
	uint64_t seq;                   /* last commit; guarded by lock */
	struct dfs_txn *spare;          /* finished read transactions; guarded by lock */
	unsigned spares;
	struct dfs_txn *spare_write; /* guarded by writer */
};

/* limit and full: see the struct.  False: no memory; layers_clear is still to be called. */
bool layers_init(struct layers *l, const struct base_ops *ops, void *base, struct base_view *view,
		 uint64_t limit, uint64_t full);
/* No transaction is open.  Gives the view back to the base. */
void layers_clear(struct layers *l);

/* The operations of struct dfs_okv_ops.  begin answers DFS_AGAIN instead of sleeping when mode
 * has DFS_NONBLOCK. */
enum dfs_status layers_begin(struct layers *l, uint32_t mode, struct dfs_txn **txn);
enum dfs_status layers_commit(struct layers *l, struct dfs_txn *txn, uint64_t *seq);
void layers_abort(struct layers *l, struct dfs_txn *txn);
enum dfs_status layers_get(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len,
			   dfs_okv_fn fn, void *arg);
enum dfs_status layers_scan(struct layers *l, struct dfs_txn *txn, const void *from,
			    uint32_t from_len, const void *to, uint32_t to_len, dfs_okv_fn fn,
			    void *arg);
/* DFS_NOSPC: the transaction does not fit under limit. */
enum dfs_status layers_put(struct layers *l, struct dfs_txn *txn, const void *key, uint32_t key_len,
			   const void *value, uint32_t value_len);
enum dfs_status layers_erase(struct layers *l, struct dfs_txn *txn, const void *key,
			     uint32_t key_len);

/* Bytes that the current layer holds. */
uint64_t layers_bytes(struct layers *l);
/* Freeze the current layer and begin a new one.  NULL: it is empty, or there is no memory
 * (*status).  The layer stays readable until layers_drop_frozen. */
struct layer *layers_rotate(struct layers *l, enum dfs_status *status);
/* The frozen layer is in the base: readers find it in view from now on. */
void layers_drop_frozen(struct layers *l, struct base_view *view);

#endif
