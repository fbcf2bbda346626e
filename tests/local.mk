# SPDX-License-Identifier: MIT
# What needs more than one part.
include tests/fuzz/local.mk
dist_check_SCRIPTS += \
	tests/crash/kill.sh \
	tests/kernel/workload.sh \
	tests/protocol/libnfs.sh \
	tests/server/lifecycle.sh \
	tests/structure/includes.sh
TESTS += \
	tests/structure/includes.sh \
	tests/server/lifecycle.sh \
	tests/protocol/libnfs.sh \
	tests/crash/kill.sh \
	tests/kernel/workload.sh
EXTRA_DIST += \
	tests/kernel/guest-init \
	tests/kernel/lib.sh \
	tests/kernel/workload \
	tests/kernel/xsave-pad.c \
	tests/lib.sh \
	tests/lsan.supp \
	tests/run-one \
	tests/tsan.supp

if HAVE_LIBNFS
check_PROGRAMS += tests/crash/crash-check tests/protocol/test-libnfs
tests_protocol_test_libnfs_CFLAGS = $(AM_CFLAGS) $(LIBNFS_CFLAGS)
tests_protocol_test_libnfs_LDADD = $(LIBNFS_LIBS) $(GLIB_LIBS) -lpthread
tests_crash_crash_check_CFLAGS = $(AM_CFLAGS) $(LIBNFS_CFLAGS)
tests_crash_crash_check_LDADD = $(LIBNFS_LIBS) -lpthread
endif

print-tests:
	@for t in $(TESTS); do echo $$t; done
.PHONY: print-tests
