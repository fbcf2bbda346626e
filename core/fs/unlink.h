/* SPDX-License-Identifier: MIT
 *
 * What REMOVE, RMDIR and RENAME over an existing name share.
 */
#ifndef DFS_FS_UNLINK_H
#define DFS_FS_UNLINK_H

#include "fs/op.h"

/* In the open transaction: DFS_OK or DFS_NOTEMPTY. */
enum dfs_status op_dir_empty(struct op *op, uint64_t dir);
/* In the open transaction, inode locked: one name less (a directory: none).  *last: after the
 * commit the caller calls dfs_inode_forget, and op_reclaim when all locks are released. */
enum dfs_status op_drop_link(struct op *op, struct dfs_inode *inode, bool *last);

#endif
