/* SPDX-License-Identifier: MIT
 *
 * Facts about one file: holes, references, flushes that fail or meet a write or a truncation,
 * what goes to the stores and what is left there, bounds of memory.
 */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)

static unsigned char data[2 * MIB], got[2 * MIB];

static void
fill(int seed)
{
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + (unsigned)seed);
}

static void
write_ok(struct dfs_file *file, uint64_t length, uint64_t offset, uint32_t len)
{
	g_assert_cmpint(rig_write(file, length, offset, data, len, len > DFS_PAGE_SIZE), ==,
			DFS_OK);
}

static void
assert_reads(struct dfs_file *file, uint64_t length, uint64_t offset, const void *want,
	     uint32_t len)
{
	g_assert_cmpint(rig_read(file, length, offset, got, len), ==, DFS_OK);
	g_assert_cmpmem(got, len, want, len);
}

static void
holes_read_as_zeros_and_take_no_memory(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	uint64_t length = INT64_MAX;
	static const unsigned char zeros[MIB];

	assert_reads(file, length, length - MIB, zeros, MIB);
	assert_reads(file, length, 12345, zeros, MIB);
	g_assert_cmpuint(file->n_blocks, ==, 0);
	rig_end(rig, file);
}

static void
read_past_the_end_is_clipped(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = rig_ctx();
	struct dfs_read r;

	write_ok(file, 0, 0, 1000);
	g_assert_cmpint(dfs_file_read(&ctx, file, 1000, 900, 4096, &r), ==, DFS_OK);
	g_assert_cmpuint(r.len, ==, 100);
	g_assert_true(r.eof);
	dfs_read_release(&r);
	g_assert_cmpint(dfs_file_read(&ctx, file, 1000, 1000, 4096, &r), ==, DFS_OK);
	g_assert_cmpuint(r.len, ==, 0);
	g_assert_true(r.eof);
	rig_end(rig, file);
}

/* Pages with a zero tail each would take two spans. */
static void
spans_of_a_read_are_bounded(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	static unsigned char want[MIB];

	fill(1);
	for (uint32_t p = 0; p < 17; p++) {
		write_ok(file, 2 * MIB, (uint64_t)p * DFS_PAGE_SIZE, 3000);
		if (p < 16)
			memcpy(want + p * DFS_PAGE_SIZE, data, 3000);
	}
	assert_reads(file, 2 * MIB, 0, want, MIB);
	assert_reads(file, 2 * MIB, 100, want + 100, MIB - 100);
	rig_end(rig, file);
}

static void
references_of_a_read_survive_an_overwrite(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = rig_ctx();
	struct dfs_read r;

	fill(1);
	write_ok(file, 0, 0, 8192);
	memcpy(got, data, 8192);
	g_assert_cmpint(dfs_file_read(&ctx, file, 8192, 0, 8192, &r), ==, DFS_OK);
	fill(2);
	write_ok(file, 8192, 0, 4096);
	g_assert_cmpuint(r.n, ==, 1);
	g_assert_cmpmem(r.spans[0].data, 8192, got, 8192);
	dfs_read_release(&r);
	memcpy(got, data, 4096);
	rig_end(rig, file);
}

static void
small_file_takes_a_small_buffer(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	uint64_t before, used, mapped;

	dfs_buf_usage(&before, &mapped);
	write_ok(file, 0, 0, 4096);
	dfs_buf_usage(&used, &mapped);
	g_assert_cmpuint(used - before, ==, 4096);
	rig_end(rig, file);
}

static void
memory_store_shares_the_pages(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	uint64_t before, used, mapped;

	write_ok(file, 0, 0, MIB);
	dfs_buf_usage(&before, &mapped);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, data, MIB);
	dfs_buf_usage(&used, &mapped);
	g_assert_cmpuint(used, ==, before);
	rig_end(rig, file);
}

static void
failed_put_is_reported_and_keeps_the_data(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = rig_ctx();

	rig_install_double(rig);
	fill(1);
	write_ok(file, 0, 0, MIB);
	rig_double.put = DFS_NOSPC;
	g_assert_cmpint(dfs_file_commit(&ctx, file), ==, DFS_NOSPC);
	g_assert_true(dfs_file_busy(file));
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, data, MIB);
	rig_double.put = DFS_OK;
	g_assert_cmpint(dfs_file_commit(&ctx, file), ==, DFS_OK);
	g_assert_false(dfs_file_busy(file));
	g_assert_cmpuint(rig_double.puts, ==, 1);
	rig_end(rig, file);
}

static void
failed_transaction_keeps_the_data_and_the_objects(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	fill(1);
	write_ok(file, 0, 0, MIB);
	rig_double.commit = DFS_IO;
	g_assert_cmpint(rig_flush(file), ==, DFS_IO);
	/* The store may have done it all the same: rows would name what was erased. */
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig_double.commit = DFS_OK;
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, data, MIB);
	rig_end(rig, file);
}

static void
owner_that_refuses_keeps_the_file_dirty(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	write_ok(file, 0, 0, 4096);
	rig->publish_status = DFS_IO;
	g_assert_cmpint(rig_flush(file), ==, DFS_IO);
	g_assert_true(dfs_file_busy(file));
	rig_end(rig, file);
}

static void
failed_read_is_reported(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	write_ok(file, 0, 0, MIB);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	rig_double.get = DFS_CORRUPT;
	g_assert_cmpint(rig_read(file, MIB, 0, got, 4096), ==, DFS_CORRUPT);
	rig_double.get = DFS_NOENT;
	g_assert_cmpint(rig_read(file, MIB, 0, got, 4096), ==, DFS_IO);
	rig_double.get = DFS_OK;
	assert_reads(file, MIB, 0, data, MIB);
	rig_end(rig, file);
}

static void
write_into(void *arg)
{
	fill(9);
	write_ok(arg, MIB, 65536, 4096);
}

static void
write_during_a_flush_stays_dirty(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	fill(1);
	write_ok(file, 0, 0, MIB);
	rig_double.during_put = write_into;
	rig_double.arg = file;
	rig_flush_ok(file);
	g_assert_true(dfs_file_busy(file));
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 65536, data, 4096);
	fill(1);
	assert_reads(file, MIB, 0, data, 65536);
	rig_end(rig, file);
}

static void
cut_short(void *arg)
{
	g_assert_cmpint(rig_truncate(arg, MIB, 5000), ==, DFS_OK);
}

static void
truncation_during_a_flush_holds(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	static unsigned char want[MIB];

	rig_install_double(rig);
	fill(1);
	write_ok(file, 0, 0, MIB);
	rig_double.during_put = cut_short;
	rig_double.arg = file;
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	memcpy(want, data, 5000);
	memset(want + 5000, 0, MIB - 5000);
	assert_reads(file, MIB, 0, want, MIB);
	g_assert_cmpuint(dfs_file_used(file), ==, 8192);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig_end(rig, file);
}

static gpointer
flush_job(gpointer file)
{
	rig_flush_ok(file);
	return NULL;
}

static void
wait_for_waiter(struct dfs_file *file)
{
	bool waits = false;

	while (!waits) {
		dfs_file_lock(file);
		waits = file->waiters > 0;
		dfs_file_unlock(file);
		g_usleep(500);
	}
}

/* A flush counts three dirty blocks and waits for a truncation that leaves one; while that is put, it
 * is written to. */
static void
write_during_a_flush_behind_a_truncation_takes_nothing_along(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = rig_ctx();
	uint64_t length = 0;
	int64_t rows;
	struct dfs_txn *txn;
	GThread *thread;

	rig_install_double(rig);
	for (unsigned i = 0; i < 3; i++, length = 4ull * i * MIB + MIB)
		write_ok(file, length, 4ull * i * MIB, MIB);
	length = 9 * MIB;
	rig_flush_ok(file);
	fill(2);
	for (unsigned i = 0; i < 3; i++)
		write_ok(file, length, 4ull * i * MIB, 4096);
	g_assert_cmpint(dfs_metadata_begin(rig->metadata, &ctx, DFS_TXN_WRITE, &txn), ==, DFS_OK);
	g_assert_cmpint(dfs_file_truncate_rows(&ctx, file, txn, length, MIB, &rows), ==, DFS_OK);
	thread = g_thread_new("flush", flush_job, file);
	wait_for_waiter(file);
	g_assert_cmpint(dfs_metadata_commit(rig->metadata, txn, NULL), ==, DFS_OK);
	rig_double.arg = file;
	rig_double.during_put = write_into;
	dfs_file_truncate_pages(file, length, MIB);
	g_thread_join(thread);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 65536, data, 4096); /* as write_into has left it */
	fill(2);
	assert_reads(file, MIB, 0, data, 4096);
	g_assert_cmpuint(rig_objects(rig), ==, 3);
	rig_end(rig, file);
}

static void
discard(void *arg)
{
	dfs_file_discard(arg);
}

static void
note_truncation(void *arg)
{
	struct dfs_file *file = arg;

	dfs_file_lock(file);
	file->trunc_gen++;
	dfs_file_unlock(file);
}

/* It has come after the flush's transaction had begun, and before that had the inode. */
static void
truncation_that_commits_meanwhile_sends_the_flush_back(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	write_ok(file, 0, 0, MIB);
	rig->in_publish = note_truncation;
	rig->in_publish_arg = file;
	rig_flush_ok(file);
	g_assert_cmpuint(rig->published, ==, 2);
	rig_end(rig, file);
}

static void
discard_during_a_flush_publishes_nothing(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	write_ok(file, 0, 0, MIB);
	rig_double.during_put = discard;
	rig_double.arg = file;
	rig_flush_ok(file);
	g_assert_cmpuint(rig->published, ==, 0);
	g_assert_false(dfs_file_busy(file));
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_end(rig, file);
}

static void
truncation_given_up_changes_nothing(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	write_ok(file, 0, 0, MIB);
	rig_flush_ok(file);
	rig_double.commit = DFS_IO;
	g_assert_cmpint(rig_truncate(file, MIB, 100), ==, DFS_IO);
	rig_double.commit = DFS_OK;
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, data, MIB);
	g_assert_cmpuint(dfs_file_used(file), ==, MIB);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig_end(rig, file);
}

/* A block of n pieces, each a unit of every fourth; answers what is counted before its flush. */
static uint64_t
pieces(struct rig *rig, struct dfs_file *file, unsigned n)
{
	uint64_t used;

	for (unsigned i = 0; i < n; i++)
		write_ok(file, 16384ull * i, 16384ull * i, 4096);
	used = dfs_file_used(file);
	rig_flush_ok(file);
	g_assert_cmpuint(dfs_file_used(file), ==, rig->used);
	return used;
}

static void
what_a_flush_may_fill_is_counted_before_where_limits_hold(void)
{
	for (unsigned n = 1; n <= 250; n += n < 20 ? 1 : 23) {
		struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
		struct dfs_file *file = rig_file(rig, 1, 0, 0);
		uint64_t used;

		rig->payload->fills = true;
		used = pieces(rig, file, n);
		g_assert_cmpuint(dfs_file_used(file), <=, used);
		if (n <= 16)
			g_assert_cmpuint(used, ==, n * 4096ull);
		rig_end(rig, file);
	}
}

static void
what_a_flush_fills_is_counted_after_it_elsewhere(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	g_assert_cmpuint(pieces(rig, file, 100), ==, 100 * 4096);
	g_assert_cmpuint(dfs_file_used(file), >, 100 * 4096);
	rig_end(rig, file);
}

static void
small_overwrite_puts_little(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	for (uint32_t i = 0; i < 4; i++)
		write_ok(file, (uint64_t)i * MIB, (uint64_t)i * MIB, MIB);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_double.put_bytes, ==, 4 * MIB);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	write_ok(file, 4 * MIB, 8192, 4096);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_double.put_bytes, ==, 4 * MIB + 4096);
	rig_end(rig, file);
}

static void
many_small_overwrites_become_whole_again(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	fill(3);
	for (uint32_t i = 0; i < 4; i++)
		write_ok(file, (uint64_t)i * MIB, (uint64_t)i * MIB, MIB);
	rig_flush_ok(file);
	for (uint32_t i = 0; i < 40; i++) {
		write_ok(file, 4 * MIB, i * 98304, 4096);
		rig_flush_ok(file);
		g_assert_cmpuint(dfs_block_find(file, 0)->n_segs, <=, 16);
	}
	g_assert_cmpuint(rig_objects(rig), <=, 16);
	rig_end(rig, file);
}

static void
old_versions_are_erased(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	for (int i = 0; i < 5; i++) {
		write_ok(file, i ? MIB : 0, 0, MIB);
		rig_flush_ok(file);
	}
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig_end(rig, file);
}

static void
sparse_file_uses_what_was_written(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	uint64_t at = UINT64_C(1) << 50, length = at + 8192 + 10;

	write_ok(file, 0, at + 8192, 10);
	write_ok(file, length, 3 * DFS_PAGE_SIZE, 8192);
	g_assert_cmpuint(dfs_file_used(file), ==, 12288);
	rig_flush_ok(file);
	g_assert_cmpuint(rig->used, ==, 12288);
	dfs_file_free(file);
	file = rig_file(rig, 1, length, rig->used);
	g_assert_cmpint(rig_truncate(file, length, at), ==, DFS_OK);
	g_assert_cmpuint(dfs_file_used(file), ==, 8192);
	rig_end(rig, file);
}

static void
reclaim_leaves_no_object(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_content_id id = file->content;

	for (uint32_t i = 0; i < 9; i++)
		write_ok(file, (uint64_t)i * MIB, (uint64_t)i * MIB, MIB);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 3);
	dfs_file_discard(file);
	dfs_file_free(file);
	g_assert_cmpint(dfs_payload_reclaim(rig->payload, &id), ==, DFS_OK);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_free(rig);
}

static void
commit_in_memory_flushes_nothing(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = {.nonblock = true};

	rig_install_double(rig);
	write_ok(file, 0, 0, MIB);
	g_assert_cmpint(dfs_file_commit(&ctx, file), ==, DFS_OK);
	g_assert_cmpuint(rig_double.puts, ==, 0);
	g_assert_true(dfs_file_busy(file));
	g_assert_cmpint(dfs_payload_flush(rig->payload, dfs_clock_mono() + 10 * DFS_SECOND), ==,
			DFS_OK);
	g_assert_cmpuint(rig_double.puts, ==, 1);
	g_assert_false(dfs_file_busy(file));
	rig_end(rig, file);
}

static void
loops_never_wait_for_a_blocking_store(void)
{
	struct rig *rig = rig_new("filesystem", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx ctx = {.nonblock = true};
	struct dfs_read r;

	rig_install_double(rig);
	write_ok(file, 0, 0, MIB);
	g_assert_cmpint(dfs_file_commit(&ctx, file), ==, DFS_AGAIN);
	g_assert_cmpuint(rig_double.puts, ==, 0);
	rig_flush_ok(file);
	g_assert_cmpint(dfs_file_commit(&ctx, file), ==, DFS_OK);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(dfs_file_read(&ctx, file, MIB, 0, 4096, &r), ==, DFS_AGAIN);
	g_assert_cmpint(dfs_file_prepare(&ctx, file, MIB, 100, 100), ==, DFS_AGAIN);
	g_assert_cmpuint(rig_double.gets, ==, 0);
	rig_end(rig, file);
}

static void
budget_is_held(void)
{
	struct rig *rig = rig_new("filesystem", 16 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	for (uint64_t i = 0; i < 96; i++) {
		write_ok(file, i * MIB, i * MIB, MIB);
		g_assert_cmpint(atomic_load(&rig->cache->dirty), <=, 14 * MIB);
		g_assert_cmpint(atomic_load(&rig->cache->resident), <=, 20 * MIB);
	}
	rig_flush_ok(file);
	for (uint64_t i = 0; i < 96; i++) {
		assert_reads(file, 96 * MIB, i * MIB, data, MIB);
		g_assert_cmpint(atomic_load(&rig->cache->resident), <=, 24 * MIB);
	}
	rig_end(rig, file);
}

static void
writers_wait_where_nothing_can_be_written(void)
{
	struct rig *rig = rig_new("filesystem", 4 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_ctx loop = {.nonblock = true}, worker = {.deadline = dfs_clock_mono()};
	uint64_t length = 0;

	rig_install_double(rig);
	rig_double.put = DFS_TIMEDOUT;
	while (dfs_file_prepare(&loop, file, length, length, MIB) == DFS_OK) {
		write_ok(file, length, length, MIB);
		length += MIB;
		g_assert_cmpuint(length, <=, 8 * MIB);
	}
	g_assert_cmpint(dfs_file_prepare(&loop, file, length, length, MIB), ==, DFS_AGAIN);
	g_assert_cmpint(dfs_file_prepare(&worker, file, length, length, MIB), ==, DFS_DELAY);
	rig_double.put = DFS_OK;
	rig_flush_ok(file);
	g_assert_cmpint(dfs_file_prepare(&loop, file, length, length, MIB), ==, DFS_OK);
	rig_end(rig, file);
}

static void
write_beyond_the_longest_file_is_refused(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_write w;

	g_assert_cmpint(rig_write(file, 0, INT64_MAX - 10, data, 11, false), ==, DFS_FBIG);
	g_assert_cmpint(rig_write(file, 0, INT64_MAX - 10, data, 10, false), ==, DFS_OK);
	g_assert_cmpint(dfs_write_reserve(UINT64_MAX - 5, 10, &w), ==, DFS_FBIG);
	rig_end(rig, file);
}

static void
dirty_file_that_is_dropped_changes_the_verifier(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	uint64_t verifier = dfs_write_verifier();

	g_assert_cmpuint(verifier, ==, dfs_write_verifier());
	write_ok(file, 0, 0, 100);
	dfs_file_free(file);
	g_assert_cmpuint(verifier, !=, dfs_write_verifier());
	rig_free(rig);
}

static void
reservation_given_back_leaves_nothing(void)
{
	struct dfs_write w;
	uint64_t before, used, mapped;

	dfs_buf_usage(&before, &mapped);
	g_assert_cmpint(dfs_write_reserve(12345, MIB, &w), ==, DFS_OK);
	g_assert_cmpuint(w.n, <=, DFS_WRITE_SPANS);
	dfs_write_cancel(&w);
	dfs_buf_usage(&used, &mapped);
	g_assert_cmpuint(used, ==, before);
}

#define TEST(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	TEST(holes_read_as_zeros_and_take_no_memory),
	TEST(read_past_the_end_is_clipped),
	TEST(spans_of_a_read_are_bounded),
	TEST(references_of_a_read_survive_an_overwrite),
	TEST(small_file_takes_a_small_buffer),
	TEST(memory_store_shares_the_pages),
	TEST(failed_put_is_reported_and_keeps_the_data),
	TEST(failed_transaction_keeps_the_data_and_the_objects),
	TEST(owner_that_refuses_keeps_the_file_dirty),
	TEST(failed_read_is_reported),
	TEST(write_during_a_flush_stays_dirty),
	TEST(truncation_during_a_flush_holds),
	TEST(truncation_that_commits_meanwhile_sends_the_flush_back),
	TEST(discard_during_a_flush_publishes_nothing),
	TEST(write_during_a_flush_behind_a_truncation_takes_nothing_along),
	TEST(truncation_given_up_changes_nothing),
	TEST(small_overwrite_puts_little),
	TEST(many_small_overwrites_become_whole_again),
	TEST(old_versions_are_erased),
	TEST(sparse_file_uses_what_was_written),
	TEST(reclaim_leaves_no_object),
	TEST(commit_in_memory_flushes_nothing),
	TEST(loops_never_wait_for_a_blocking_store),
	TEST(budget_is_held),
	TEST(writers_wait_where_nothing_can_be_written),
	TEST(what_a_flush_may_fill_is_counted_before_where_limits_hold),
	TEST(what_a_flush_fills_is_counted_after_it_elsewhere),
	TEST(write_beyond_the_longest_file_is_refused),
	TEST(dirty_file_that_is_dropped_changes_the_verifier),
	TEST(reservation_given_back_leaves_nothing),
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	fill(0);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/payload/file/%s", tests[i].name);
		g_test_add_func(g_strdelimit(path, "_", '-'), tests[i].run);
	}
	return g_test_run();
}
