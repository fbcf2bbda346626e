#!/bin/sh
# SPDX-License-Identifier: MIT
# The leveldb store keeps the contract of metadata stores.
exec "$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" \
	--plugin "$DFS_BUILDDIR/.plugins/metadata_leveldb.so"
