/* SPDX-License-Identifier: MIT
 *
 * A hash table of tries: all keys of one group, which is a file for the core's keys, in one trie.
 *
 * Groups are told apart by their 64-bit hash alone: two that share one share a trie, which holds
 * any keys.  Linear probing without wrapping around: when an entry moves, it moves to a lower
 * place, so that whoever walks the slots from the top, letting the lock go in between, misses
 * nothing unless the generation changes.  The caller locks.
 */
#ifndef BLOCK_MEMORY_TABLE_H
#define BLOCK_MEMORY_TABLE_H

#include "trie.h"

struct slot {
	uint64_t hash;
	struct trie trie; /* empty: the slot is free */
};

struct table {
	struct slot *slots;
	uint32_t size; /* slots, those for overhang included */
	uint32_t bits; /* log2 of the slots that hashes lead to */
	uint32_t used;
	uint32_t generation; /* counts reorderings */
};

void table_clear(struct table *t);
/* NULL when there is none. */
struct trie *table_find(const struct table *t, uint64_t hash);
/* Finds or makes; a new one is empty and must be filled before the lock is let go.  NULL: no
 * memory. */
struct trie *table_add(struct table *t, uint64_t hash);
/* Free the slot of a trie that has become empty. */
void table_drop(struct table *t, struct trie *trie);

#endif
