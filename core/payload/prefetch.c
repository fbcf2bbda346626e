/* SPDX-License-Identifier: MIT
 *
 * Prefetch: what the readers of a file will want next is asked for before they do.
 *
 * Every read is noted, for those that hit the cache move the readers on.  A task on a thread of the
 * store's offloader looks up the map rows of the blocks ahead and starts their downloads; it waits
 * for none of them.  One task at a time for a file.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "payload/download_buffer.h"
#include "payload/file.h"
#include "payload/offload/offload.h"
#include "payload/offload/readahead.h"

struct dfs_prefetch {
	struct dfs_readahead readers;
	struct dfs_task task;
	struct dfs_file *file;
	bool running;
	bool in_order; /* the last read was */
};

static void
run(struct dfs_task *task)
{
	struct dfs_prefetch *p = DFS_CONTAINER_OF(task, struct dfs_prefetch, task);
	struct dfs_file *file = p->file;
	struct dfs_offload *o = file->payload->blocks->offload;
	struct dfs_readahead_session *s;

	dfs_file_lock(file);
	while (!file->discarded && (s = dfs_readahead_todo(&p->readers)) != NULL) {
		struct dfs_ctx ctx = {.deadline = dfs_clock_mono() + o->times.prefetch};
		uint64_t index = s->begun / DFS_BLOCK_SIZE, start = index * DFS_BLOCK_SIZE;
		uint64_t end =
			s->ahead - start < DFS_BLOCK_SIZE ? s->ahead : start + DFS_BLOCK_SIZE;
		uint32_t first = (uint32_t)(s->begun - start) / DFS_PAGE_SIZE;

		/* The session may be another's when the lock is taken again. */
		s->begun = end;
		dfs_fetch_ahead(&ctx, file, index, first,
				(uint32_t)(end - 1 - start) / DFS_PAGE_SIZE);
	}
	p->running = false;
	atomic_fetch_sub_explicit(&file->busy, 1, memory_order_release);
	dfs_file_wake(file);
	dfs_file_unlock(file);
	dfs_offload_leave(o);
}

/* Whether some of what is ahead is not in memory; moves the sessions over what is. */
static bool
wanting(struct dfs_prefetch *p)
{
	struct dfs_readahead_session *s;

	while ((s = dfs_readahead_todo(&p->readers)) != NULL) {
		uint64_t index = s->begun / DFS_BLOCK_SIZE;
		const struct dfs_block *block = dfs_block_find(p->file, index);

		if (!block || !block->row_known || !dfs_block_complete(block))
			return true;
		s->begun = (index + 1) * DFS_BLOCK_SIZE;
	}
	return false;
}

static void
start(struct dfs_prefetch *p)
{
	struct dfs_file *file = p->file;
	struct dfs_offload *o = file->payload->blocks->offload;

	if (p->running || !wanting(p))
		return;
	p->running = true;
	p->task.run = run;
	atomic_fetch_add_explicit(&file->busy, 1, memory_order_relaxed);
	dfs_offload_enter(o);
	if (dfs_lane_submit(o->lane, &p->task))
		return;
	dfs_offload_leave(o);
	/* The next read tries again. */
	p->running = false;
	atomic_fetch_sub_explicit(&file->busy, 1, memory_order_release);
}

/* Only files that somebody reads in order have one. */
static struct dfs_prefetch *
get(struct dfs_file *file, uint64_t length, uint64_t offset)
{
	struct dfs_prefetch *p = file->prefetch;

	if (p || length <= DFS_READAHEAD_FIRST || offset != file->next_read)
		return p;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->file = file;
	if (offset != 0) {
		p->readers.sessions[0].next = offset;
		p->readers.n = 1;
	}
	file->prefetch = p;
	return p;
}

bool
dfs_prefetch_active(const struct dfs_file *file)
{
	return file->prefetch && file->prefetch->in_order;
}

bool
dfs_prefetch_note(struct dfs_file *file, uint64_t length, uint64_t offset, uint32_t len)
{
	struct dfs_download_buffer *buffer = file->payload->cache->landing;
	struct dfs_prefetch *p = get(file, length, offset);
	uint64_t room = dfs_download_buffer_budget(buffer) / 4 * 3;
	struct dfs_readahead_hints hints = {
		.length = length < file->extent ? length : file->extent,
		.window_max = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX,
		.pressed = dfs_download_buffer_bytes(buffer) > room,
	};

	if (!p)
		return false;
	hints.wasted = dfs_download_buffer_wasted(buffer, &file->content);
	p->in_order = dfs_readahead_note(&p->readers, offset, len, &hints);
	if (p->in_order)
		start(p);
	return p->in_order;
}

void
dfs_prefetch_end(struct dfs_file *file)
{
	struct dfs_prefetch *p = file->prefetch;

	if (!p)
		return;
	p->readers.n = 0; /* nothing more to do */
	while (p->running)
		dfs_file_wait(file, dfs_clock_mono() + DFS_SECOND);
	file->prefetch = NULL;
	free(p);
}
