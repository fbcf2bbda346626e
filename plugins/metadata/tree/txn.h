/* SPDX-License-Identifier: MIT
 *
 * A transaction over layers.  Private to this folder.
 */
#ifndef TREE_TXN_H
#define TREE_TXN_H

#include "layers.h"

#define TXN_FEW 8

struct dfs_txn {
	bool write, nonblock, has_changes;
	struct layer *current; /* referenced; read through snapshot */
	struct snapshot snapshot;
	struct layer *frozen;   /* referenced, or NULL */
	struct base_view *view; /* referenced, or NULL */
	struct dfs_txn *next;   /* in a list of spare ones */
	/* a write transaction's */
	uint64_t changes; /* made so far; nodes and records of them lie in current's arena */
	bool sorted;      /* new ones go to own, not to few */
	uint32_t n_few;
	struct record *few[TXN_FEW];
	struct tree own;
};

/* The change of a key; NULL: none. */
const struct record *own_find(const struct dfs_txn *txn, const void *key, uint32_t key_len);
/* Takes the record.  False: no memory, it is still the caller's. */
bool own_put(struct dfs_txn *txn, struct record *r);
/* All changes, later ones too, are in txn->own.edit.  False: no memory. */
bool own_sort(struct dfs_txn *txn);
/* Forget them; the records go too if records. */
void own_drop(struct dfs_txn *txn, bool records);

#endif
