# SPDX-License-Identifier: MIT
plugin_LTLIBRARIES += block_memory.la
block_memory_la_SOURCES = \
	plugins/block/memory/memory.c \
	plugins/block/memory/object.c \
	plugins/block/memory/object.h \
	plugins/block/memory/prefix.c \
	plugins/block/memory/store.h \
	plugins/block/memory/table.c \
	plugins/block/memory/table.h \
	plugins/block/memory/trie.c \
	plugins/block/memory/trie.h
block_memory_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
block_memory_la_LDFLAGS = $(PLUGIN_LDFLAGS)
block_memory_la_LIBADD = -lpthread

check_PROGRAMS += plugins/block/memory/test-trie
TESTS += plugins/block/memory/test-trie
plugins_block_memory_test_trie_SOURCES = \
	plugins/block/memory/object.c \
	plugins/block/memory/table.c \
	plugins/block/memory/test-trie.c \
	plugins/block/memory/trie.c
plugins_block_memory_test_trie_LDADD = $(GLIB_LIBS)

dist_man_MANS += plugins/block/memory/dittofs-block-memory.5
