/* SPDX-License-Identifier: MIT
 *
 * What a write transaction has changed so far.
 *
 * Most change two or three records and read none of them again: a short list, in order of
 * arrival, costs less than a tree.  When it is full, or when somebody scans, they move into a tree.
 */
#include <string.h>

#include "txn.h"

static inline bool
has_key(const struct record *r, const void *key, uint32_t key_len)
{
	return r->key_len == key_len && memcmp(r->bytes, key, key_len) == 0;
}

const struct record *
own_find(const struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	for (uint32_t i = 0; i < txn->n_few; i++)
		if (has_key(txn->few[i], key, key_len))
			return txn->few[i];
	return tree_get(txn->own.edit, key, key_len);
}

bool
own_sort(struct dfs_txn *txn)
{
	txn->sorted = true;
	while (txn->n_few) {
		if (!arena_reserve(txn->own.arena, TREE_CHANGE_BYTES))
			return false;
		tree_put(&txn->own, txn->few[--txn->n_few]);
	}
	return true;
}

bool
own_put(struct dfs_txn *txn, struct record *r)
{
	for (uint32_t i = 0; i < txn->n_few; i++) {
		struct record *old = txn->few[i];

		if (has_key(old, r->bytes, r->key_len)) {
			txn->few[i] = r;
			tree_record_free(txn->own.arena, old);
			return true;
		}
	}
	if (!txn->sorted && txn->n_few < TXN_FEW) {
		txn->few[txn->n_few++] = r;
		return true;
	}
	if (!own_sort(txn) || !arena_reserve(txn->own.arena, TREE_CHANGE_BYTES))
		return false;
	tree_put(&txn->own, r);
	return true;
}

void
own_drop(struct dfs_txn *txn, bool records)
{
	for (uint32_t i = 0; records && i < txn->n_few; i++)
		tree_record_free(txn->own.arena, txn->few[i]);
	txn->n_few = 0;
	tree_drop(&txn->own, records);
	tree_clear(&txn->own);
}
