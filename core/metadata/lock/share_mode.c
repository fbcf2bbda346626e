/* SPDX-License-Identifier: MIT
 *
 * Share modes: what an owner does with a file and what others shall not.
 */
#include <stdlib.h>

#include "metadata/lock/table.h"

struct lock_share *
lock_share_of(struct lock_file *file, const struct dfs_lock_owner *owner)
{
	struct lock_share *s = file->shares;

	while (s && s->owner != owner)
		s = s->next;
	return s;
}

static bool
is_full(const struct lock_file *file)
{
	uint32_t n = 0;

	for (const struct lock_share *s = file->shares; s; s = s->next)
		n++;
	return n >= DFS_LOCK_FILE_SHARES;
}

static struct lock_share *
share_new(struct dfs_locks *locks, struct lock_file *file, struct dfs_lock_owner *owner)
{
	struct lock_share *s;

	if (is_full(file) || !lock_count(locks, owner->client, 1, false))
		return NULL;
	s = calloc(1, sizeof *s);
	if (!s) {
		lock_uncount(locks, owner->client, 1);
		return NULL;
	}
	s->file = file;
	s->owner = owner;
	lock_owner_ref(owner);
	s->next = file->shares;
	file->shares = s;
	dfs_lock_acquire(&owner->client->mu);
	s->own_next = owner->shares;
	s->own_prev = &owner->shares;
	if (s->own_next)
		s->own_next->own_prev = &s->own_next;
	owner->shares = s;
	dfs_lock_release(&owner->client->mu);
	return s;
}

void
lock_share_drop(struct dfs_locks *locks, struct lock_share *s)
{
	struct lock_share **at = &s->file->shares;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	dfs_lock_acquire(&s->owner->client->mu);
	*s->own_prev = s->own_next;
	if (s->own_next)
		s->own_next->own_prev = s->own_prev;
	dfs_lock_release(&s->owner->client->mu);
	lock_uncount(locks, s->owner->client, 1);
	dfs_lock_owner_put(locks, s->owner);
	free(s);
}

static enum dfs_status
share_locked(struct dfs_locks *locks, struct lock_file *file, struct dfs_lock_owner *owner,
	     uint32_t access, uint32_t deny)
{
	struct lock_share *mine = lock_share_of(file, owner);

	for (struct lock_share *s = file->shares; s; s = s->next)
		if (s != mine && ((access & s->deny) || (deny & s->access)))
			return DFS_BUSY;
	if (!mine)
		mine = share_new(locks, file, owner);
	if (!mine)
		return DFS_NOMEM;
	mine->access = (uint8_t)access;
	mine->deny = (uint8_t)deny;
	return DFS_OK;
}

enum dfs_status
dfs_locks_share(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
		uint32_t access, uint32_t deny, struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	enum dfs_status status = DFS_NOMEM;
	struct lock_file *file;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_make(locks, shard, fileid);
	if (file)
		status = share_locked(locks, file, owner, access, deny);
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
	return status;
}

void
dfs_locks_unshare(struct dfs_locks *locks, struct dfs_lock_owner *owner, uint64_t fileid,
		  struct dfs_lock_done *done)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	struct lock_file *file;
	struct lock_share *s;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	s = file ? lock_share_of(file, owner) : NULL;
	if (s)
		lock_share_drop(locks, s);
	lock_file_relax(locks, shard, file, done);
	dfs_lock_release(&shard->mu);
}
