/* SPDX-License-Identifier: MIT
 *
 * A hash table of nodes that hold their own link.  It grows as long as there is memory to do so.
 */
#include <stdlib.h>

#include "metadata/lock/table.h"

#define FIRST_BUCKETS 8

static inline uint64_t
bucket_of(const struct lock_hash *h, uint64_t id)
{
	return dfs_hash_u64(id, 0) & h->mask;
}

struct lock_link *
lock_hash_first(const struct lock_hash *h, uint64_t id)
{
	struct lock_link *link = h->n ? h->buckets[bucket_of(h, id)] : NULL;

	while (link && link->id != id)
		link = link->next;
	return link;
}

struct lock_link *
lock_hash_next(struct lock_link *link)
{
	uint64_t id = link->id;

	do
		link = link->next;
	while (link && link->id != id);
	return link;
}

static void
grow(struct lock_hash *h)
{
	uint64_t n = h->buckets ? (h->mask + 1) * 2 : FIRST_BUCKETS;
	struct lock_hash bigger = {calloc(n, sizeof *h->buckets), n - 1, h->n};

	if (!bigger.buckets)
		return;
	for (uint64_t i = 0; h->buckets && i <= h->mask; i++) {
		struct lock_link *next;

		for (struct lock_link *link = h->buckets[i]; link; link = next) {
			struct lock_link **to = &bigger.buckets[bucket_of(&bigger, link->id)];

			next = link->next;
			link->next = *to;
			*to = link;
		}
	}
	free(h->buckets);
	*h = bigger;
}

bool
lock_hash_add(struct lock_hash *h, struct lock_link *link)
{
	struct lock_link **to;

	if (!h->buckets || h->n > h->mask)
		grow(h);
	if (!h->buckets)
		return false;
	to = &h->buckets[bucket_of(h, link->id)];
	link->next = *to;
	*to = link;
	h->n++;
	return true;
}

void
lock_hash_del(struct lock_hash *h, struct lock_link *link)
{
	struct lock_link **at = &h->buckets[bucket_of(h, link->id)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	h->n--;
}

void
lock_hash_clear(struct lock_hash *h)
{
	free(h->buckets);
	*h = (struct lock_hash){0};
}
