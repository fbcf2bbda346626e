/* SPDX-License-Identifier: MIT
 *
 * An ordered set of objects by key: a trie that stores no text of its own.
 *
 * A node says at which byte of the key its children differ and keeps one child per value of that
 * byte, in order, packed by a bit map; bytes that all keys below share are skipped and checked
 * once, at the object.  Point operations touch about log16 nodes of random hexadecimal keys;
 * a prefix is one subtree, so that erasing a file's objects is one cut.  Keys are ASCII and end
 * with NUL, so none is a prefix of another.  The caller locks.
 */
#ifndef BLOCK_MEMORY_TRIE_H
#define BLOCK_MEMORY_TRIE_H

#include <stdbool.h>

#include "object.h"

struct trie {
	void *root; /* tagged: see trie.c */
};

/* NULL when absent.  No reference is taken. */
struct object *trie_find(const struct trie *t, const char *key, uint32_t key_len);
/* Takes over a reference of o; *old: the object of the same key that it replaced, with its
 * reference, or NULL.  False: no memory, nothing changed. */
bool trie_put(struct trie *t, struct object *o, struct object **old);
/* Takes the object out; its reference is the caller's.  NULL when absent. */
struct object *trie_remove(struct trie *t, const char *key, uint32_t key_len);
/* Takes out the subtree of all keys that begin with prefix. */
struct trie trie_cut(struct trie *t, const char *prefix, uint32_t prefix_len);
/* Objects that begin with prefix and sort after `after`, ascending, at most max. */
uint32_t trie_scan(const struct trie *t, const char *prefix, const char *after, struct object **out,
		   uint32_t max);
/* Takes the whole trie apart; fn gets each object with its reference. */
void trie_clear(struct trie *t, void (*fn)(void *arg, struct object *o), void *arg);

#endif
