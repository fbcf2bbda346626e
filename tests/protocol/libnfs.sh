#!/bin/sh
# SPDX-License-Identifier: MIT
# test-libnfs against a server on each combination of stores.
. "$DFS_SRCDIR/tests/lib.sh"
client=$DFS_BUILDDIR/tests/protocol/test-libnfs
[ -x "$client" ] || skip_all "libnfs-dev was not there when this was configured"

# The client's points as this script's own.
pass_on() {
	while IFS= read -r line; do
		case $line in
		"ok "* | "not ok "*)
			n_tests=$((n_tests + 1))
			fact=${line#*ok }
			echo "${line%%ok *}ok $n_tests - $1: ${fact#* /libnfs/}"
			;;
		1..*) ;;
		*) echo "# $line" ;;
		esac
	done
}

for meta_type in memory leveldb; do
	for data_type in memory filesystem; do
		here=$meta_type/$data_type
		rm -rf "$work/state"
		port=
		make_config "$work/dfs.conf" "$meta_type" "$data_type"
		start_server
		DFS_TEST_PORT=$port "$client" >"$work/points" 2>&1
		rc=$?
		pass_on "$here" <"$work/points"
		is "$here: the client runs to its end" "$rc" 0
		ok "$here: the server stops cleanly" stop_server
	done
done
finish
