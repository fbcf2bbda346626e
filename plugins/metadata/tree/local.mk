# SPDX-License-Identifier: MIT
# The ordered map in memory that the stores of this package share.
noinst_LTLIBRARIES += plugins/metadata/tree/libtree.la
plugins_metadata_tree_libtree_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_metadata_tree_libtree_la_SOURCES = \
	plugins/metadata/tree/arena.c \
	plugins/metadata/tree/arena.h \
	plugins/metadata/tree/edit.c \
	plugins/metadata/tree/layers.c \
	plugins/metadata/tree/layers.h \
	plugins/metadata/tree/lock.h \
	plugins/metadata/tree/node.h \
	plugins/metadata/tree/own.c \
	plugins/metadata/tree/read.c \
	plugins/metadata/tree/scan.c \
	plugins/metadata/tree/tree.c \
	plugins/metadata/tree/tree.h \
	plugins/metadata/tree/txn.h

check_PROGRAMS += plugins/metadata/tree/test-tree
TESTS += plugins/metadata/tree/test-tree
plugins_metadata_tree_test_tree_SOURCES = plugins/metadata/tree/test-tree.c
plugins_metadata_tree_test_tree_LDADD = plugins/metadata/tree/libtree.la $(GLIB_LIBS)

check_PROGRAMS += plugins/metadata/tree/test-layers
TESTS += plugins/metadata/tree/test-layers
plugins_metadata_tree_test_layers_CPPFLAGS = $(AM_CPPFLAGS)
plugins_metadata_tree_test_layers_SOURCES = plugins/metadata/tree/test-layers.c
plugins_metadata_tree_test_layers_LDADD = plugins/metadata/tree/libtree.la $(GLIB_LIBS)
