/* SPDX-License-Identifier: MIT
 *
 * Changing a tree: copy what a snapshot may see, split full nodes, merge sparse ones.
 */
#include <stdlib.h>

#include "node.h"

/* Nodes from the root down to a leaf, and the child taken in each. */
struct path {
	struct node *node[TREE_LEVELS];
	uint32_t at[TREE_LEVELS];
};

/* ---- memory ---- */

struct record *
tree_record(struct arena *a, const void *key, uint32_t key_len, const void *value,
	    uint32_t value_len, bool tombstone)
{
	struct record *r = arena_alloc(a, sizeof(*r) + key_len + value_len);

	if (!r)
		return NULL;
	r->value_len = value_len;
	r->key_len = (uint16_t)key_len;
	r->tombstone = tombstone;
	r->reserved = 0;
	memcpy(r->bytes, key, key_len);
	if (value_len)
		memcpy(r->bytes + key_len, value, value_len);
	return r;
}

static uint32_t
record_bytes(const struct record *r)
{
	return sizeof(*r) + r->key_len + r->value_len;
}

void
tree_record_free(struct arena *a, struct record *r)
{
	arena_free(a, r, record_bytes(r));
}

static bool
grow_retired(struct tree *t)
{
	uint64_t size = t->retired_size ? t->retired_size * 2 : 256;
	struct retired *ring = malloc(size * sizeof(*ring));

	if (!ring)
		return false;
	for (uint64_t i = t->retired_head; i != t->retired_tail; i++)
		ring[i & (size - 1)] = t->retired[i & (t->retired_size - 1)];
	free(t->retired);
	t->retired = ring;
	t->retired_size = size;
	return true;
}

/* Let go of something that snapshots may still read. */
static void
retire(struct tree *t, void *p, uint32_t bytes, bool shared)
{
	if (!shared || !t->keep) {
		arena_free(t->arena, p, bytes);
		return;
	}
	/* Without memory for the note the piece stays until the arena goes. */
	if (t->retired_tail - t->retired_head == t->retired_size && !grow_retired(t))
		return;
	t->retired[t->retired_tail++ & (t->retired_size - 1)] =
		(struct retired){p, bytes, t->version + 1};
}

static void
retire_record(struct tree *t, struct record *r)
{
	retire(t, r, record_bytes(r), true);
}

static void
retire_node(struct tree *t, struct node *node)
{
	retire(t, node, node_bytes(node), node->version <= t->pin);
}

/* Cannot fail: tree_edit and arena_reserve have seen to it. */
static struct node *
new_node(struct tree *t, uint32_t level)
{
	struct node *node =
		arena_alloc(t->arena, level ? sizeof(struct inner) : sizeof(struct leaf));

	if (!node)
		abort();
	node->version = t->version + 1;
	node->n = 0;
	node->level = (uint8_t)level;
	node->skip = 0;
	return node;
}

static struct node *
writable(struct tree *t, struct node *node)
{
	struct node *copy;

	if (node->version > t->pin)
		return node;
	copy = new_node(t, node->level);
	memcpy(copy, node, node_bytes(node));
	copy->version = t->version + 1;
	retire_node(t, node);
	return copy;
}

/* ---- keys of a node ---- */

static uint32_t
common_prefix(const struct record *a, const struct record *b)
{
	uint32_t n = a->key_len < b->key_len ? a->key_len : b->key_len, i = 0;

	while (i < n && a->bytes[i] == b->bytes[i])
		i++;
	return i;
}

static uint32_t
prefix_of(const struct node *node)
{
	struct record *const *keys = node_keys(node);
	uint32_t n = node->n ? common_prefix(keys[0], keys[node->n - 1]) : 0;

	return n < NODE_PREFIX ? n : NODE_PREFIX;
}

/* Compute prefix and heads anew. */
static void
refresh(struct node *node)
{
	struct record *const *keys = node_keys(node);
	uint64_t *heads = node_heads(node);
	uint32_t skip = prefix_of(node);

	node->skip = (uint8_t)skip;
	if (!node->n)
		return;
	memcpy(node->prefix, keys[0]->bytes, skip);
	for (uint32_t i = 0; i < node->n; i++)
		heads[i] = key_head(keys[i]->bytes, keys[i]->key_len, skip);
}

static void
insert_key(struct node *node, uint32_t pos, struct record *r)
{
	struct record **keys = node_keys(node);
	uint64_t *heads = node_heads(node);
	uint32_t after = node->n - pos;

	memmove(keys + pos + 1, keys + pos, after * sizeof(*keys));
	memmove(heads + pos + 1, heads + pos, after * sizeof(*heads));
	keys[pos] = r;
	node->n++;
	if (node->n > 1 && r->key_len >= node->skip && !memcmp(r->bytes, node->prefix, node->skip))
		heads[pos] = key_head(r->bytes, r->key_len, node->skip);
	else
		refresh(node);
}

static void
remove_key(struct node *node, uint32_t pos)
{
	struct record **keys = node_keys(node);
	uint64_t *heads = node_heads(node);
	uint32_t after = node->n - pos - 1;

	memmove(keys + pos, keys + pos + 1, after * sizeof(*keys));
	memmove(heads + pos, heads + pos + 1, after * sizeof(*heads));
	node->n--;
}

/* ---- splitting ---- */

/* Where to cut a full node into which a key is to go at pos.  At the end: keys that only grow
 * leave full nodes behind.  Where the first byte after the prefix changes just once: the halves
 * get longer prefixes and better heads (this parts the record kinds).  Else in the middle. */
static uint32_t
split_point(const struct node *node, uint32_t pos)
{
	const uint64_t *heads = node_heads(node);
	uint32_t n = node->n, at = 0;

	if (pos == n)
		return n;
	for (uint32_t i = 1; i < n; i++) {
		if (heads[i - 1] >> 56 == heads[i] >> 56)
			continue;
		if (at)
			return n / 2;
		at = i;
	}
	return at ? at : n / 2;
}

/* The shortest key that is above left and not above right. */
static struct record *
separator(struct tree *t, const struct record *left, const struct record *right)
{
	uint32_t len = common_prefix(left, right) + 1;
	struct record *r = tree_record(t->arena, right->bytes, len, NULL, 0, false);

	if (!r)
		abort(); /* reserved like nodes */
	return r;
}

/* A key between two leaves goes where it shares the longer prefix. */
static bool
nearer_left(const struct node *left, const struct node *right, const struct record *r)
{
	return common_prefix(node_keys(left)[left->n - 1], r) >=
	       common_prefix(node_keys(right)[0], r);
}

/* Put sep and the node right of it beside child at of the inner node. */
static void
insert_child(struct node *node, uint32_t at, struct record *sep, struct node *right)
{
	struct node **child = node_children(node);

	memmove(child + at + 2, child + at + 1, (node->n - at) * sizeof(*child));
	child[at + 1] = right;
	insert_key(node, at, sep);
}

/* A part of the keys has left, heads and all: they are computed anew only where the rest shares a
 * longer prefix, because that reads every record. */
static void
settle(struct node *node)
{
	if (prefix_of(node) != node->skip)
		refresh(node);
}

/* Move the keys from `from` on to a new node and leave `keep` in the old one. */
static struct node *
split(struct tree *t, struct node *node, uint32_t from, uint32_t keep)
{
	struct node *right = new_node(t, node->level);
	uint32_t n = node->n - from;

	memcpy(node_keys(right), node_keys(node) + from, n * sizeof(struct record *));
	memcpy(node_heads(right), node_heads(node) + from, n * sizeof(uint64_t));
	memcpy(right->prefix, node->prefix, node->skip);
	right->skip = node->skip;
	right->n = (uint16_t)n;
	node->n = (uint16_t)keep;
	settle(right);
	settle(node);
	return right;
}

/* Key `from` itself becomes the separator. */
static struct node *
split_inner(struct tree *t, struct node *node, uint32_t from, struct record **sep)
{
	struct node *right = split(t, node, from + 1, from);

	*sep = node_keys(node)[from];
	memcpy(node_children(right), node_children(node) + from + 1,
	       (right->n + 1u) * sizeof(struct node *));
	return right;
}

/* Insert a separator and its right node above level, up to the root. */
static void
insert_above(struct tree *t, struct path *p, uint32_t level, struct record *sep, struct node *right)
{
	for (level++; level <= t->edit->level; level++) {
		struct node *node = p->node[level], *next;
		uint32_t at = p->at[level], from;
		struct record *up;

		if (node->n < INNER_KEYS) {
			insert_child(node, at, sep, right);
			return;
		}
		/* Keys that only grow: leave the left one nearly full. */
		from = at == node->n ? INNER_KEYS - 2 : INNER_KEYS / 2;
		next = split_inner(t, node, from, &up);
		if (at <= from)
			insert_child(node, at, sep, right);
		else
			insert_child(next, at - from - 1, sep, right);
		sep = up;
		right = next;
	}
	if (level >= TREE_LEVELS)
		abort(); /* more keys than any memory holds */
	struct node *root = new_node(t, level);

	node_children(root)[0] = t->edit;
	insert_child(root, 0, sep, right);
	t->edit = root;
}

/* ---- the edit ---- */

/* Go down to the leaf of key, making every node on the way private. */
static struct node *
descend(struct tree *t, struct path *p, const void *key, uint32_t key_len)
{
	struct node *node = t->edit = writable(t, t->edit);

	while (node->level) {
		uint32_t at = node_child(node, key, key_len), level = node->level;
		struct node **child = &node_children(node)[at];

		p->node[level] = node;
		p->at[level] = at;
		node_prefetch(*child, level - 1);
		node = *child = writable(t, *child);
	}
	p->node[0] = node;
	return node;
}

void
tree_put(struct tree *t, struct record *r)
{
	struct path p;
	struct node *leaf, *right;
	struct record *sep;
	uint32_t pos, from;
	bool equal;

	if (!t->edit)
		t->edit = new_node(t, 0);
	leaf = descend(t, &p, r->bytes, r->key_len);
	pos = node_find(leaf, r->bytes, r->key_len, &equal);
	if (equal) {
		struct record **slot = &node_keys(leaf)[pos], *old = *slot;

		*slot = r;
		retire_record(t, old);
		return;
	}
	if (leaf->n < LEAF_KEYS) {
		insert_key(leaf, pos, r);
		return;
	}
	from = split_point(leaf, pos);
	if (from == leaf->n) {
		sep = separator(t, node_keys(leaf)[from - 1], r);
		right = new_node(t, 0);
		insert_key(right, 0, r);
	} else {
		right = split(t, leaf, from, from);
		if (pos < from || (pos == from && nearer_left(leaf, right, r)))
			insert_key(leaf, pos, r);
		else
			insert_key(right, pos - from, r);
		sep = separator(t, node_keys(leaf)[leaf->n - 1], node_keys(right)[0]);
	}
	insert_above(t, &p, 0, sep, right);
}

/* Take child at out of its parent. */
static void
remove_child(struct tree *t, struct node *node, uint32_t at)
{
	struct node **child = node_children(node);
	uint32_t sep = at ? at - 1 : 0;

	memmove(child + at, child + at + 1, (node->n - at) * sizeof(*child));
	retire_record(t, node_keys(node)[sep]);
	remove_key(node, sep);
}

/* Join children at and at+1 of the parent when both fit easily into one. */
static void
merge(struct tree *t, struct node *parent, uint32_t at)
{
	struct node **child = node_children(parent), *left = child[at], *right = child[at + 1];
	uint32_t inner = left->level != 0, n = left->n;

	if (n + right->n + inner > node_capacity(left) * 3 / 4)
		return;
	left = child[at] = writable(t, left);
	if (inner) {
		struct record *sep = node_keys(parent)[at];

		/* The separator comes down; the parent loses a copy of its own. */
		node_keys(left)[n] =
			tree_record(t->arena, sep->bytes, sep->key_len, NULL, 0, false);
		if (!node_keys(left)[n])
			abort();
		memcpy(node_children(left) + n + 1, node_children(right),
		       (right->n + 1) * sizeof(struct node *));
		n++;
	}
	memcpy(node_keys(left) + n, node_keys(right), right->n * sizeof(struct record *));
	left->n = (uint16_t)(n + right->n);
	refresh(left);
	remove_child(t, parent, at + 1);
	retire_node(t, right);
}

/* After a key has gone from p->node[0]: drop what is empty, join what is sparse. */
static void
shrink(struct tree *t, struct path *p)
{
	bool gone = p->node[0]->n == 0; /* the node of this level holds nothing any more */
	uint32_t level;

	for (level = 0; level < t->edit->level; level++) {
		struct node *node = p->node[level], *parent = p->node[level + 1];
		uint32_t at = p->at[level + 1];

		if (gone) {
			gone = parent->n == 0;
			if (!gone)
				remove_child(t, parent, at);
			retire_node(t, node);
		} else if (node->n < node_capacity(node) / 4) {
			if (parent->n > 0)
				merge(t, parent, at ? at - 1 : 0);
		} else {
			break;
		}
	}
	if (gone) {
		retire_node(t, t->edit);
		t->edit = NULL;
		return;
	}
	while (t->edit->level && t->edit->n == 0) {
		struct node *root = t->edit;

		t->edit = node_children(root)[0];
		retire_node(t, root);
	}
}

bool
tree_erase(struct tree *t, const void *key, uint32_t key_len)
{
	struct path p;
	struct node *leaf;
	struct record *old;
	uint32_t pos;
	bool equal;

	/* Where going down copies nodes, not for a key that is not there. */
	if (!t->edit || (t->keep && !tree_get(t->edit, key, key_len)))
		return false;
	leaf = descend(t, &p, key, key_len);
	pos = node_find(leaf, key, key_len, &equal);
	if (!equal)
		return false;
	old = node_keys(leaf)[pos];
	remove_key(leaf, pos);
	retire_record(t, old);
	if (leaf->n < LEAF_KEYS / 4)
		shrink(t, &p);
	return true;
}
