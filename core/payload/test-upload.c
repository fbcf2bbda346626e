/* SPDX-License-Identifier: MIT
 *
 * Flushes to a store that is slow, that fails, that hangs: who waits, for how long, and what becomes of
 * the data.
 *
 * Nothing here measures time: calls are held up and let go, and what is under way is counted.
 */
#include "base/clock.h"
#include "payload/offload/offload.h"
#include "payload/test-remote.h"

static enum dfs_status
flush_until(struct dfs_file *file, int64_t deadline)
{
	struct dfs_ctx ctx = {.deadline = deadline};

	return dfs_file_flush(&ctx, file, DFS_FLUSH_ALL);
}

static gpointer
flush_job(gpointer arg)
{
	struct remote_job *job = arg;

	job->status = rig_flush(job->file);
	return NULL;
}

/* After a moment, in which somebody may have begun to wait. */
static gpointer
let_fail(gpointer arg)
{
	struct remote_job *job = arg;

	g_usleep(10000);
	rig_double.hang = false;
	job->status = DFS_OK;
	return NULL;
}

static void
puts_of_a_flush_run_side_by_side(void)
{
	struct rig *rig = remote_rig();
	struct remote_job job = {.file = rig_file(rig, 1, 0, 0)};

	remote_dirty(job.file, 32);
	rig_double.hang = true;
	remote_start(&job, flush_job);
	remote_wait_for(&rig_double.in_puts, DFS_QUEUE_PER_FILE);
	rig_double.hang = false;
	remote_join(&job);
	g_assert_cmpuint(rig_double.puts, ==, 8);
	g_assert_cmpuint(rig_objects(rig), ==, 8);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	for (unsigned i = 0; i < 32; i++)
		remote_assert_mib(job.file, 32, i);
	rig_end(rig, job.file);
}

static void
writes_during_a_flush_stay_dirty(void)
{
	struct rig *rig = remote_rig();
	struct remote_job job = {.file = rig_file(rig, 1, 0, 0)};

	remote_dirty(job.file, 8);
	rig_double.hang = true;
	remote_start(&job, flush_job);
	remote_wait_for(&rig_double.in_puts, 2);
	remote_fill(77);
	g_assert_cmpint(rig_write(job.file, 8 * MIB, MIB, remote_data, MIB, true), ==, DFS_OK);
	rig_double.hang = false;
	remote_join(&job);
	g_assert_true(dfs_file_busy(job.file));
	rig_flush_ok(job.file);
	g_assert_false(dfs_file_busy(job.file));
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(job.file, 8 * MIB, MIB, remote_got, MIB), ==, DFS_OK);
	remote_fill(77);
	g_assert_cmpmem(remote_got, MIB, remote_data, MIB);
	rig_end(rig, job.file);
}

static void
a_passing_failure_is_tried_again(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	remote_dirty(file, 1);
	rig_double.put = DFS_IO;
	rig_double.failures = 2;
	rig_flush_ok(file);
	g_assert_cmpuint(rig_double.calls, ==, 3);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	rig_double.get = DFS_TIMEDOUT;
	rig_double.failures = 2;
	remote_assert_mib(file, 1, 0);
	g_assert_cmpuint(rig_double.gets, ==, 3);
	rig_end(rig, file);
}

static void
what_a_store_says_about_itself_is_not_asked_twice(void)
{
	static const enum dfs_status final[] = {DFS_NOSPC, DFS_ROFS, DFS_TOOBIG};
	struct rig *rig = remote_rig();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	remote_dirty(file, 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(final); i++) {
		rig_double.put = final[i];
		g_assert_cmpint(rig_flush(file), ==, final[i]);
		g_assert_cmpuint(rig_double.calls, ==, i + 1);
	}
	rig_double.put = DFS_OK;
	rig_flush_ok(file);
	rig_end(rig, file);
}

static void
a_flush_waits_no_longer_than_its_deadline_and_leaves_nothing_behind(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	remote_dirty(file, 8);
	rig_double.hang = true;
	g_assert_cmpint(flush_until(file, dfs_clock_mono() + DFS_SECOND / 20), ==, DFS_DELAY);
	g_assert_true(dfs_file_busy(file));
	rig_double.hang = false;
	/* The puts that hung end well, and nobody names their objects. */
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 2);
	rig_end(rig, file);
}

static void
fail_until_open(struct rig *rig, struct dfs_file *file)
{
	struct dfs_offload_state state;

	rig_double.put = rig_double.get = DFS_IO;
	do {
		g_assert_cmpint(rig_flush(file), !=, DFS_OK);
		dfs_offload_get_state(rig->blocks->offload, &state);
	} while (state.breaker == DFS_BREAKER_CLOSED);
}

static void
a_store_that_fails_all_the_time_is_left_alone(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *cold = remote_cold_file(rig, 2, 1), *file = rig_file(rig, 1, 0, 0);
	struct dfs_offload_state state;
	unsigned calls;

	remote_dirty(file, 1);
	fail_until_open(rig, file);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_OPEN);
	g_assert_cmpint(state.breaker_since, >, 0);
	calls = rig_double.calls;
	g_assert_cmpuint(calls, <=, 6);
	g_assert_cmpint(remote_read_until(cold, 1, 0, MIB, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_DELAY);
	g_assert_cmpint(rig_flush(file), ==, DFS_DELAY);
	g_assert_true(dfs_file_busy(file));
	g_assert_cmpuint(rig_double.calls, ==, calls);
	rig_double.put = rig_double.get = DFS_OK;
	dfs_file_discard(cold);
	dfs_file_free(cold);
	rig_end(rig, file);
}

static void
a_probe_that_goes_well_ends_that(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_offload_state state;

	remote_dirty(file, 1);
	fail_until_open(rig, file);
	rig_double.put = rig_double.get = DFS_OK;
	dfs_offload_lock(rig->blocks->offload);
	rig->blocks->offload->breaker.next_probe = 0;
	dfs_offload_unlock(rig->blocks->offload);
	rig_flush_ok(file);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_CLOSED);
	rig_end(rig, file);
}

static void
a_store_that_refuses_us_is_asked_once(void)
{
	struct rig *rig = remote_rig();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	remote_dirty(file, 1);
	rig_double.put = DFS_ACCESS;
	g_assert_cmpint(rig_flush(file), ==, DFS_DELAY);
	g_assert_cmpint(rig_flush(file), ==, DFS_DELAY);
	g_assert_cmpuint(rig_double.calls, ==, 1);
	g_assert_true(dfs_file_busy(file));
	rig_end(rig, file);
}

static void
a_store_that_hangs_holds_up_its_own_shares_only(void)
{
	struct rig *rig = remote_rig();
	struct dfs_block_store *other = rig_open_blocks(rig, "remote", "other");
	struct dfs_payload *hung = rig->payload;
	struct remote_job jobs[12];
	struct dfs_file *file;

	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		jobs[i] = (struct remote_job){.file = rig_file(rig, (uint8_t)(10 + i), 0, 0)};
		remote_dirty(jobs[i].file, 4);
	}
	rig_double.hang = true;
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++)
		remote_start(&jobs[i], flush_job);
	remote_wait_for(&rig_double.in_puts, G_N_ELEMENTS(jobs));

	rig->payload = dfs_payload_new(&(struct dfs_payload_options){
		.cache = rig->cache,
		.metadata = rig->metadata,
		.blocks = other,
		.share_id = 2,
		.prefix = "other",
		.durability = DFS_DURABILITY_POWER,
	});
	file = rig_file(rig, 1, 0, 0);
	remote_dirty(file, 16);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	for (unsigned i = 0; i < 16; i++)
		remote_assert_mib(file, 16, i);
	g_assert_cmpuint(rig_double.in_puts, ==, G_N_ELEMENTS(jobs));
	dfs_file_discard(file);
	dfs_file_free(file);
	g_assert_cmpint(dfs_payload_free(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_OK);
	dfs_block_store_close(other);

	rig->payload = hung;
	rig_double.hang = false;
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		remote_join(&jobs[i]);
		if (i > 0) {
			dfs_file_discard(jobs[i].file);
			dfs_file_free(jobs[i].file);
		}
	}
	rig_end(rig, jobs[0].file);
}

/* While its end is waited for, the flush under way fails, which lists what is dirty again. */
static void
a_file_that_is_forgotten_is_not_flushed_any_more(void)
{
	for (unsigned i = 0; i < 20; i++) {
		struct rig *rig = remote_rig();
		struct remote_job job = {.file = rig_file(rig, 1, 0, 0)};

		pthread_mutex_lock(&rig->cache->mu);
		rig->cache->dirty_high = 0;
		pthread_mutex_unlock(&rig->cache->mu);
		rig_double.hang = true;
		rig_double.put = DFS_IO;
		remote_dirty(job.file, 1);
		remote_wait_for(&rig_double.in_puts, 1);
		remote_start(&job, let_fail);
		dfs_flusher_forget(rig->cache, job.file);
		pthread_mutex_lock(&rig->cache->mu);
		g_assert_cmpint(job.file->dirty_since, ==, 0);
		g_assert_cmpuint(job.file->tasks, ==, 0);
		pthread_mutex_unlock(&rig->cache->mu);
		remote_join(&job);
		rig_double.put = DFS_OK;
		rig_end(rig, job.file);
	}
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
#define TEST(fn) {"/payload/upload/" #fn, fn}
		TEST(puts_of_a_flush_run_side_by_side),
		TEST(writes_during_a_flush_stay_dirty),
		TEST(a_passing_failure_is_tried_again),
		TEST(what_a_store_says_about_itself_is_not_asked_twice),
		TEST(a_flush_waits_no_longer_than_its_deadline_and_leaves_nothing_behind),
		TEST(a_store_that_fails_all_the_time_is_left_alone),
		TEST(a_probe_that_goes_well_ends_that),
		TEST(a_store_that_refuses_us_is_asked_once),
		TEST(a_store_that_hangs_holds_up_its_own_shares_only),
		TEST(a_file_that_is_forgotten_is_not_flushed_any_more),
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].fn);
	return g_test_run();
}
