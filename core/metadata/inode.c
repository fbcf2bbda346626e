/* SPDX-License-Identifier: MIT
 *
 * An inode's lock, its attributes, and its record.
 */
#include "base/clock.h"
#include "metadata/charge.h"
#include "metadata/ns.h"
#include "metadata/quota.h"
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
	*image = (struct dfs_inode_image){
		inode->attr, {inode->parent}, inode->cut, inode->flags, inode->state};
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

/* What the attributes stand for in the quotas' sums. */
static struct dfs_quota_charge
charge_of(const struct dfs_attr *a)
{
	return (struct dfs_quota_charge){a->uid, a->gid, DFS_QUOTA_ALL, (int64_t)a->used, 1};
}

/* The bucket's lock is held, and inode->attr is new. */
static void
recharge_locked(struct dfs_inode *inode, const struct dfs_attr *before,
		const struct dfs_quota_charge *reserved)
{
	const struct dfs_attr *now = &inode->attr;
	struct dfs_quota_charge on, off;

	if (__builtin_expect(!inode->ns->quota, 1) ||
	    (before->used == now->used && before->uid == now->uid && before->gid == now->gid &&
	     !reserved))
		return;
	on = charge_of(now);
	off = charge_of(before);
	dfs_quota_change(inode->ns->quota, &on, &off, reserved);
}

void
dfs_inode_charge_leaves_locked(struct dfs_inode *inode, uint64_t used, int64_t files)
{
	struct dfs_quota_charge on, off;

	if (__builtin_expect(!inode->ns->quota, 1) || (files && used == inode->attr.used))
		return;
	on = off = charge_of(&inode->attr);
	on.bytes = (int64_t)used;
	on.files = files;
	dfs_quota_change(inode->ns->quota, &on, &off, NULL);
}

/* The bucket's lock is held. */
static uint64_t
used_now(const struct dfs_inode *inode)
{
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);

	return file ? inode->ns->content.used(file) : inode->attr.used;
}

void
dfs_inode_publish_reserved(struct dfs_inode *inode, struct dfs_attr *attr, unsigned how,
			   const struct dfs_quota_charge *reserved)
{
	struct dfs_attr before;
	bool add = false;

	dfs_inode_bucket_lock(inode);
	before = inode->attr;
	if ((how & DFS_PUBLISH_CONTENT) && !(inode->state & DFS_STATE_UNPUBLISHED))
		inode->stable_length = inode->attr.length;
	inode->attr = *attr;
	if (!(how & DFS_PUBLISH_ATIME))
		inode->attr.atime = before.atime;
	inode->attr.used = before.used;
	/* Read here: so the last to write it has the newest. */
	if (how & DFS_PUBLISH_USED)
		attr->used = inode->attr.used = used_now(inode);
	recharge_locked(inode, &before, reserved);
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
dfs_inode_publish(struct dfs_inode *inode, struct dfs_attr *attr, unsigned how)
{
	dfs_inode_publish_reserved(inode, attr, how, NULL);
}

void
dfs_inode_settled(struct dfs_inode *inode)
{
	struct dfs_attr before;

	dfs_inode_bucket_lock(inode);
	before = inode->attr;
	inode->attr.used = used_now(inode);
	/* One that has left the cache is not charged any more. */
	if (inode->state & DFS_STATE_HASHED)
		recharge_locked(inode, &before, NULL);
	dfs_inode_bucket_unlock(inode);
}

void
dfs_inode_set_image(struct dfs_inode *inode, const struct dfs_inode_image *image,
		    const struct dfs_quota_charge *reserved)
{
	struct dfs_attr before;

	dfs_inode_bucket_lock(inode);
	before = inode->attr;
	inode->attr = image->attr;
	/* No image is of a time when the content was another one: see dfs_inode_settled. */
	inode->attr.used = used_now(inode);
	recharge_locked(inode, &before, reserved);
	inode->parent = image->parent; /* or the stable length */
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
		.used = inode->stored.used,
		.change = a->change,
		.atime = a->atime,
		.mtime = a->mtime,
		.ctime = a->ctime,
		.btime = a->btime,
		.parent = a->type == DFS_TYPE_DIR ? inode->parent : 0,
		.verifier = inode->verifier,
		.flags = inode->flags,
		.content = inode->content,
		.cut_lsn = inode->cut.lsn,
		.cut_length = inode->cut.length,
		.revision = inode->revision,
	};
}

/* What a transaction does with the content besides. */
enum content {
	CONTENT_AS_IT_WAS,
	CONTENT_ROWS,      /* its map rows change */
	CONTENT_PUBLISHED, /* all that there is up to its length is stored */
};

static enum dfs_status
put(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows, enum content content)
{
	struct dfs_namespace *ns = inode->ns;
	struct dfs_charge_change change;
	struct dfs_inode_record rec;
	enum dfs_status status = dfs_charge_known(inode, txn);

	if (status != DFS_OK)
		return status;
	dfs_inode_bucket_lock(inode);
	/* Of a share that is another server's now nothing is written: what else waits for the same
	 * transaction shall get through. */
	if ((inode->state & DFS_STATE_GONE) ||
	    (content != CONTENT_PUBLISHED &&
	     atomic_load_explicit(&ns->fenced, memory_order_relaxed)))
		status = DFS_STALE;
	else if (!dfs_charge_take_locked(inode, txn, rows, true, &change))
		status = DFS_AGAIN;
	if (status != DFS_OK) {
		dfs_inode_bucket_unlock(inode);
		return status;
	}
	inode->revision += content != CONTENT_AS_IT_WAS;
	if (inode->state & DFS_STATE_UNPUBLISHED) {
		struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);

		/* A length may become durable only after the bytes below it. */
		if (content == CONTENT_PUBLISHED || !file || !ns->content.busy(file)) {
			inode->stable_length = inode->attr.length;
			inode->state &= ~DFS_STATE_UNPUBLISHED;
		}
		record_fill(&rec, inode, inode->stable_length);
	} else {
		record_fill(&rec, inode, inode->attr.length);
	}
	if (content == CONTENT_PUBLISHED) {
		inode->stable_length = inode->attr.length;
		inode->state |= DFS_STATE_CHANGED;
	}
	dfs_inode_bucket_unlock(inode);
	status = ns->store->ops.put_inode(ns->store->inst, txn, ns->rec.id, &rec);
	return status == DFS_OK ? dfs_charge_add(ns, txn, &change) : status;
}

enum dfs_status
dfs_inode_put(struct dfs_inode *inode, struct dfs_txn *txn)
{
	return put(inode, txn, 0, CONTENT_AS_IT_WAS);
}

enum dfs_status
dfs_inode_put_rows(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows)
{
	return put(inode, txn, rows, CONTENT_ROWS);
}

enum dfs_status
dfs_inode_publish_content(struct dfs_inode *inode, struct dfs_txn *txn, int64_t rows)
{
	return put(inode, txn, rows, CONTENT_PUBLISHED);
}

enum dfs_status
dfs_inode_del(struct dfs_inode *inode, struct dfs_txn *txn)
{
	struct dfs_namespace *ns = inode->ns;
	struct dfs_charge_change change;
	enum dfs_status status = dfs_charge_known(inode, txn);
	bool taken;

	if (status != DFS_OK)
		return status;
	dfs_inode_bucket_lock(inode);
	taken = dfs_charge_take_locked(inode, txn, 0, false, &change);
	dfs_inode_bucket_unlock(inode);
	if (!taken)
		return DFS_AGAIN;
	status = ns->store->ops.del_inode(ns->store->inst, txn, ns->rec.id, inode->fileid);
	return status == DFS_OK ? dfs_charge_add(ns, txn, &change) : status;
}
