#!/bin/bash
# SPDX-License-Identifier: MIT
# The PostgreSQL store keeps the contract of metadata stores; each instance has a schema of its own.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
start_postgres
mapfile -t options < <(pg_options)
"$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" \
	--plugin "$DFS_BUILDDIR/.plugins/metadata_postgres.so" "${options[@]}" \
	--set 'schema={folder}' "$@"
