# SPDX-License-Identifier: MIT
# The ordered key-value helper: a static, position-independent library that is installed for
# authors of metadata stores, and the same objects for the stores of this package.
okv_sources = \
	plugins/metadata/okv/codec.c \
	plugins/metadata/okv/codec.h \
	plugins/metadata/okv/dirent.c \
	plugins/metadata/okv/inode.c \
	plugins/metadata/okv/map.c \
	plugins/metadata/okv/object.c \
	plugins/metadata/okv/okv.c \
	plugins/metadata/okv/okv.h \
	plugins/metadata/okv/state.c \
	plugins/metadata/okv/usage.c

noinst_LTLIBRARIES += plugins/metadata/okv/libokv.la
plugins_metadata_okv_libokv_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_metadata_okv_libokv_la_SOURCES = $(okv_sources)

lib_LIBRARIES += plugins/metadata/okv/libdittofs-okv.a
plugins_metadata_okv_libdittofs_okv_a_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_metadata_okv_libdittofs_okv_a_CFLAGS = $(AM_CFLAGS) -fPIC
plugins_metadata_okv_libdittofs_okv_a_SOURCES = $(okv_sources)

include plugins/metadata/tree/local.mk

check_PROGRAMS += plugins/metadata/okv/test-golden plugins/metadata/okv/test-okv
TESTS += plugins/metadata/okv/test-golden plugins/metadata/okv/test-okv
EXTRA_DIST += plugins/metadata/okv/golden/0.1.0
plugins_metadata_okv_test_golden_SOURCES = plugins/metadata/okv/test-golden.c
plugins_metadata_okv_test_golden_LDADD = plugins/metadata/okv/libokv.la $(GLIB_LIBS)
plugins_metadata_okv_test_okv_SOURCES = plugins/metadata/okv/test-okv.c
plugins_metadata_okv_test_okv_LDADD = plugins/metadata/okv/libokv.la $(GLIB_LIBS)
