/* SPDX-License-Identifier: MIT
 *
 * Files: birth, end, waiting.
 */
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/pool.h"
#include "payload/file.h"

static struct dfs_pool files = DFS_POOL(struct dfs_file);

struct dfs_file *
dfs_file_new(struct dfs_payload *payload, uint64_t fileid, const struct dfs_content_id *content,
	     uint64_t length, uint64_t used, const struct dfs_file_owner_ops *ops, void *owner)
{
	struct dfs_file *file = dfs_pool_get(&files);

	if (!file)
		return NULL;
	file->payload = payload;
	file->fileid = fileid;
	file->content = *content;
	file->ops = ops;
	file->owner = owner;
	file->extent = length;
	file->used = used;
	/* One before us, which left memory, may have been flushed and not be durable yet. */
	file->meta_seq = atomic_load(&payload->metadata->last_seq);
	if (payload->logging)
		file->log_lsn = dfs_wal_last(payload->wal);
	return file;
}

bool
dfs_file_wait(struct dfs_file *file, int64_t deadline)
{
	uint32_t seen = atomic_load_explicit(&file->event, memory_order_relaxed);
	int64_t left = deadline - dfs_clock_mono();
	struct timespec ts = {.tv_sec = left / DFS_SECOND, .tv_nsec = left % DFS_SECOND};

	if (left <= 0)
		return false;
	file->waiters++;
	dfs_file_unlock(file);
	syscall(SYS_futex, &file->event, FUTEX_WAIT_PRIVATE, seen, &ts, NULL, 0);
	dfs_file_lock(file);
	file->waiters--;
	return true;
}

void
dfs_file_wake(struct dfs_file *file)
{
	if (file->waiters == 0)
		return;
	atomic_fetch_add_explicit(&file->event, 1, memory_order_relaxed);
	syscall(SYS_futex, &file->event, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

bool
dfs_file_busy(const struct dfs_file *file)
{
	return atomic_load_explicit(&file->busy, memory_order_acquire) != 0;
}

uint64_t
dfs_file_used(const struct dfs_file *file)
{
	return atomic_load_explicit(&file->used, memory_order_relaxed);
}

/* Any block of the file, NULL: none is left. */
static struct dfs_block *
any_block(const struct dfs_file *file)
{
	for (uint32_t i = 0; file->table && i <= file->table_mask; i++)
		if (file->table[i])
			return file->table[i];
	return file->single;
}

static void
cut_block(struct dfs_block *block, uint64_t length, struct dfs_garbage **garbage)
{
	uint64_t start = block->index * DFS_BLOCK_SIZE;
	bool dirty = false;

	if (start + DFS_BLOCK_SIZE <= length) {
		/* Rows that were read during the truncation. */
		block->counted = block->row_known;
		return;
	}
	dfs_block_cut(block, length > start ? (uint32_t)(length - start) : 0);
	for (uint32_t p = 0; p < block->n_slots; p++)
		dirty |= block->pages[p].dirty != 0;
	if (!dirty) {
		dfs_block_list_clean(block);
		if (garbage)
			*garbage = dfs_garbage_add_pins(*garbage, block->log_segments);
		block->log_segments = block->log_stale = 0;
	}
	if (start >= length)
		dfs_block_release(block);
}

void
dfs_file_cut(struct dfs_file *file, uint64_t length, struct dfs_garbage **garbage)
{
	struct dfs_block **all;
	uint32_t n = 0, last = file->table_mask;

	if (!file->table) {
		if (file->single)
			cut_block(file->single, length, garbage);
		return;
	}
	/* Releasing blocks moves entries of the table about. */
	all = malloc(file->n_blocks * sizeof(struct dfs_block *));
	for (uint32_t i = 0; i <= last; i++) {
		struct dfs_block *b = file->table[i];

		if (!b)
			continue;
		b->pins += !all; /* without a list nothing is released: the evictor will */
		if (all)
			all[n++] = b;
		else
			cut_block(b, length, garbage);
		b->pins -= !all;
	}
	for (uint32_t i = 0; i < n; i++)
		cut_block(all[i], length, garbage);
	free(all);
}

void
dfs_file_discard(struct dfs_file *file)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_garbage *garbage = NULL;

	dfs_file_lock(file);
	file->discarded = true;
	file->trunc_gen++;
	dfs_file_cut(file, 0, &garbage);
	file->used = 0;
	dfs_file_wake(file);
	dfs_file_unlock(file);
	dfs_garbage_submit(payload, garbage, atomic_load(&payload->metadata->last_seq));
}

void
dfs_file_free(struct dfs_file *file)
{
	struct dfs_cache *cache;
	struct dfs_block *block;

	if (!file)
		return;
	cache = file->payload->cache;
	dfs_flusher_forget(cache, file);
	dfs_file_lock(file);
	while (file->flushing)
		dfs_file_wait(file, dfs_clock_mono() + DFS_SECOND);
	if (file->n_dirty > 0 && !file->payload->logging) {
		/* After a flush that failed; what clients have not made stable they must send again. */
		dfs_log(DFS_LOG_ERROR, "share %s: a file was dropped with dirty data",
			file->payload->prefix);
		dfs_counter_add(dfs_counter_get("payload_dirty_lost"), 1);
		dfs_write_verifier_reroll();
	}
	dfs_prefetch_end(file);
	dfs_file_unprepare(file);
	dfs_file_cut(file, 0, NULL);
	while ((block = any_block(file)) != NULL) {
		dfs_cache_remove(cache, block);
		dfs_block_destroy(block);
	}
	free(file->trunc_garbage);
	dfs_file_unlock(file);
	dfs_pool_put(&files, file);
}
