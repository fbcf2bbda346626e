# SPDX-License-Identifier: MIT
plugin_LTLIBRARIES += plugins/metadata/leveldb/metadata_leveldb.la
plugins_metadata_leveldb_metadata_leveldb_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_metadata_leveldb_metadata_leveldb_la_SOURCES = \
	plugins/metadata/leveldb/base.c \
	plugins/metadata/leveldb/folder.c \
	plugins/metadata/leveldb/leveldb.c \
	plugins/metadata/leveldb/store.h \
	plugins/metadata/leveldb/sync.c
plugins_metadata_leveldb_metadata_leveldb_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_metadata_leveldb_metadata_leveldb_la_LIBADD = \
	plugins/metadata/okv/libokv.la plugins/metadata/tree/libtree.la $(LEVELDB_LIBS) -lpthread

TESTS += plugins/metadata/leveldb/test-conform.sh
dist_check_SCRIPTS += plugins/metadata/leveldb/test-conform.sh
