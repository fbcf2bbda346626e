/* SPDX-License-Identifier: MIT */
#ifndef DFS_FS_REPLAY_H
#define DFS_FS_REPLAY_H

#include "fs/share.h"
#include "payload/recovered.h"

/* Before the share serves anybody; main thread.  dfs_fail_text() explains a failure. */
enum dfs_status dfs_share_replay(struct dfs_share *share, struct dfs_recovered *recovered);

#endif
