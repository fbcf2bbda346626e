/* SPDX-License-Identifier: MIT */
#ifndef DFS_FS_READ_H
#define DFS_FS_READ_H

#include "fs/op.h"

/* Note an access by the relatime rule; in memory, written lazily. */
void op_accessed(struct dfs_ctx *ctx, struct dfs_inode *inode, const struct dfs_attr *attr);

#endif
