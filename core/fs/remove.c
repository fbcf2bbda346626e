/* SPDX-License-Identifier: MIT
 *
 * REMOVE and RMDIR (RFC 1813 3.3.12, 3.3.13).
 *
 * Locks: the directory, then the file.  What else waits for a lock while holding one goes down the
 * tree, too, so there is no cycle.
 */
#include <string.h>

#include "base/failpoint.h"
#include "fs/op.h"
#include "fs/unlink.h"

struct emptiness {
	bool empty;
};

static int
entry_seen(void *arg, const struct dfs_dirent_record *rec)
{
	struct emptiness *e = arg;

	if (rec->flags & DFS_DIRENT_TOMBSTONE)
		return 1;
	e->empty = false;
	return 0;
}

enum dfs_status
op_dir_empty(struct op *op, uint64_t dir)
{
	struct emptiness e = {true};
	enum dfs_status status = op->store->ops.scan_dirents(
		op->store->inst, op->txn, op->ns->rec.id, dir, 0, entry_seen, &e);

	if (status != DFS_OK)
		return status;
	return e.empty ? DFS_OK : DFS_NOTEMPTY;
}

enum dfs_status
op_drop_link(struct op *op, struct dfs_inode *inode, bool *last)
{
	struct dfs_metadata_store *st = op->store;
	uint32_t share = op->ns->rec.id;
	struct dfs_inode_image image;
	enum dfs_status status = DFS_OK;
	bool content;

	dfs_inode_image(inode, &image);
	content = op_has_content(inode, &image.attr);
	op_touch(&image.attr, op->now, false);
	image.attr.nlink = image.attr.type == DFS_TYPE_DIR ? 0 : image.attr.nlink - 1;
	*last = image.attr.nlink == 0;
	if (!*last) {
		op_stage(op, inode, &image);
		return op_put(op, inode);
	}
	if (op_in_use(op, inode)) {
		/* The record stays until the last close; the orphan row leads a restart to it. */
		image.flags |= DFS_INODE_ORPHAN;
		*last = false;
		op_stage(op, inode, &image);
		status = op_put(op, inode);
		if (status == DFS_OK)
			status = st->ops.put_orphan(st->inst, op->txn, share, inode->fileid,
						    &inode->content);
		return status;
	}
	image.state |= DFS_STATE_GONE;
	op_stage(op, inode, &image);
	status = dfs_inode_del(inode, op->txn);
	if (status == DFS_OK && inode->type == DFS_TYPE_LNK)
		status = st->ops.del_symlink(st->inst, op->txn, share, inode->fileid);
	if (status == DFS_OK && content && !op->ns->no_orphans)
		status = st->ops.put_orphan(st->inst, op->txn, share, inode->fileid,
					    &inode->content);
	return status;
}

/* Both are locked; *dir_attr becomes the new one. */
static enum dfs_status
unlink_locked(struct op *op, struct dfs_inode *dir, struct dfs_attr *dir_attr, struct dfs_name name,
	      struct dfs_dirent *d, struct dfs_inode *child, bool *last)
{
	bool is_dir = child->type == DFS_TYPE_DIR;
	enum dfs_status status = op_begin(op);

	*last = false;
	if (status != DFS_OK)
		return status;
	if (is_dir)
		status = op_dir_empty(op, child->fileid);
	if (status == DFS_OK)
		status = op_drop_link(op, child, last);
	if (status == DFS_OK)
		status = dfs_dirent_del(op->ns, op->txn, dir->fileid, name, d);
	op_touch(dir_attr, op->now, true);
	if (status == DFS_OK && is_dir) {
		dir_attr->nlink--;
		op_stage_attr(op, dir, dir_attr);
		status = op_put(op, dir);
	} else if (status == DFS_OK) {
		op_stage_lazy(op, dir, dir_attr);
	}
	status = op_commit(op, status);
	if (status != DFS_OK)
		return status;
	DFS_FAILPOINT("remove-committed");
	op_name_set(dir, name, d);
	if (*last)
		dfs_inode_forget(child);
	return DFS_OK;
}

/* With dir locked.  *child: referenced, for the caller to release. */
static enum dfs_status
unlink_in(struct op *op, struct dfs_inode *dir, struct dfs_attr *dir_attr, struct dfs_name name,
	  uint64_t chain, bool want_dir, struct dfs_inode **child, bool *last)
{
	struct dfs_attr attr;
	struct dfs_dirent d;
	enum dfs_status status;

	if (!dfs_may(&op->ctx->id, dir_attr, DFS_MAY_EXEC))
		return DFS_ACCESS;
	status = dfs_dirent_find(op->ctx, dir, name, chain, &d);
	if (status != DFS_OK)
		return status;
	if (d.fileid == 0)
		return DFS_NOENT;
	status = op_get_id(op->ctx, d.fileid, child, &attr);
	if (status != DFS_OK)
		return status;
	if (!dfs_may_remove(&op->ctx->id, dir_attr, &attr))
		return DFS_ACCESS;
	if (want_dir && attr.type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	if (!want_dir && attr.type == DFS_TYPE_DIR)
		return DFS_ISDIR;
	status = op_lock(op->ctx, *child, &attr);
	if (status != DFS_OK)
		return status;
	status = unlink_locked(op, dir, dir_attr, name, &d, *child, last);
	dfs_inode_unlock(*child);
	return status;
}

static enum dfs_status
unlink_once(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_name name, bool want_dir,
	    struct dfs_wcc *wcc)
{
	INODE_REF dir = NULL;
	INODE_REF child = NULL;
	struct dfs_attr dir_attr;
	struct op op;
	bool last = false;
	uint64_t chain;
	enum dfs_status status = op_start_entry(&op, ctx, ref, name, &dir, &dir_attr, &chain);

	if (status != DFS_OK)
		return status;
	if (op_is_dot(name))
		return want_dir ? DFS_INVAL : DFS_ISDIR;
	if (op_is_dotdot(name))
		return want_dir ? DFS_EXIST : DFS_ISDIR;
	status = op_lock(ctx, dir, &dir_attr);
	if (status != DFS_OK)
		return status;
	op_wcc_pre(wcc, &dir_attr);
	status = unlink_in(&op, dir, &dir_attr, name, chain, want_dir, &child, &last);
	if (status != DFS_OK)
		dfs_inode_attr(dir, &dir_attr);
	op_wcc_post(wcc, &dir_attr);
	dfs_inode_unlock(dir);
	if (status == DFS_OK && last)
		op_reclaim(ctx, child);
	return status;
}

static enum dfs_status
unlink_retry(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name, bool want_dir,
	     struct dfs_wcc *wcc)
{
	enum dfs_status status;
	unsigned tries = 0;

	do {
		memset(wcc, 0, offsetof(struct dfs_wcc, post));
		status = unlink_once(ctx, dir, name, want_dir, wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK)
		op_wcc_known(wcc, ctx, dir);
	return status;
}

enum dfs_status
dfs_fs_remove(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      struct dfs_wcc *dir_wcc)
{
	return unlink_retry(ctx, dir, name, false, dir_wcc);
}

enum dfs_status
dfs_fs_rmdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     struct dfs_wcc *dir_wcc)
{
	return unlink_retry(ctx, dir, name, true, dir_wcc);
}
