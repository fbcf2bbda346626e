# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/runtime/check.c \
	core/runtime/check.h \
	core/runtime/runtime.c \
	core/runtime/runtime.h \
	core/runtime/shares.c \
	core/runtime/shares.h \
	core/runtime/state.c \
	core/runtime/state.h \
	core/runtime/stores.c \
	core/runtime/stores.h

check_PROGRAMS += core/runtime/test-shares
TESTS += core/runtime/test-shares
core_runtime_test_shares_SOURCES = core/runtime/test-shares.c $(core_fs_fixture)
core_runtime_test_shares_LDADD = core/libdittofs.la $(GLIB_LIBS)

if WITH_ADAPTER_NFS
check_PROGRAMS += core/runtime/test-reload
TESTS += core/runtime/test-reload
core_runtime_test_reload_SOURCES = core/runtime/test-reload.c
core_runtime_test_reload_LDADD = core/libdittofs.la $(GLIB_LIBS)
endif
