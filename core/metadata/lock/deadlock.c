/* SPDX-License-Identifier: MIT
 *
 * Who waits for whom: a bounded breadth-first search from a new waiter for its own owner.
 *
 * Waiters are its nodes.  From each, edges lead to the waits of every owner whose lock is in its way
 * and, out of fairness, to those of owners that came earlier.  A circle of the first kind is a
 * deadlock; one that needs an edge of the second is opened by letting that waiter overtake.
 * Owners that ask for several things at once may close a circle unseen: they alone can.
 */
#include "metadata/lock/table.h"

#define NODES_MAX 1024 /* waiters of one search */
#define EDGES_MAX 256  /* locks in the way of one waiter that are looked at */
#define CIRCLES_MAX 16 /* opened for one new waiter */

struct search {
	struct dfs_locks *locks;
	const struct dfs_lock_owner *target;
	struct dfs_lock_wait *at, *last; /* the node under way; the end of the list */
	unsigned nodes, edges;
	bool fair; /* the edge that led to target, or that is followed */
	bool found;
};

static void
visit(struct search *s, struct dfs_lock_wait *w)
{
	if (w->walk == s->locks->walk || s->nodes == NODES_MAX)
		return;
	w->walk = s->locks->walk;
	w->walk_from = s->at;
	w->walk_fair = s->fair;
	w->walk_next = NULL;
	if (s->last)
		s->last->walk_next = w;
	s->last = w;
	s->nodes++;
}

/* Each owner's waits once.  False: found. */
static bool
follow(struct search *s, struct dfs_lock_owner *owner)
{
	if (owner == s->target) {
		s->found = true;
		return false;
	}
	if (owner->walk == s->locks->walk)
		return true;
	owner->walk = s->locks->walk;
	for (struct dfs_lock_wait *w = owner->waits; w; w = w->own_next)
		visit(s, w);
	return true;
}

static bool
follow_lock(void *arg, struct lock_range *r)
{
	struct search *s = arg;

	return follow(s, lock_range_owner(r)) && ++s->edges < EDGES_MAX;
}

static void
expand(struct search *s, bool fair)
{
	struct dfs_lock_wait *w = s->at;
	struct lock_file_shard *shard = lock_file_shard(s->locks, w->fileid);
	struct lock_file *file;

	s->edges = 0;
	s->fair = false;
	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, w->fileid);
	lock_range_conflicts(file->root, w->owner, &w->range, follow_lock, s);
	if (fair && !s->found) {
		s->fair = true;
		for (const struct dfs_lock_wait *e = file->waits; e != w; e = e->next)
			if (lock_wait_behind(w, e) && !follow(s, e->owner))
				break;
	}
	dfs_lock_release(&shard->mu);
}

static bool
search(struct search *s, struct dfs_locks *locks, struct dfs_lock_wait *w, bool fair)
{
	*s = (struct search){.locks = locks, .target = w->owner};
	if (++locks->walk == 0)
		locks->walk = 1;
	visit(s, w);
	for (s->at = w; s->at; s->at = s->at->walk_next) {
		expand(s, fair);
		if (s->found)
			return true;
	}
	return false;
}

/* The waiter of the circle that was found which waits out of fairness; NULL: none does. */
static struct dfs_lock_wait *
fair_waiter(const struct search *s, const struct dfs_lock_wait *first)
{
	struct dfs_lock_wait *w = s->at;

	if (s->fair)
		return w;
	for (; w != first; w = w->walk_from)
		if (w->walk_fair)
			return w->walk_from;
	return NULL;
}

bool
lock_deadlock(struct dfs_locks *locks, struct dfs_lock_wait *w, struct dfs_lock_done *done)
{
	struct search s;

	if (search(&s, locks, w, false))
		return true;
	for (unsigned i = 0; i < CIRCLES_MAX && w->owner && search(&s, locks, w, true); i++) {
		struct dfs_lock_wait *opened = fair_waiter(&s, w);

		if (!opened) /* a lock was taken meanwhile */
			return true;
		opened->overtake = true;
		lock_waits_pump_locked(locks, opened->fileid, done);
	}
	return false;
}
