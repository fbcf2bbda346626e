# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/fs/access.c \
	core/fs/fs.h \
	core/fs/getattr.c \
	core/fs/link.c \
	core/fs/lookup.c \
	core/fs/make.c \
	core/fs/op.c \
	core/fs/op.h \
	core/fs/open.c \
	core/fs/read.c \
	core/fs/read.h \
	core/fs/readdir.c \
	core/fs/readlink.c \
	core/fs/remove.c \
	core/fs/rename.c \
	core/fs/resolve.c \
	core/fs/setattr.c \
	core/fs/setattr.h \
	core/fs/share.c \
	core/fs/share.h \
	core/fs/statfs.c \
	core/fs/unlink.h \
	core/fs/write.c

core_fs_fixture = core/fs/test-share.c core/fs/test-share.h \
	core/metadata/test-store.c core/metadata/test-store.h

noinst_PROGRAMS += core/fs/bench-fs
core_fs_bench_fs_SOURCES = core/fs/bench-fs.c $(core_fs_fixture)
core_fs_bench_fs_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/fs/test-names
TESTS += core/fs/test-names
core_fs_test_names_SOURCES = core/fs/test-names.c $(core_fs_fixture)
core_fs_test_names_LDADD = core/libdittofs.la $(GLIB_LIBS)
