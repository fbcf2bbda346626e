/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "io/worker.h"
#include "metadata/charge.h"
#include "metadata/ns.h"
#include "metadata/writeback.h"

#define BATCH 512 /* records of one transaction */
#define DEFAULT_LIMIT 16384
#define MAX_AGE (5 * DFS_SECOND) /* stores without sync rounds are written that often */
#define KEPT_WAIT (30 * DFS_SECOND)

struct dfs_writeback {
	struct dfs_metadata_store *store;
	struct dfs_lock lock;
	struct dfs_inode *head, **tail; /* guarded by lock */
	_Atomic uint32_t n;
	_Atomic uint32_t limit;
	int64_t oldest; /* guarded by lock: when the list began, monotonic ns */
	_Atomic bool queued;
	_Atomic bool broken;      /* the last run failed: do not make operations wait for another */
	_Atomic int told;         /* status that the log told last */
	pthread_rwlock_t batches; /* held for reading while any thread writes a batch */
	_Atomic uint64_t last_seq; /* of the batches' commits */
	struct dfs_task task;
	struct dfs_inode *leaving; /* guarded by lock: see dfs_writeback_take_leave */
	bool leave_queued;         /* guarded by lock: its task is queued or runs */
	struct dfs_task leave_task;
};

static void
task_run(struct dfs_task *task)
{
	struct dfs_writeback *wb = DFS_CONTAINER_OF(task, struct dfs_writeback, task);

	/* Before the run: what is added from now on may queue the task again. */
	atomic_store(&wb->queued, false);
	dfs_writeback_run(wb->store, NULL);
}

/* The list's reference ends, and the namespace may be gone thereafter. */
static void
release(struct dfs_inode *inode)
{
	struct dfs_namespace *ns = inode->ns;

	dfs_inode_unref(inode);
	atomic_fetch_sub_explicit(&ns->in_hand, 1, memory_order_release);
}

static void
leave_run(struct dfs_task *task)
{
	struct dfs_writeback *wb = DFS_CONTAINER_OF(task, struct dfs_writeback, leave_task);
	struct dfs_inode *list, *next;

	for (;;) {
		dfs_lock_acquire(&wb->lock);
		list = wb->leaving;
		wb->leaving = NULL;
		wb->leave_queued = list != NULL;
		dfs_lock_release(&wb->lock);
		if (!list)
			return;
		for (; list; list = next) {
			struct dfs_namespace *ns = list->ns;

			next = list->dirty_next;
			dfs_inode_drop(list);
			atomic_fetch_sub_explicit(&ns->in_hand, 1, memory_order_release);
		}
	}
}

/* The flush, and so the block store, is waited for by neither an event loop nor a sync of names.  The inode
 * is on no list while its last reference is the caller's. */
bool
dfs_writeback_take_leave(struct dfs_inode *inode)
{
	struct dfs_writeback *wb = inode->ns->store->dirty;
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);
	bool submit;

	if (!wb->store->lane || !file || !inode->ns->content.busy(file))
		return false;
	atomic_fetch_add_explicit(&inode->ns->in_hand, 1, memory_order_relaxed);
	dfs_lock_acquire(&wb->lock);
	inode->dirty_next = wb->leaving;
	wb->leaving = inode;
	submit = !wb->leave_queued;
	wb->leave_queued = true;
	dfs_lock_release(&wb->lock);
	if (submit && !dfs_lane_submit(wb->store->lane, &wb->leave_task))
		leave_run(&wb->leave_task);
	return true;
}

static void
submit(struct dfs_writeback *wb)
{
	if (wb->store->lane && !atomic_exchange(&wb->queued, true))
		if (!dfs_lane_submit(wb->store->lane, &wb->task))
			atomic_store(&wb->queued, false);
}

struct dfs_writeback *
dfs_writeback_new(struct dfs_metadata_store *store)
{
	struct dfs_writeback *wb = calloc(1, sizeof *wb);
	pthread_rwlockattr_t attr;

	if (!wb)
		abort();
	wb->store = store;
	wb->tail = &wb->head;
	wb->task.run = task_run;
	wb->leave_task.run = leave_run;
	atomic_init(&wb->limit, DEFAULT_LIMIT);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&wb->batches, &attr);
	pthread_rwlockattr_destroy(&attr);
	return wb;
}

void
dfs_writeback_free(struct dfs_writeback *wb)
{
	if (!wb)
		return;
	assert(!wb->head);
	pthread_rwlock_destroy(&wb->batches);
	free(wb);
}

void
dfs_writeback_limit(struct dfs_metadata_store *store, uint32_t limit)
{
	uint32_t now = atomic_load(&store->dirty->limit);

	if (limit < now)
		atomic_store(&store->dirty->limit, limit < BATCH ? BATCH : limit);
}

void
dfs_writeback_add(struct dfs_metadata_store *store, struct dfs_inode *inode)
{
	struct dfs_writeback *wb = store->dirty;
	int64_t now = dfs_clock_coarse();
	bool late;

	dfs_lock_acquire(&wb->lock);
	if (!wb->head)
		wb->oldest = now;
	late = !(store->caps & DFS_METADATA_CAP_VOLATILE) && now - wb->oldest > MAX_AGE;
	inode->dirty_next = NULL;
	*wb->tail = inode;
	wb->tail = &inode->dirty_next;
	atomic_fetch_add_explicit(&wb->n, 1, memory_order_relaxed);
	dfs_lock_release(&wb->lock);
	if (late)
		submit(wb);
}

static unsigned
take(struct dfs_writeback *wb, struct dfs_inode **batch, unsigned max)
{
	unsigned n = 0;

	dfs_lock_acquire(&wb->lock);
	while (n < max && wb->head) {
		batch[n] = wb->head;
		wb->head = batch[n]->dirty_next;
		atomic_fetch_add_explicit(&batch[n]->ns->in_hand, 1, memory_order_relaxed);
		n++;
	}
	if (!wb->head)
		wb->tail = &wb->head;
	atomic_fetch_sub_explicit(&wb->n, n, memory_order_relaxed);
	dfs_lock_release(&wb->lock);
	/* Clean from here on: a change that comes now queues the inode again. */
	for (unsigned i = 0; i < n; i++) {
		dfs_inode_bucket_lock(batch[i]);
		batch[i]->state &= ~DFS_STATE_DIRTY;
		dfs_inode_bucket_unlock(batch[i]);
	}
	return n;
}

struct batch {
	struct dfs_inode *inodes[BATCH];
	unsigned n;
	unsigned left; /* of which so many, the first ones, have not been written */
	unsigned kept; /* of those, so many were another transaction's at the last try */
};

static enum dfs_status
write_batch(void *arg, struct dfs_txn *txn)
{
	struct batch *b = arg;
	unsigned n = b->left, kept = 0;

	for (unsigned i = 0; i < n; i++) {
		struct dfs_inode *inode = b->inodes[i];
		enum dfs_status status;

		/* An operation's transaction has it: all others need not wait for that. */
		if (dfs_charge_is_elsewhere(inode)) {
			b->inodes[i] = b->inodes[kept];
			b->inodes[kept++] = inode;
			continue;
		}
		status = dfs_inode_put(inode, txn);
		if (status != DFS_OK && status != DFS_STALE)
			return status;
	}
	b->kept = kept;
	return DFS_OK;
}

/* What operations have in hand is waited for, for as long as one of them goes on. */
static enum dfs_status
write_left(struct dfs_metadata_store *store, struct batch *batch, uint64_t *seq)
{
	int64_t deadline = dfs_clock_mono() + KEPT_WAIT;
	enum dfs_status status = DFS_OK;

	batch->left = batch->n;
	while (batch->left) {
		status = dfs_metadata_update(store, write_batch, batch, seq);
		if (status != DFS_OK)
			return status;
		if (batch->kept < batch->left)
			deadline = dfs_clock_mono() + KEPT_WAIT;
		batch->left = batch->kept;
		if (batch->left && dfs_clock_mono() > deadline)
			return DFS_DELAY;
		if (batch->left)
			usleep(200);
	}
	return status;
}

/* Take a batch and write it. */
static enum dfs_status
write_some(struct dfs_metadata_store *store, struct batch *batch, unsigned max)
{
	struct dfs_writeback *wb = store->dirty;
	enum dfs_status status = DFS_OK;
	uint64_t seq = 0, last;

	pthread_rwlock_rdlock(&wb->batches);
	batch->n = take(wb, batch->inodes, max < BATCH ? max : BATCH);
	if (batch->n)
		status = write_left(store, batch, &seq);
	last = atomic_load_explicit(&wb->last_seq, memory_order_relaxed);
	while (last < seq && !atomic_compare_exchange_weak(&wb->last_seq, &last, seq))
		;
	pthread_rwlock_unlock(&wb->batches);
	return status;
}

/* Once, however often it is tried. */
static void
tell(struct dfs_metadata_store *store, enum dfs_status status, unsigned n)
{
	int before = atomic_exchange(&store->dirty->told, (int)status);

	if (before == (int)status)
		return;
	if (status == DFS_OK)
		dfs_log(DFS_LOG_INFO, "%s: inodes are written back again", store->name);
	else
		dfs_log(DFS_LOG_WARN,
			"%s: %u inodes could not be written back (%s): %s; they are kept and tried "
			"again",
			store->name, n, dfs_status_name(status), dfs_fail_text());
}

static enum dfs_status
run_once(struct dfs_metadata_store *store, unsigned max)
{
	struct batch batch;
	enum dfs_status status = write_some(store, &batch, max);
	unsigned n = batch.n;

	if (n)
		tell(store, status, n);
	for (unsigned i = 0; i < n; i++) {
		if (status != DFS_OK)
			dfs_inode_mark_dirty(batch.inodes[i]);
		release(batch.inodes[i]);
	}
	atomic_store(&store->dirty->broken, status != DFS_OK);
	return status;
}

/* What is on the list now. */
static enum dfs_status
run_all(struct dfs_metadata_store *store)
{
	uint32_t left = atomic_load_explicit(&store->dirty->n, memory_order_relaxed);
	enum dfs_status status = DFS_OK;

	while (left && status == DFS_OK) {
		status = run_once(store, left);
		left = left > BATCH ? left - BATCH : 0;
	}
	return status;
}

enum dfs_status
dfs_writeback_run(struct dfs_metadata_store *store, uint64_t *seq)
{
	struct dfs_writeback *wb = store->dirty;
	enum dfs_status status = run_all(store);
	uint64_t last;

	/* Whose share it was is known now, and what is of it is left out. */
	if (status == DFS_FENCED)
		status = run_all(store);
	if (!seq)
		return status;
	/* Others may have taken what was on the list, and not have written it yet; or failed to, and it
	 * is there again. */
	pthread_rwlock_wrlock(&wb->batches);
	pthread_rwlock_unlock(&wb->batches);
	if (status == DFS_OK && atomic_load(&wb->broken))
		status = run_all(store);
	last = atomic_load(&wb->last_seq);
	if (last > *seq)
		*seq = last;
	return status;
}

enum dfs_status
dfs_writeback_relieve(struct dfs_metadata_store *store, const struct dfs_ctx *ctx)
{
	struct dfs_writeback *wb = store->dirty;
	uint32_t n = atomic_load_explicit(&wb->n, memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&wb->limit, memory_order_relaxed);

	if (__builtin_expect(n <= limit, 1) || atomic_load(&wb->broken))
		return DFS_OK;
	if (store->thread_model == DFS_THREADS_NONBLOCKING)
		run_once(store, 64); /* a piece each, so that no request pays for all */
	else if (n <= 2 * (uint64_t)limit && store->lane)
		submit(wb);
	else if (ctx->nonblock)
		return DFS_AGAIN;
	else
		run_once(store, BATCH);
	return DFS_OK;
}

static void
abandon(struct dfs_metadata_store *store, struct dfs_namespace *ns)
{
	struct dfs_writeback *wb = store->dirty;
	struct dfs_inode *drop = NULL, **p;
	unsigned n = 0;

	dfs_lock_acquire(&wb->lock);
	for (p = &wb->head; *p;) {
		struct dfs_inode *i = *p;
		if (i->ns != ns) {
			p = &i->dirty_next;
			continue;
		}
		*p = i->dirty_next;
		i->dirty_next = drop;
		drop = i;
		n++;
	}
	wb->tail = p;
	atomic_fetch_sub(&wb->n, n);
	dfs_lock_release(&wb->lock);
	while (drop) {
		struct dfs_inode *i = drop;
		drop = i->dirty_next;
		dfs_inode_bucket_lock(i);
		i->state &= ~DFS_STATE_DIRTY;
		dfs_inode_bucket_unlock(i);
		dfs_inode_unref(i);
	}
}

static bool
listed(struct dfs_writeback *wb, const struct dfs_namespace *ns)
{
	struct dfs_inode *i;

	dfs_lock_acquire(&wb->lock);
	for (i = wb->head; i && i->ns != ns; i = i->dirty_next)
		;
	dfs_lock_release(&wb->lock);
	return i;
}

void
dfs_writeback_finish(struct dfs_metadata_store *store, struct dfs_namespace *ns)
{
	/* A batch in another thread's hand may fail and be listed again: until all is quiet. */
	do {
		if (dfs_writeback_run(store, NULL) != DFS_OK)
			abandon(store, ns);
		/* Only closing waits so, once: a condition would cost every change of in_hand. */
		while (atomic_load_explicit(&ns->in_hand, memory_order_acquire) > 0)
			usleep(100);
	} while (listed(store->dirty, ns));
}
