#!/bin/sh
# SPDX-License-Identifier: MIT
# What the LevelDB store refuses to open, each with its own sentence, and what it may not touch.
set -u
conform=$DFS_BUILDDIR/tools/conform/dfs-conform-metadata
plugin=$DFS_BUILDDIR/.plugins/metadata_leveldb.so
top=$(mktemp -d) || exit 99
trap 'rm -rf "$top"' EXIT
n=0

ok() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# open DIR: the conformance program's check of a store without commits; its remarks in $out
open_store() {
	out=$("$conform" --plugin "$plugin" --child "check
$1
0
-1" 2>&1)
}

refused() { # DIR PATTERN NAME
	if open_store "$1"; then
		echo "# it was opened"
		ok 1 "$3"
		return
	fi
	printf '%s\n' "$out" | grep -Eq "$2"
	ok $? "$3"
}

mkdir -p "$top/good" && open_store "$top/good"
ok $? "an empty folder becomes a store"
open_store "$top/good"
ok $? "a store opens again"

mkdir -p "$top/foreign/path" && echo precious >"$top/foreign/path/letter.txt"
refused "$top/foreign" 'VERSION.*files but no store' "a folder with other files is refused"
[ "$(ls "$top/foreign/path")" = letter.txt ]
ok $? "what lies in it is left alone"

cp -r "$top/good" "$top/headless" && rm "$top/headless/path/CURRENT"
refused "$top/headless" 'VERSION.*files but no store' "a store without CURRENT is not taken for an empty one"

mkdir -p "$top/half/path" && : >"$top/half/path/dittofs-creating" && : >"$top/half/path/000003.log"
open_store "$top/half"
ok $? "a creation that did not end begins anew"

cp -r "$top/good" "$top/damaged"
for f in "$top"/damaged/path/MANIFEST-*; do echo garbage >"$f"; done
refused "$top/damaged" '(CORRUPT|IO)' "a damaged store is refused"

echo file >"$top/plain"
refused "$top/plain" 'IO' "a path below a file is refused"

echo "1..$n"
