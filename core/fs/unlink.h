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

/* Inode locked: somebody has it open, or has locks on it and so, from now on, has it open. */
bool op_in_use(struct op *op, struct dfs_inode *inode);
/* For the lock manager; arg: the share. */
void op_unpin(void *arg, struct dfs_lock_pin *pin);
/* An open of a locked inode without any check, which takes the caller's reference over; NULL: no memory,
 * and no reference taken.  undo: as if it had not been made. */
struct dfs_open *op_open_new(struct dfs_inode *inode);
void op_open_undo(struct dfs_open *open);

#endif
