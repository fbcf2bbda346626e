/* SPDX-License-Identifier: MIT
 *
 * The log on the real disk: what goes in comes out, by either persister.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/buf.h"
#include "base/log.h"
#include "payload/wal/test-rig.h"

static enum dfs_wal_persister persister;

static void
begin(struct rig *rig)
{
	rig_init(rig, NULL);
	rig->config.persister = persister;
}

static void
new_log_is_empty_and_clean(void)
{
	struct rig rig;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, ==, 0);
	g_assert_true(rig.recovery.clean);
	rig_close(&rig);
	rig_free(&rig);
}

/* Sizes around pages and batches, so that payloads are packed, padded and cut. */
static void
records_come_back_in_order_bit_for_bit(void)
{
	static const uint32_t lens[] = {1,    100, 4095,  4096,  4097, 8192, 65536, 70000,
					512u, 3u,  40960, 12345, 7,    0,    1,     262144};
	uint64_t lsn[G_N_ELEMENTS(lens) * 8], n = 0;
	struct rig rig;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned i = 0; i < G_N_ELEMENTS(lsn); i++)
		lsn[n++] = rig_append(&rig, i + 1, lens[i % G_N_ELEMENTS(lens)], NULL);
	g_assert_cmpint(rig_sync(&rig, lsn[n - 1], DFS_SYNC_POWER), ==, DFS_OK);
	rig_close(&rig);

	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_true(rig.recovery.clean);
	g_assert_cmpuint(rig.recovery.damaged, ==, 0);
	g_assert_cmpuint(rig.found->len, ==, n);
	for (unsigned i = 0; i < n; i++) {
		struct found *f = rig_found(&rig, i);

		g_assert_cmpuint(f->lsn, ==, lsn[i]);
		g_assert_cmpuint(f->record.type, ==, DFS_WAL_WRITE);
		g_assert_cmpuint(f->record.fileid, ==, i + 1);
		g_assert_cmpuint(f->record.len, ==, lens[i % G_N_ELEMENTS(lens)]);
		g_assert_cmpuint(f->record.offset, ==, (i + 1) * 10);
		g_assert_cmpint(f->record.mtime, ==, -(int64_t)(i + 1));
		g_assert_cmpuint(f->record.change, ==, i + 8);
		g_assert_cmpuint(f->record.share[2], ==, 3);
		g_assert_cmpuint(f->record.content.bytes[0], ==, 9);
		g_assert_false(f->damaged);
		g_assert_true(rig_reads(&rig, i + 1, f->at, f->record.len));
	}
	rig_close(&rig);
	rig_free(&rig);
}

static void
records_without_payload_keep_their_fields(void)
{
	struct dfs_wal_record truncate = {.type = DFS_WAL_TRUNCATE, .fileid = 5, .length = 77};
	struct dfs_wal_record removed = {.type = DFS_WAL_REMOVE, .fileid = 6};
	struct dfs_wal_record mark = {
		.type = DFS_WAL_MARK, .fileid = 7, .offset = 3, .length = 2, .upto = 1234567};
	dfs_wal_at at = 1;
	struct rig rig;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpint(dfs_wal_append(rig.wal, &truncate, NULL, 0, &rig.segments, NULL, &at), ==,
			DFS_OK);
	g_assert_cmpuint(at, ==, 0);
	dfs_wal_append(rig.wal, &removed, NULL, 0, &rig.segments, NULL, NULL);
	dfs_wal_append(rig.wal, &mark, NULL, 0, &rig.segments, NULL, NULL);
	rig_close(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, ==, 3);
	g_assert_cmpuint(rig_found(&rig, 0)->record.length, ==, 77);
	g_assert_cmpuint(rig_found(&rig, 1)->record.type, ==, DFS_WAL_REMOVE);
	g_assert_cmpuint(rig_found(&rig, 2)->record.upto, ==, 1234567);
	g_assert_cmpuint(rig_found(&rig, 2)->record.change, ==, 0);
	rig_close(&rig);
	rig_free(&rig);
}

static void
queued_and_written_bytes_read_back(void)
{
	struct rig rig;
	dfs_wal_at at[40];

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 40 && round == 0; i++)
			rig_append(&rig, i, 5000 + i, &at[i]);
		for (unsigned i = 0; i < 40; i++) {
			g_autofree unsigned char *want = g_malloc(6000);
			unsigned char part[100];

			g_assert_true(rig_reads(&rig, i, at[i], 5000 + i));
			rig_fill(i, want, 6000);
			g_assert_cmpint(dfs_wal_read(rig.wal, at[i] + 4050, part, 100), ==, DFS_OK);
			g_assert_cmpmem(part, 100, want + 4050, 100);
		}
		g_assert_cmpint(rig_sync(&rig, dfs_wal_last(rig.wal), DFS_SYNC_POWER), ==, DFS_OK);
	}
	rig_close(&rig);
	rig_free(&rig);
}

/* Pages as the cache has them: some go out as they are, some by way of a copy. */
static void
referenced_buffers_are_kept_until_written(void)
{
	struct dfs_buf *page = dfs_buf_alloc(DFS_PAGE_SIZE), *odd = dfs_buf_alloc(10000);
	struct dfs_span spans[3] = {
		{page->data, DFS_PAGE_SIZE, page}, {odd->data + 1, 4999, odd}, {"tail", 4, NULL}};
	struct dfs_wal_record record = {.type = DFS_WAL_WRITE, .len = DFS_PAGE_SIZE + 5003};
	g_autofree unsigned char *out = g_malloc(record.len);
	struct rig rig;
	dfs_wal_at at;
	uint64_t lsn;

	rig_fill(1, page->data, DFS_PAGE_SIZE);
	rig_fill(2, odd->data, 10000);
	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpint(dfs_wal_append(rig.wal, &record, spans, 3, &rig.segments, &lsn, &at), ==,
			DFS_OK);
	g_assert_cmpint(rig_sync(&rig, lsn, DFS_SYNC_POWER), ==, DFS_OK);
	g_assert_true(dfs_buf_exclusive(page));
	g_assert_true(dfs_buf_exclusive(odd));
	g_assert_cmpint(dfs_wal_read(rig.wal, at, out, record.len), ==, DFS_OK);
	g_assert_cmpmem(out, DFS_PAGE_SIZE, page->data, DFS_PAGE_SIZE);
	g_assert_cmpmem(out + DFS_PAGE_SIZE, 4999, odd->data + 1, 4999);
	g_assert_cmpmem(out + DFS_PAGE_SIZE + 4999, 4, "tail", 4);
	rig_close(&rig);
	rig_free(&rig);
	dfs_buf_unref(page);
	dfs_buf_unref(odd);
}

static void
second_user_is_refused(void)
{
	struct rig rig;
	struct dfs_wal *other;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpint(dfs_wal_open(&rig.config, &other), ==, DFS_BUSY);
	g_assert_null(other);
	rig_close(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	rig_close(&rig);
	rig_free(&rig);
}

static void
what_nobody_waits_for_is_synced_soon(void)
{
	struct dfs_wal_stats stats;
	int64_t end = rig_soon();
	struct rig rig;
	uint64_t lsn;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	lsn = rig_append(&rig, 1, 100, NULL);
	do {
		g_usleep(1000);
		dfs_wal_stats(rig.wal, &stats);
	} while (stats.durable < lsn && dfs_clock_mono() < end);
	g_assert_cmpuint(stats.durable, ==, lsn);
	g_assert_cmpuint(stats.queued, ==, 0);
	rig_close(&rig);
	rig_free(&rig);
}

#define THREADS 4
#define EACH 500

static void *
appender(void *arg)
{
	struct rig *rig = arg;

	for (unsigned i = 0; i < EACH; i++) {
		uint64_t segments = 0, lsn;

		while (rig_try(rig, i + 1, 900, &segments, &lsn, NULL) == DFS_AGAIN)
			dfs_wal_wait_room(rig->wal, 900, rig_soon());
		if (i % 16 == 0)
			g_assert_cmpint(rig_sync(rig, lsn, DFS_SYNC_POWER), ==, DFS_OK);
	}
	return NULL;
}

static void
records_of_several_threads_all_come_back(void)
{
	GThread *threads[THREADS];
	struct rig rig;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("appender", appender, &rig);
	for (unsigned i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	rig_close(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, ==, THREADS * EACH);
	for (unsigned i = 0; i < rig.found->len; i++) {
		struct found *f = rig_found(&rig, i);

		g_assert_true(rig_reads(&rig, f->record.fileid, f->at, f->record.len));
		if (i)
			g_assert_cmpuint(f->lsn, ==, rig_found(&rig, i - 1)->lsn + 1);
	}
	rig_close(&rig);
	rig_free(&rig);
}

static void
segments_are_used_again_and_the_log_stays_bounded(void)
{
	struct dfs_wal_stats stats;
	struct rig rig;
	dfs_wal_at at;

	begin(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned i = 0; i < 400; i++) {
		uint64_t segments = 0, lsn;

		if (!dfs_wal_wait_room(rig.wal, 100000, rig_soon()))
			g_assert_not_reached();
		g_assert_cmpint(rig_try(&rig, i, 100000, &segments, &lsn, &at), ==, DFS_OK);
		g_assert_cmpuint(DFS_WAL_SEGMENT(at), <, 8);
		dfs_wal_unpin(rig.wal, segments);
	}
	dfs_wal_stats(rig.wal, &stats);
	g_assert_cmpuint(stats.size, ==, 8 * MIB);
	g_assert_cmpuint(stats.used, <=, stats.size);
	g_assert_cmpuint(stats.bytes, ==, 400 * 100000);
	rig_close(&rig);
	/* Nothing was pinned but the last segment may have been open. */
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, <, 12);
	rig_close(&rig);
	rig_free(&rig);
}

struct test {
	const char *name;
	void (*fn)(void);
};

static void
with_file(gconstpointer test)
{
	persister = DFS_WAL_FILE;
	((const struct test *)test)->fn();
}

static void
with_mmap(gconstpointer test)
{
	persister = DFS_WAL_MMAP;
	((const struct test *)test)->fn();
}

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		{"new-log-is-empty-and-clean", new_log_is_empty_and_clean},
		{"records-come-back-in-order-bit-for-bit", records_come_back_in_order_bit_for_bit},
		{"records-without-payload-keep-their-fields",
		 records_without_payload_keep_their_fields},
		{"queued-and-written-bytes-read-back", queued_and_written_bytes_read_back},
		{"referenced-buffers-are-kept-until-written",
		 referenced_buffers_are_kept_until_written},
		{"second-user-is-refused", second_user_is_refused},
		{"what-nobody-waits-for-is-synced-soon", what_nobody_waits_for_is_synced_soon},
		{"records-of-several-threads-all-come-back",
		 records_of_several_threads_all_come_back},
		{"segments-are-used-again-and-the-log-stays-bounded",
		 segments_are_used_again_and_the_log_stays_bounded},
	};

	g_test_init(&argc, &argv, NULL);
	dfs_log_setup(DFS_LOG_ERROR, DFS_LOG_TEXT);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *file = g_strconcat("/wal/file/", tests[i].name, NULL);
		g_autofree char *mmap = g_strconcat("/wal/mmap/", tests[i].name, NULL);

		g_test_add_data_func(file, &tests[i], with_file);
		g_test_add_data_func(mmap, &tests[i], with_mmap);
	}
	return g_test_run();
}
