#!/bin/sh
# SPDX-License-Identifier: MIT
# .clang-format decides the layout of the source.  Another version than 14 decides otherwise in places.
. "$DFS_SRCDIR/tests/lib.sh"
requires clang-format-14
cd "$DFS_SRCDIR" || exit 1
ok "the source is laid out as .clang-format has it" sh -c "find adapters core plugins tests tools -name '*.[ch]' -print0 |
	xargs -0 -n 20 -P 2 clang-format-14 --style=file --dry-run --Werror"
finish
