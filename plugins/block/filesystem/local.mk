# SPDX-License-Identifier: MIT
plugin_LTLIBRARIES += block_filesystem.la
block_filesystem_la_SOURCES = \
	plugins/block/filesystem/erase.c \
	plugins/block/filesystem/error.c \
	plugins/block/filesystem/filesystem.c \
	plugins/block/filesystem/get.c \
	plugins/block/filesystem/list.c \
	plugins/block/filesystem/open.c \
	plugins/block/filesystem/path.c \
	plugins/block/filesystem/put.c \
	plugins/block/filesystem/store.h \
	plugins/block/filesystem/sync.c
block_filesystem_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
block_filesystem_la_LDFLAGS = $(PLUGIN_LDFLAGS)
block_filesystem_la_LIBADD = -lpthread
