# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/base/aside.c \
	core/base/aside.h \
	core/base/buf.c \
	core/base/big.c \
	core/base/big.h \
	core/base/buf.h \
	core/base/clock.h \
	core/base/cond.h \
	core/base/container.h \
	core/base/counter.c \
	core/base/counter.h \
	core/base/crc32c.c \
	core/base/crc32c.h \
	core/base/ctx.c \
	core/base/ctx.h \
	core/base/disk.c \
	core/base/disk.h \
	core/base/failpoint.c \
	core/base/failpoint.h \
	core/base/hash.c \
	core/base/hash.h \
	core/base/iov.h \
	core/base/lock.c \
	core/base/lock.h \
	core/base/log.c \
	core/base/log.h \
	core/base/pool.c \
	core/base/pool.h \
	core/base/replace.c \
	core/base/replace.h \
	core/base/zero.h

base_tests = core/base/test-aside core/base/test-buf core/base/test-crc32c core/base/test-disk core/base/test-pool \
	core/base/test-replace
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
core_base_test_aside_SOURCES = core/base/test-aside.c
core_base_test_aside_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_base_test_crc32c_SOURCES = core/base/test-crc32c.c
core_base_test_crc32c_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_base_test_disk_SOURCES = core/base/test-disk.c
core_base_test_disk_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_base_test_buf_SOURCES = core/base/test-buf.c
core_base_test_buf_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_base_test_pool_SOURCES = core/base/test-pool.c
core_base_test_pool_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_base_test_replace_SOURCES = core/base/test-replace.c
core_base_test_replace_LDADD = core/libdittofs.la $(GLIB_LIBS)
