/* SPDX-License-Identifier: MIT
 *
 * Changing what an owner has in a file: POSIX's rules of replacing, splitting and merging.
 */
#include <assert.h>

#include "metadata/lock/table.h"

#define OWN_LIST_MAX 64 /* ranges of an owner that are looked through rather than searched for */

static void
link_own(struct dfs_lock_owner *owner, struct lock_range *r)
{
	dfs_lock_acquire(&owner->client->mu);
	r->own_next = owner->ranges;
	r->own_prev = &owner->ranges;
	if (r->own_next)
		r->own_next->own_prev = &r->own_next;
	owner->ranges = r;
	owner->n_ranges++;
	dfs_lock_release(&owner->client->mu);
	lock_owner_ref(owner);
}

static void
unlink_own(struct dfs_locks *locks, struct dfs_lock_owner *owner, struct lock_range *r)
{
	dfs_lock_acquire(&owner->client->mu);
	*r->own_prev = r->own_next;
	if (r->own_next)
		r->own_next->own_prev = r->own_prev;
	owner->n_ranges--;
	dfs_lock_release(&owner->client->mu);
	dfs_lock_owner_put(locks, owner);
}

/* Any range of owner in file that lock_range_meets. */
static struct lock_range *
own_meeting(struct lock_file *file, struct dfs_lock_owner *owner, uint64_t start, uint64_t end,
	    const bool *touching)
{
	struct lock_range *r;

	dfs_lock_acquire(&owner->client->mu);
	if (owner->n_ranges > OWN_LIST_MAX) {
		dfs_lock_release(&owner->client->mu);
		return lock_range_own(file->root, owner, start, end, touching);
	}
	r = owner->ranges;
	while (r && (r->file != file || !lock_range_meets(r, start, end, touching)))
		r = r->own_next;
	dfs_lock_release(&owner->client->mu);
	return r;
}

struct change {
	struct dfs_locks *locks;
	struct lock_file *file;
	struct dfs_lock_owner *owner;
	struct lock_range *spare; /* linked by left */
	uint64_t added, removed;
};

static bool
spare_more(struct change *c, unsigned n)
{
	while (n-- > 0) {
		struct lock_range *r = lock_range_new();

		if (!r)
			return false;
		r->left = c->spare;
		c->spare = r;
	}
	return true;
}

static void
spare_free(struct change *c)
{
	struct lock_range *r;

	while ((r = c->spare)) {
		c->spare = r->left;
		lock_range_free(r);
	}
}

static void
add(struct change *c, uint64_t start, uint64_t end, bool exclusive)
{
	struct lock_range *r = c->spare;

	c->spare = r->left;
	r->start = start;
	r->end = end;
	r->left = r->right = NULL;
	r->tagged = (uintptr_t)c->owner | (exclusive ? RANGE_EXCLUSIVE : 0);
	r->file = c->file;
	link_own(c->owner, r);
	lock_range_insert(&c->file->root, r);
	c->added++;
}

/* It is out of the tree already. */
static void
discard(struct change *c, struct lock_range *r)
{
	unlink_own(c->locks, c->owner, r);
	r->left = c->spare;
	c->spare = r;
	c->removed++;
}

/* Cut [start, end] out of r, which overlaps it and is out of the tree. */
static void
cut(struct change *c, struct lock_range *r, uint64_t start, uint64_t end)
{
	uint64_t last = r->end;
	bool left = r->start<start, right = r->end> end;

	if (!left && !right) {
		discard(c, r);
		return;
	}
	if (left)
		r->end = start - 1;
	else
		r->start = end + 1;
	lock_range_insert(&c->file->root, r);
	if (left && right)
		add(c, end + 1, last, lock_range_exclusive(r));
}

/* How many more locks there may be after it than before.  r: any of the owner's that it meets; one
 * that goes beyond both ends is the only one. */
static unsigned
growth(const struct lock_range *r, uint64_t start, uint64_t end, const bool *touching)
{
	bool left = r && r->start < start, right = r && r->end > end;

	if (!touching)
		return left && right;
	if (!r)
		return 1;
	return lock_range_exclusive(r) == *touching ? 0 : (unsigned)left + right;
}

static void
settle_count(struct change *c, uint64_t reserved)
{
	struct lock_client *client = c->owner->client;
	uint64_t have = c->removed + reserved;

	assert(have >= c->added);
	if (have > c->added)
		lock_uncount(c->locks, client, have - c->added);
}

enum dfs_status
lock_set(struct dfs_locks *locks, struct lock_file *file, struct dfs_lock_owner *owner,
	 uint64_t start, uint64_t end, enum lock_set how, bool *freed)
{
	struct change c = {.locks = locks, .file = file, .owner = owner};
	bool exclusive = how == LOCK_SET_EXCLUSIVE;
	const bool *touching = how == LOCK_SET_NONE ? NULL : &exclusive;
	struct lock_range *r = own_meeting(file, owner, start, end, touching);
	unsigned more = growth(r, start, end, touching);
	uint64_t s = start, e = end;

	if (!r && how == LOCK_SET_NONE)
		return DFS_OK;
	if (r && touching && lock_range_exclusive(r) == exclusive && r->start <= start &&
	    r->end >= end)
		return DFS_OK;
	if (more && !lock_count(locks, owner->client, more, how == LOCK_SET_NONE))
		return DFS_NOMEM;
	if (!spare_more(&c, touching && !more ? 1 : more)) {
		lock_uncount(locks, owner->client, more);
		spare_free(&c);
		return DFS_NOMEM;
	}
	for (; r; r = own_meeting(file, owner, start, end, touching)) {
		lock_range_remove(&file->root, r);
		if (touching && lock_range_exclusive(r) == exclusive) {
			s = r->start < s ? r->start : s;
			e = r->end > e ? r->end : e;
			discard(&c, r);
			continue;
		}
		if (!touching || lock_range_exclusive(r))
			*freed = true;
		cut(&c, r, start, end);
	}
	if (touching)
		add(&c, s, e, exclusive);
	settle_count(&c, more);
	spare_free(&c);
	return DFS_OK;
}

void
lock_range_drop(struct dfs_locks *locks, struct lock_range *r)
{
	struct dfs_lock_owner *owner = lock_range_owner(r);

	lock_range_remove(&r->file->root, r);
	lock_uncount(locks, owner->client, 1);
	unlink_own(locks, owner, r);
	lock_range_free(r);
}
