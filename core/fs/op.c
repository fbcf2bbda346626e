/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "fs/op.h"
#include "payload/payload.h"
#include "payload/store.h"

enum dfs_status
op_start(struct op *op, struct dfs_ctx *ctx, bool write)
{
	struct dfs_share *share = ctx->share;

	op->ctx = ctx;
	op->ns = share->ns;
	op->store = op->ns->store;
	op->txn = NULL;
	op->reserved.kinds = op->kept.kinds = 0;
	op->n_staged = 0;
	if (write) {
		if (share->read_only || ctx->read_only)
			return DFS_ROFS;
		op->now = dfs_clock_real();
	}
	return dfs_writeback_relieve(op->store, ctx);
}

enum dfs_status
op_start_entry(struct op *op, struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_name name,
	       struct dfs_inode **dir, struct dfs_attr *dir_attr, uint64_t *chain)
{
	enum dfs_status status = op_start(op, ctx, true);

	if (status != DFS_OK)
		return status;
	*chain = op_name_prefetch(ctx, ref, name);
	status = op_get(ctx, ref, dir, dir_attr);
	if (status == DFS_OK && dir_attr->type != DFS_TYPE_DIR)
		status = DFS_NOTDIR;
	return status == DFS_OK ? op_check_name(name) : status;
}

bool
op_gone(struct dfs_inode *inode)
{
	bool gone;

	dfs_inode_bucket_lock(inode);
	gone = inode->state & DFS_STATE_GONE;
	dfs_inode_bucket_unlock(inode);
	return gone;
}

/* No name and nobody has it open: to protocols it is gone, whether its record is or not. */
static bool
stale(struct dfs_inode *inode, const struct dfs_attr *attr)
{
	return attr->nlink == 0 && atomic_load(&inode->opens) == 0;
}

enum dfs_status
op_get_id(struct dfs_ctx *ctx, uint64_t fileid, struct dfs_inode **inode, struct dfs_attr *attr)
{
	enum dfs_status status = dfs_inode_get(ctx, ctx->share->ns, fileid, inode);

	if (status != DFS_OK) {
		*inode = NULL;
		return status == DFS_NOENT ? DFS_STALE : status;
	}
	dfs_inode_attr(*inode, attr);
	if (stale(*inode, attr)) {
		dfs_inode_unref(*inode);
		*inode = NULL;
		return DFS_STALE;
	}
	return DFS_OK;
}

enum dfs_status
op_get(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_inode **inode,
       struct dfs_attr *attr)
{
	enum dfs_status status = op_get_id(ctx, ref->fileid, inode, attr);

	if (status == DFS_OK && (*inode)->generation != ref->generation) {
		dfs_inode_unref(*inode);
		*inode = NULL;
		return DFS_STALE;
	}
	return status;
}

enum dfs_status
op_lock(struct dfs_ctx *ctx, struct dfs_inode *inode, struct dfs_attr *attr)
{
	enum dfs_status status = dfs_inode_lock(ctx, inode);

	if (status != DFS_OK)
		return status;
	dfs_inode_attr(inode, attr);
	if (stale(inode, attr)) {
		dfs_inode_unlock(inode);
		return DFS_STALE;
	}
	return DFS_OK;
}

enum dfs_status
op_begin(struct op *op)
{
	return dfs_metadata_begin(op->store, op->ctx, DFS_TXN_WRITE, &op->txn);
}

void
op_stage(struct op *op, struct dfs_inode *inode, const struct dfs_inode_image *image)
{
	assert(op->n_staged < OP_STAGES);
	op->staged[op->n_staged].inode = inode;
	dfs_inode_image(inode, &op->staged[op->n_staged].before);
	op->n_staged++;
	dfs_inode_set_image(inode, image, op->kept.kinds ? &op->reserved : NULL);
	if (op->kept.kinds)
		op->reserved.kinds = 0;
}

enum dfs_status
op_reserve(struct op *op, uint32_t uid, uint32_t gid, uint64_t bytes, unsigned files)
{
	const struct dfs_quota_charge charge = {uid, gid, DFS_QUOTA_ALL, (int64_t)bytes,
						(int64_t)files};
	enum dfs_status status;

	if (!op->ns->quota)
		return DFS_OK;
	status = dfs_quota_reserve(op->ns->quota, &charge, op->ctx->id.uid == 0);
	if (status == DFS_OK)
		op->reserved = charge;
	return status;
}

enum dfs_status
op_reserve_move(struct op *op, const struct dfs_attr *now, uint32_t uid, uint32_t gid)
{
	struct dfs_quota_charge charge = {uid, gid, 0, (int64_t)now->used, 1};
	enum dfs_status status;

	if (uid != now->uid)
		charge.kinds |= 1u << DFS_USAGE_USER;
	if (gid != now->gid)
		charge.kinds |= 1u << DFS_USAGE_GROUP;
	if (!op->ns->quota || !charge.kinds)
		return DFS_OK;
	status = dfs_quota_reserve(op->ns->quota, &charge, op->ctx->id.uid == 0);
	if (status != DFS_OK)
		return status;
	op->reserved = op->kept = charge;
	op->kept.uid = now->uid;
	op->kept.gid = now->gid;
	dfs_quota_change(op->ns->quota, &op->kept, NULL, NULL);
	return DFS_OK;
}

static void
give_back(struct op *op, struct dfs_quota_charge *charge)
{
	if (charge->kinds)
		dfs_quota_release(op->ns->quota, charge);
	charge->kinds = 0;
}

void
op_stage_attr(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr)
{
	struct dfs_inode_image image;

	dfs_inode_image(inode, &image);
	attr->used = image.attr.used;
	attr->atime = image.attr.atime;
	image.attr = *attr;
	op_stage(op, inode, &image);
}

void
op_stage_lazy(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr)
{
	op_stage_attr(op, inode, attr);
	dfs_inode_mark_dirty(inode);
}

enum dfs_status
op_put(struct op *op, struct dfs_inode *inode)
{
	return dfs_inode_put(inode, op->txn);
}

static void
unstage(struct op *op)
{
	while (op->n_staged > 0) {
		struct dfs_inode *inode = op->staged[--op->n_staged].inode;

		dfs_inode_set_image(inode, &op->staged[op->n_staged].before,
				    op->kept.kinds ? &op->kept : NULL);
		op->kept.kinds = 0;
		/* Somebody may have written the state that is taken back. */
		dfs_inode_mark_dirty(inode);
	}
}

enum dfs_status
op_commit(struct op *op, enum dfs_status status)
{
	uint64_t seq = 0;

	if (status == DFS_OK)
		status = dfs_metadata_commit(op->store, op->txn, &seq);
	else
		dfs_metadata_abort(op->store, op->txn);
	op->txn = NULL;
	if (status == DFS_OK) {
		dfs_metadata_ticket(op->store, op->ctx, op->ctx->share->durability, seq);
	} else {
		unstage(op);
		give_back(op, &op->reserved);
	}
	give_back(op, &op->kept);
	return status;
}

void
op_touch(struct dfs_attr *attr, int64_t now, bool content)
{
	attr->ctime = now > attr->ctime ? now : attr->ctime + 1;
	attr->change = (uint64_t)now > attr->change ? (uint64_t)now : attr->change + 1;
	if (content)
		attr->mtime = attr->ctime;
}

enum dfs_status
op_check_name(struct dfs_name name)
{
	if (name.len == 0)
		return DFS_INVAL;
	if (name.len > DFS_NAME_MAX)
		return DFS_NAMETOOLONG;
	if (memchr(name.bytes, '/', name.len) || memchr(name.bytes, '\0', name.len))
		return DFS_INVAL;
	return DFS_OK;
}

void
op_wcc_pre(struct dfs_wcc *wcc, const struct dfs_attr *attr)
{
	wcc->pre_valid = true;
	wcc->pre_length = attr->length;
	wcc->pre_mtime = attr->mtime;
	wcc->pre_ctime = attr->ctime;
}

void
op_wcc_post(struct dfs_wcc *wcc, const struct dfs_attr *attr)
{
	wcc->post_valid = true;
	wcc->post = *attr;
}

void
op_wcc_known(struct dfs_wcc *wcc, struct dfs_ctx *ctx, const struct dfs_ref *ref)
{
	if (wcc->post_valid)
		return;
	wcc->pre_valid = false;
	wcc->post_valid = dfs_inode_peek(ctx->share->ns, ref->fileid, &wcc->post) &&
			  wcc->post.generation == ref->generation && wcc->post.nlink;
}

static enum dfs_status
publish_content(void *owner, struct dfs_txn *txn, int64_t rows)
{
	return dfs_inode_publish_content(owner, txn, rows);
}

static void
content_settled(void *owner)
{
	dfs_inode_settled(owner);
}

struct dfs_file *
op_file(struct dfs_ctx *ctx, struct dfs_inode *inode)
{
	static const struct dfs_file_owner_ops owner = {publish_content, content_settled};
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire), *mine;
	struct dfs_attr attr;

	if (file)
		return file;
	/* Without a file object memory says what the record says. */
	dfs_inode_attr(inode, &attr);
	mine = dfs_file_new(ctx->share->payload, inode->fileid, &inode->content, attr.length,
			    attr.used, &owner, inode);
	if (!mine)
		return NULL;
	if (atomic_compare_exchange_strong(&inode->file, &file, mine))
		return mine;
	dfs_file_free(mine);
	return file;
}

bool
op_has_content(struct dfs_inode *inode, const struct dfs_attr *attr)
{
	/* What an earlier run made may have objects that it put and never published. */
	return attr->type == DFS_TYPE_REG &&
	       (attr->length || attr->used ||
		atomic_load_explicit(&inode->file, memory_order_acquire) ||
		!dfs_content_id_recent(inode->ns, &inode->content));
}

bool
op_memory_speed(const struct dfs_ctx *ctx)
{
	const struct dfs_share *share = ctx->share;

	return atomic_load_explicit(&share->ns->store->thread_model, memory_order_relaxed) ==
		       DFS_THREADS_NONBLOCKING &&
	       atomic_load_explicit(&share->blocks->thread_model, memory_order_relaxed) ==
		       DFS_THREADS_NONBLOCKING;
}

#define RECLAIM_INLINE_MAX (64u << 20)

void
op_reclaim(struct dfs_ctx *ctx, struct dfs_inode *inode)
{
	struct dfs_namespace *ns = inode->ns;
	struct dfs_file *file = atomic_load_explicit(&inode->file, memory_order_acquire);
	struct dfs_attr attr;

	dfs_inode_attr(inode, &attr);
	if (!op_has_content(inode, &attr))
		return;
	if (file)
		dfs_file_discard(file);
	if (op_memory_speed(ctx) && ns->no_orphans && attr.used <= RECLAIM_INLINE_MAX) {
		if (attr.used)
			dfs_payload_reclaim(ctx->share->payload, &inode->content);
	} else {
		dfs_orphan_queue(ns, inode->fileid, &inode->content);
	}
}

uint64_t
op_name_prefetch(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name)
{
	uint64_t chain;

	if (name.len > DFS_NAME_MAX)
		return 0;
	chain = dfs_dirent_cookie(ctx->share->ns, name);
	dfs_name_cache_prefetch(ctx->share->ns, dir->fileid, chain);
	return chain;
}

void
op_name_set(struct dfs_inode *dir, struct dfs_name name, const struct dfs_dirent *d)
{
	dfs_name_cache_set(dir->ns, dir->fileid, name, d);
}
