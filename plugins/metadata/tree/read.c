/* SPDX-License-Identifier: MIT
 *
 * Reading a version of a tree: point lookup and cursor.
 */
#include "node.h"

#define AHEAD 6 /* records that a cursor asks the memory for in advance */

int
tree_compare(const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : a_len < b_len ? -1 : a_len > b_len;
}

const struct record *
tree_get(const struct node *node, const void *key, uint32_t key_len)
{
	uint32_t pos;
	bool equal;

	if (!node)
		return NULL;
	while (node->level) {
		uint32_t level = node->level;

		node = node_children(node)[node_child(node, key, key_len)];
		node_prefetch(node, level - 1);
	}
	pos = node_find(node, key, key_len, &equal);
	return equal ? node_keys(node)[pos] : NULL;
}

static void
prefetch_record(const struct record *r)
{
	__builtin_prefetch(r);
	__builtin_prefetch((const char *)r + 64);
}

static void
enter_leaf(const struct node *leaf, uint32_t at)
{
	struct record *const *keys = node_keys(leaf);
	uint32_t end = at + AHEAD < leaf->n ? at + AHEAD : leaf->n;

	for (; at < end; at++)
		prefetch_record(keys[at]);
}

/* The leaf at the cursor has no more records: go to the next one. */
static void
next_leaf(struct cursor *c)
{
	int level = 1;

	while (level <= c->top && c->at[level] >= c->node[level]->n)
		level++;
	if (level > c->top) {
		c->top = -1;
		return;
	}
	c->at[level]++;
	for (; level > 0; level--) {
		const struct node *child = node_children(c->node[level])[c->at[level]];

		c->node[level - 1] = child;
		c->at[level - 1] = 0;
	}
	/* The leaf after this one is needed soon. */
	if (c->at[1] < c->node[1]->n)
		node_prefetch(node_children(c->node[1])[c->at[1] + 1], 0);
	enter_leaf(c->node[0], 0);
}

void
tree_seek(struct cursor *c, const struct node *root, const void *key, uint32_t key_len)
{
	const struct node *node = root;
	bool equal;

	if (!root) {
		c->top = -1;
		return;
	}
	c->top = root->level;
	while (node->level) {
		uint32_t level = node->level;

		c->node[level] = node;
		c->at[level] = node_child(node, key, key_len);
		node = node_children(node)[c->at[level]];
		node_prefetch(node, level - 1);
	}
	c->node[0] = node;
	c->at[0] = node_find(node, key, key_len, &equal);
	if (c->at[0] >= node->n)
		next_leaf(c);
	else
		enter_leaf(node, c->at[0]);
}

const struct record *
tree_at(const struct cursor *c)
{
	return c->top < 0 ? NULL : node_keys(c->node[0])[c->at[0]];
}

void
tree_next(struct cursor *c)
{
	const struct node *leaf;
	uint32_t at;

	if (c->top < 0)
		return;
	leaf = c->node[0];
	at = ++c->at[0];
	if (at >= leaf->n)
		next_leaf(c);
	else if (at + AHEAD < leaf->n)
		prefetch_record(node_keys(leaf)[at + AHEAD]);
}
