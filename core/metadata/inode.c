/* SPDX-License-Identifier: MIT
 *
 * An inode's lock, its attributes, and its record.
 */
#include "base/clock.h"
#include "metadata/ns.h"
#include "metadata/writeback.h"

enum dfs_status
dfs_inode_lock(const struct dfs_ctx *ctx, struct dfs_inode *inode)
{
	if (dfs_lock_try(&inode->lock))
		return DFS_OK;
	if (ctx && ctx->nonblock)
		return dfs_lock_spin(&inode->lock) ? DFS_OK : DFS_AGAIN;
	return dfs_lock_until(&inode->lock, ctx ? ctx->deadline : INT64_MAX) ? DFS_OK : DFS_DELAY;
}

void
dfs_inode_unlock(struct dfs_inode *inode)
{
	dfs_lock_release(&inode->lock);
}

/* True when entry k is the first of its inode. */
static bool
first_of(struct dfs_inode **inodes, unsigned k)
{
	if (!inodes[k])
		return false;
	for (unsigned i = 0; i < k; i++)
		if (inodes[i] == inodes[k])
			return false;
	return true;
}

enum dfs_status
dfs_inode_lock_set(const struct dfs_ctx *ctx, struct dfs_inode **inodes, unsigned n)
{
	unsigned wait = 0;

	while (wait < n && !first_of(inodes, wait))
		wait++;
	if (wait == n)
		return DFS_OK;
	for (;;) {
		enum dfs_status status = dfs_inode_lock(ctx, inodes[wait]);
		unsigned k;

		if (status != DFS_OK)
			return status;
		for (k = 0; k < n; k++)
			if (k != wait && first_of(inodes, k) && !dfs_lock_spin(&inodes[k]->lock))
				break;
		if (k == n)
			return DFS_OK;
		for (unsigned i = 0; i < k; i++)
			if (i != wait && first_of(inodes, i))
				dfs_inode_unlock(inodes[i]);
		dfs_inode_unlock(inodes[wait]);
		if (ctx && ctx->nonblock)
			return DFS_AGAIN;
		if (ctx && dfs_clock_mono() > ctx->deadline)
			return DFS_DELAY;
		wait = k; /* wait for the one that was taken, holding nothing */
	}
}

void
dfs_inode_unlock_set(struct dfs_inode **inodes, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		if (first_of(inodes, k))
			dfs_inode_unlock(inodes[k]);
}

void
dfs_attr_from_record(struct dfs_attr *attr, const struct dfs_inode_record *rec)
{
	*attr = (struct dfs_attr){
		.type = rec->type,
		.mode = rec->mode,
		.nlink = rec->nlink,
		.uid = rec->uid,
		.gid = rec->gid,
		.rdev_major = rec->rdev_major,
		.rdev_minor = rec->rdev_minor,
		.fileid = rec->fileid,
		.generation = rec->generation,
		.length = rec->length,
		.used = rec->used,
		.change = rec->change,
		.atime = rec->atime,
		.mtime = rec->mtime,
		.ctime = rec->ctime,
		.btime = rec->btime,
	};
}

void
dfs_inode_attr(struct dfs_inode *inode, struct dfs_attr *attr)
{
	dfs_inode_bucket_lock(inode);
	*attr = inode->attr;
	dfs_inode_bucket_unlock(inode);
}

void
dfs_inode_image(struct dfs_inode *inode, struct dfs_inode_image *image)
{
	dfs_inode_bucket_lock(inode);
	*image = (struct dfs_inode_image){inode->attr, inode->parent, inode->stable_length,
					  inode->cut,  inode->flags,  inode->state};
	dfs_inode_bucket_unlock(inode);
}

/* Bucket lock held; true: the caller adds inode to the list after releasing it. */
static bool
make_dirty_locked(struct dfs_inode *inode)
{
	inode->state |= DFS_STATE_CHANGED;
	if (inode->state & (DFS_STATE_DIRTY | DFS_STATE_GONE))
		return false;
	inode->state |= DFS_STATE_DIRTY;
	atomic_fetch_add_explicit(&inode->refs, 1, memory_order_relaxed);
	return true;
}

void
dfs_inode_mark_dirty(struct dfs_inode *inode)
{
	bool add;

	dfs_inode_bucket_lock(inode);
	add = make_dirty_locked(inode);
	dfs_inode_bucket_unlock(inode);
	if (add)
		dfs_writeback_add(inode->ns->store, inode);
}

void
dfs_inode_publish(struct dfs_inode *inode, const struct dfs_attr *attr, unsigned how)
{
	bool add = false;
	int64_t atime;
	uint64_t used;

	dfs_inode_bucket_lock(inode);
	atime = inode->attr.atime;
	used = inode->attr.used;
	if ((how & DFS_PUBLISH_CONTENT) && !(inode->state & DFS_STATE_UNPUBLISHED))
		inode->stable_length = inode->attr.length;
	inode->attr = *attr;
	if (!(how & DFS_PUBLISH_ATIME))
		inode->attr.atime = atime;
	if (!(how & DFS_PUBLISH_USED))
		inode->attr.used = used;
	inode->state |= DFS_STATE_CHANGED;
	if (how & DFS_PUBLISH_CONTENT)
		inode->state |= DFS_STATE_UNPUBLISHED;
	if (how & DFS_PUBLISH_LAZY)
		add = make_dirty_locked(inode);
	dfs_inode_bucket_unlock(inode);
	if (add)
		dfs_writeback_add(inode->ns->store, inode);
}

void
dfs_inode_set_image(struct dfs_inode *inode, const struct dfs_inode_image *image)
{
	dfs_inode_bucket_lock(inode);
	inode->attr = image->attr;
	inode->parent = image->parent;
	inode->stable_length = image->stable_length;
	inode->cut = image->cut;
	inode->flags = image->flags;
	inode->state = (inode->state & ~DFS_STATE_GONE) | (image->state & DFS_STATE_GONE) |
		       DFS_STATE_CHANGED;
	dfs_inode_bucket_unlock(inode);
}

void
dfs_inode_set_atime(struct dfs_inode *inode, int64_t atime)
{
	bool add;

	dfs_inode_bucket_lock(inode);
	inode->attr.atime = atime;
	add = make_dirty_locked(inode);
	dfs_inode_bucket_unlock(inode);
	if (add)
		dfs_writeback_add(inode->ns->store, inode);
}

static void
record_fill(struct dfs_inode_record *rec, const struct dfs_inode *inode, uint64_t length)
{
	const struct dfs_attr *a = &inode->attr;

	*rec = (struct dfs_inode_record){
		.size = sizeof *rec,
		.type = a->type,
		.mode = a->mode,
		.nlink = a->nlink,
		.uid = a->uid,
		.gid = a->gid,
		.rdev_major = a->rdev_major,
		.rdev_minor = a->rdev_minor,
		.fileid = a->fileid,
		.generation = a->generation,
		.length = length,
		.used = a->used,
		.change = a->change,
		.atime = a->atime,
		.mtime = a->mtime,
		.ctime = a->ctime,
		.btime = a->btime,
		.parent = inode->parent,
		.verifier = inode->verifier,
		.flags = inode->flags,
		.content = inode->content,
		.cut_lsn = inode->cut.lsn,
		.cut_length = inode->cut.length,
		.revision = inode->revision,
	};
}

enum dfs_status
dfs_inode_put(struct dfs_inode *inode, struct dfs_txn *txn)
{
	struct dfs_namespace *ns = inode->ns;
	struct dfs_inode_record rec;
	bool gone;

	dfs_inode_bucket_lock(inode);
	gone = inode->state & DFS_STATE_GONE;
	if (inode->state & DFS_STATE_UNPUBLISHED) {
		struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);
		/* A length may become durable only after the bytes below it. */
		if (!file || !ns->content.busy(file)) {
			inode->stable_length = inode->attr.length;
			inode->state &= ~DFS_STATE_UNPUBLISHED;
		}
		record_fill(&rec, inode, inode->stable_length);
	} else {
		record_fill(&rec, inode, inode->attr.length);
	}
	dfs_inode_bucket_unlock(inode);
	/* Of a share that is another server's now nothing is written: what else waits for the same
	 * transaction shall get through. */
	if (gone || atomic_load_explicit(&ns->fenced, memory_order_relaxed))
		return DFS_STALE;
	return ns->store->ops.put_inode(ns->store->inst, txn, ns->rec.id, &rec);
}

enum dfs_status
dfs_inode_publish_content(struct dfs_inode *inode, struct dfs_txn *txn, uint64_t used)
{
	struct dfs_namespace *ns = inode->ns;
	struct dfs_inode_record rec;
	bool gone;

	dfs_inode_bucket_lock(inode);
	gone = inode->state & DFS_STATE_GONE;
	inode->attr.used = used;
	inode->revision++;
	inode->stable_length = inode->attr.length;
	inode->state = (inode->state & ~DFS_STATE_UNPUBLISHED) | DFS_STATE_CHANGED;
	record_fill(&rec, inode, inode->attr.length);
	dfs_inode_bucket_unlock(inode);
	if (gone)
		return DFS_STALE;
	return ns->store->ops.put_inode(ns->store->inst, txn, ns->rec.id, &rec);
}
