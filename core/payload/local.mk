# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/payload/block.c \
	core/payload/clone.c \
	core/payload/clone.h \
	core/payload/cache/cache.c \
	core/payload/cache/cache.h \
	core/payload/cache/flusher.c \
	core/payload/cache/lru.c \
	core/payload/download_buffer.c \
	core/payload/download_buffer.h \
	core/payload/fetch.c \
	core/payload/file.c \
	core/payload/file.h \
	core/payload/flush/batch.h \
	core/payload/flush/flush.c \
	core/payload/flush/object.c \
	core/payload/flush/publish.c \
	core/payload/flush/strategy.c \
	core/payload/flush/strategy.h \
	core/payload/garbage.c \
	core/payload/gc/check.c \
	core/payload/gc/clock.c \
	core/payload/gc/dedup.c \
	core/payload/gc/drop.c \
	core/payload/gc/gc.h \
	core/payload/gc/object.c \
	core/payload/gc/orphan.c \
	core/payload/gc/reap.c \
	core/payload/gc/reconcile.c \
	core/payload/gc/version.c \
	core/payload/key.c \
	core/payload/key.h \
	core/payload/log.c \
	core/payload/landing.c \
	core/payload/landing.h \
	core/payload/metrics.c \
	core/payload/metrics.h \
	core/payload/offload/breaker.c \
	core/payload/offload/breaker.h \
	core/payload/offload/download.c \
	core/payload/offload/download.h \
	core/payload/offload/metrics.c \
	core/payload/offload/metrics.h \
	core/payload/offload/offload.c \
	core/payload/offload/offload.h \
	core/payload/offload/queue.c \
	core/payload/offload/queue.h \
	core/payload/offload/readahead.c \
	core/payload/offload/readahead.h \
	core/payload/offload/retry.c \
	core/payload/offload/retry.h \
	core/payload/offload/transfer.c \
	core/payload/offload/upload.c \
	core/payload/offload/upload.h \
	core/payload/offload/window.c \
	core/payload/offload/window.h \
	core/payload/payload.c \
	core/payload/payload.h \
	core/payload/prefetch.c \
	core/payload/read.c \
	core/payload/recovered.c \
	core/payload/recovered.h \
	core/payload/replay.c \
	core/payload/row.c \
	core/payload/row.h \
	core/payload/spill.c \
	core/payload/store.c \
	core/payload/store.h \
	core/payload/throttle.c \
	core/payload/transfer.h \
	core/payload/truncate.c \
	core/payload/verifier.c \
	core/payload/wal/append.c \
	core/payload/wal/background.c \
	core/payload/wal/file.c \
	core/payload/wal/format.c \
	core/payload/wal/format.h \
	core/payload/wal/log.h \
	core/payload/wal/mmap.c \
	core/payload/wal/persister.h \
	core/payload/wal/read.c \
	core/payload/wal/recover.c \
	core/payload/wal/scan.c \
	core/payload/wal/scan.h \
	core/payload/wal/segment.c \
	core/payload/wal/super.c \
	core/payload/wal/wal.c \
	core/payload/wal/wal.h \
	core/payload/wal/write.c \
	core/payload/write.c

check_PROGRAMS += core/payload/test-file core/payload/test-model core/payload/test-threads
TESTS += core/payload/test-file core/payload/test-model core/payload/test-threads
core_payload_test_threads_SOURCES = core/payload/test-threads.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_test_threads_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_test_file_SOURCES = core/payload/test-file.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_test_file_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_test_model_SOURCES = core/payload/test-model.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_test_model_LDADD = core/libdittofs.la $(GLIB_LIBS)

noinst_PROGRAMS += core/payload/bench-payload
core_payload_bench_payload_SOURCES = core/payload/bench-payload.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_bench_payload_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/wal/test-crash core/payload/wal/test-full core/payload/wal/test-recover \
	core/payload/wal/test-wal
TESTS += core/payload/wal/test-crash core/payload/wal/test-full core/payload/wal/test-recover \
	core/payload/wal/test-wal
wal_rig = core/payload/wal/test-rig.c core/payload/wal/test-rig.h
core_payload_wal_test_wal_SOURCES = core/payload/wal/test-wal.c $(wal_rig)
core_payload_wal_test_wal_LDADD = core/libdittofs.la $(GLIB_LIBS)
wal_sim = core/payload/wal/test-disk.c core/payload/wal/test-disk-power.c \
	core/payload/wal/test-disk.h core/payload/wal/test-disk-sim.h
core_payload_wal_test_crash_SOURCES = core/payload/wal/test-crash.c $(wal_rig) $(wal_sim)
core_payload_wal_test_crash_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_wal_test_full_SOURCES = core/payload/wal/test-full.c $(wal_rig) $(wal_sim)
core_payload_wal_test_full_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_wal_test_recover_SOURCES = core/payload/wal/test-recover.c $(wal_rig) $(wal_sim)
core_payload_wal_test_recover_LDADD = core/libdittofs.la $(GLIB_LIBS)

noinst_PROGRAMS += core/payload/wal/bench-wal
core_payload_wal_bench_wal_SOURCES = core/payload/wal/bench-wal.c
core_payload_wal_bench_wal_LDADD = core/libdittofs.la $(GLIB_LIBS)
check_PROGRAMS += core/payload/offload/test-retry core/payload/offload/test-window core/payload/offload/test-queue
TESTS += core/payload/offload/test-retry core/payload/offload/test-window core/payload/offload/test-queue
core_payload_offload_test_retry_SOURCES = core/payload/offload/test-retry.c
core_payload_offload_test_retry_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_offload_test_window_SOURCES = core/payload/offload/test-window.c
core_payload_offload_test_window_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_offload_test_queue_SOURCES = core/payload/offload/test-queue.c
core_payload_offload_test_queue_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/test-download-buffer core/payload/offload/test-readahead
TESTS += core/payload/test-download-buffer core/payload/offload/test-readahead
core_payload_test_download_buffer_SOURCES = core/payload/test-download-buffer.c
core_payload_test_download_buffer_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_offload_test_readahead_SOURCES = core/payload/offload/test-readahead.c
core_payload_offload_test_readahead_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/test-upload core/payload/test-download
TESTS += core/payload/test-upload core/payload/test-download
remote_rig = core/payload/test-remote.c core/payload/test-remote.h \
	core/payload/test-rig.c core/payload/test-rig.h
core_payload_test_upload_SOURCES = core/payload/test-upload.c $(remote_rig)
core_payload_test_upload_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_payload_test_download_SOURCES = core/payload/test-download.c $(remote_rig)
core_payload_test_download_LDADD = core/libdittofs.la $(GLIB_LIBS)

noinst_PROGRAMS += core/payload/bench-offload
core_payload_bench_offload_SOURCES = core/payload/bench-offload.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_bench_offload_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/gc/test-gc
TESTS += core/payload/gc/test-gc
core_payload_gc_test_gc_SOURCES = core/payload/gc/test-gc.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_gc_test_gc_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/test-zero
TESTS += core/payload/test-zero
core_payload_test_zero_SOURCES = core/payload/test-zero.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_test_zero_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/payload/gc/test-dedup
TESTS += core/payload/gc/test-dedup
core_payload_gc_test_dedup_SOURCES = core/payload/gc/test-dedup.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_gc_test_dedup_LDADD = core/libdittofs.la $(GLIB_LIBS)
check_PROGRAMS += core/payload/flush/test-strategy
TESTS += core/payload/flush/test-strategy
core_payload_flush_test_strategy_SOURCES = core/payload/flush/test-strategy.c core/payload/test-rig.c core/payload/test-rig.h
core_payload_flush_test_strategy_LDADD = core/libdittofs.la $(GLIB_LIBS)
