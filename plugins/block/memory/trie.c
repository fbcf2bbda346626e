/* SPDX-License-Identifier: MIT
 *
 * The trie of trie.h.  A slot holds NULL (only the root's), an object with its lowest bit set, or a
 * node.  A node has at least two children.
 */
#include "trie.h"

#include <stdlib.h>
#include <string.h>

struct node {
	uint64_t map[2]; /* which values of byte `at` have a child */
	uint16_t at;
	uint8_t n, cap; /* children, room for children */
	uint8_t n_low;  /* bits set in map[0] */
	void *child[];
};

#define CHILDREN_MAX 68 /* 64 characters, '/', NUL, and one to round up */

static inline bool
is_object(const void *slot)
{
	return (uintptr_t)slot & 1;
}

static inline struct object *
as_object(const void *slot)
{
	return (struct object *)((uintptr_t)slot & ~(uintptr_t)1);
}

static inline void *
from_object(const struct object *o)
{
	return (void *)((uintptr_t)o | 1);
}

/* Without -mpopcnt the compiler's own is a call. */
static inline uint32_t
count_bits(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

/* Where the child of c is, or would be. */
static inline uint32_t
rank(const struct node *n, unsigned char c)
{
	uint64_t below = n->map[c >> 6] & ((UINT64_C(1) << (c & 63)) - 1);

	return count_bits(below) + (c >> 6 ? n->n_low : 0);
}

static inline bool
has(const struct node *n, unsigned char c)
{
	return n->map[c >> 6] >> (c & 63) & 1;
}

/* Any object below a slot: the leftmost. */
static struct object *
leftmost(const void *slot)
{
	while (!is_object(slot))
		slot = ((const struct node *)slot)->child[0];
	return as_object(slot);
}

struct object *
trie_find(const struct trie *t, const char *key, uint32_t key_len)
{
	const void *slot = t->root;
	struct object *o;

	if (!slot)
		return NULL;
	while (!is_object(slot)) {
		const struct node *n = slot;

		if (n->at > key_len || !has(n, (unsigned char)key[n->at]))
			return NULL;
		slot = n->child[rank(n, (unsigned char)key[n->at])];
	}
	o = as_object(slot);
	return o->key_len == key_len && memcmp(o->key, key, key_len) == 0 ? o : NULL;
}

static struct node *
node_new(uint32_t cap)
{
	struct node *n = malloc(sizeof *n + cap * sizeof n->child[0]);

	if (n) {
		memset(n, 0, sizeof *n);
		n->cap = (uint8_t)cap;
	}
	return n;
}

static void
add_child(struct node *n, unsigned char c, void *child)
{
	uint32_t i = rank(n, c);

	memmove(&n->child[i + 1], &n->child[i], (n->n - i) * sizeof n->child[0]);
	n->child[i] = child;
	n->map[c >> 6] |= UINT64_C(1) << (c & 63);
	n->n++;
	if (c < 64)
		n->n_low++;
}

static bool
grow(void **slot)
{
	struct node *n = *slot;
	uint32_t cap = n->cap * 2 < CHILDREN_MAX ? n->cap * 2 : CHILDREN_MAX;

	if (n->n < n->cap)
		return true;
	n = realloc(n, sizeof *n + cap * sizeof n->child[0]);
	if (!n)
		return false;
	n->cap = (uint8_t)cap;
	*slot = n;
	return true;
}

bool
trie_put(struct trie *t, struct object *o, struct object **old)
{
	const char *key = o->key;
	void **slot = &t->root;
	const struct object *near;
	uint32_t diff = 0;
	struct node *n;

	*old = NULL;
	if (!*slot) {
		*slot = from_object(o);
		return true;
	}
	/* Some object that shares as much of the key as any: where it differs is the place. */
	while (!is_object(*slot)) {
		unsigned char c;

		n = *slot;
		c = n->at <= o->key_len ? (unsigned char)key[n->at] : 0;
		slot = &n->child[has(n, c) ? rank(n, c) : 0];
	}
	near = as_object(*slot);
	while (key[diff] == near->key[diff] && key[diff] != '\0')
		diff++;
	if (key[diff] == near->key[diff]) {
		*old = as_object(*slot);
		*slot = from_object(o);
		return true;
	}
	slot = &t->root;
	while (!is_object(*slot) && ((struct node *)*slot)->at < diff) {
		n = *slot;
		slot = &n->child[rank(n, (unsigned char)key[n->at])];
	}
	if (!is_object(*slot) && ((struct node *)*slot)->at == diff) {
		if (!grow(slot))
			return false;
		add_child(*slot, (unsigned char)key[diff], from_object(o));
		return true;
	}
	n = node_new(2);
	if (!n)
		return false;
	n->at = (uint16_t)diff;
	add_child(n, (unsigned char)near->key[diff], *slot);
	add_child(n, (unsigned char)key[diff], from_object(o));
	*slot = n;
	return true;
}

/* Empty the slot of byte c in *parent (NULL: the slot is the root). */
static void
drop_slot(struct trie *t, void **parent, unsigned char c)
{
	struct node *n;
	uint32_t i;

	if (!parent) {
		t->root = NULL;
		return;
	}
	n = *parent;
	i = rank(n, c);
	n->n--;
	memmove(&n->child[i], &n->child[i + 1], (n->n - i) * sizeof n->child[0]);
	n->map[c >> 6] &= ~(UINT64_C(1) << (c & 63));
	if (c < 64)
		n->n_low--;
	if (n->n == 1) {
		*parent = n->child[0];
		free(n);
	}
}

/* The slot where the keys that begin with the first len bytes of key part from the others, NULL
 * when there is none; *parent and *c say how it hangs. */
static void **
descend(struct trie *t, const char *key, uint32_t len, void ***parent, unsigned char *c)
{
	void **slot = &t->root;

	*parent = NULL;
	*c = 0;
	if (!*slot)
		return NULL;
	while (!is_object(*slot)) {
		struct node *n = *slot;

		if (n->at >= len)
			break;
		if (!has(n, (unsigned char)key[n->at]))
			return NULL;
		*parent = slot;
		*c = (unsigned char)key[n->at];
		slot = &n->child[rank(n, *c)];
	}
	return slot;
}

struct object *
trie_remove(struct trie *t, const char *key, uint32_t key_len)
{
	void **parent, **slot;
	unsigned char c;
	struct object *o;

	/* With its NUL the key is no prefix of another: what is found is an object. */
	slot = descend(t, key, key_len + 1, &parent, &c);
	if (!slot)
		return NULL;
	o = leftmost(*slot);
	if (o->key_len != key_len || memcmp(o->key, key, key_len) != 0)
		return NULL;
	drop_slot(t, parent, c);
	return o;
}

struct trie
trie_cut(struct trie *t, const char *prefix, uint32_t prefix_len)
{
	void **parent, **slot;
	unsigned char c;
	struct trie cut = {NULL};

	slot = descend(t, prefix, prefix_len, &parent, &c);
	if (!slot || strncmp(leftmost(*slot)->key, prefix, prefix_len) != 0)
		return cut;
	cut.root = *slot;
	drop_slot(t, parent, c);
	return cut;
}

struct scan {
	const char *after;
	struct object **out;
	uint32_t n, max;
};

/* bounded: keys below may still sort at or before s->after.  The recursion is as deep as a key is
 * long at most. */
static void
scan_slot(struct scan *s, const void *slot, bool bounded)
{
	const struct node *n = slot;
	uint32_t i = 0;

	if (is_object(slot)) {
		struct object *o = as_object(slot);

		if (s->n < s->max && (!bounded || strcmp(o->key, s->after) > 0))
			s->out[s->n++] = o;
		return;
	}
	if (bounded) {
		/* strncmp also ends where `after` does, which then sorts before all of these. */
		int order = strncmp(leftmost(slot)->key, s->after, n->at);

		if (order < 0)
			return;
		if (order > 0)
			bounded = false;
	}
	if (bounded) {
		unsigned char c = (unsigned char)s->after[n->at];

		if (c >= 128)
			return;
		i = rank(n, c);
		if (has(n, c))
			scan_slot(s, n->child[i++], true);
	}
	for (; i < n->n && s->n < s->max; i++)
		scan_slot(s, n->child[i], false);
}

uint32_t
trie_scan(const struct trie *t, const char *prefix, const char *after, struct object **out,
	  uint32_t max)
{
	struct scan s = {.after = after, .out = out, .max = max};
	uint32_t prefix_len = (uint32_t)strlen(prefix);
	void **parent, **slot;
	unsigned char c;

	slot = descend((struct trie *)t, prefix, prefix_len, &parent, &c);
	if (slot && strncmp(leftmost(*slot)->key, prefix, prefix_len) == 0)
		scan_slot(&s, *slot, after[0] != '\0');
	return s.n;
}

static void
clear_slot(void *slot, void (*fn)(void *arg, struct object *o), void *arg)
{
	struct node *n = slot;

	if (is_object(slot)) {
		fn(arg, as_object(slot));
		return;
	}
	for (uint32_t i = 0; i < n->n; i++)
		clear_slot(n->child[i], fn, arg);
	free(n);
}

void
trie_clear(struct trie *t, void (*fn)(void *arg, struct object *o), void *arg)
{
	if (t->root)
		clear_slot(t->root, fn, arg);
	t->root = NULL;
}
