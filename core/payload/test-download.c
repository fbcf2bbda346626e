/* SPDX-License-Identifier: MIT
 *
 * Reads from a store that is slow, that fails, that hangs: who waits, for how long, what is brought
 * ahead, and what of that is used.
 *
 * Nothing here measures time: calls are held up and let go, and what is under way is counted.
 */
#include "base/clock.h"
#include "base/counter.h"
#include "payload/offload/offload.h"
#include "payload/test-remote.h"

static void
drained(struct rig *rig)
{
	g_assert_true(dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 30 * DFS_SECOND));
}

static int64_t
counter(const char *name)
{
	return atomic_load(&dfs_counter_get(name)->value);
}

static gpointer
read_job(gpointer arg)
{
	struct remote_job *job = arg;

	job->status = remote_read_until(job->file, job->n, (uint64_t)job->i * MIB, MIB,
					dfs_clock_mono() + 30 * DFS_SECOND);
	return NULL;
}

static void
a_read_waits_no_longer_than_its_deadline_and_the_bytes_still_come(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 1);

	rig_double.hang = true;
	g_assert_cmpint(remote_read_until(file, 1, 0, MIB, dfs_clock_mono() + DFS_SECOND / 20), ==,
			DFS_DELAY);
	rig_double.hang = false;
	drained(rig);
	remote_assert_mib(file, 1, 0);
	g_assert_cmpuint(rig_double.gets, ==, 1);
	rig_end(rig, file);
}

static void
one_object_that_cannot_be_read_is_not_a_store_that_fails(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 1);
	struct dfs_offload_state state;

	rig_double.get = DFS_IO;
	for (int i = 0; i < 4; i++)
		g_assert_cmpint(
			remote_read_until(file, 1, 0, MIB, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_IO);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_CLOSED);
	rig_double.get = DFS_OK;
	remote_assert_mib(file, 1, 0);
	rig_end(rig, file);
}

static void
the_first_read_waits_for_a_mebibyte_and_the_rest_comes_beside(void)
{
	struct rig *rig = remote_rig();
	struct remote_job job = {.file = remote_cold_file(rig, 1, 8), .n = 8};

	rig_double.hang = true;
	remote_start(&job, read_job);
	remote_wait_for(&rig_double.in_gets, 2);
	rig_double.hang = false;
	remote_join(&job);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	g_assert_cmpuint(rig_double.gets, ==, 2);
	rig_end(rig, job.file);
}

static void
a_reader_joins_what_is_on_its_way(void)
{
	struct rig *rig = remote_rig();
	struct remote_job first = {.file = remote_cold_file(rig, 1, 4), .n = 4};
	struct remote_job second = {.file = first.file, .n = 4, .i = 1};
	int64_t joins = counter("dp_singleflight_joins");

	rig_double.hang = true;
	remote_start(&first, read_job);
	remote_wait_for(&rig_double.in_gets, 2);
	/* The first read's block is being fetched; the second reads the part that is not waited for. */
	remote_start(&second, read_job);
	rig_double.hang = false;
	remote_join(&first);
	remote_join(&second);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	g_assert_cmpint(counter("dp_singleflight_joins"), >=, joins);
	for (unsigned i = 0; i < 4; i++)
		remote_assert_mib(first.file, 4, i);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	rig_end(rig, first.file);
}

static void
a_prefetch_that_is_waited_for_becomes_urgent(void)
{
	struct rig *rig = remote_rig();
	struct remote_job job = {.file = remote_cold_file(rig, 1, 16), .n = 16, .i = 4};
	int64_t joins = counter("dp_singleflight_joins");
	struct dfs_offload_state state;

	/* Two reads, so that the second block is on its way. */
	remote_assert_mib(job.file, 16, 0);
	drained(rig);
	rig_double.hang = true;
	remote_assert_mib(job.file, 16, 1);
	remote_wait_for(&rig_double.in_gets, 1);
	remote_start(&job, read_job);
	while (counter("dp_singleflight_joins") == joins)
		g_usleep(500);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpuint(state.queued[DFS_DEMAND_GET], ==, 0);
	rig_double.hang = false;
	remote_join(&job);
	rig_end(rig, job.file);
}

static void
a_sequential_read_brings_each_byte_once(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 64);
	int64_t wasted = counter("dp_prefetch_wasted"), issued = counter("dp_prefetch_issued");
	int64_t used = counter("dp_prefetch_used");

	for (unsigned i = 0; i < 64; i++)
		remote_assert_mib(file, 64, i);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 64 * MIB);
	g_assert_cmpint(counter("dp_prefetch_wasted"), ==, wasted);
	g_assert_cmpint(counter("dp_prefetch_issued") - issued, ==, 16);
	g_assert_cmpint(counter("dp_prefetch_used") - used, ==, 16);
	rig_end(rig, file);
}

static void
a_sequential_reader_gets_more_than_its_share_of_slots(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 128);

	for (unsigned i = 0; i < 40; i++)
		remote_assert_mib(file, 128, i);
	drained(rig);
	rig_double.hang = true;
	for (unsigned i = 40; i < 52; i++)
		remote_assert_mib(file, 128, i);
	rig_double.hang = false;
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, >=, (52 + 60) * MIB);
	rig_end(rig, file);
}

static void
random_reads_bring_nothing_ahead(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 64);
	int64_t issued = counter("dp_prefetch_issued");
	GRand *rand = g_rand_new_with_seed(3);

	for (unsigned i = 0; i < 100; i++) {
		uint64_t page = 1 + 2 * (uint64_t)g_rand_int_range(rand, 0, 511);

		g_assert_cmpint(rig_read(file, 64 * MIB, page * DFS_PAGE_SIZE, remote_got, 4096),
				==, DFS_OK);
	}
	drained(rig);
	g_assert_cmpint(counter("dp_prefetch_issued"), ==, issued);
	g_assert_cmpuint(rig_double.get_bytes, <=, 100 * DFS_PAGE_SIZE);
	g_rand_free(rand);
	rig_end(rig, file);
}

static void
an_event_loop_takes_what_has_landed(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 8);
	struct dfs_ctx loop = {.nonblock = true};
	struct dfs_read r;

	g_assert_cmpint(dfs_file_read(&loop, file, 8 * MIB, 0, MIB, &r), ==, DFS_AGAIN);
	remote_assert_mib(file, 8, 0);
	drained(rig);
	for (unsigned i = 1; i < 4; i++) {
		g_assert_cmpint(dfs_file_read(&loop, file, 8 * MIB, (uint64_t)i * MIB, MIB, &r), ==,
				DFS_OK);
		remote_fill(i);
		g_assert_cmpmem(r.spans[0].data, r.spans[0].len, remote_data, r.spans[0].len);
		dfs_read_release(&r);
	}
	rig_end(rig, file);
}

static void
what_was_brought_of_an_old_version_is_never_used(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 4);

	remote_assert_mib(file, 4, 0);
	drained(rig);
	/* Blocks 1 to 3 MiB wait in the download buffer, of the version before this. */
	remote_fill(99);
	g_assert_cmpint(rig_write(file, 4 * MIB, 2 * MIB, remote_data, MIB, true), ==, DFS_OK);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(file, 4 * MIB, 2 * MIB, remote_got, MIB), ==, DFS_OK);
	remote_fill(99);
	g_assert_cmpmem(remote_got, MIB, remote_data, MIB);
	remote_assert_mib(file, 4, 1);
	remote_assert_mib(file, 4, 3);
	rig_end(rig, file);
}

static void
what_was_brought_beyond_a_new_end_is_never_seen(void)
{
	static const unsigned char zeros[MIB];
	struct rig *rig = remote_rig();
	struct dfs_file *file = remote_cold_file(rig, 1, 4);

	remote_assert_mib(file, 4, 0);
	drained(rig);
	g_assert_cmpint(rig_truncate(file, 4 * MIB, MIB + 100), ==, DFS_OK);
	g_assert_cmpint(rig_read(file, 4 * MIB, 2 * MIB, remote_got, MIB), ==, DFS_OK);
	g_assert_cmpmem(remote_got, MIB, zeros, MIB);
	g_assert_cmpint(rig_read(file, 4 * MIB, MIB, remote_got, MIB), ==, DFS_OK);
	remote_fill(1);
	g_assert_cmpmem(remote_got, 100, remote_data, 100);
	g_assert_cmpmem(remote_got + 100, MIB - 100, zeros, MIB - 100);
	rig_end(rig, file);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
#define TEST(fn) {"/payload/download/" #fn, fn}
		TEST(a_read_waits_no_longer_than_its_deadline_and_the_bytes_still_come),
		TEST(one_object_that_cannot_be_read_is_not_a_store_that_fails),
		TEST(the_first_read_waits_for_a_mebibyte_and_the_rest_comes_beside),
		TEST(a_reader_joins_what_is_on_its_way),
		TEST(a_prefetch_that_is_waited_for_becomes_urgent),
		TEST(a_sequential_read_brings_each_byte_once),
		TEST(a_sequential_reader_gets_more_than_its_share_of_slots),
		TEST(random_reads_bring_nothing_ahead),
		TEST(an_event_loop_takes_what_has_landed),
		TEST(what_was_brought_of_an_old_version_is_never_used),
		TEST(what_was_brought_beyond_a_new_end_is_never_seen),
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].fn);
	return g_test_run();
}
