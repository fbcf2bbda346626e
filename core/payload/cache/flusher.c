/* SPDX-License-Identifier: MIT
 *
 * Background write-through: one thread that picks dirty files, share by share and oldest first, and
 * hands them to the lanes of their block stores, so that a store that hangs holds up its own shares
 * only.
 *
 * It runs when dirty bytes and what dirty files keep in memory besides pass the high mark, when the log
 * fills, and for what is older than FLUSH_AGE.  What a store does not take fast enough leaves memory
 * for the log, as far as it is there.  A file that fails goes to the end of the list and is tried again after
 * RETRY_AGE; its data stays.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/counter.h"
#include "base/log.h"
#include "io/worker.h"
#include "payload/file.h"

#define FLUSH_AGE (30 * DFS_SECOND)
#define RETRY_AGE (1 * DFS_SECOND)
#define FLUSH_DEADLINE (60 * DFS_SECOND)
#define FILE_BYTES 1024 /* of structures that a dirty file keeps in memory, its inode's too */
#define TASK_FILES 32
#define TASKS_MAX 4   /* at a time for one share ... */
#define TASKS_FAR 16  /* ... whose store is far: what takes time there is to wait */
#define PICK_SCAN 256 /* files looked at for one task */
#define SPILL_FILES 16
#define LEFT_FACTOR 4 /* a share may hold so many times what is left to all */

struct flush_task {
	struct dfs_task task;
	struct dfs_payload *payload;
	uint32_t n;
	struct dfs_file *files[TASK_FILES];
	enum dfs_flush what[TASK_FILES];
};

static void
share_remove(struct dfs_cache *cache, struct dfs_payload *payload)
{
	if (payload->prev_dirty)
		payload->prev_dirty->next_dirty = payload->next_dirty;
	else
		cache->first = payload->next_dirty;
	if (payload->next_dirty)
		payload->next_dirty->prev_dirty = payload->prev_dirty;
	else
		cache->last = payload->prev_dirty;
}

static void
share_append(struct dfs_cache *cache, struct dfs_payload *payload)
{
	payload->next_dirty = NULL;
	payload->prev_dirty = cache->last;
	if (cache->last)
		cache->last->next_dirty = payload;
	else
		cache->first = payload;
	cache->last = payload;
}

static void
list_remove(struct dfs_cache *cache, struct dfs_file *file)
{
	struct dfs_payload *payload = file->payload;

	if (file->fifo_prev)
		file->fifo_prev->fifo_next = file->fifo_next;
	else
		payload->oldest = file->fifo_next;
	if (file->fifo_next)
		file->fifo_next->fifo_prev = file->fifo_prev;
	else
		payload->newest = file->fifo_prev;
	if (!payload->oldest)
		share_remove(cache, payload);
	file->dirty_since = 0;
	cache->n_files--;
}

static void
list_insert(struct dfs_cache *cache, struct dfs_file *file, int64_t since, bool first)
{
	struct dfs_payload *payload = file->payload;

	if (!payload->oldest)
		share_append(cache, payload);
	file->fifo_prev = first ? NULL : payload->newest;
	file->fifo_next = first ? payload->oldest : NULL;
	*(file->fifo_prev ? &file->fifo_prev->fifo_next : &payload->oldest) = file;
	*(file->fifo_next ? &file->fifo_next->fifo_prev : &payload->newest) = file;
	file->dirty_since = since;
	cache->n_files++;
}

static void
list_append(struct dfs_cache *cache, struct dfs_file *file, int64_t since)
{
	list_insert(cache, file, since, false);
}

void
dfs_flusher_add(struct dfs_cache *cache, struct dfs_file *file)
{
	bool wake;

	pthread_mutex_lock(&cache->mu);
	if (!file->dirty_since)
		list_append(cache, file, dfs_clock_coarse());
	wake = cache->idle;
	cache->idle = false;
	pthread_mutex_unlock(&cache->mu);
	if (wake)
		pthread_cond_signal(&cache->wake);
}

void
dfs_flusher_hurry(struct dfs_cache *cache, struct dfs_file *file)
{
	bool wake = false;

	pthread_mutex_lock(&cache->mu);
	if (file->dirty_since && !file->hurry) {
		int64_t since = file->dirty_since;

		/* To the front, where it is seen. */
		list_remove(cache, file);
		list_insert(cache, file, since, true);
		file->hurry = wake = true;
	}
	pthread_mutex_unlock(&cache->mu);
	if (wake)
		pthread_cond_signal(&cache->wake);
}

void
dfs_flusher_done(struct dfs_cache *cache, struct dfs_file *file)
{
	pthread_mutex_lock(&cache->mu);
	if (file->dirty_since)
		list_remove(cache, file);
	pthread_mutex_unlock(&cache->mu);
}

void
dfs_flusher_forget(struct dfs_cache *cache, struct dfs_file *file)
{
	pthread_mutex_lock(&cache->mu);
	for (;;) {
		/* Once more after each task: a flush that fails lists it again. */
		if (file->dirty_since)
			list_remove(cache, file);
		if (file->tasks == 0)
			break;
		pthread_cond_wait(&cache->relief, &cache->mu);
	}
	pthread_mutex_unlock(&cache->mu);
}

bool
dfs_flusher_full(const struct dfs_payload *payload)
{
	const struct dfs_cache *cache = payload->cache;
	int64_t own = atomic_load(&payload->dirty);
	int64_t left = (int64_t)cache->dirty_hard - atomic_load(&cache->dirty);

	/* The floor is what keeps a share going when others have taken everything. */
	return own >= DFS_WRITE_MAX && own > LEFT_FACTOR * left;
}

void
dfs_flusher_account(struct dfs_payload *payload, int64_t delta)
{
	struct dfs_cache *cache = payload->cache;
	int64_t after = atomic_fetch_add(&cache->dirty, delta) + delta;

	atomic_fetch_add(&payload->dirty, delta);
	if (after > (int64_t)cache->dirty_high &&
	    !atomic_load_explicit(&cache->kicked, memory_order_relaxed) &&
	    !atomic_exchange(&cache->kicked, true)) {
		pthread_mutex_lock(&cache->mu);
		pthread_cond_signal(&cache->wake);
		pthread_mutex_unlock(&cache->mu);
	}
	if (delta < 0 && atomic_load(&cache->waiting) > 0) {
		pthread_mutex_lock(&cache->mu);
		pthread_cond_broadcast(&cache->relief);
		pthread_mutex_unlock(&cache->mu);
	}
}

bool
dfs_flusher_wait(struct dfs_payload *payload, int64_t deadline)
{
	struct dfs_cache *cache = payload->cache;
	bool ok = true;

	pthread_mutex_lock(&cache->mu);
	atomic_fetch_add(&cache->waiting, 1);
	while (dfs_flusher_full(payload) && ok)
		ok = dfs_cond_until(&cache->relief, &cache->mu, deadline);
	atomic_fetch_sub(&cache->waiting, 1);
	pthread_mutex_unlock(&cache->mu);
	return ok;
}

static enum dfs_status
flush_one(struct dfs_file *file, enum dfs_flush what, int64_t deadline)
{
	struct dfs_payload *payload = file->payload;
	struct dfs_ctx ctx = {.deadline = deadline};
	enum dfs_status st = dfs_file_flush(&ctx, file, what);

	if (st != DFS_OK) {
		static _Atomic int64_t last_said;
		int64_t now = dfs_clock_mono(), said = atomic_load(&last_said);

		dfs_counter_add(dfs_counter_get("payload_flush_failures"), 1);
		/* A store that is away for long is no news each second. */
		if ((!said || now - said > (st == DFS_DELAY ? 60 : 1) * DFS_SECOND) &&
		    atomic_compare_exchange_strong(&last_said, &said, now))
			dfs_log(DFS_LOG_WARN,
				"share %s: writing dirty data: %s (%s): kept, tried again",
				payload->prefix, dfs_status_name(st), dfs_fail_text());
	}
	dfs_throttle_flushed(payload, st);
	return st;
}

/* The file is in the hands of the flusher no longer.  Called with mu. */
static void
let_go(struct dfs_cache *cache, struct dfs_file *file)
{
	file->tasks--;
	atomic_fetch_sub_explicit(&file->busy, 1, memory_order_release);
	pthread_cond_broadcast(&cache->relief);
}

static void
run_task(struct dfs_task *task)
{
	struct flush_task *t = (struct flush_task *)task;
	struct dfs_payload *payload = t->payload;
	struct dfs_cache *cache = payload->cache;

	for (uint32_t i = 0; i < t->n; i++) {
		struct dfs_file *file = t->files[i];

		flush_one(file, t->what[i], dfs_clock_mono() + FLUSH_DEADLINE);
		pthread_mutex_lock(&cache->mu);
		if (file->dirty_since) {
			list_remove(cache, file);
			list_append(cache, file, dfs_clock_coarse());
		}
		let_go(cache, file);
		pthread_mutex_unlock(&cache->mu);
	}
	free(t);
	pthread_mutex_lock(&cache->mu);
	atomic_fetch_sub(&payload->flush_tasks, 1);
	/* More may be waiting for a free place. */
	pthread_cond_signal(&cache->wake);
	pthread_cond_broadcast(&cache->relief);
	pthread_mutex_unlock(&cache->mu);
}

/* Whether a file that became dirty at `since` shall go out now. */
static bool
due(struct dfs_cache *cache, const struct dfs_file *file, int64_t now, bool pressed)
{
	int64_t age = now - file->dirty_since;

	if (atomic_load(&file->payload->flush_status) != DFS_OK)
		return age >= RETRY_AGE;
	return pressed || file->hurry || age >= FLUSH_AGE;
}

/* Due files of the share, oldest first, as a task; NULL: none, or no memory. */
static struct flush_task *
pick_of(struct dfs_cache *cache, struct dfs_payload *payload, bool pressed)
{
	struct flush_task *t = NULL;
	int64_t now = dfs_clock_coarse();
	unsigned scan = 0;

	for (struct dfs_file *f = payload->oldest; f && scan < PICK_SCAN;
	     f = f->fifo_next, scan++) {
		if (f->tasks || !due(cache, f, now, pressed))
			continue;
		if (!t) {
			t = calloc(1, sizeof *t);
			if (!t)
				return NULL;
			t->payload = payload;
			t->task.run = run_task;
		}
		f->tasks++;
		atomic_fetch_add_explicit(&f->busy, 1, memory_order_relaxed);
		t->what[t->n] = f->hurry && !pressed && now - f->dirty_since < FLUSH_AGE
					? DFS_FLUSH_WHOLE
					: DFS_FLUSH_ALL;
		t->files[t->n++] = f;
		f->hurry = false;
		if (t->n == TASK_FILES)
			break;
	}
	return t;
}

/* The next task; shares take turns.  Called with mu. */
static struct flush_task *
pick(struct dfs_cache *cache, bool pressed)
{
	for (struct dfs_payload *p = cache->first; p; p = p->next_dirty) {
		struct flush_task *t;

		if (atomic_load(&p->flush_tasks) >= (p->far ? TASKS_FAR : TASKS_MAX) ||
		    atomic_load(&p->replaying))
			continue;
		t = pick_of(cache, p, pressed || dfs_log_pressed(p));
		if (!t)
			continue;
		atomic_fetch_add(&p->flush_tasks, 1);
		share_remove(cache, p);
		share_append(cache, p);
		return t;
	}
	return NULL;
}

static bool
pressed(struct dfs_cache *cache)
{
	return atomic_load(&cache->dirty) + (int64_t)cache->n_files * FILE_BYTES >
	       (int64_t)cache->dirty_high;
}

/* Bring dirty memory below the spill mark by what is in the log.  Called with mu, which is released
 * and taken again. */
static void
spill(struct dfs_cache *cache)
{
	for (struct dfs_payload *p = cache->first; p; p = p->next_dirty) {
		struct dfs_file *files[SPILL_FILES];
		uint32_t n = 0;
		int64_t over;

		if (!p->logging || atomic_load(&p->replaying))
			continue;
		/* From the newest on: the oldest are about to be flushed. */
		for (struct dfs_file *f = p->newest; f && n < SPILL_FILES; f = f->fifo_prev) {
			f->tasks++;
			atomic_fetch_add_explicit(&f->busy, 1, memory_order_relaxed);
			files[n++] = f;
		}
		atomic_fetch_add(&p->flush_tasks, 1); /* keeps the share */
		pthread_mutex_unlock(&cache->mu);
		for (uint32_t i = 0; i < n; i++) {
			over = atomic_load(&cache->dirty) - (int64_t)cache->dirty_spill;
			if (over > 0)
				dfs_file_spill(files[i], (uint64_t)over + cache->budget / 20);
		}
		pthread_mutex_lock(&cache->mu);
		for (uint32_t i = 0; i < n; i++)
			let_go(cache, files[i]);
		atomic_fetch_sub(&p->flush_tasks, 1);
		pthread_cond_broadcast(&cache->relief);
		if (p->oldest) {
			/* The next time another share's turn comes first. */
			share_remove(cache, p);
			share_append(cache, p);
		}
		return;
	}
}

static void *
flusher(void *arg)
{
	struct dfs_cache *cache = arg;

	pthread_mutex_lock(&cache->mu);
	while (!cache->stop) {
		struct flush_task *t;

		if (atomic_load(&cache->dirty) > (int64_t)cache->dirty_spill)
			spill(cache);
		t = pick(cache, pressed(cache));
		if (t) {
			struct dfs_lane *lane = t->payload->blocks->lane;

			pthread_mutex_unlock(&cache->mu);
			if (!lane || !dfs_lane_submit(lane, &t->task))
				run_task(&t->task);
			pthread_mutex_lock(&cache->mu);
			continue;
		}
		atomic_store(&cache->kicked, false);
		if (!cache->first) {
			cache->idle = true;
			pthread_cond_wait(&cache->wake, &cache->mu);
			cache->idle = false;
		} else {
			/* Pressed with nothing to pick: all places are taken; their end wakes us. */
			dfs_cond_until(&cache->wake, &cache->mu, dfs_clock_mono() + RETRY_AGE);
		}
	}
	pthread_mutex_unlock(&cache->mu);
	return NULL;
}

bool
dfs_flusher_start(struct dfs_cache *cache)
{
	pthread_mutex_init(&cache->mu, NULL);
	dfs_cond_init(&cache->wake);
	dfs_cond_init(&cache->relief);
	if (pthread_create(&cache->flusher, NULL, flusher, cache) != 0)
		return false;
	pthread_setname_np(cache->flusher, "dfs-flush");
	return true;
}

void
dfs_flusher_stop(struct dfs_cache *cache)
{
	pthread_mutex_lock(&cache->mu);
	cache->stop = true;
	pthread_cond_signal(&cache->wake);
	pthread_mutex_unlock(&cache->mu);
	pthread_join(cache->flusher, NULL);
	pthread_cond_destroy(&cache->wake);
	pthread_cond_destroy(&cache->relief);
	pthread_mutex_destroy(&cache->mu);
}

enum dfs_status
dfs_flusher_drain(struct dfs_cache *cache, struct dfs_payload *payload, int64_t deadline)
{
	enum dfs_status first = DFS_OK;
	uint32_t failures = 0;

	pthread_mutex_lock(&cache->mu);
	for (;;) {
		struct dfs_file *f = payload->oldest;
		enum dfs_status st;

		if (!f || failures > cache->n_files)
			break;
		if (dfs_clock_mono() >= deadline) {
			if (first == DFS_OK)
				first = DFS_TIMEDOUT;
			break;
		}
		f->tasks++;
		atomic_fetch_add_explicit(&f->busy, 1, memory_order_relaxed);
		pthread_mutex_unlock(&cache->mu);
		st = flush_one(f, DFS_FLUSH_ALL, deadline);
		pthread_mutex_lock(&cache->mu);
		if (f->dirty_since) {
			list_remove(cache, f);
			list_append(cache, f, dfs_clock_coarse());
		}
		let_go(cache, f);
		if (st != DFS_OK) {
			failures++;
			if (first == DFS_OK)
				first = st;
		}
	}
	pthread_mutex_unlock(&cache->mu);
	return first;
}
