/* SPDX-License-Identifier: MIT
 *
 * An ordered map of byte keys in memory with snapshots: a B+tree whose nodes are changed in place
 * as long as no snapshot can see them, and copied otherwise.
 *
 * A node keeps the prefix that its keys share and the next eight bytes of each as one integer, so
 * a search compares integers and touches one record.  Records are immutable once in the tree.
 *
 * Threads: one writer at a time.  tree_snapshot, tree_release, tree_edit, tree_publish
 * and tree_oldest need a lock of the caller, which also covers the edit itself (see tree_edit).
 * Reading through a snapshot needs no lock.
 */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

#define TREE_KEY_MAX 512
#define TREE_LEVELS 16

struct record {
	uint32_t value_len;
	uint16_t key_len;
	uint8_t tombstone; /* the key is erased; hides what lies below */
	uint8_t reserved;
	unsigned char bytes[]; /* key, then value */
};

struct node;

struct snapshot {
	struct node *root; /* NULL: empty */
	uint64_t version;
	struct snapshot *prev, *next; /* of the tree's list, oldest first */
};

struct retired {
	void *p;
	uint32_t size;
	uint64_t version; /* snapshots before this one may still see it */
};

struct tree {
	struct arena *arena;
	struct node *root;         /* published */
	uint64_t version;          /* of root */
	struct snapshot snapshots; /* list head; guarded by the caller's lock */
	/* the writer's */
	struct node *edit;
	uint64_t pin;            /* nodes up to this version are shared: copy before a change */
	bool keep;               /* some snapshot may see what the edit removes */
	struct retired *retired; /* ring of retired_size, a power of two */
	uint64_t retired_head, retired_tail, retired_size;
};

struct cursor {
	const struct node *node[TREE_LEVELS]; /* [0] is the leaf */
	uint16_t at[TREE_LEVELS];
	int top; /* level of the root; -1: at the end */
};

static inline const unsigned char *
record_value(const struct record *r)
{
	return r->bytes + r->key_len;
}

/* As memcmp, a shorter key before a longer one that begins with it. */
int tree_compare(const void *a, uint32_t a_len, const void *b, uint32_t b_len);

void tree_init(struct tree *t, struct arena *arena);
/* Nodes and records go with the arena; this frees what is the tree's own. */
void tree_clear(struct tree *t);

/* NULL: no memory. */
struct record *tree_record(struct arena *a, const void *key, uint32_t key_len, const void *value,
			   uint32_t value_len, bool tombstone);
void tree_record_free(struct arena *a, struct record *r);

void tree_snapshot(struct tree *t, struct snapshot *s);
void tree_release(struct snapshot *s);

/* Begin an edit of at most changes changes; false: no memory.  Until tree_publish either the lock
 * is held, or a snapshot of the current version is (taken by the writer itself before tree_edit),
 * so that no new snapshot can see a node that is changed in place. */
bool tree_edit(struct tree *t, uint64_t changes);
/* Insert or replace; the tree takes the record. */
void tree_put(struct tree *t, struct record *r);
/* False: it was not there. */
bool tree_erase(struct tree *t, const void *key, uint32_t key_len);
/* What was edited becomes the version that new snapshots see. */
void tree_publish(struct tree *t);
/* The version of the oldest snapshot; with the lock held. */
uint64_t tree_oldest(const struct tree *t);
/* Free what no snapshot sees any more, oldest being tree_oldest's answer.  The writer. */
void tree_reclaim(struct tree *t, uint64_t oldest);
static inline bool
tree_has_retired(const struct tree *t)
{
	return t->retired_head != t->retired_tail;
}

/* For a tree that only its writer sees (a transaction's own changes, read at ->edit): free all
 * nodes, and the records too if records. */
void tree_drop(struct tree *t, bool records);
/* Bytes that one change of such a tree may need: pass to arena_reserve before each. */
#define TREE_CHANGE_BYTES (UINT64_C(2048) * 4)

/* Read a version; root as in a snapshot. */
const struct record *tree_get(const struct node *root, const void *key, uint32_t key_len);
/* At the first record whose key is >= key. */
void tree_seek(struct cursor *c, const struct node *root, const void *key, uint32_t key_len);
/* The record at the cursor; NULL at the end. */
const struct record *tree_at(const struct cursor *c);
void tree_next(struct cursor *c);

#endif
