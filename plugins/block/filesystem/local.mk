# SPDX-License-Identifier: MIT
filesystem_sources = \
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
plugin_LTLIBRARIES += block_filesystem.la
block_filesystem_la_SOURCES = $(filesystem_sources)
block_filesystem_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
block_filesystem_la_LDFLAGS = $(PLUGIN_LDFLAGS)
block_filesystem_la_LIBADD = -lpthread

check_PROGRAMS += plugins/block/filesystem/test-filesystem
TESTS += plugins/block/filesystem/test-filesystem
plugins_block_filesystem_test_filesystem_SOURCES = \
	plugins/block/filesystem/fake.h \
	plugins/block/filesystem/test-filesystem.c \
	$(filesystem_sources)
plugins_block_filesystem_test_filesystem_CPPFLAGS = $(AM_CPPFLAGS) \
	-include $(srcdir)/plugins/block/filesystem/fake.h
plugins_block_filesystem_test_filesystem_LDADD = $(GLIB_LIBS) -lpthread

dist_man_MANS += plugins/block/filesystem/dittofs-block-filesystem.5
