/* SPDX-License-Identifier: MIT */
#ifndef NFS_TEST_DOUBLES_H
#define NFS_TEST_DOUBLES_H

#include <stdatomic.h>

#include "fs/fs.h"

/* What dfs_fs_write_reserve answers; DFS_OK: it succeeds. */
extern _Atomic int test_write_status;

#endif
