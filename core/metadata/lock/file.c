/* SPDX-License-Identifier: MIT
 *
 * Records of the files that hold or await something.
 */
#include "base/pool.h"
#include "metadata/lock/table.h"

static struct dfs_pool pool = {.size = sizeof(struct lock_file)};

struct lock_file *
lock_file_find(struct lock_file_shard *shard, uint64_t fileid)
{
	return (struct lock_file *)lock_hash_first(&shard->files, fileid);
}

struct lock_file *
lock_file_make(struct dfs_locks *locks, struct lock_file_shard *shard, uint64_t fileid)
{
	struct lock_file *file = lock_file_find(shard, fileid);

	if (file)
		return file;
	file = dfs_pool_get(&pool);
	if (!file)
		return NULL;
	file->link.id = fileid;
	if (!lock_hash_add(&shard->files, &file->link)) {
		dfs_pool_put(&pool, file);
		return NULL;
	}
	atomic_fetch_add_explicit(&locks->n_files, 1, memory_order_relaxed);
	return file;
}

void
lock_file_relax(struct dfs_locks *locks, struct lock_file_shard *shard, struct lock_file *file,
		struct dfs_lock_done *done)
{
	if (!file || file->root || file->waits || file->shares)
		return;
	if (file->pin) {
		file->pin->next = done->pins;
		done->pins = file->pin;
	}
	lock_hash_del(&shard->files, &file->link);
	dfs_pool_put(&pool, file);
	atomic_fetch_sub_explicit(&locks->n_files, 1, memory_order_relaxed);
}

void
lock_done_pins(struct dfs_lock_done *to, struct dfs_lock_done *from)
{
	struct dfs_lock_pin *next;

	for (struct dfs_lock_pin *pin = from->pins; pin; pin = next) {
		next = pin->next;
		pin->next = to->pins;
		to->pins = pin;
	}
	from->pins = NULL;
}

bool
dfs_locks_pin(struct dfs_locks *locks, uint64_t fileid, struct dfs_lock_pin *pin)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	struct lock_file *file;
	bool taken;

	dfs_lock_acquire(&shard->mu);
	file = lock_file_find(shard, fileid);
	taken = file && !file->pin;
	if (taken)
		file->pin = pin;
	dfs_lock_release(&shard->mu);
	return taken;
}

bool
dfs_locks_has_file(struct dfs_locks *locks, uint64_t fileid)
{
	struct lock_file_shard *shard = lock_file_shard(locks, fileid);
	bool found;

	if (atomic_load_explicit(&locks->n_files, memory_order_relaxed) == 0)
		return false;
	dfs_lock_acquire(&shard->mu);
	found = lock_file_find(shard, fileid) != NULL;
	dfs_lock_release(&shard->mu);
	return found;
}
