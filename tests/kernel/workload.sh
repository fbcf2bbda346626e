#!/bin/bash
# SPDX-License-Identifier: MIT
# A real Linux kernel client works on a share of each combination of stores: see the script
# `workload` beside this one for what it does.
. "$DFS_SRCDIR/tests/kernel/lib.sh"
guest_memory=768M

# A source tree of a hundred small files: a guest's processes start slowly on some processors.  The
# long run: DFS_KERNEL_FILES=100000 (all there are),
# DFS_KERNEL_MEGABYTES=1024, DFS_TEST_TIMEOUT=3600.  DFS_KERNEL_STORES=leveldb/filesystem: only these.
files=${DFS_KERNEL_FILES:-100} megabytes=${DFS_KERNEL_MEGABYTES:-16}
guest_seconds=$((550 + files / 10 + megabytes))
(cd /usr/include && find . -type f -o -type l | LC_ALL=C sort | head -n "$files" |
	tar -cf "$work/tree.tar" --verbatim-files-from -T - 2>/dev/null)
work_on() {
	guest "${DFS_KERNEL_GUEST:-1}" "$DFS_SRCDIR/tests/kernel/workload" "$work/tree.tar" "$1"
}
for stores in ${DFS_KERNEL_STORES:-memory/memory leveldb/filesystem}; do
	set -- "${stores%/*}" "${stores#*/}"
	rm -rf "$work/state"
	port=12049 listen=0.0.0.0 make_config "$work/dfs.conf" "$1" "$2"
	port=12049 start_server
	port=12049 ok "a kernel client's work on $1 metadata and $2 blocks" work_on "$megabytes"
	sed 's/^/# /' "$work/out.$n_tests"
	stop_server
done
finish
