# SPDX-License-Identifier: MIT
sbin_PROGRAMS += tools/dfs/dfs
tools_dfs_dfs_SOURCES = tools/dfs/dfs.c tools/dfs/ready.c tools/dfs/ready.h
tools_dfs_dfs_LDADD = core/libdittofs.la $(GLIB_LIBS)
dist_man_MANS += tools/dfs/dfs.8
