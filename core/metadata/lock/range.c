/* SPDX-License-Identifier: MIT
 *
 * The treap of a file's ranges (Seidel and Aragon, 1996), with the augmentation of an interval tree.
 */
#include "base/pool.h"
#include "metadata/lock/table.h"

static struct dfs_pool pool = {.size = sizeof(struct lock_range)};

struct lock_range *
lock_range_new(void)
{
	return dfs_pool_get(&pool);
}

void
lock_range_free(struct lock_range *r)
{
	if (r)
		dfs_pool_put(&pool, r);
}

static inline uint64_t
priority(const struct lock_range *r)
{
	return dfs_hash_u64((uintptr_t)r, 7);
}

static inline bool
before(const struct lock_range *a, const struct lock_range *b)
{
	const struct dfs_lock_owner *x = lock_range_owner(a), *y = lock_range_owner(b);

	if (a->start != b->start)
		return a->start < b->start;
	return x != y ? x < y : a < b;
}

static void
update(struct lock_range *r)
{
	uintptr_t below = lock_range_exclusive(r) ? RANGE_BELOW : 0;

	r->max_end = r->end;
	for (unsigned i = 0; i < 2; i++) {
		const struct lock_range *child = i ? r->right : r->left;

		if (!child)
			continue;
		if (child->max_end > r->max_end)
			r->max_end = child->max_end;
		below |= child->tagged & RANGE_BELOW;
	}
	r->tagged = (r->tagged & ~RANGE_BELOW) | below;
}

/* Those before r to *left, the others to *right. */
static void
split(struct lock_range *t, const struct lock_range *r, struct lock_range **left,
      struct lock_range **right)
{
	if (!t) {
		*left = *right = NULL;
		return;
	}
	if (before(t, r)) {
		split(t->right, r, &t->right, right);
		*left = t;
	} else {
		split(t->left, r, left, &t->left);
		*right = t;
	}
	update(t);
}

static struct lock_range *
merge(struct lock_range *a, struct lock_range *b)
{
	if (!a || !b)
		return a ? a : b;
	if (priority(a) > priority(b)) {
		a->right = merge(a->right, b);
		update(a);
		return a;
	}
	b->left = merge(a, b->left);
	update(b);
	return b;
}

void
lock_range_insert(struct lock_range **root, struct lock_range *r)
{
	struct lock_range *t = *root;

	if (t && priority(t) >= priority(r)) {
		lock_range_insert(before(r, t) ? &t->left : &t->right, r);
		update(t);
		return;
	}
	split(t, r, &r->left, &r->right);
	update(r);
	*root = r;
}

void
lock_range_remove(struct lock_range **root, struct lock_range *r)
{
	struct lock_range *t = *root;

	if (t == r) {
		*root = merge(t->left, t->right);
		r->left = r->right = NULL;
		return;
	}
	lock_range_remove(before(r, t) ? &t->left : &t->right, r);
	update(t);
}

static bool
conflicts(struct lock_range *t, const struct dfs_lock_owner *owner,
	  const struct dfs_lock_range *want, bool (*fn)(void *arg, struct lock_range *r), void *arg)
{
	while (t && t->max_end >= want->start && (want->exclusive || t->tagged & RANGE_BELOW)) {
		if (!conflicts(t->left, owner, want, fn, arg))
			return false;
		if (t->start > want->end)
			break;
		if (t->end >= want->start && lock_range_owner(t) != owner &&
		    (want->exclusive || lock_range_exclusive(t)) && !fn(arg, t))
			return false;
		t = t->right;
	}
	return true;
}

void
lock_range_conflicts(struct lock_range *root, const struct dfs_lock_owner *owner,
		     const struct dfs_lock_range *want, bool (*fn)(void *arg, struct lock_range *r),
		     void *arg)
{
	conflicts(root, owner, want, fn, arg);
}

static bool
take_first(void *arg, struct lock_range *r)
{
	*(struct lock_range **)arg = r;
	return false;
}

struct lock_range *
lock_range_conflict(struct lock_range *root, const struct dfs_lock_owner *owner,
		    const struct dfs_lock_range *want)
{
	struct lock_range *first = NULL;

	conflicts(root, owner, want, take_first, &first);
	return first;
}

struct lock_range *
lock_range_at(struct lock_range *t, const struct dfs_lock_owner *owner, uint64_t start)
{
	while (t && (t->start != start || lock_range_owner(t) != owner)) {
		bool left = t->start != start ? start < t->start : owner < lock_range_owner(t);

		t = left ? t->left : t->right;
	}
	return t;
}

bool
lock_range_meets(const struct lock_range *r, uint64_t start, uint64_t end, const bool *touching)
{
	if (r->start <= end && r->end >= start)
		return true;
	if (!touching || lock_range_exclusive(r) != *touching)
		return false;
	return (start > 0 && r->end == start - 1) || (end < UINT64_MAX && r->start == end + 1);
}

/* [from, to]: what may be touched. */
static struct lock_range *
find_own(struct lock_range *t, const struct dfs_lock_owner *owner, uint64_t from, uint64_t to,
	 uint64_t start, uint64_t end, const bool *touching)
{
	while (t && t->max_end >= from) {
		struct lock_range *r = find_own(t->left, owner, from, to, start, end, touching);

		if (r)
			return r;
		if (t->start > to)
			break;
		if (lock_range_owner(t) == owner && lock_range_meets(t, start, end, touching))
			return t;
		t = t->right;
	}
	return NULL;
}

struct lock_range *
lock_range_own(struct lock_range *root, const struct dfs_lock_owner *owner, uint64_t start,
	       uint64_t end, const bool *touching)
{
	return find_own(root, owner, start > 0 ? start - 1 : 0, end < UINT64_MAX ? end + 1 : end,
			start, end, touching);
}
