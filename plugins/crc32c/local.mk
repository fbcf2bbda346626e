# SPDX-License-Identifier: MIT
noinst_LTLIBRARIES += plugins/crc32c/libcrc32c.la
plugins_crc32c_libcrc32c_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_crc32c_libcrc32c_la_SOURCES = plugins/crc32c/crc32c.c plugins/crc32c/crc32c.h
