# SPDX-License-Identifier: MIT
# What needs more than one part.
include tests/attack/local.mk
include tests/crash/local.mk
include tests/fault/local.mk
include tests/fuzz/local.mk
include tests/locks/local.mk
if WITH_METADATA_POSTGRES
include tests/postgres/local.mk
endif
if WITH_BLOCK_S3
include tests/s3/local.mk
endif
dist_check_SCRIPTS += \
	tests/clients/libnfs-big.sh \
	tests/kernel/locks.sh \
	tests/kernel/workload-mixed.sh \
	tests/kernel/workload.sh \
	tests/protocol/libnfs.sh \
	tests/protocol/quota.py \
	tests/protocol/portmap.py \
	tests/protocol/rpcbind.py \
	tests/protocol/statd.py \
	tests/server/lifecycle.sh \
	tests/structure/dist.sh \
	tests/structure/includes.sh \
	tests/structure/layout.sh
long_tests = \
	tests/kernel/locks.sh \
	tests/kernel/workload-mixed.sh \
	tests/kernel/workload.sh \
	tests/clients/libnfs-big.sh
TESTS += \
	tests/structure/dist.sh \
	tests/structure/includes.sh \
	tests/structure/layout.sh \
	tests/server/lifecycle.sh \
	tests/protocol/libnfs.sh \
	tests/protocol/quota.py \
	tests/protocol/portmap.py \
	tests/protocol/rpcbind.py \
	tests/protocol/statd.py \
	$(long_tests)
EXTRA_DIST += \
	tests/kernel/guest-init \
	tests/kernel/lib.sh \
	tests/kernel/locker \
	tests/kernel/workload \
	tests/kernel/xsave-pad.c \
	tests/free-port \
	tests/lib.sh \
	tests/protocol/side.py \
	tests/lsan.supp \
	tests/run-one \
	tests/tsan.supp

if HAVE_LIBNFS
check_PROGRAMS += tests/protocol/test-libnfs
tests_protocol_test_libnfs_CFLAGS = $(AM_CFLAGS) $(LIBNFS_CFLAGS)
tests_protocol_test_libnfs_LDADD = $(LIBNFS_LIBS) $(GLIB_LIBS) -lpthread
endif

# The long ones first, so that two runners end at about the same time.
print-tests:
	@for t in $(long_tests); do echo $$t; done
	@for t in $(TESTS); do case " $(long_tests) " in *" $$t "*) ;; *) echo $$t ;; esac; done
print-dist:
	@for f in $(DISTFILES); do echo $$f; done
.PHONY: print-tests print-dist
