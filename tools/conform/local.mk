# SPDX-License-Identifier: MIT
# What dfs-conform-metadata and dfs-conform-block share.
noinst_LTLIBRARIES += tools/conform/libconform.la
tools_conform_libconform_la_SOURCES = \
	tools/conform/child.c \
	tools/conform/config.c \
	tools/conform/config.h \
	tools/conform/frame.h \
	tools/conform/host.c \
	tools/conform/instance.c \
	tools/conform/load.c \
	tools/conform/load.h \
	tools/conform/tap.c \
	tools/conform/tap.h

bin_PROGRAMS += tools/conform/dfs-conform-metadata
tools_conform_dfs_conform_metadata_SOURCES = \
	tools/conform/metadata.c \
	tools/conform/metadata.h \
	tools/conform/metadata_crash.c \
	tools/conform/metadata_life.c \
	tools/conform/metadata_model.c \
	tools/conform/metadata_object.c \
	tools/conform/metadata_record.c \
	tools/conform/metadata_scan.c \
	tools/conform/metadata_thread.c \
	tools/conform/metadata_txn.c \
	tools/conform/metadata_shared.c tools/conform/metadata_usage.c
tools_conform_dfs_conform_metadata_LDADD = \
	tools/conform/libconform.la core/libdittofs.la $(GLIB_LIBS)
tools_conform_dfs_conform_metadata_LDFLAGS = -pthread $(AM_LDFLAGS)
dist_man_MANS += tools/conform/dfs-conform-metadata.1
