# SPDX-License-Identifier: MIT
plugin_LTLIBRARIES += plugins/metadata/memory/metadata_memory.la
plugins_metadata_memory_metadata_memory_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)
plugins_metadata_memory_metadata_memory_la_SOURCES = plugins/metadata/memory/memory.c
plugins_metadata_memory_metadata_memory_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_metadata_memory_metadata_memory_la_LIBADD = \
	plugins/metadata/okv/libokv.la plugins/metadata/tree/libtree.la

TESTS += plugins/metadata/memory/test-conform.sh
dist_check_SCRIPTS += plugins/metadata/memory/test-conform.sh
dist_man_MANS += plugins/metadata/memory/dittofs-metadata-memory.5
