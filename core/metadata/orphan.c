/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "io/gate.h"
#include "metadata/charge.h"
#include "metadata/ns.h"
#include "metadata/quota.h"

#define PIECE 64        /* orphans of one transaction */
#define PIECES_A_RUN 16 /* then the lane's other tasks have their turn */
#define QUEUE_MAX 65536
#define GATE_WAIT (60 * DFS_SECOND)

static void
task_run(struct dfs_task *task)
{
	dfs_orphans_run(DFS_CONTAINER_OF(task, struct dfs_namespace, orphans.task));
}

static void
submit_locked(struct dfs_orphans *o)
{
	if (o->running || o->stopping || !o->lane || (!o->n && !o->sweep))
		return;
	/* A full lane: the next unlink or the next start tries again. */
	o->running = dfs_lane_submit(o->lane, &o->task);
}

void
dfs_orphans_start(struct dfs_namespace *ns, struct dfs_lane *lane, uint32_t level)
{
	struct dfs_orphans *o = &ns->orphans;

	dfs_lock_acquire(&o->lock);
	o->lane = lane;
	o->level = level;
	o->task.run = task_run;
	o->sweep = !ns->no_orphans;
	submit_locked(o);
	dfs_lock_release(&o->lock);
}

void
dfs_orphans_stop(struct dfs_namespace *ns)
{
	dfs_lock_acquire(&ns->orphans.lock);
	ns->orphans.stopping = true;
	dfs_lock_release(&ns->orphans.lock);
}

void
dfs_orphan_queue(struct dfs_namespace *ns, uint64_t fileid, const struct dfs_content_id *content)
{
	struct dfs_orphans *o = &ns->orphans;

	dfs_lock_acquire(&o->lock);
	if (o->n == o->cap && o->cap < QUEUE_MAX) {
		uint32_t cap = o->cap ? 2 * o->cap : 64;
		struct dfs_orphan *list = realloc(o->list, cap * sizeof *list);
		if (list) {
			o->list = list;
			o->cap = cap;
		}
	}
	if (o->n < o->cap)
		o->list[o->n++] =
			(struct dfs_orphan){fileid, atomic_load(&ns->store->last_seq), *content};
	else
		o->sweep = true; /* the records in the store remember it */
	submit_locked(o);
	dfs_lock_release(&o->lock);
}

struct found {
	struct dfs_orphan *list;
	unsigned n;
};

static int
collect(void *arg, uint64_t fileid, const struct dfs_content_id *content)
{
	struct found *f = arg;

	f->list[f->n++] = (struct dfs_orphan){.fileid = fileid, .content = *content};
	return f->n < PIECE;
}

/* The next piece of the sweep that begins at *from. */
static unsigned
sweep_piece(struct dfs_namespace *ns, struct dfs_orphan *list, uint64_t *from,
	    enum dfs_status *status)
{
	struct dfs_metadata_store *st = ns->store;
	struct found f = {list, 0};
	struct dfs_txn *txn;
	unsigned kept = 0;

	*status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);
	if (*status != DFS_OK)
		return 0;
	*status = st->ops.scan_orphans(st->inst, txn, ns->rec.id, *from, collect, &f);
	if (*status != DFS_OK)
		f.n = 0;
	dfs_metadata_abort(st, txn);
	*from = f.n ? list[f.n - 1].fileid + 1 : 0;
	for (unsigned i = 0; i < f.n; i++) {
		struct dfs_inode *inode = dfs_inode_find(ns, list[i].fileid);

		if (!inode || atomic_load(&inode->opens) == 0)
			list[kept++] = list[i];
		dfs_inode_unref(inode);
	}
	/* All of them open: go on behind them. */
	return f.n && !kept ? sweep_piece(ns, list, from, status) : kept;
}

struct reclaimed {
	struct dfs_namespace *ns;
	const struct dfs_orphan *list;
	unsigned n;
	/* Those that were open when the server died still have their records. */
	struct dfs_inode *inodes[PIECE];        /* cached, or NULL; referenced */
	struct dfs_quota_charge records[PIECE]; /* not cached; kinds 0: none */
};

static enum dfs_status
delete_inode(struct reclaimed *r, unsigned i, struct dfs_txn *txn)
{
	struct dfs_metadata_store *st = r->ns->store;
	struct dfs_inode_record rec = {.size = sizeof rec};
	uint64_t fileid = r->list[i].fileid;
	enum dfs_status status;

	r->records[i].kinds = 0;
	if (r->inodes[i])
		return dfs_inode_del(r->inodes[i], txn);
	if (r->list[i].seq) /* unlinked just now, and its record with its name */
		return DFS_OK;
	status = st->ops.get_inode(st->inst, txn, r->ns->rec.id, fileid, &rec);
	if (status != DFS_OK)
		return status == DFS_NOENT ? DFS_OK : status;
	r->records[i] =
		(struct dfs_quota_charge){rec.uid, rec.gid, DFS_QUOTA_ALL, (int64_t)rec.used, 1};
	status = dfs_charge_record(r->ns, txn, &rec, false);
	return status == DFS_OK ? st->ops.del_inode(st->inst, txn, r->ns->rec.id, fileid) : status;
}

static enum dfs_status
delete_records(void *arg, struct dfs_txn *txn)
{
	struct reclaimed *r = arg;
	struct dfs_metadata_store *st = r->ns->store;
	uint32_t share = r->ns->rec.id;
	enum dfs_status status = DFS_OK;

	for (unsigned i = 0; i < r->n && status == DFS_OK; i++) {
		uint64_t fileid = r->list[i].fileid;

		status = delete_inode(r, i, txn);
		if (status == DFS_OK)
			status = st->ops.del_symlink(st->inst, txn, share, fileid);
		if (status == DFS_OK)
			status = st->ops.del_orphan(st->inst, txn, share, fileid);
	}
	return status;
}

/* One that is cached was loaded since the start, by the log's replay for instance: nothing of it shall
 * be written back behind us. */
static struct dfs_inode *
take_inode(struct dfs_namespace *ns, uint64_t fileid)
{
	struct dfs_inode *inode = dfs_inode_find(ns, fileid);
	struct dfs_file *file;

	if (!inode)
		return NULL;
	dfs_inode_bucket_lock(inode);
	inode->state |= DFS_STATE_GONE;
	dfs_inode_bucket_unlock(inode);
	file = atomic_load_explicit(&inode->file, memory_order_acquire);
	if (file && ns->content.discard)
		ns->content.discard(file);
	return inode;
}

/* What had records is not charged any more. */
static void
forget_records(struct reclaimed *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->inodes[i])
			dfs_inode_forget(r->inodes[i]);
		else if (r->ns->quota && r->records[i].kinds)
			dfs_quota_release(r->ns->quota, &r->records[i]);
	}
}

static bool
has_content(const struct dfs_orphan *o)
{
	static const struct dfs_content_id none;
	return memcmp(&o->content, &none, sizeof none) != 0;
}

static enum dfs_status
reclaim_piece(struct dfs_namespace *ns, struct dfs_orphan *list, unsigned n, uint32_t level)
{
	enum dfs_status status = DFS_OK, left = DFS_OK;
	struct reclaimed done = {.ns = ns, .list = list};
	uint64_t seq = 0;

	for (unsigned i = 0; i < n; i++)
		if (list[i].seq > seq)
			seq = list[i].seq;
	if (level && ns->store->gate && seq)
		status = dfs_gate_wait_sync(ns->store->gate, seq, level,
					    dfs_clock_mono() + GATE_WAIT);
	for (unsigned i = 0; i < n && status == DFS_OK; i++) {
		enum dfs_status one = DFS_OK;

		struct dfs_inode *inode = take_inode(ns, list[i].fileid);

		if (has_content(&list[i]) && ns->content.reclaim)
			one = ns->content.reclaim(ns->content_arg, &list[i].content);
		if (one == DFS_OK) {
			done.inodes[done.n] = inode;
			list[done.n++] = list[i];
			continue;
		}
		dfs_inode_unref(inode);
		left = one;
		dfs_log(DFS_LOG_WARN, "%s: content of file %llu is not reclaimed yet (%s): %s",
			ns->rec.name, (unsigned long long)list[i].fileid, dfs_status_name(one),
			dfs_fail_text());
	}
	DFS_FAILPOINT("orphan-reclaimed");
	if (status == DFS_OK && done.n > 0 && !ns->no_orphans)
		status = dfs_metadata_update(ns->store, delete_records, &done, NULL);
	if (status == DFS_OK)
		forget_records(&done);
	for (unsigned i = 0; i < done.n; i++)
		dfs_inode_unref(done.inodes[i]);
	if (status != DFS_OK)
		dfs_log(DFS_LOG_WARN, "%s: %u removed files are reclaimed %s (%s)", ns->rec.name, n,
			status == DFS_DELAY ? "later" : "at the next start",
			dfs_status_name(status));
	return status == DFS_OK ? left : status;
}

void
dfs_orphans_run(struct dfs_namespace *ns)
{
	struct dfs_orphans *o = &ns->orphans;
	struct dfs_orphan piece[PIECE];
	enum dfs_status status = DFS_OK;
	uint64_t from = 0;

	for (unsigned round = 0; round < PIECES_A_RUN && status != DFS_DELAY; round++) {
		uint32_t level;
		unsigned n;
		bool sweep;

		dfs_lock_acquire(&o->lock);
		n = o->stopping ? 0 : o->n < PIECE ? o->n : PIECE;
		if (n)
			memcpy(piece, o->list + (o->n - n), n * sizeof *piece);
		o->n -= n;
		sweep = o->sweep && !o->stopping;
		level = o->level;
		dfs_lock_release(&o->lock);
		if (!n && sweep) {
			n = sweep_piece(ns, piece, &from, &status);
			if (status != DFS_DELAY && (!n || !from)) {
				dfs_lock_acquire(&o->lock);
				o->sweep = false;
				dfs_lock_release(&o->lock);
			}
		}
		if (!n)
			break;
		status = reclaim_piece(ns, piece, n, level);
	}
	dfs_lock_acquire(&o->lock);
	o->running = false;
	/* A store that is away: the next unlink tries again, with what the records remember. */
	if (status == DFS_DELAY)
		o->sweep = !ns->no_orphans;
	else
		submit_locked(o);
	dfs_lock_release(&o->lock);
}
