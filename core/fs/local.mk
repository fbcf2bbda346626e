# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/fs/access.c \
	core/fs/clone.c \
	core/fs/fs.h \
	core/fs/getattr.c \
	core/fs/link.c \
	core/fs/lock.c \
	core/fs/lookup.c \
	core/fs/make.c \
	core/fs/op.c \
	core/fs/op.h \
	core/fs/open.c \
	core/fs/read.c \
	core/fs/read.h \
	core/fs/readdir.c \
	core/fs/readlink.c \
	core/fs/recount.c \
	core/fs/recount.h \
	core/fs/remove.c \
	core/fs/rename.c \
	core/fs/replay.c \
	core/fs/replay.h \
	core/fs/resolve.c \
	core/fs/setattr.c \
	core/fs/setattr.h \
	core/fs/share.c \
	core/fs/share.h \
	core/fs/statfs.c \
	core/fs/unlink.h \
	core/fs/unlinked.c \
	core/fs/write.c

core_fs_fixture = core/fs/test-share.c core/fs/test-share.h \
	core/metadata/test-store.c core/metadata/test-store-map.h core/metadata/test-store-object.c \
	core/metadata/test-store.h

noinst_PROGRAMS += core/fs/bench-fs
core_fs_bench_fs_SOURCES = core/fs/bench-fs.c $(core_fs_fixture)
core_fs_bench_fs_LDADD = core/libdittofs.la $(GLIB_LIBS)

core_fs_tests = core/metadata/test-cache core/fs/test-clone core/fs/test-content \
	core/fs/test-crash core/fs/test-crash-clone core/fs/test-locks core/fs/test-log \
	core/fs/test-model core/fs/test-names core/fs/test-permissions core/fs/test-quota \
	core/fs/test-quota-grace core/fs/test-quota-model core/fs/test-quota-sums \
	core/fs/test-quota-threads core/fs/test-servers core/fs/test-threads \
	core/fs/test-writeback
check_PROGRAMS += $(core_fs_tests)
TESTS += $(core_fs_tests)
core_metadata_test_cache_SOURCES = core/metadata/test-cache.c $(core_fs_fixture)
core_metadata_test_cache_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_clone_SOURCES = core/fs/test-clone.c $(core_fs_fixture)
core_fs_test_clone_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_content_SOURCES = core/fs/test-content.c $(core_fs_fixture)
core_fs_test_content_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_crash_world = core/fs/test-crash-world.c core/fs/test-crash.h $(core_fs_fixture) $(wal_sim)
core_fs_test_crash_SOURCES = core/fs/test-crash.c $(core_fs_crash_world)
core_fs_test_crash_clone_SOURCES = core/fs/test-crash-clone.c $(core_fs_crash_world)
core_fs_test_crash_clone_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_crash_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_locks_SOURCES = core/fs/test-locks.c $(core_fs_fixture)
core_fs_test_locks_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_model_SOURCES = core/fs/test-model.c $(core_fs_fixture)
core_fs_test_model_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_names_SOURCES = core/fs/test-names.c $(core_fs_fixture)
core_fs_test_names_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_permissions_SOURCES = core/fs/test-permissions.c $(core_fs_fixture)
core_fs_test_permissions_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_log_SOURCES = core/fs/test-log.c $(core_fs_fixture) $(wal_sim)
core_fs_test_log_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_quota_SOURCES = core/fs/test-quota.c core/fs/test-quota.h $(core_fs_fixture)
core_fs_test_quota_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_quota_grace_SOURCES = core/fs/test-quota-grace.c core/fs/test-quota.h $(core_fs_fixture)
core_fs_test_quota_grace_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_quota_model_SOURCES = core/fs/test-quota-model.c core/fs/test-quota.h $(core_fs_fixture)
core_fs_test_quota_model_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_quota_sums_SOURCES = core/fs/test-quota-sums.c core/fs/test-quota.h $(core_fs_fixture) $(wal_sim)
core_fs_test_quota_sums_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_quota_threads_SOURCES = core/fs/test-quota-threads.c core/fs/test-quota.h $(core_fs_fixture)
core_fs_test_quota_threads_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_servers_SOURCES = core/fs/test-servers.c $(core_fs_fixture) $(wal_sim)
core_fs_test_servers_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_threads_SOURCES = core/fs/test-threads.c $(core_fs_fixture)
core_fs_test_threads_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_fs_test_writeback_SOURCES = core/fs/test-writeback.c $(core_fs_fixture)
core_fs_test_writeback_LDADD = core/libdittofs.la $(GLIB_LIBS)
