#!/bin/sh
# SPDX-License-Identifier: MIT
# Each installed header compiles alone, in every dialect that a plugin may be written in.
. "$DFS_SRCDIR/tests/lib.sh"
: "${CC:=cc}" "${CXX:=c++}"
requires "$CC" "$CXX"

alone() {
	printf '#include <dittofs/%s>\n#include <dittofs/%s>\nint main(void) { return 0; }\n' "$2" "$2" \
		>"$work/alone.$3"
	$1 -I"$DFS_SRCDIR/core/include" -Wall -Wextra -Wpedantic -pedantic-errors -Werror -c \
		-o "$work/alone.o" "$work/alone.$3"
}

for header in "$DFS_SRCDIR"/core/include/dittofs/*.h; do
	h=$(basename "$header")
	ok "$h is C99" alone "$CC -std=c99" "$h" c
	ok "$h is C11" alone "$CC -std=c11" "$h" c
	ok "$h is C++17" alone "$CXX -std=c++17" "$h" cc
done
ok "every header is installed" sh -c \
	'for h in "$DFS_SRCDIR"/core/include/dittofs/*.h; do
		grep -q "core/include/dittofs/$(basename "$h")" "$DFS_SRCDIR/core/local.mk" ||
			{ echo "$h is not in core/local.mk"; exit 1; }
	done'
finish
