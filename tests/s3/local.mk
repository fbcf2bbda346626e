# SPDX-License-Identifier: MIT
# The S3 store against servers: faultd, which fails on request, and Swift.
check_PROGRAMS += tests/s3/faultd/faultd
tests_s3_faultd_faultd_SOURCES = \
	plugins/block/s3/date.c \
	plugins/block/s3/digest.c \
	plugins/block/s3/encode.c \
	plugins/block/s3/sign.c \
	plugins/block/s3/text.c \
	plugins/block/s3/xml.c \
	tests/s3/faultd/answer.c \
	tests/s3/faultd/control.c \
	tests/s3/faultd/faultd.h \
	tests/s3/faultd/http.c \
	tests/s3/faultd/list.c \
	tests/s3/faultd/main.c \
	tests/s3/faultd/multipart.c \
	tests/s3/faultd/rule.c \
	tests/s3/faultd/s3.c \
	tests/s3/faultd/store.c \
	tests/s3/faultd/verify.c
tests_s3_faultd_faultd_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_faultd_faultd_LDADD = plugins/crc32c/libcrc32c.la $(S3_LIBS) -lssl $(GLIB_LIBS) -lpthread

TESTS += tests/s3/conform.sh
dist_check_SCRIPTS += tests/s3/conform.sh
if WITH_ADAPTER_NFS
TESTS += tests/s3/outage.sh tests/s3/server.sh
endif
dist_check_SCRIPTS += tests/s3/outage.sh tests/s3/server.sh
EXTRA_DIST += \
	tests/s3/lib.sh \
	tests/s3/request.py \
	tests/s3/start-swift

check_PROGRAMS += tests/s3/test-faults
TESTS += tests/s3/test-faults
tests_s3_test_faults_SOURCES = tests/s3/fixture.c tests/s3/fixture.h tests/s3/test-faults.c
tests_s3_test_faults_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_test_faults_LDADD = $(s3_test_libs)

check_PROGRAMS += tests/s3/test-tls
TESTS += tests/s3/test-tls
tests_s3_test_tls_SOURCES = tests/s3/fixture.c tests/s3/fixture.h tests/s3/test-tls.c
tests_s3_test_tls_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_test_tls_LDADD = $(s3_test_libs)

# Not a test: what the store moves.
check_PROGRAMS += tests/s3/bench-s3
tests_s3_bench_s3_SOURCES = tests/s3/bench-s3.c tests/s3/fixture.c tests/s3/fixture.h
tests_s3_bench_s3_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_bench_s3_LDADD = $(s3_test_libs)

check_PROGRAMS += tests/s3/test-puts
TESTS += tests/s3/test-puts
tests_s3_test_puts_SOURCES = tests/s3/fixture.c tests/s3/fixture.h tests/s3/test-puts.c
tests_s3_test_puts_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_test_puts_LDADD = $(s3_test_libs)

# Of conform.sh.
check_PROGRAMS += tests/s3/put-parts
tests_s3_put_parts_SOURCES = tests/s3/fixture.c tests/s3/fixture.h tests/s3/put-parts.c
tests_s3_put_parts_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_s3_put_parts_LDADD = $(s3_test_libs)
