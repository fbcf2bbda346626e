#!/bin/sh
# SPDX-License-Identifier: MIT
# What the repository has, the tarball has, but for what only the repository is for.
. "$DFS_SRCDIR/tests/lib.sh"
cd "$DFS_SRCDIR" || exit 1
[ -e .git ] && tracked=$(git -c safe.directory='*' ls-files 2>/dev/null) || skip_all "no git repository"
make -s -C "$DFS_BUILDDIR" print-dist | sed "s,^$DFS_SRCDIR/,,; s,^\(\.\./\)*,," |
	while read -r f; do
		if [ -d "$f" ]; then find "$f" -type f; else echo "$f"; fi
	done | LC_ALL=C sort -u >"$work/dist"
is "every file is in the tarball" "$(echo "$tracked" | grep -vE '^(\.ci/|\.gitignore$)' |
	LC_ALL=C sort | LC_ALL=C comm -23 - "$work/dist")" ""
finish
