/* SPDX-License-Identifier: MIT
 *
 * Those who wait: a queue for each file, first come, first served.
 *
 * A waiter is held back by locks of others that are in its way, and by earlier waiters with which it
 * conflicts: so nobody starves.  Where that second rule alone would close a circle, it yields
 * (deadlock.c).
 */
#include "metadata/lock/table.h"

static bool
overlap(const struct dfs_lock_range *a, const struct dfs_lock_range *b)
{
	return a->start <= b->end && b->start <= a->end && (a->exclusive || b->exclusive);
}

bool
lock_wait_behind(const struct dfs_lock_wait *w, const struct dfs_lock_wait *earlier)
{
	return !w->overtake && earlier->owner != w->owner && overlap(&w->range, &earlier->range);
}

/* Shard held. */
static bool
grantable(const struct lock_file *file, const struct dfs_lock_wait *w)
{
	if (lock_range_conflict(file->root, w->owner, &w->range))
		return false;
	for (const struct dfs_lock_wait *e = file->waits; e != w; e = e->next)
		if (lock_wait_behind(w, e))
			return false;
	return true;
}

static void
queue(struct dfs_locks *locks, struct lock_file *file, struct dfs_lock_wait *w)
{
	if (!file->waits) {
		w->next = w->prev = w;
		file->waits = w;
	} else {
		w->next = file->waits;
		w->prev = file->waits->prev;
		w->prev->next = w;
		w->next->prev = w;
	}
	w->own_next = w->owner->waits;
	w->own_prev = &w->owner->waits;
	if (w->own_next)
		w->own_next->own_prev = &w->own_next;
	w->owner->waits = w;
	w->all_next = locks->waiting;
	w->all_prev = &locks->waiting;
	if (w->all_next)
		w->all_next->all_prev = &w->all_next;
	locks->waiting = w;
	w->owner->client->n_waits++;
	lock_owner_ref(w->owner);
}

/* Out of all lists; its owner's reference is the caller's now. */
static void
unqueue(struct lock_file *file, struct dfs_lock_wait *w)
{
	if (w->next == w) {
		file->waits = NULL;
	} else {
		w->next->prev = w->prev;
		w->prev->next = w->next;
		if (file->waits == w)
			file->waits = w->next;
	}
	*w->own_prev = w->own_next;
	if (w->own_next)
		w->own_next->own_prev = w->own_prev;
	*w->all_prev = w->all_next;
	if (w->all_next)
		w->all_next->all_prev = w->all_prev;
	w->owner->client->n_waits--;
}

static void
complete(struct dfs_lock_wait *w, enum dfs_status status, struct dfs_lock_done *done)
{
	w->status = status;
	w->owner = NULL;
	w->next = NULL;
	*done->tail = w;
	done->tail = &w->next;
}

void
lock_wait_end(struct dfs_locks *locks, struct dfs_lock_wait *w, enum dfs_status status,
	      struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, w->fileid);
	struct dfs_lock_owner *owner = w->owner;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, w->fileid);
	unqueue(file, w);
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	complete(w, status, done);
	dfs_lock_owner_put(locks, owner);
}

void
lock_waits_end(struct dfs_locks *locks,
	       bool (*match)(const void *arg, const struct dfs_lock_wait *w), const void *arg,
	       enum dfs_status status, struct dfs_lock_done *done)
{
	struct dfs_lock_wait *next, **ended = done->tail;

	for (struct dfs_lock_wait *w = locks->waiting; w; w = next) {
		next = w->all_next;
		if (!match || match(arg, w))
			lock_wait_end(locks, w, status, done);
	}
	/* Grants are added behind, with another status. */
	for (struct dfs_lock_wait *w = *ended; w; w = w->next)
		if (w->status == status)
			lock_waits_pump_locked(locks, w->fileid, done);
}

/* The first of the queue that can be granted. */
static struct dfs_lock_wait *
first_grantable(struct lock_file *file)
{
	struct dfs_lock_wait *w = file->waits;

	if (!w)
		return NULL;
	do {
		if (grantable(file, w))
			return w;
		w = w->next;
	} while (w != file->waits);
	return NULL;
}

static enum dfs_status
grant(struct dfs_locks *locks, struct lock_file *file, struct dfs_lock_wait *w)
{
	bool freed = false;

	return lock_set(locks, file, w->owner, w->range.start, w->range.end,
			w->range.exclusive ? LOCK_SET_EXCLUSIVE : LOCK_SET_SHARED, &freed);
}

void
lock_waits_pump_locked(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	struct dfs_lock_wait *w;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	while (file && (w = first_grantable(file))) {
		struct dfs_lock_owner *owner = w->owner;
		enum dfs_status status = grant(locks, file, w);

		unqueue(file, w);
		complete(w, status, done);
		dfs_lock_owner_put(locks, owner);
	}
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
}

void
lock_waits_pump(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_done *done)
{
	dfs_lock_acquire(&locks->waits);
	lock_waits_pump_locked(locks, fileid, done);
	dfs_lock_release(&locks->waits);
}

static struct dfs_lock_wait *
find_same(const struct dfs_lock_owner *owner, uint64_t fileid, const struct dfs_lock_range *range)
{
	struct dfs_lock_wait *w = owner->waits;

	while (w && (w->fileid != fileid || w->range.start != range->start ||
		     w->range.end != range->end || w->range.exclusive != range->exclusive))
		w = w->own_next;
	return w;
}

static uint32_t
queue_length(const struct lock_file *file)
{
	const struct dfs_lock_wait *w = file->waits;
	uint32_t n = 0;

	if (w)
		do
			n++;
		while ((w = w->next) != file->waits);
	return n;
}

/* `waits` held.  DFS_OK: granted at once; DFS_BUSY: queued. */
static enum dfs_status
enqueue(struct dfs_locks *locks, struct dfs_lock_wait *w, struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, w->fileid);
	struct dfs_lock_owner *owner = w->owner;
	enum dfs_status status = DFS_BUSY;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_make(locks, shard, w->fileid);
	if (!file || owner->client->n_waits >= DFS_LOCK_CLIENT_WAITS ||
	    queue_length(file) >= DFS_LOCK_FILE_WAITS) {
		status = DFS_NOMEM;
	} else {
		queue(locks, file, w);
		if (grantable(file, w)) {
			status = grant(locks, file, w);
			unqueue(file, w);
			dfs_lock_owner_put(locks, owner);
		}
	}
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	return status;
}

/* w is queued: DFS_DEADLOCK, or what became of it meanwhile. */
static enum dfs_status
check_deadlock(struct dfs_locks *locks, struct dfs_lock_wait *w, struct dfs_lock_done *done)
{
	enum dfs_status status = DFS_BUSY;
	struct dfs_lock_done some;

	dfs_lock_done_init(&some);
	if (lock_deadlock(locks, w, &some))
		lock_wait_end(locks, w, DFS_DEADLOCK, &some);
	/* What ends here ends by the return value. */
	for (struct dfs_lock_wait *d = some.head, *next; d; d = next) {
		next = d->next;
		if (d == w)
			status = d->status;
		else
			complete(d, d->status, done);
	}
	lock_done_pins(done, &some);
	return status;
}

enum dfs_status
lock_wait_for(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
	      const struct dfs_lock_range *range, struct dfs_lock_wait *wait,
	      struct dfs_lock_done *done)
{
	enum dfs_status status;

	wait->owner = owner;
	wait->fileid = fileid;
	wait->range = *range;
	wait->walk = 0;
	wait->overtake = false;
	dfs_lock_acquire(&locks->waits);
	if (find_same(owner, fileid, range)) {
		status = DFS_EXIST;
	} else {
		status = enqueue(locks, wait, done);
		if (status == DFS_BUSY)
			status = check_deadlock(locks, wait, done);
		/* It may have given up more than it took. */
		if (status == DFS_OK)
			lock_waits_pump_locked(locks, fileid, done);
	}
	dfs_lock_release(&locks->waits);
	return status;
}

enum dfs_status
dfs_locks_cancel(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
		 const struct dfs_lock_range *range, struct dfs_lock_done *done)
{
	struct dfs_lock_wait *w;

	dfs_lock_acquire(&locks->waits);
	w = find_same(owner, fileid, range);
	if (w) {
		lock_wait_end(locks, w, DFS_NOENT, done);
		lock_waits_pump_locked(locks, fileid, done); /* whom it held back */
	}
	dfs_lock_release(&locks->waits);
	return w ? DFS_OK : DFS_NOENT;
}

static bool
is_of_session(const void *arg, const struct dfs_lock_wait *w)
{
	return w->session == arg;
}

void
dfs_locks_cancel_session(struct dfs_locks *locks, const void *session)
{
	struct dfs_lock_done done;

	dfs_lock_done_init(&done);
	dfs_lock_acquire(&locks->waits);
	lock_waits_end(locks, is_of_session, session, DFS_NOENT, &done);
	dfs_lock_release(&locks->waits);
	dfs_lock_done_run(locks, &done);
}
