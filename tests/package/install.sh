#!/bin/sh
# SPDX-License-Identifier: MIT
# An installation has everything; under a umask that lets the group write, too.
. "$DFS_SRCDIR/tests/lib.sh"
umask 002
install_build "$work/dest" >"$work/install.log" 2>&1 || {
	tail -n 20 "$work/install.log" | sed 's/^/# /'
	echo "Bail out! make install fails"
	exit 1
}
"$DFS_SRCDIR/tests/package/check-installed" "$DFS_BUILDDIR" "$work/dest" | grep -v '^1\.\.' >"$work/points"
cat "$work/points"
n_tests=$(grep -cE '^(not )?ok' "$work/points")
is "nothing installed is writable by the group" \
	"$(find "$work/dest" -type f -perm /022)" ""
finish
