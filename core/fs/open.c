/* SPDX-License-Identifier: MIT
 *
 * Opens: they keep a file whose last name is gone until the last close, its record included.
 */
#include <stdlib.h>

#include "fs/op.h"
#include "fs/unlink.h"

struct dfs_open {
	struct dfs_inode *inode; /* a reference */
};

struct dfs_open *
op_open_new(struct dfs_inode *inode)
{
	struct dfs_open *open = malloc(sizeof *open);

	if (!open)
		return NULL;
	atomic_fetch_add(&inode->opens, 1);
	open->inode = inode;
	return open;
}

void
op_open_undo(struct dfs_open *open)
{
	if (!open)
		return;
	atomic_fetch_sub(&open->inode->opens, 1);
	dfs_inode_unref(open->inode);
	free(open);
}

enum dfs_status
dfs_fs_open(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint32_t access, struct dfs_open **open)
{
	INODE_REF inode = NULL;
	struct dfs_attr attr;
	uint32_t want = 0;
	enum dfs_status status = op_get(ctx, ref, &inode, &attr);

	if (status != DFS_OK)
		return status;
	if (access & DFS_ACCESS_READ)
		want |= DFS_MAY_READ;
	if (access & (DFS_ACCESS_MODIFY | DFS_ACCESS_EXTEND))
		want |= DFS_MAY_WRITE;
	if (access & DFS_ACCESS_EXECUTE)
		want |= DFS_MAY_EXEC;
	if (!dfs_may(&ctx->id, &attr, want))
		return DFS_ACCESS;
	if ((want & DFS_MAY_WRITE) && (ctx->read_only || ctx->share->read_only))
		return DFS_ROFS;
	status = op_lock(ctx, inode, &attr);
	if (status != DFS_OK)
		return status;
	*open = op_open_new(inode);
	dfs_inode_unlock(inode);
	if (*open)
		inode = NULL; /* the reference goes with it */
	return *open ? DFS_OK : DFS_NOMEM;
}

static enum dfs_status
last_close(struct op *op, struct dfs_inode *inode)
{
	struct dfs_metadata_store *st = op->store;
	struct dfs_inode_image image;
	enum dfs_status status = op_begin(op);

	if (status != DFS_OK)
		return status;
	dfs_inode_image(inode, &image);
	image.state |= DFS_STATE_GONE;
	op_stage(op, inode, &image);
	status = dfs_inode_del(inode, op->txn);
	if (status == DFS_OK && inode->type == DFS_TYPE_LNK)
		status = st->ops.del_symlink(st->inst, op->txn, op->ns->rec.id, inode->fileid);
	/* Without content there is nothing left to reclaim. */
	if (status == DFS_OK && (op->ns->no_orphans || !op_has_content(inode, &image.attr)))
		status = st->ops.del_orphan(st->inst, op->txn, op->ns->rec.id, inode->fileid);
	status = op_commit(op, status);
	if (status == DFS_OK)
		dfs_inode_forget(inode);
	return status;
}

enum dfs_status
dfs_fs_close(struct dfs_ctx *ctx, struct dfs_open *open)
{
	struct dfs_inode *inode = open->inode;
	struct dfs_attr attr;
	struct op op;
	unsigned tries = 0;
	enum dfs_status status;
	bool last = false;

	do {
		status = op_start(&op, ctx, false);
		if (status == DFS_OK)
			status = op_lock(ctx, inode, &attr);
		if (status != DFS_OK)
			continue;
		op.now = dfs_clock_real();
		last = attr.nlink == 0 && atomic_load(&inode->opens) == 1;
		if (last)
			status = last_close(&op, inode);
		if (status == DFS_OK)
			atomic_fetch_sub(&inode->opens, 1);
		dfs_inode_unlock(inode);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status == DFS_AGAIN)
		return status;
	if (status != DFS_OK)
		atomic_fetch_sub(&inode->opens, 1); /* the record is swept at the next start */
	else if (last)
		op_reclaim(ctx, inode);
	dfs_inode_unref(inode);
	free(open);
	return status;
}
