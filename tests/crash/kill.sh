#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 at random moments under load; DFS_CRASH_ROUNDS lives of the server.
. "$DFS_SRCDIR/tests/lib.sh"
[ -x "$DFS_BUILDDIR/tests/crash/crash-check" ] || skip_all "libnfs-dev was not there at configure time"
make_config "$work/dfs.conf" leveldb filesystem
export DFS_PLUGIN_PATH=$DFS_BUILDDIR/.plugins
"$DFS_BUILDDIR/tests/crash/crash-check" "${DFS_CRASH_ROUNDS:-20}" "$port" "$work/ready" -- \
	"$DFS_BUILDDIR/tools/dfs/dfs" -c "$work/dfs.conf" --ready-file="$work/ready" 2>"$work/server.log"
status=$?
[ "$status" = 0 ] || tail -n 20 "$work/server.log" | sed 's/^/# /'
exit "$status"
