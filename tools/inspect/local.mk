# SPDX-License-Identifier: MIT
bin_PROGRAMS += dfs-inspect
dfs_inspect_SOURCES = tools/inspect/main.c tools/inspect/show.c tools/inspect/show.h
dfs_inspect_LDADD = core/libdittofs.la $(GLIB_LIBS)
dist_man_MANS += tools/inspect/dfs-inspect.1
dist_check_SCRIPTS += tools/inspect/test-inspect.sh
TESTS += tools/inspect/test-inspect.sh
