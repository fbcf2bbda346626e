# SPDX-License-Identifier: MIT
if FUZZING
FUZZ_TARGETS += tests/fuzz/fuzz-handle tests/fuzz/fuzz-mount tests/fuzz/fuzz-nfs3
FUZZ_NFS_SOURCES = adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h \
	adapters/nfs/test-world.c adapters/nfs/test-world.h
FUZZ_NFS_LIBS = adapters/nfs/libnfsproc.la core/libdittofs.la $(XXHASH_LIBS) $(GLIB_LIBS) -lpthread
tests_fuzz_fuzz_handle_SOURCES = tests/fuzz/fuzz-handle.c
tests_fuzz_fuzz_handle_LDADD = $(FUZZ_NFS_LIBS)
tests_fuzz_fuzz_handle_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_mount_SOURCES = tests/fuzz/fuzz-mount.c $(FUZZ_NFS_SOURCES)
tests_fuzz_fuzz_mount_LDADD = $(FUZZ_NFS_LIBS)
tests_fuzz_fuzz_mount_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_nfs3_SOURCES = tests/fuzz/fuzz-nfs3.c adapters/nfs/test-client.c \
	adapters/nfs/test-client.h $(FUZZ_NFS_SOURCES)
tests_fuzz_fuzz_nfs3_LDADD = $(FUZZ_NFS_LIBS)
tests_fuzz_fuzz_nfs3_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif
