#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples build against an installed tree and pass the installed conformance programs.
. "$DFS_SRCDIR/tests/lib.sh"
requires autoreconf make pkg-config
# The static helper library of such a build needs the sanitizers' runtime.
sanitized && skip_all "plugins are not built outside against a sanitized tree"
var() { sed -n "s/^$1=//p" "$work/vars"; }

make -s --no-print-directory -C "$DFS_BUILDDIR" print-folders >"$work/vars" &&
	install_build "$work/dest" >"$work/install.log" 2>&1 || {
	tail -n 20 "$work/install.log" | sed 's/^/# /'
	echo "Bail out! make install fails"
	exit 1
}
"$DFS_SRCDIR/tests/package/build-examples" "$work" "$(var libdir)" "$(var datadir)" "$(var bindir)" \
	"$work/dest"
