/* SPDX-License-Identifier: MIT
 *
 * CLONE (RFC 7862 15.13, FSCTL_DUPLICATE_EXTENTS_TO_FILE): a range of the destination becomes the
 * source's bytes by sharing their storage.
 *
 * Both inodes stay locked from the check to the end.  Up to DFS_CLONE_MAX bytes are one transaction; a
 * longer range is cloned piece by piece from its start, so a crash in between leaves a prefix.
 */
#include <string.h>

#include "fs/op.h"
#include "fs/read.h"
#include "payload/clone.h"

struct range {
	uint64_t src_offset, dst_offset, length;
};

static enum dfs_status
check(const struct dfs_ctx *ctx, const struct dfs_attr *src, const struct dfs_attr *dst, bool same,
      struct range *r)
{
	if (src->type != DFS_TYPE_REG || dst->type != DFS_TYPE_REG)
		return src->type == DFS_TYPE_DIR || dst->type == DFS_TYPE_DIR ? DFS_ISDIR
									      : DFS_INVAL;
	if (!dfs_may_read_content(&ctx->id, src) || !dfs_may_write_content(&ctx->id, dst))
		return DFS_ACCESS;
	if (r->src_offset > src->length)
		return DFS_INVAL;
	if (r->length == 0)
		r->length = src->length - r->src_offset;
	if (r->length > src->length - r->src_offset)
		return DFS_INVAL;
	if (r->dst_offset > DFS_FILE_LENGTH_MAX || r->length > DFS_FILE_LENGTH_MAX - r->dst_offset)
		return DFS_FBIG;
	if (r->src_offset % DFS_CLONE_UNIT || r->dst_offset % DFS_CLONE_UNIT)
		return DFS_INVAL;
	/* A source's last, partial unit may not end up in the middle of another file. */
	if (r->length % DFS_CLONE_UNIT &&
	    (r->src_offset + r->length != src->length || r->dst_offset + r->length < dst->length))
		return DFS_INVAL;
	if (same && r->src_offset < r->dst_offset + r->length &&
	    r->dst_offset < r->src_offset + r->length)
		return DFS_INVAL;
	return DFS_OK;
}

/* One piece; both are locked.  *attr: the destination's, before and then after. */
static enum dfs_status
clone_piece(struct op *op, struct dfs_clone *c, struct dfs_inode *dst, struct dfs_attr *attr)
{
	struct dfs_inode_image image;
	enum dfs_status status = dfs_file_clone_prepare(op->ctx, c);

	if (status != DFS_OK)
		return status;
	status = op_begin(op);
	if (status != DFS_OK)
		return status;
	status = dfs_file_clone_rows(c, op->txn);
	dfs_inode_image(dst, &image);
	*attr = image.attr;
	if (op->ctx->id.uid != 0)
		attr->mode = dfs_mode_without_suid(attr->mode);
	op_touch(attr, op->now, true);
	if (attr->length < c->dst_offset + c->length)
		attr->length = c->dst_offset + c->length;
	image.attr = *attr;
	image.stable_length = attr->length;
	/* Who reads meanwhile waits: what it has collected may be of both. */
	atomic_fetch_add(&dst->cuts, 1);
	if (status == DFS_OK && c->added > c->freed)
		status = op_reserve(op, attr->uid, attr->gid, c->added - c->freed, 0);
	if (status == DFS_OK) {
		op_stage(op, dst, &image);
		status = dfs_inode_put_rows(dst, op->txn, (int64_t)(c->added - c->freed));
	}
	status = op_commit(op, status);
	op->n_staged = 0;
	dfs_file_clone_pages(c, status == DFS_OK);
	atomic_fetch_add(&dst->cuts, 1);
	if (status != DFS_OK)
		return status;
	dfs_inode_publish_reserved(dst, attr, DFS_PUBLISH_USED | DFS_PUBLISH_LAZY,
				   op->reserved.kinds ? &op->reserved : NULL);
	op->reserved.kinds = 0;
	return DFS_OK;
}

static enum dfs_status
clone_locked(struct op *op, struct dfs_inode *src, struct dfs_inode *dst, const struct range *r,
	     struct dfs_attr *attr)
{
	struct dfs_file *from = op_file(op->ctx, src), *to = op_file(op->ctx, dst);
	enum dfs_status status = DFS_OK;
	uint64_t done = 0;
	bool again = false;

	if (!from || !to)
		return DFS_DELAY;
	while (done < r->length && status == DFS_OK) {
		uint64_t left = r->length - done;
		struct dfs_clone c = {
			.src = from,
			.dst = to,
			.src_offset = r->src_offset + done,
			.dst_offset = r->dst_offset + done,
			.length = left < DFS_CLONE_MAX ? left : DFS_CLONE_MAX,
		};

		do {
			uint64_t before = c.too_big;
			bool was = again;

			status = clone_piece(op, &c, dst, attr);
			again = status == DFS_TOOBIG;
			/* The row that was made short is too long still. */
			if (again && was && c.too_big == before)
				status = DFS_DELAY;
		} while (status == DFS_TOOBIG);
		done += c.length;
	}
	return status;
}

static enum dfs_status
clone_once(struct dfs_ctx *ctx, const struct dfs_ref *src_ref, const struct dfs_ref *dst_ref,
	   struct range r, struct dfs_wcc *wcc)
{
	INODE_REF src = NULL;
	INODE_REF dst = NULL;
	struct dfs_attr src_attr, attr;
	struct op op;
	enum dfs_status status = op_start(&op, ctx, true);

	if (status == DFS_OK)
		status = op_get(ctx, src_ref, &src, &src_attr);
	if (status == DFS_OK)
		status = op_get(ctx, dst_ref, &dst, &attr);
	if (status == DFS_OK)
		status = dfs_metadata_room(op.store, ctx);
	/* Flushing may wait, and once a piece is done there is no way back to a worker. */
	if (status == DFS_OK && ctx->nonblock && !op_memory_speed(ctx))
		status = DFS_AGAIN;
	if (status == DFS_OK)
		status = dfs_inode_lock_set(ctx, (struct dfs_inode *[]){src, dst}, 2);
	if (status != DFS_OK)
		return status;
	dfs_inode_attr(src, &src_attr);
	dfs_inode_attr(dst, &attr);
	op_wcc_pre(wcc, &attr);
	if (op_gone(src) || op_gone(dst))
		status = DFS_STALE;
	else
		status = check(ctx, &src_attr, &attr, src == dst, &r);
	if (status == DFS_OK && r.length > 0)
		status = clone_locked(&op, src, dst, &r, &attr);
	if (status != DFS_OK)
		dfs_inode_attr(dst, &attr);
	op_wcc_post(wcc, &attr);
	dfs_inode_unlock_set((struct dfs_inode *[]){src, dst}, 2);
	if (status == DFS_OK)
		op_accessed(ctx, src, &src_attr);
	return status;
}

enum dfs_status
dfs_fs_clone(struct dfs_ctx *ctx, const struct dfs_ref *src, uint64_t src_offset,
	     const struct dfs_ref *dst, uint64_t dst_offset, uint64_t length, struct dfs_wcc *wcc)
{
	const struct range r = {src_offset, dst_offset, length};
	enum dfs_status status;
	unsigned tries = 0;

	do {
		memset(wcc, 0, offsetof(struct dfs_wcc, post));
		status = clone_once(ctx, src, dst, r, wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK)
		op_wcc_known(wcc, ctx, dst);
	return status;
}
