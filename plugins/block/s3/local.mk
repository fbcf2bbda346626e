# SPDX-License-Identifier: MIT
s3_sources = \
	plugins/block/s3/chain.c \
	plugins/block/s3/check.c \
	plugins/block/s3/check.h \
	plugins/block/s3/clean.c \
	plugins/block/s3/copy.c \
	plugins/block/s3/credentials.c \
	plugins/block/s3/credentials.h \
	plugins/block/s3/date.c \
	plugins/block/s3/date.h \
	plugins/block/s3/digest.c \
	plugins/block/s3/digest.h \
	plugins/block/s3/encode.c \
	plugins/block/s3/encode.h \
	plugins/block/s3/engine.c \
	plugins/block/s3/engine.h \
	plugins/block/s3/erase.c \
	plugins/block/s3/error.c \
	plugins/block/s3/get.c \
	plugins/block/s3/headers.c \
	plugins/block/s3/headers.h \
	plugins/block/s3/ini.c \
	plugins/block/s3/instance.c \
	plugins/block/s3/list.c \
	plugins/block/s3/multipart.c \
	plugins/block/s3/page.c \
	plugins/block/s3/put.c \
	plugins/block/s3/request.c \
	plugins/block/s3/s3.c \
	plugins/block/s3/sign.c \
	plugins/block/s3/sign.h \
	plugins/block/s3/site.c \
	plugins/block/s3/site.h \
	plugins/block/s3/store.h \
	plugins/block/s3/text.c \
	plugins/block/s3/text.h \
	plugins/block/s3/transfer.c \
	plugins/block/s3/transfer.h \
	plugins/block/s3/watch.c \
	plugins/block/s3/xml.c \
	plugins/block/s3/xml.h
plugin_LTLIBRARIES += block_s3.la
block_s3_la_SOURCES = $(s3_sources)
block_s3_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)
block_s3_la_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
block_s3_la_LDFLAGS = $(PLUGIN_LDFLAGS)
block_s3_la_LIBADD = plugins/crc32c/libcrc32c.la $(S3_LIBS) -lpthread

dist_man_MANS += plugins/block/s3/dittofs-block-s3.5

check_PROGRAMS += plugins/block/s3/test-credentials plugins/block/s3/test-parse \
	plugins/block/s3/test-sign
TESTS += plugins/block/s3/test-credentials plugins/block/s3/test-parse plugins/block/s3/test-sign
check_LTLIBRARIES += plugins/block/s3/libs3.la
plugins_block_s3_libs3_la_SOURCES = $(s3_sources)
plugins_block_s3_libs3_la_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
plugins_block_s3_libs3_la_LIBADD = plugins/crc32c/libcrc32c.la $(S3_LIBS)
s3_test_libs = plugins/block/s3/libs3.la $(S3_LIBS) $(GLIB_LIBS) -lpthread
plugins_block_s3_test_credentials_SOURCES = plugins/block/s3/test-credentials.c \
	plugins/block/s3/test-stub.c plugins/block/s3/test-stub.h
plugins_block_s3_test_credentials_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
plugins_block_s3_test_credentials_LDADD = $(s3_test_libs)
plugins_block_s3_test_parse_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
plugins_block_s3_test_parse_LDADD = $(s3_test_libs)
plugins_block_s3_test_sign_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
plugins_block_s3_test_sign_LDADD = $(s3_test_libs)
