#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/bench/compare on the echo alone: a table comes out and nothing is left behind.
set -u
compare=${DFS_SRCDIR:?}/tools/bench/compare
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP python3 is not installed"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

ok() { # ok STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$work/out" "$work/err" 2>/dev/null
	fi
}

run() {
	timeout 120 "$compare" --build "${DFS_BUILDDIR:?}" --state-dir "$work" "$@" \
		>"$work/out" 2>"$work/err"
}

run --rows null,nonsense
[ $? -ne 0 ] && grep -q '"nonsense"' "$work/err"
ok $? "an unknown row is named"
run --servers nonsense
[ $? -eq 2 ] && grep -q '"nonsense"' "$work/err"
ok $? "an unknown server is named"

if [ "$(id -u)" -ne 0 ] || ! unshare --net --mount --pid --fork true 2>"$work/err"; then
	n=$((n + 1))
	echo "ok $n # SKIP no namespaces of its own here: needs root"
else
	run --quick --extra none --servers echo --rows null,create,readdirplus --json "$work/json"
	[ $? -eq 0 ] && [ "$(grep -Ec '^\| (null|create|readdirplus) \|.* echo ' "$work/out")" -eq 3 ]
	ok $? "a line of the table for each row"
	[ "$(wc -l <"$work/json")" -eq 3 ]
	ok $? "a line of JSON for each run"
	[ -z "$(find "$work" -name 'dfs-compare-*')" ]
	ok $? "the servers' folder is removed"

	"$compare" --build "$DFS_BUILDDIR" --state-dir "$work" --servers echo --rows null \
		--seconds 60 >"$work/out" 2>"$work/err" &
	pid=$!
	for ((i = 0; i < 300; i++)); do
		[ -z "$(find "$work" -path '*/dfs-compare-*/*-echo/output' -size +0)" ] || break
		read -rt 0.1 <> <(:)
	done
	kill -TERM "$pid"
	wait "$pid"
	[ -z "$(find "$work" -name 'dfs-compare-*')" ]
	ok $? "an interrupt leaves nothing behind"
fi
echo "1..$n"
