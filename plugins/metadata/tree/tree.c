/* SPDX-License-Identifier: MIT
 *
 * Versions and snapshots of a tree: see tree.h.
 */
#include "tree.h"

#include <stdlib.h>

#include "node.h"

void
tree_init(struct tree *t, struct arena *arena)
{
	memset(t, 0, sizeof(*t));
	t->arena = arena;
	t->version = 1;
	t->snapshots.prev = t->snapshots.next = &t->snapshots;
}

void
tree_clear(struct tree *t)
{
	free(t->retired);
	t->retired = NULL;
}

void
tree_snapshot(struct tree *t, struct snapshot *s)
{
	s->root = t->root;
	s->version = t->version;
	s->next = &t->snapshots;
	s->prev = t->snapshots.prev;
	s->prev->next = s;
	t->snapshots.prev = s;
}

void
tree_release(struct snapshot *s)
{
	s->prev->next = s->next;
	s->next->prev = s->prev;
}

bool
tree_edit(struct tree *t, uint64_t changes)
{
	const struct snapshot *newest = t->snapshots.prev;
	uint64_t levels = t->root ? t->root->level + 1 : 1, nodes;

	t->keep = newest != &t->snapshots;
	t->pin = t->keep ? newest->version : 0;
	/* Each change can copy its whole path when snapshots are there, and may split a leaf;
	 * splits further up are rarer than one a change. */
	nodes = changes * (t->keep ? levels + 2 : 2) + levels + 2;
	t->edit = t->root;
	return arena_reserve(t->arena, nodes * (sizeof(struct inner) + TREE_KEY_MAX / 2));
}

void
tree_publish(struct tree *t)
{
	t->root = t->edit;
	t->version++;
}

uint64_t
tree_oldest(const struct tree *t)
{
	return t->snapshots.next == &t->snapshots ? UINT64_MAX : t->snapshots.next->version;
}

void
tree_reclaim(struct tree *t, uint64_t oldest)
{
	while (tree_has_retired(t)) {
		struct retired *r = &t->retired[t->retired_head & (t->retired_size - 1)];

		if (r->version > oldest)
			break;
		arena_free(t->arena, r->p, r->size);
		t->retired_head++;
	}
}

static void
drop_node(struct tree *t, struct node *node, bool records)
{
	for (uint32_t i = 0; i < node->n; i++)
		if (node->level || records)
			tree_record_free(t->arena, node_keys(node)[i]);
	if (node->level)
		for (uint32_t i = 0; i <= node->n; i++)
			drop_node(t, node_children(node)[i], records);
	arena_free(t->arena, node, node_bytes(node));
}

void
tree_drop(struct tree *t, bool records)
{
	if (t->edit)
		drop_node(t, t->edit, records);
	t->edit = NULL;
}
