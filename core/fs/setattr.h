/* SPDX-License-Identifier: MIT */
#ifndef DFS_FS_SETATTR_H
#define DFS_FS_SETATTR_H

#include "fs/op.h"

/* One try of dfs_fs_setattr on a referenced, unlocked inode. */
enum dfs_status op_setattr(struct dfs_ctx *ctx, struct dfs_inode *inode,
			   const struct dfs_setattr *set, const int64_t *guard_ctime,
			   struct dfs_wcc *wcc);

#endif
