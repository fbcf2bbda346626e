/* SPDX-License-Identifier: MIT
 *
 * Nodes of the tree, and the search inside one.  Private to this folder.
 */
#ifndef TREE_NODE_H
#define TREE_NODE_H

#include <stddef.h>
#include <string.h>

#include "tree.h"

#define NODE_PREFIX 52
#define LEAF_KEYS 32 /* small: a search in a cold leaf costs its cache lines */
#define INNER_KEYS 64

/* One cache line.  The keys share prefix[0..skip); head[i] holds the next eight bytes of key i as
 * a big-endian number, filled up with zeros. */
struct node {
	uint64_t version; /* that created it */
	uint16_t n;       /* keys */
	uint8_t level;    /* 0: leaf */
	uint8_t skip;
	unsigned char prefix[NODE_PREFIX];
};

struct leaf {
	struct node h;
	uint64_t head[LEAF_KEYS];
	struct record *key[LEAF_KEYS];
};

/* child[i] holds keys < key[i]; child[n] the rest. */
struct inner {
	struct node h;
	uint64_t head[INNER_KEYS];
	struct record *key[INNER_KEYS]; /* separators: keys without values, the node's own */
	struct node *child[INNER_KEYS + 1];
};

static inline uint64_t *
node_heads(const struct node *node)
{
	return (uint64_t *)(node + 1);
}

static inline struct record **
node_keys(const struct node *node)
{
	return (struct record **)(node_heads(node) + (node->level ? INNER_KEYS : LEAF_KEYS));
}

static inline struct node **
node_children(const struct node *node)
{
	return ((struct inner *)node)->child;
}

static inline uint32_t
node_capacity(const struct node *node)
{
	return node->level ? INNER_KEYS : LEAF_KEYS;
}

static inline uint32_t
node_bytes(const struct node *node)
{
	return node->level ? sizeof(struct inner) : sizeof(struct leaf);
}

static inline uint64_t
key_head(const unsigned char *key, uint32_t len, uint32_t skip)
{
	uint64_t v = 0;

	if (len >= skip + 8) {
		memcpy(&v, key + skip, 8);
	} else if (len > skip) {
		memcpy(&v, key + skip, len - skip);
	}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* First position whose key is >= key; *equal: it is the key. */
static inline uint32_t
node_find(const struct node *node, const unsigned char *key, uint32_t len, bool *equal)
{
	const uint64_t *head = node_heads(node), *base = head;
	struct record *const *keys = node_keys(node);
	uint32_t n = node->n, skip = node->skip, pos;
	uint64_t h;
	int c = memcmp(key, node->prefix, len < skip ? len : skip);

	*equal = false;
	if (c != 0)
		return c < 0 ? 0 : node->n;
	if (len < skip || n == 0)
		return 0;
	h = key_head(key, len, skip);
	while (n > 1) {
		uint32_t half = n / 2;

		base += base[half - 1] < h ? half : 0;
		n -= half;
	}
	pos = base - head + (*base < h);
	for (; pos < node->n && head[pos] == h; pos++) {
		const struct record *r = keys[pos];

		c = tree_compare(r->bytes, r->key_len, key, len);
		if (c >= 0) {
			*equal = c == 0;
			break;
		}
	}
	return pos;
}

/* The child that holds key. */
static inline uint32_t
node_child(const struct node *node, const unsigned char *key, uint32_t len)
{
	bool equal;
	uint32_t pos = node_find(node, key, len, &equal);

	return pos + equal;
}

/* Ask for all lines that a search in the node may read, at once: one memory latency, not six. */
static inline void
node_prefetch(const struct node *node, uint32_t level)
{
	const char *p = (const char *)node;
	uint32_t i;

	if (!level) {
		for (i = 0; i < sizeof(struct leaf); i += 64)
			__builtin_prefetch(p + i);
		return;
	}
	for (i = 0; i < offsetof(struct inner, key); i += 64)
		__builtin_prefetch(p + i);
	for (i = offsetof(struct inner, child); i < sizeof(struct inner); i += 64)
		__builtin_prefetch(p + i);
}

#endif
