/* SPDX-License-Identifier: MIT
 *
 * READ (RFC 1813 3.3.6).  No lock is held: pages are references, and a truncation that came
 * between is noticed by its count and read again.
 */
#include "fs/read.h"
#include "payload/payload.h"

#define DAY (86400 * DFS_SECOND)
#define CUT_TRIES 8

/* relatime: when the file changed since, or the last access is a day old. */
void
op_accessed(struct dfs_ctx *ctx, struct dfs_inode *inode, const struct dfs_attr *attr)
{
	struct timespec ts;
	int64_t now;

	if (ctx->share->read_only)
		return;
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	now = (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
	if (attr->atime > attr->mtime && attr->atime > attr->ctime && now - attr->atime < DAY)
		return;
	/* The coarse clock may lie behind the change that made this access count. */
	if (now <= attr->mtime || now <= attr->ctime)
		now = (attr->mtime > attr->ctime ? attr->mtime : attr->ctime) + 1;
	dfs_inode_set_atime(inode, now);
}

enum dfs_status
dfs_fs_read(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t offset, uint32_t len,
	    struct dfs_read *out, struct dfs_attr *attr)
{
	INODE_REF inode = NULL;
	struct dfs_file *file;
	enum dfs_status status = op_get(ctx, ref, &inode, attr);

	out->n = out->len = 0;
	out->eof = false;
	if (status != DFS_OK) {
		attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (attr->type != DFS_TYPE_REG)
		return attr->type == DFS_TYPE_DIR ? DFS_ISDIR : DFS_INVAL;
	if (!dfs_may_read_content(&ctx->id, attr))
		return DFS_ACCESS;
	if (offset > DFS_FILE_LENGTH_MAX || offset + len > DFS_FILE_LENGTH_MAX)
		return DFS_INVAL;
	if (len > DFS_READ_MAX)
		len = DFS_READ_MAX;
	if (offset >= attr->length) {
		out->eof = true;
		return DFS_OK;
	}
	file = op_file(ctx, inode);
	if (!file)
		return DFS_DELAY;
	for (unsigned tries = 0;; tries++) {
		uint32_t cuts = atomic_load_explicit(&inode->cuts, memory_order_acquire);

		if (cuts & 1) { /* a truncation is under way: wait for its lock */
			status = dfs_inode_lock(ctx, inode);
			if (status != DFS_OK)
				return status;
			dfs_inode_unlock(inode);
			continue;
		}
		dfs_inode_attr(inode, attr);
		if (offset >= attr->length) {
			out->eof = true;
			return DFS_OK;
		}
		status = dfs_file_read(ctx, file, attr->length, offset, len, out);
		if (status != DFS_OK)
			return status;
		if (atomic_load_explicit(&inode->cuts, memory_order_acquire) == cuts ||
		    tries == CUT_TRIES)
			break;
		dfs_read_release(out);
	}
	out->eof = offset + out->len >= attr->length;
	op_accessed(ctx, inode, attr);
	return DFS_OK;
}
