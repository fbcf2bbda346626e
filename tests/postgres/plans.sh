#!/bin/bash
# SPDX-License-Identifier: MIT
# Each statement of the PostgreSQL store finds its rows by an index: what a transaction reads is known by
# its keys, and no statement is slower for what other folders hold.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
start_postgres
mapfile -t options < <(pg_options)
mkdir "$work/store"
"$DFS_BUILDDIR/tools/conform/dfs-conform-metadata" --plugin "$DFS_BUILDDIR/.plugins/metadata_postgres.so" \
	"${options[@]}" --child "check
$work/store
0
-1" || { echo "Bail out! the store does not open"; exit 1; }

show=$DFS_BUILDDIR/plugins/metadata/postgres/show
settings=$("$show" settings)

# plan NAME TEXT
plan() {
	local n=0 nulls=
	while [[ $2 == *"\$$((n + 1))"* ]]; do
		n=$((n + 1))
		nulls=$nulls${nulls:+, }NULL
	done
	{
		echo "SET search_path = dittofs; $settings;"
		echo "PREPARE $1 AS $2;"
		echo "EXPLAIN EXECUTE $1${nulls:+($nulls)};"
	} | "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$pg_host" -p "$pg_port" -U dittofs -d dittofs
}

count=0
while IFS=$'\t' read -r name text; do
	case $text in BEGIN* | COMMIT | ROLLBACK) continue ;; esac
	count=$((count + 1))
	plan "$name" "$text" >"$work/plan.$name" 2>&1 || { echo "# $text"; sed 's/^/# /' "$work/plan.$name"; }
done < <("$show" all)
is "each has a plan" "$(grep -l "(cost=" "$work"/plan.* | wc -l)" "$count"
is "none reads a whole table" "$(grep -l 'Seq Scan' "$work"/plan.*)" ""
is "none sorts what an index has in order" "$(grep -l 'Sort' "$work"/plan.*)" ""
ok "there are many" [ "$count" -gt 50 ]
finish
