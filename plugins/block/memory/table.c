/* SPDX-License-Identifier: MIT
 *
 * The table of table.h.
 */
#include "table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define OVERHANG 32u /* slots behind the last that a hash leads to */

static uint32_t
home(const struct table *t, uint64_t hash)
{
	return (uint32_t)(hash >> (64 - t->bits));
}

void
table_clear(struct table *t)
{
	free(t->slots);
	memset(t, 0, sizeof *t);
}

struct trie *
table_find(const struct table *t, uint64_t hash)
{
	if (!t->slots)
		return NULL;
	for (uint32_t i = home(t, hash); i < t->size && t->slots[i].trie.root; i++)
		if (t->slots[i].hash == hash)
			return &t->slots[i].trie;
	return NULL;
}

/* Moves everything into slots for 2^bits hashes.  False: no memory, or an overhang. */
static bool
resize(struct table *t, uint32_t bits)
{
	struct table bigger = {.bits = bits, .size = (1u << bits) + OVERHANG};

	bigger.slots = calloc(bigger.size, sizeof bigger.slots[0]);
	if (!bigger.slots)
		return false;
	for (uint32_t k = 0; k < t->size; k++) {
		uint32_t i;

		if (!t->slots[k].trie.root)
			continue;
		for (i = home(&bigger, t->slots[k].hash);
		     i < bigger.size && bigger.slots[i].trie.root;)
			i++;
		if (i == bigger.size) {
			free(bigger.slots);
			return bits < 31 && resize(t, bits + 1);
		}
		bigger.slots[i] = t->slots[k];
	}
	bigger.used = t->used;
	bigger.generation = t->generation + 1;
	free(t->slots);
	*t = bigger;
	return true;
}

struct trie *
table_add(struct table *t, uint64_t hash)
{
	for (;;) {
		uint32_t i;

		if (!t->slots || t->used >= (1u << t->bits) / 4 * 3) {
			if (!resize(t, t->slots ? t->bits + 1 : 4))
				return NULL;
		}
		for (i = home(t, hash); i < t->size && t->slots[i].trie.root; i++)
			if (t->slots[i].hash == hash)
				return &t->slots[i].trie;
		if (i < t->size) {
			t->slots[i].hash = hash;
			t->used++;
			return &t->slots[i].trie;
		}
		if (!resize(t, t->bits + 1))
			return NULL;
	}
}

void
table_drop(struct table *t, struct trie *trie)
{
	uint32_t hole =
		(uint32_t)((struct slot *)((char *)trie - offsetof(struct slot, trie)) - t->slots);

	t->used--;
	/* Pull back what is only here because the hole was taken. */
	for (uint32_t i = hole + 1; i < t->size && t->slots[i].trie.root; i++)
		if (home(t, t->slots[i].hash) <= hole) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	t->slots[hole] = (struct slot){0};
}
