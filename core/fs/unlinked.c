/* SPDX-License-Identifier: MIT
 *
 * Files without a name that are locked: an open keeps them until the lock manager lets go.
 */
#include <stdlib.h>

#include "base/container.h"
#include "base/log.h"
#include "fs/op.h"
#include "fs/unlink.h"
#include "io/worker.h"

#define CLOSE_WAIT (60 * DFS_SECOND)

struct kept {
	struct dfs_lock_pin pin;
	struct dfs_task task;
	struct dfs_share *share;
	struct dfs_open *open;
};

static void
let_go(struct dfs_task *task)
{
	struct kept *kept = DFS_CONTAINER_OF(task, struct kept, task);
	struct dfs_ctx ctx = {.share = kept->share, .deadline = dfs_clock_mono() + CLOSE_WAIT};
	enum dfs_status status = dfs_fs_close(&ctx, kept->open);

	if (status != DFS_OK)
		dfs_log(DFS_LOG_WARN, "%s: a removed file is reclaimed at the next start (%s)",
			kept->share->name, dfs_status_name(status));
	free(kept);
}

void
op_unpin(void *arg, struct dfs_lock_pin *pin)
{
	struct dfs_share *share = arg;
	struct kept *kept = DFS_CONTAINER_OF(pin, struct kept, pin);

	/* A full lane: here, which may wait for the store. */
	if (!share->lane || !dfs_lane_submit(share->lane, &kept->task))
		let_go(&kept->task);
}

bool
op_in_use(struct op *op, struct dfs_inode *inode)
{
	struct dfs_share *share = op->ctx->share;
	struct dfs_inode *ref;
	struct kept *kept;

	if (atomic_load(&inode->opens))
		return true;
	if (inode->type != DFS_TYPE_REG || !dfs_locks_has_file(share->locks, inode->fileid))
		return false;
	/* Without memory its locks go with the file. */
	kept = calloc(1, sizeof *kept);
	ref = kept ? dfs_inode_find(inode->ns, inode->fileid) : NULL;
	if (!ref || !(kept->open = op_open_new(ref))) {
		dfs_inode_unref(ref);
		free(kept);
		return false;
	}
	kept->task.run = let_go;
	kept->share = share;
	if (dfs_locks_pin(share->locks, inode->fileid, &kept->pin))
		return true;
	/* The last of them went meanwhile. */
	op_open_undo(kept->open);
	free(kept);
	return false;
}
