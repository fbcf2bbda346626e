/* SPDX-License-Identifier: MIT
 *
 * Locking, testing and unlocking ranges, dropping all of a client, opening and closing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "metadata/lock/table.h"
#include "metadata/ns.h"

void
dfs_lock_done_init(struct dfs_lock_done *done)
{
	done->head = NULL;
	done->tail = &done->head;
	done->pins = NULL;
}

void
dfs_lock_done_run(struct dfs_locks *locks, struct dfs_lock_done *done)
{
	struct dfs_lock_wait *wait = done->head;
	struct dfs_lock_pin *pin = done->pins;

	dfs_lock_done_init(done);
	while (wait) {
		struct dfs_lock_wait *next = wait->next;

		wait->done(wait, wait->status);
		wait = next;
	}
	while (pin) {
		struct dfs_lock_pin *next = pin->next;

		locks->unpin(locks->arg, pin);
		pin = next;
	}
}

static void
tell(const struct lock_range *r, struct dfs_lock_conflict *conflict)
{
	const struct dfs_lock_owner *owner = lock_range_owner(r);

	if (!conflict)
		return;
	conflict->range = (struct dfs_lock_range){r->start, r->end, lock_range_exclusive(r)};
	conflict->owner_len = owner->len;
	memcpy(conflict->owner, owner->bytes, owner->len);
}

enum dfs_status
dfs_locks_lock(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
	       const struct dfs_lock_range *range, struct dfs_lock_wait *wait,
	       struct dfs_lock_conflict *conflict, struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	enum dfs_status status = DFS_NOMEM;
	bool freed = false, waits;
	struct lock_file *file;
	struct lock_range *r;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_make(locks, shard, fileid);
	if (!file) {
		dfs_lock_release(&shard->mu);
		return DFS_NOMEM;
	}
	waits = file->waits != NULL;
	r = lock_range_conflict(file->root, owner, range);
	if (r) {
		tell(r, conflict);
		status = DFS_BUSY;
	} else if (wait && waits) {
		status = DFS_BUSY; /* perhaps: it may have to stand in line */
	} else {
		status = lock_set(locks, file, owner, range->start, range->end,
				  range->exclusive ? LOCK_SET_EXCLUSIVE : LOCK_SET_SHARED, &freed);
	}
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	if (status == DFS_BUSY && wait)
		return lock_wait_for(locks, owner, fileid, range, wait, done);
	if (freed && waits)
		lock_waits_pump(locks, fileid, done);
	return status;
}

enum dfs_status
dfs_locks_test(struct dfs_locks *locks, const struct dfs_lock_owner *owner, uint64_t fileid,
	       const struct dfs_lock_range *range, struct dfs_lock_conflict *conflict)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	struct lock_range *r = NULL;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	if (file)
		r = lock_range_conflict(file->root, owner, range);
	if (r)
		tell(r, conflict);
	dfs_lock_release(&shard->mu);
	return r ? DFS_BUSY : DFS_OK;
}

bool
dfs_locks_holds(struct dfs_locks *locks, const struct dfs_lock_owner *owner, uint64_t fileid,
		const struct dfs_lock_range *range)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	const struct lock_range *r = NULL;
	uint64_t at = range->start;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	while (file && (r = lock_range_own(file->root, owner, at, at, NULL))) {
		if (range->exclusive && !lock_range_exclusive(r))
			r = NULL;
		if (!r || r->end >= range->end)
			break;
		at = r->end + 1;
	}
	dfs_lock_release(&shard->mu);
	return r;
}

bool
dfs_locks_held_of(struct dfs_locks *locks, const struct dfs_lock_owner *owner, uint64_t fileid,
		  const struct dfs_lock_range *range, struct dfs_lock_range *held)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	const struct lock_range *first, *last, *r;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	first = last =
		file ? lock_range_own(file->root, owner, range->start, range->end, NULL) : NULL;
	/* Any of them is found: go on to both ends. */
	while (first && first->start > range->start &&
	       (r = lock_range_own(file->root, owner, range->start, first->start - 1, NULL)))
		first = r;
	while (last && last->end < range->end &&
	       (r = lock_range_own(file->root, owner, last->end + 1, range->end, NULL)))
		last = r;
	if (first) {
		*held = *range;
		if (first->start > range->start)
			held->start = first->start;
		if (last->end < range->end)
			held->end = last->end;
	}
	dfs_lock_release(&shard->mu);
	return first;
}

enum dfs_status
dfs_locks_unlock(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
		 const struct dfs_lock_range *range, struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	enum dfs_status status = DFS_OK;
	bool freed = false, waits = false;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	if (file) {
		waits = file->waits != NULL;
		status = lock_set(locks, file, owner, range->start, range->end, LOCK_SET_NONE,
				  &freed);
	}
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	if (freed && waits)
		lock_waits_pump(locks, fileid, done);
	return status;
}

/* What to drop next of an owner, copied, because the shard's lock comes before the client's. */
struct victim {
	uint64_t fileid, start;
	bool range, found;
};

static struct victim
next_victim(struct dfs_lock_owner *owner)
{
	struct victim v = {0};

	dfs_lock_acquire(&owner->client->mu);
	if (owner->ranges)
		v = (struct victim){owner->ranges->file->link.id, owner->ranges->start, true, true};
	else if (owner->shares)
		v = (struct victim){owner->shares->file->link.id, 0, false, true};
	dfs_lock_release(&owner->client->mu);
	return v;
}

static void
drop_victim(struct dfs_locks *locks, struct dfs_lock_owner *owner, const struct victim *v,
	    struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, v->fileid);
	struct lock_file *file;
	bool waits = false;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, v->fileid);
	if (file && v->range) {
		struct lock_range *r = lock_range_at(file->root, owner, v->start);

		waits = file->waits != NULL;
		if (r)
			lock_range_drop(locks, r);
	} else if (file) {
		struct lock_share *s = lock_share_of(file, owner);

		if (s)
			lock_share_drop(locks, s);
	}
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	if (waits)
		lock_waits_pump(locks, v->fileid, done);
}

static bool
is_of_client(const void *arg, const struct dfs_lock_wait *w)
{
	return w->owner->client == arg;
}

/* Before anything is let go that one of them might get. */
static void
end_waits_of(struct dfs_locks *locks, const struct lock_client *client, struct dfs_lock_done *done)
{
	dfs_lock_acquire(&locks->waits);
	if (client->n_waits)
		lock_waits_end(locks, is_of_client, client, DFS_NOENT, done);
	dfs_lock_release(&locks->waits);
}

static void
drop_held(struct dfs_locks *locks, struct dfs_lock_owner *owner, struct dfs_lock_done *done)
{
	uint64_t budget;

	/* Bounded, for an owner that goes on locking meanwhile. */
	dfs_lock_acquire(&owner->client->mu);
	budget = 2 * owner->client->n_locks + 16;
	dfs_lock_release(&owner->client->mu);
	for (; budget > 0; budget--) {
		struct victim v = next_victim(owner);

		if (!v.found)
			break;
		drop_victim(locks, owner, &v, done);
	}
}

/* A reference of an owner of the client that has something. */
static struct dfs_lock_owner *
busy_owner(struct lock_client *client)
{
	struct dfs_lock_owner *owner;

	dfs_lock_acquire(&client->mu);
	owner = client->owners;
	while (owner && !owner->ranges && !owner->shares)
		owner = owner->next;
	/* What it has keeps it. */
	if (owner)
		lock_owner_ref(owner);
	dfs_lock_release(&client->mu);
	return owner;
}

static void
drop_client(struct dfs_locks *locks, struct lock_client *client)
{
	struct dfs_lock_done done;
	struct dfs_lock_owner *owner;
	uint64_t budget;

	dfs_lock_acquire(&client->mu);
	budget = 2 * client->n_locks + 16;
	dfs_lock_release(&client->mu);
	dfs_lock_done_init(&done);
	end_waits_of(locks, client, &done);
	for (; budget > 0 && (owner = busy_owner(client)); budget--) {
		drop_held(locks, owner, &done);
		dfs_lock_owner_put(locks, owner);
	}
	lock_client_forfeit(locks, client);
	dfs_lock_done_run(locks, &done);
}

uint32_t
dfs_locks_drop_clients(struct dfs_locks *locks,
		       bool (*fn)(void *arg, const void *client, uint32_t len), void *arg)
{
	uint32_t n;
	struct lock_client **list = lock_clients_list(locks, fn, arg, &n);

	for (uint32_t i = 0; i < n; i++) {
		drop_client(locks, list[i]);
		lock_client_put(locks, list[i]);
	}
	free(list);
	return n;
}

bool
dfs_locks_has_client(struct dfs_locks *locks, const void *bytes, uint32_t len)
{
	struct lock_client *client = lock_client_find(locks, bytes, len);
	bool has;

	if (!client)
		return false;
	dfs_lock_acquire(&client->mu);
	has = client->owners != NULL;
	dfs_lock_release(&client->mu);
	lock_client_put(locks, client);
	return has;
}

uint64_t
dfs_locks_held(const struct dfs_locks *locks)
{
	return atomic_load_explicit(&locks->n_locks, memory_order_relaxed);
}

enum dfs_status
dfs_locks_open(const struct dfs_locks_options *o, struct dfs_locks **out)
{
	struct dfs_locks *locks = aligned_alloc(64, sizeof *locks);
	enum dfs_status status;

	if (!locks)
		return dfs_fail(DFS_NOMEM, "no memory for the lock table");
	memset(locks, 0, sizeof *locks);
	locks->domain = o->domain;
	if (o->store && !(o->store->caps & DFS_METADATA_CAP_VOLATILE))
		locks->store = o->store;
	locks->share = o->share;
	locks->level = o->durability >= DFS_DURABILITY_POWER ? DFS_SYNC_POWER : DFS_SYNC_PROCESS;
	locks->key = (struct dfs_hash_key){dfs_random_u64(), dfs_random_u64()};
	locks->unpin = o->unpin;
	locks->arg = o->arg;
	status = lock_clients_load(locks);
	if (status != DFS_OK) {
		dfs_locks_close(locks);
		return status;
	}
	*out = locks;
	return DFS_OK;
}

static void
end_waits(struct dfs_locks *locks)
{
	struct dfs_lock_done done;

	dfs_lock_done_init(&done);
	dfs_lock_acquire(&locks->waits);
	lock_waits_end(locks, NULL, NULL, DFS_SHUTDOWN, &done);
	dfs_lock_release(&locks->waits);
	dfs_lock_done_run(locks, &done);
}

void
dfs_locks_close(struct dfs_locks *locks)
{
	struct lock_client **list;
	uint32_t n;

	if (!locks)
		return;
	end_waits(locks);
	dfs_locks_tidy(locks);
	/* From here on no record changes: who holds something now may reclaim it. */
	locks->store = NULL;
	list = lock_clients_list(locks, NULL, NULL, &n);
	for (uint32_t i = 0; i < n; i++) {
		drop_client(locks, list[i]);
		if (list[i]->saved != LOCK_UNSAVED)
			lock_client_put(locks, list[i]);
		lock_client_put(locks, list[i]);
	}
	free(list);
	for (unsigned i = 0; i < LOCK_FILE_SHARDS; i++)
		lock_hash_clear(&locks->files[i].files);
	lock_owners_clear(locks);
	lock_hash_clear(&locks->clients);
	free(locks);
}
