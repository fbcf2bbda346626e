# SPDX-License-Identifier: MIT
# The fuzz targets, one per parser.  With --enable-fuzzing (`tests/fuzz/run SECONDS` does it) they
# are libFuzzer programs, made by `make fuzz-targets`; otherwise replay.c drives them, and they are
# tests over their corpus.
fuzz_programs = tests/fuzz/fuzz-config tests/fuzz/fuzz-okv tests/fuzz/fuzz-wal
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c $(fuzz_driver)
tests_fuzz_fuzz_config_LDADD = core/libdittofs.la $(GLIB_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_okv_SOURCES = tests/fuzz/fuzz-okv.c $(fuzz_driver)
tests_fuzz_fuzz_okv_LDADD = plugins/metadata/okv/libokv.la
tests_fuzz_fuzz_okv_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_wal_SOURCES = tests/fuzz/fuzz-wal.c $(wal_sim) $(fuzz_driver)
tests_fuzz_fuzz_wal_LDADD = core/libdittofs.la $(GLIB_LIBS)
tests_fuzz_fuzz_wal_LDFLAGS = $(fuzz_link)

if WITH_ADAPTER_NFS
fuzz_programs += tests/fuzz/fuzz-callback tests/fuzz/fuzz-handle tests/fuzz/fuzz-mount \
	tests/fuzz/fuzz-nfs3 tests/fuzz/fuzz-nlm tests/fuzz/fuzz-nsm tests/fuzz/fuzz-portmap \
	tests/fuzz/fuzz-rpc
tests_fuzz_fuzz_callback_SOURCES = tests/fuzz/fuzz-callback.c $(fuzz_driver)
tests_fuzz_fuzz_callback_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_callback_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_nsm_SOURCES = tests/fuzz/fuzz-nsm.c adapters/nfs/test-runtime.c \
	adapters/nfs/test-runtime.h $(fuzz_driver)
tests_fuzz_fuzz_nsm_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_nsm_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_portmap_SOURCES = tests/fuzz/fuzz-portmap.c adapters/nfs/test-runtime.c \
	adapters/nfs/test-runtime.h $(fuzz_driver)
tests_fuzz_fuzz_portmap_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_portmap_LDFLAGS = $(fuzz_link)
fuzz_world = adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h \
	adapters/nfs/test-world.c adapters/nfs/test-world.h
tests_fuzz_fuzz_handle_SOURCES = tests/fuzz/fuzz-handle.c $(fuzz_driver)
tests_fuzz_fuzz_handle_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_handle_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_mount_SOURCES = tests/fuzz/fuzz-mount.c $(fuzz_world) $(fuzz_driver)
tests_fuzz_fuzz_mount_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_mount_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_nfs3_SOURCES = tests/fuzz/fuzz-nfs3.c adapters/nfs/test-client.c \
	adapters/nfs/test-client.h $(fuzz_world) $(fuzz_driver)
tests_fuzz_fuzz_nfs3_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_nfs3_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_nlm_SOURCES = tests/fuzz/fuzz-nlm.c $(fuzz_world) $(fuzz_driver)
tests_fuzz_fuzz_nlm_LDADD = $(NFS_TEST_LIBS)
tests_fuzz_fuzz_nlm_LDFLAGS = $(fuzz_link)
tests_fuzz_fuzz_rpc_SOURCES = tests/fuzz/fuzz-rpc.c adapters/nfs/rpc/test-doubles.c \
	adapters/nfs/rpc/test-doubles.h adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h \
	$(fuzz_driver)
tests_fuzz_fuzz_rpc_LDADD = adapters/nfs/libnfsrpc.la $(NFS_TEST_LIBS)
tests_fuzz_fuzz_rpc_LDFLAGS = $(fuzz_link)
endif

if WITH_BLOCK_S3
fuzz_programs += tests/fuzz/fuzz-s3
tests_fuzz_fuzz_s3_SOURCES = tests/fuzz/fuzz-s3.c $(fuzz_driver)
tests_fuzz_fuzz_s3_CFLAGS = $(AM_CFLAGS) $(S3_CFLAGS)
tests_fuzz_fuzz_s3_LDADD = $(s3_test_libs)
tests_fuzz_fuzz_s3_LDFLAGS = $(fuzz_link)
endif

if FUZZING
fuzz_driver =
fuzz_link = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS = $(fuzz_programs)
else
fuzz_driver = tests/fuzz/replay.c
fuzz_link = $(AM_LDFLAGS)
check_PROGRAMS += $(fuzz_programs)
TESTS += $(fuzz_programs)
endif

fuzz-targets: $(fuzz_programs) plugins-local
print-fuzz-targets:
	@for t in $(fuzz_programs); do basename $$t; done
.PHONY: fuzz-targets print-fuzz-targets
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/replay.c tests/fuzz/run
