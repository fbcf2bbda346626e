# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/metadata/attr.h \
	core/metadata/cache.c \
	core/metadata/cache.h \
	core/metadata/charge.c \
	core/metadata/charge.h \
	core/metadata/dirent.c \
	core/metadata/dirent.h \
	core/metadata/fenced.c \
	core/metadata/ids.c \
	core/metadata/inode.c \
	core/metadata/inode.h \
	core/metadata/inode_cache.c \
	core/metadata/lease.c \
	core/metadata/lease.h \
	core/metadata/lock/deadlock.c \
	core/metadata/lock/file.c \
	core/metadata/lock/hash.c \
	core/metadata/lock/lock.c \
	core/metadata/lock/lock.h \
	core/metadata/lock/owner.c \
	core/metadata/lock/range.c \
	core/metadata/lock/remember.c \
	core/metadata/lock/set.c \
	core/metadata/lock/share_mode.c \
	core/metadata/lock/table.h \
	core/metadata/lock/wait.c \
	core/metadata/name_cache.c \
	core/metadata/namespace.c \
	core/metadata/namespace.h \
	core/metadata/ns.h \
	core/metadata/orphan.c \
	core/metadata/orphan.h \
	core/metadata/permission.c \
	core/metadata/permission.h \
	core/metadata/quota.c \
	core/metadata/quota.h \
	core/metadata/store.c \
	core/metadata/store.h \
	core/metadata/usage.c \
	core/metadata/usage.h \
	core/metadata/writeback.c \
	core/metadata/writeback.h

core_metadata_lock_bed = core/metadata/lock/test-bed.c core/metadata/lock/test-bed.h
noinst_PROGRAMS += core/metadata/lock/bench-lock
core_metadata_lock_bench_lock_SOURCES = core/metadata/lock/bench-lock.c $(core_metadata_lock_bed)
core_metadata_lock_bench_lock_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_tests = \
	core/metadata/lock/test-lock \
	core/metadata/lock/test-memory \
	core/metadata/lock/test-model \
	core/metadata/lock/test-reclaim \
	core/metadata/lock/test-threads \
	core/metadata/lock/test-waits
check_PROGRAMS += $(core_metadata_lock_tests)
TESTS += $(core_metadata_lock_tests)
core_metadata_lock_test_lock_SOURCES = core/metadata/lock/test-lock.c $(core_metadata_lock_bed)
core_metadata_lock_test_lock_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_test_memory_SOURCES = core/metadata/lock/test-memory.c $(core_metadata_lock_bed)
core_metadata_lock_test_memory_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_test_model_SOURCES = core/metadata/lock/test-model.c $(core_metadata_lock_bed)
core_metadata_lock_test_model_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_test_threads_SOURCES = core/metadata/lock/test-threads.c $(core_metadata_lock_bed)
core_metadata_lock_test_threads_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_test_waits_SOURCES = core/metadata/lock/test-waits.c $(core_metadata_lock_bed)
core_metadata_lock_test_waits_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_metadata_lock_test_reclaim_SOURCES = core/metadata/lock/test-reclaim.c $(core_metadata_lock_bed) \
	core/metadata/test-store.c core/metadata/test-store-map.h core/metadata/test-store-object.c \
	core/metadata/test-store.h
core_metadata_lock_test_reclaim_LDADD = core/libdittofs.la $(GLIB_LIBS)
