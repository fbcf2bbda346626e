# SPDX-License-Identifier: MIT
plugin_LTLIBRARIES += plugins/metadata/leveldb/metadata_leveldb.la
plugins_metadata_leveldb_metadata_leveldb_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)
plugins_metadata_leveldb_metadata_leveldb_la_SOURCES = \
	plugins/metadata/leveldb/base.c \
	plugins/metadata/leveldb/folder.c \
	plugins/metadata/leveldb/leveldb.c \
	plugins/metadata/leveldb/log.c \
	plugins/metadata/leveldb/store.h \
	plugins/metadata/leveldb/sync.c
plugins_metadata_leveldb_metadata_leveldb_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_metadata_leveldb_metadata_leveldb_la_LIBADD = \
	plugins/metadata/okv/libokv.la plugins/metadata/tree/libtree.la \
	plugins/crc32c/libcrc32c.la $(LEVELDB_LIBS) -lm -lpthread

TESTS += plugins/metadata/leveldb/test-conform.sh
dist_check_SCRIPTS += plugins/metadata/leveldb/test-conform.sh

# -rpath makes a shared object of it although it is not installed.
check_LTLIBRARIES += plugins/metadata/leveldb/powerloss_shim.la
plugins_metadata_leveldb_powerloss_shim_la_SOURCES = plugins/metadata/leveldb/powerloss_shim.c
plugins_metadata_leveldb_powerloss_shim_la_LDFLAGS = -module -avoid-version -rpath /nowhere
plugins_metadata_leveldb_powerloss_shim_la_LIBADD = -ldl

check_PROGRAMS += plugins/metadata/leveldb/test-powerloss
TESTS += plugins/metadata/leveldb/test-powerloss
plugins_metadata_leveldb_test_powerloss_SOURCES = plugins/metadata/leveldb/test-powerloss.c
plugins_metadata_leveldb_test_powerloss_LDADD = $(GLIB_LIBS)

TESTS += plugins/metadata/leveldb/test-leveldb.sh
dist_check_SCRIPTS += plugins/metadata/leveldb/test-leveldb.sh
dist_man_MANS += plugins/metadata/leveldb/dittofs-metadata-leveldb.5

check_PROGRAMS += plugins/metadata/leveldb/test-failure
TESTS += plugins/metadata/leveldb/test-failure
plugins_metadata_leveldb_test_failure_SOURCES = \
	plugins/metadata/leveldb/base.c \
	plugins/metadata/leveldb/folder.c \
	plugins/metadata/leveldb/leveldb.c \
	plugins/metadata/leveldb/log.c \
	plugins/metadata/leveldb/sync.c \
	plugins/metadata/leveldb/test-failure.c
plugins_metadata_leveldb_test_failure_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
plugins_metadata_leveldb_test_failure_LDADD = \
	plugins/metadata/okv/libokv.la plugins/metadata/tree/libtree.la \
	plugins/crc32c/libcrc32c.la $(LEVELDB_LIBS) \
	$(GLIB_LIBS) -lm -ldl -lpthread
