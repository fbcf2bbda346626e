/* SPDX-License-Identifier: MIT
 *
 * A transaction over layers.  Private to this folder.
 */
#ifndef TREE_TXN_H
#define TREE_TXN_H

#include "layers.h"

struct dfs_txn {
	bool write, nonblock, has_changes;
	struct layer *current; /* referenced; read through snapshot */
	struct snapshot snapshot;
	struct layer *frozen;   /* referenced, or NULL */
	struct base_view *view; /* referenced, or NULL */
	struct dfs_txn *next;   /* in a list of spare ones */
	/* a write transaction's */
	struct tree own;  /* its changes; nodes and records lie in current's arena */
	uint64_t changes; /* made so far */
};

#endif
