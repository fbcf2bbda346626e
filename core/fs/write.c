/* SPDX-License-Identifier: MIT
 *
 * WRITE and COMMIT (RFC 1813 3.3.7, 3.3.21).
 *
 * The verifier is read before the data enters the cache for a WRITE and after the sync for a
 * COMMIT, so that a change of it in between is never masked.
 */
#include <string.h>

#include "fs/op.h"
#include "payload/payload.h"

enum dfs_status
dfs_fs_write_reserve(uint64_t offset, uint32_t len, struct dfs_write *w)
{
	return dfs_write_reserve(offset, len, w);
}

void
dfs_fs_write_cancel(struct dfs_write *w)
{
	dfs_write_cancel(w);
}

/* Bytes to write: pages received into, or memory to copy from. */
struct source {
	struct dfs_write *pages;
	const unsigned char *data;
	uint64_t offset;
	uint32_t len;
};

static enum dfs_status
check(const struct dfs_ctx *ctx, const struct dfs_attr *attr, const struct source *src)
{
	if (attr->type != DFS_TYPE_REG)
		return attr->type == DFS_TYPE_DIR ? DFS_ISDIR : DFS_INVAL;
	if (!dfs_may_write_content(&ctx->id, attr))
		return DFS_ACCESS;
	if (src->offset > DFS_FILE_LENGTH_MAX || src->len > DFS_FILE_LENGTH_MAX - src->offset)
		return DFS_FBIG;
	return DFS_OK;
}

/* Reserve what the write allocates more than what is reserved already.  To write over what is there
 * is always allowed.  DFS_NOSPC, DFS_DQUOT: the write will not be. */
static enum dfs_status
reserve_growth(struct op *op, struct dfs_file *file, const struct source *src,
	       struct dfs_quota_charge *reserved)
{
	struct dfs_quota_charge more = *reserved;
	enum dfs_status status = DFS_OK;
	bool overwrites;

	if (!op->ns->quota)
		return DFS_OK;
	more.bytes = (int64_t)dfs_file_growth(file, src->offset, src->len, &overwrites) -
		     reserved->bytes;
	if (overwrites)
		dfs_quota_change(op->ns->quota, &more, NULL, NULL);
	else
		status = dfs_quota_reserve(op->ns->quota, &more, op->ctx->id.uid == 0);
	if (status == DFS_OK)
		reserved->bytes += more.bytes;
	else
		dfs_file_unprepared(file);
	return status;
}

/* Write, with what the write allocates reserved of the quotas. */
static enum dfs_status
write_reserved(struct op *op, struct dfs_file *file, const struct dfs_attr *attr,
	       const struct source *src, struct dfs_quota_charge *reserved)
{
	struct dfs_slice slice = {attr->length, attr->mtime, attr->change, op->ns->quota != NULL,
				  0};
	enum dfs_status status;

	for (;;) {
		slice.room = (uint64_t)reserved->bytes;
		status = src->pages
				 ? dfs_file_write(file, &slice, src->pages)
				 : dfs_file_copy_in(file, &slice, src->offset, src->data, src->len);
		if (status != DFS_BUSY)
			return status;
		/* A flush has found less to be allocated than there was. */
		status = reserve_growth(op, file, src, reserved);
		if (status != DFS_OK)
			return status;
	}
}

/* The inode is locked; *attr becomes the new one. */
static enum dfs_status
write_locked(struct op *op, struct dfs_inode *inode, struct dfs_attr *attr,
	     const struct source *src, struct dfs_file **file)
{
	uint64_t length = attr->length;
	struct dfs_attr before = *attr;
	struct dfs_quota_charge reserved = {attr->uid, attr->gid, DFS_QUOTA_ALL, 0, 0};
	struct dfs_quota *quota = op->ns->quota;
	enum dfs_status status = check(op->ctx, attr, src);

	if (status != DFS_OK || src->len == 0)
		return status;
	*file = op_file(op->ctx, inode);
	if (!*file)
		return DFS_DELAY;
	status = dfs_file_prepare(op->ctx, *file, length, src->offset, src->len);
	if (status != DFS_OK)
		return status;
	status = reserve_growth(op, *file, src, &reserved);
	if (status != DFS_OK)
		return status;
	if (op->ctx->id.uid != 0)
		attr->mode = dfs_mode_without_suid(attr->mode);
	op_touch(attr, op->now, true);
	if (src->offset + src->len > length)
		attr->length = src->offset + src->len;
	/* The flags first: a flush that begins in between publishes these attributes. */
	dfs_inode_publish(inode, attr, DFS_PUBLISH_CONTENT);
	status = write_reserved(op, *file, attr, src, &reserved);
	if (status != DFS_OK) {
		/* Somebody may have seen them: they are never used for another state. */
		before.change = attr->change;
		before.ctime = attr->ctime;
		dfs_inode_publish_reserved(inode, &before, DFS_PUBLISH_CONTENT,
					   quota ? &reserved : NULL);
		return status;
	}
	dfs_inode_publish_reserved(inode, attr, DFS_PUBLISH_CONTENT | DFS_PUBLISH_USED,
				   quota ? &reserved : NULL);
	return DFS_OK;
}

static enum dfs_status
write_once(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct source *src,
	   enum dfs_stable stable, struct dfs_wcc *wcc)
{
	INODE_REF inode = NULL;
	struct dfs_attr attr;
	struct dfs_file *file = NULL;
	struct op op;
	enum dfs_status status = op_start(&op, ctx, true);

	if (status == DFS_OK)
		status = op_get(ctx, ref, &inode, &attr);
	if (status != DFS_OK)
		return status;
	status = dfs_metadata_room(op.store, ctx);
	if (status != DFS_OK)
		return status;
	/* Once the data is in, there is no way back to a worker. */
	if (stable != DFS_UNSTABLE && ctx->nonblock && !op_memory_speed(ctx) &&
	    !dfs_payload_commits_at_once(ctx->share->payload))
		return DFS_AGAIN;
	status = op_lock(ctx, inode, &attr);
	if (status != DFS_OK)
		return status;
	op_wcc_pre(wcc, &attr);
	status = write_locked(&op, inode, &attr, src, &file);
	if (status != DFS_OK)
		dfs_inode_attr(inode, &attr);
	op_wcc_post(wcc, &attr);
	dfs_inode_unlock(inode);
	if (status == DFS_OK && stable != DFS_UNSTABLE && file) {
		bool nonblock = ctx->nonblock;

		ctx->nonblock = false;
		status = dfs_file_commit(ctx, file);
		ctx->nonblock = nonblock;
		if (status == DFS_AGAIN)
			status = DFS_DELAY;
	}
	return status;
}

static enum dfs_status
write_retry(struct dfs_ctx *ctx, const struct dfs_ref *ref, const struct source *src,
	    enum dfs_stable stable, enum dfs_stable *committed, uint64_t *verifier,
	    struct dfs_wcc *wcc)
{
	enum dfs_status status;
	unsigned tries = 0;

	*verifier = dfs_write_verifier();
	*committed = stable == DFS_UNSTABLE ? DFS_UNSTABLE : DFS_FILE_SYNC;
	do {
		memset(wcc, 0, offsetof(struct dfs_wcc, post));
		status = write_once(ctx, ref, src, stable, wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK)
		op_wcc_known(wcc, ctx, ref);
	return status;
}

enum dfs_status
dfs_fs_write_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_write *w,
		    enum dfs_stable stable, enum dfs_stable *committed, uint64_t *verifier,
		    struct dfs_wcc *wcc)
{
	struct source src = {.pages = w, .offset = w->offset, .len = w->len};
	enum dfs_status status = write_retry(ctx, ref, &src, stable, committed, verifier, wcc);

	/* What was installed left w empty. */
	if (status != DFS_AGAIN)
		dfs_write_cancel(w);
	return status;
}

enum dfs_status
dfs_fs_write(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, const void *data,
	     uint32_t len, enum dfs_stable stable, enum dfs_stable *committed, uint64_t *verifier,
	     struct dfs_wcc *wcc)
{
	struct source src = {.data = data, .offset = offset, .len = len};
	struct dfs_write w;
	enum dfs_status status;
	uint32_t done = 0;

	if (len <= DFS_PAGE_SIZE)
		return write_retry(ctx, ref, &src, stable, committed, verifier, wcc);
	memset(wcc, 0, sizeof *wcc);
	status = len > DFS_WRITE_MAX ? DFS_INVAL : dfs_write_reserve(offset, len, &w);
	if (status != DFS_OK)
		return status;
	for (uint32_t i = 0; i < w.n; i++) {
		memcpy(w.iov[i].iov_base, src.data + done, w.iov[i].iov_len);
		done += (uint32_t)w.iov[i].iov_len;
	}
	status = dfs_fs_write_commit(ctx, ref, &w, stable, committed, verifier, wcc);
	if (status == DFS_AGAIN)
		dfs_write_cancel(&w);
	return status;
}

enum dfs_status
dfs_fs_commit(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, uint32_t len,
	      uint64_t *verifier, struct dfs_wcc *wcc)
{
	INODE_REF inode = NULL;
	struct dfs_file *file;
	struct dfs_attr attr;
	unsigned tries = 0;
	enum dfs_status status = op_get(ctx, ref, &inode, &attr);

	memset(wcc, 0, offsetof(struct dfs_wcc, post));
	if (status != DFS_OK)
		return status;
	if (attr.type != DFS_TYPE_REG)
		status = attr.type == DFS_TYPE_DIR ? DFS_ISDIR : DFS_INVAL;
	else if (ctx->read_only || ctx->share->read_only)
		status = DFS_ROFS;
	else if (!dfs_may_write_content(&ctx->id, &attr))
		status = DFS_ACCESS;
	file = atomic_load_explicit(&inode->file, memory_order_acquire);
	if (status == DFS_OK && file) {
		do
			status = dfs_file_commit(ctx, file);
		while (dfs_metadata_again(ctx, &status, &tries));
	} else if (status == DFS_OK) {
		/* Its data went out in the background, perhaps a moment ago. */
		struct dfs_metadata_store *store = ctx->share->ns->store;

		dfs_metadata_ticket(store, ctx, ctx->share->durability,
				    atomic_load(&store->last_seq));
	}
	/* COMMIT changes nothing that pre says: one snapshot for both, so that another client's
	 * write before it shows. */
	dfs_inode_attr(inode, &attr);
	op_wcc_pre(wcc, &attr);
	op_wcc_post(wcc, &attr);
	*verifier = dfs_write_verifier();
	return status;
}
