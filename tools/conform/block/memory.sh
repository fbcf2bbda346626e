#!/bin/sh
# SPDX-License-Identifier: MIT
exec "$DFS_BUILDDIR/tools/conform/dfs-conform-block" --plugin "$DFS_BUILDDIR/.plugins/block_memory.so"
