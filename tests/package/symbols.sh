#!/bin/sh
# SPDX-License-Identifier: MIT
# What plugin files export and need: their description, and no symbol of ours.
. "$DFS_SRCDIR/tests/lib.sh"
requires nm readelf

exports_datum_only() {
	got=$(nm -D --defined-only "$1" | awk '$2 ~ /^[A-Z]$/ { print $2, $3 }' |
		grep -v -E ' (_init|_fini|__odr_asan.*|__asan.*|__bss_start|_edata|_end)$')
	want=$(basename "$1" .so)_LTX_dfs_plugin
	echo "$got"
	[ "$(echo "$got" | wc -l)" = 1 ] && [ "${got#* }" = "$want" ]
}

needs_none_of_ours() { ! nm -D --undefined-only "$1" | grep -E ' (dfs_|.*_LTX_)'; }

binds_now() { readelf -d "$1" | grep -E 'BIND_NOW|FLAGS.*NOW'; }

found=0
for so in "$DFS_BUILDDIR"/.plugins/*.so; do
	[ -e "$so" ] || continue
	found=$((found + 1))
	n=$(basename "$so")
	ok "$n exports its description and nothing else" exports_datum_only "$so"
	ok "$n is bound when it is loaded" binds_now "$so"
	case $n in
	adapter_*) ;;
	*) ok "$n needs no symbol of ours" needs_none_of_ours "$so" ;;
	esac
done
[ "$found" -gt 0 ] || skip_all "no plugin is built"
finish
