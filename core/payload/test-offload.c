/* SPDX-License-Identifier: MIT
 *
 * The payload service on a store that is slow, that fails, that hangs: who waits, for how long, and
 * what becomes of the data.
 *
 * Nothing here measures time: calls are held up and let go, and what is under way is counted.
 */
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "payload/offload/offload.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)
#define BUDGET (400u * MIB)

static unsigned char data[MIB], got[MIB];

static struct rig *
remote(void)
{
	struct rig *rig = rig_new("remote", BUDGET, DFS_DURABILITY_POWER);

	rig_install_double(rig);
	rig->blocks->offload->times.slow = 0;
	return rig;
}

static void
fill(unsigned seed)
{
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + seed);
}

static enum dfs_status
flush_until(struct dfs_file *file, int64_t deadline)
{
	struct dfs_ctx ctx = {.deadline = deadline};

	return dfs_file_flush(&ctx, file, DFS_FLUSH_ALL);
}

static enum dfs_status
flush(struct dfs_file *file)
{
	return flush_until(file, dfs_clock_mono() + 30 * DFS_SECOND);
}

/* A file of n MiB, each with its own bytes, in the store and not in memory. */
static struct dfs_file *
cold_file(struct rig *rig, uint8_t id, unsigned n)
{
	struct dfs_file *file = rig_file(rig, id, 0, 0);

	for (unsigned i = 0; i < n; i++) {
		fill(i);
		g_assert_cmpint(
			rig_write(file, (uint64_t)i * MIB, (uint64_t)i * MIB, data, MIB, true), ==,
			DFS_OK);
	}
	g_assert_cmpint(flush(file), ==, DFS_OK);
	g_assert_true(dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 30 * DFS_SECOND));
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	rig_double.puts = rig_double.calls = 0;
	return file;
}

static void
dirty(struct dfs_file *file, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fill(i);
		g_assert_cmpint(
			rig_write(file, (uint64_t)i * MIB, (uint64_t)i * MIB, data, MIB, true), ==,
			DFS_OK);
	}
}

static void
assert_mib(struct dfs_file *file, unsigned n, unsigned i)
{
	g_assert_cmpint(rig_read(file, (uint64_t)n * MIB, (uint64_t)i * MIB, got, MIB), ==, DFS_OK);
	fill(i);
	g_assert_cmpmem(got, MIB, data, MIB);
}

static enum dfs_status
read_until(struct dfs_file *file, unsigned n, uint64_t offset, uint32_t len, int64_t deadline)
{
	struct dfs_ctx ctx = {.deadline = deadline};
	struct dfs_read r;
	enum dfs_status st = dfs_file_read(&ctx, file, (uint64_t)n * MIB, offset, len, &r);

	if (st == DFS_OK)
		dfs_read_release(&r);
	return st;
}

static void
drained(struct rig *rig)
{
	g_assert_true(dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 30 * DFS_SECOND));
}

static void
end(struct rig *rig, struct dfs_file *file)
{
	rig_double.hang = false;
	dfs_file_discard(file);
	dfs_file_free(file);
	rig_free(rig);
}

static int64_t
counter(const char *name)
{
	return atomic_load(&dfs_counter_get(name)->value);
}

/* A call on a thread of its own. */
struct job {
	struct dfs_file *file;
	unsigned n, i;
	enum dfs_status status;
	GThread *thread;
};

static gpointer
flush_job(gpointer arg)
{
	struct job *job = arg;

	job->status = flush(job->file);
	return NULL;
}

static gpointer
read_job(gpointer arg)
{
	struct job *job = arg;

	job->status = read_until(job->file, job->n, (uint64_t)job->i * MIB, MIB,
				 dfs_clock_mono() + 30 * DFS_SECOND);
	return NULL;
}

static void
start(struct job *job, GThreadFunc fn)
{
	job->thread = g_thread_new("job", fn, job);
}

static void
join(struct job *job)
{
	g_thread_join(job->thread);
	g_assert_cmpint(job->status, ==, DFS_OK);
}

static void
wait_for(_Atomic unsigned *what, unsigned n)
{
	while (atomic_load(what) < n)
		g_usleep(500);
}

static void
puts_of_a_flush_run_side_by_side(void)
{
	struct rig *rig = remote();
	struct job job = {.file = rig_file(rig, 1, 0, 0)};

	dirty(job.file, 32);
	rig_double.hang = true;
	start(&job, flush_job);
	wait_for(&rig_double.in_puts, DFS_QUEUE_PER_FILE);
	rig_double.hang = false;
	join(&job);
	g_assert_cmpuint(rig_double.puts, ==, 8);
	g_assert_cmpuint(rig_objects(rig), ==, 8);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	for (unsigned i = 0; i < 32; i++)
		assert_mib(job.file, 32, i);
	end(rig, job.file);
}

static void
writes_during_a_flush_stay_dirty(void)
{
	struct rig *rig = remote();
	struct job job = {.file = rig_file(rig, 1, 0, 0)};

	dirty(job.file, 8);
	rig_double.hang = true;
	start(&job, flush_job);
	wait_for(&rig_double.in_puts, 2);
	fill(77);
	g_assert_cmpint(rig_write(job.file, 8 * MIB, MIB, data, MIB, true), ==, DFS_OK);
	rig_double.hang = false;
	join(&job);
	g_assert_true(dfs_file_busy(job.file));
	g_assert_cmpint(flush(job.file), ==, DFS_OK);
	g_assert_false(dfs_file_busy(job.file));
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(job.file, 8 * MIB, MIB, got, MIB), ==, DFS_OK);
	fill(77);
	g_assert_cmpmem(got, MIB, data, MIB);
	end(rig, job.file);
}

static void
a_passing_failure_is_tried_again(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	dirty(file, 1);
	rig_double.put = DFS_IO;
	rig_double.failures = 2;
	g_assert_cmpint(flush(file), ==, DFS_OK);
	g_assert_cmpuint(rig_double.calls, ==, 3);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	rig_double.get = DFS_TIMEDOUT;
	rig_double.failures = 2;
	assert_mib(file, 1, 0);
	g_assert_cmpuint(rig_double.gets, ==, 3);
	end(rig, file);
}

static void
what_a_store_says_about_itself_is_not_asked_twice(void)
{
	static const enum dfs_status final[] = {DFS_NOSPC, DFS_ROFS, DFS_TOOBIG};
	struct rig *rig = remote();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	dirty(file, 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(final); i++) {
		rig_double.put = final[i];
		g_assert_cmpint(flush(file), ==, final[i]);
		g_assert_cmpuint(rig_double.calls, ==, i + 1);
	}
	rig_double.put = DFS_OK;
	g_assert_cmpint(flush(file), ==, DFS_OK);
	end(rig, file);
}

static void
a_read_waits_no_longer_than_its_deadline_and_the_bytes_still_come(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 1);

	rig_double.hang = true;
	g_assert_cmpint(read_until(file, 1, 0, MIB, dfs_clock_mono() + DFS_SECOND / 20), ==,
			DFS_DELAY);
	rig_double.hang = false;
	drained(rig);
	assert_mib(file, 1, 0);
	g_assert_cmpuint(rig_double.gets, ==, 1);
	end(rig, file);
}

static void
a_flush_waits_no_longer_than_its_deadline_and_leaves_nothing_behind(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	dirty(file, 8);
	rig_double.hang = true;
	g_assert_cmpint(flush_until(file, dfs_clock_mono() + DFS_SECOND / 20), ==, DFS_DELAY);
	g_assert_true(dfs_file_busy(file));
	rig_double.hang = false;
	/* The puts that hung end well, and nobody names their objects. */
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	g_assert_cmpint(flush(file), ==, DFS_OK);
	g_assert_cmpuint(rig_objects(rig), ==, 2);
	end(rig, file);
}

static void
fail_until_open(struct rig *rig, struct dfs_file *file)
{
	struct dfs_offload_state state;

	rig_double.put = rig_double.get = DFS_IO;
	do {
		g_assert_cmpint(flush(file), !=, DFS_OK);
		dfs_offload_get_state(rig->blocks->offload, &state);
	} while (state.breaker == DFS_BREAKER_CLOSED);
}

static void
a_store_that_fails_all_the_time_is_left_alone(void)
{
	struct rig *rig = remote();
	struct dfs_file *cold = cold_file(rig, 2, 1), *file = rig_file(rig, 1, 0, 0);
	struct dfs_offload_state state;
	unsigned calls;

	dirty(file, 1);
	fail_until_open(rig, file);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_OPEN);
	g_assert_cmpint(state.breaker_since, >, 0);
	calls = rig_double.calls;
	g_assert_cmpuint(calls, <=, 6);
	g_assert_cmpint(read_until(cold, 1, 0, MIB, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_DELAY);
	g_assert_cmpint(flush(file), ==, DFS_DELAY);
	g_assert_true(dfs_file_busy(file));
	g_assert_cmpuint(rig_double.calls, ==, calls);
	rig_double.put = rig_double.get = DFS_OK;
	dfs_file_discard(cold);
	dfs_file_free(cold);
	end(rig, file);
}

static void
a_probe_that_goes_well_ends_that(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_offload_state state;

	dirty(file, 1);
	fail_until_open(rig, file);
	rig_double.put = rig_double.get = DFS_OK;
	dfs_offload_lock(rig->blocks->offload);
	rig->blocks->offload->breaker.next_probe = 0;
	dfs_offload_unlock(rig->blocks->offload);
	g_assert_cmpint(flush(file), ==, DFS_OK);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_CLOSED);
	end(rig, file);
}

static void
one_object_that_cannot_be_read_is_not_a_store_that_fails(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 1);
	struct dfs_offload_state state;

	rig_double.get = DFS_IO;
	for (int i = 0; i < 4; i++)
		g_assert_cmpint(read_until(file, 1, 0, MIB, dfs_clock_mono() + 30 * DFS_SECOND), ==,
				DFS_IO);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpint(state.breaker, ==, DFS_BREAKER_CLOSED);
	rig_double.get = DFS_OK;
	assert_mib(file, 1, 0);
	end(rig, file);
}

static void
a_store_that_refuses_us_is_asked_once(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	dirty(file, 1);
	rig_double.put = DFS_ACCESS;
	g_assert_cmpint(flush(file), ==, DFS_DELAY);
	g_assert_cmpint(flush(file), ==, DFS_DELAY);
	g_assert_cmpuint(rig_double.calls, ==, 1);
	g_assert_true(dfs_file_busy(file));
	end(rig, file);
}

static void
a_store_that_hangs_holds_up_its_own_shares_only(void)
{
	struct rig *rig = remote();
	struct dfs_block_store *other = rig_open_blocks(rig, "remote", "other");
	struct dfs_payload *hung = rig->payload;
	struct job jobs[12];
	struct dfs_file *file;

	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		jobs[i] = (struct job){.file = rig_file(rig, (uint8_t)(10 + i), 0, 0)};
		dirty(jobs[i].file, 4);
	}
	rig_double.hang = true;
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++)
		start(&jobs[i], flush_job);
	wait_for(&rig_double.in_puts, G_N_ELEMENTS(jobs));

	rig->payload = dfs_payload_new(&(struct dfs_payload_options){
		.cache = rig->cache,
		.metadata = rig->metadata,
		.blocks = other,
		.share_id = 2,
		.prefix = "other",
		.durability = DFS_DURABILITY_POWER,
	});
	file = rig_file(rig, 1, 0, 0);
	dirty(file, 16);
	g_assert_cmpint(flush(file), ==, DFS_OK);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	for (unsigned i = 0; i < 16; i++)
		assert_mib(file, 16, i);
	g_assert_cmpuint(rig_double.in_puts, ==, G_N_ELEMENTS(jobs));
	dfs_file_discard(file);
	dfs_file_free(file);
	g_assert_cmpint(dfs_payload_free(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_OK);
	dfs_block_store_close(other);

	rig->payload = hung;
	rig_double.hang = false;
	for (unsigned i = 0; i < G_N_ELEMENTS(jobs); i++) {
		join(&jobs[i]);
		if (i > 0) {
			dfs_file_discard(jobs[i].file);
			dfs_file_free(jobs[i].file);
		}
	}
	end(rig, jobs[0].file);
}

static void
the_first_read_waits_for_a_mebibyte_and_the_rest_comes_beside(void)
{
	struct rig *rig = remote();
	struct job job = {.file = cold_file(rig, 1, 8), .n = 8};

	rig_double.hang = true;
	start(&job, read_job);
	wait_for(&rig_double.in_gets, 2);
	rig_double.hang = false;
	join(&job);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	g_assert_cmpuint(rig_double.gets, ==, 2);
	end(rig, job.file);
}

static void
a_reader_joins_what_is_on_its_way(void)
{
	struct rig *rig = remote();
	struct job first = {.file = cold_file(rig, 1, 4), .n = 4};
	struct job second = {.file = first.file, .n = 4, .i = 1};
	int64_t joins = counter("dp_singleflight_joins");

	rig_double.hang = true;
	start(&first, read_job);
	wait_for(&rig_double.in_gets, 2);
	/* The first read's block is being fetched; the second reads the part that is not waited for. */
	start(&second, read_job);
	rig_double.hang = false;
	join(&first);
	join(&second);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	g_assert_cmpint(counter("dp_singleflight_joins"), >=, joins);
	for (unsigned i = 0; i < 4; i++)
		assert_mib(first.file, 4, i);
	g_assert_cmpuint(rig_double.get_bytes, ==, 4 * MIB);
	end(rig, first.file);
}

static void
a_prefetch_that_is_waited_for_becomes_urgent(void)
{
	struct rig *rig = remote();
	struct job job = {.file = cold_file(rig, 1, 16), .n = 16, .i = 4};
	int64_t joins = counter("dp_singleflight_joins");
	struct dfs_offload_state state;

	/* Two reads, so that the second block is on its way. */
	assert_mib(job.file, 16, 0);
	drained(rig);
	rig_double.hang = true;
	assert_mib(job.file, 16, 1);
	wait_for(&rig_double.in_gets, 1);
	start(&job, read_job);
	while (counter("dp_singleflight_joins") == joins)
		g_usleep(500);
	dfs_offload_get_state(rig->blocks->offload, &state);
	g_assert_cmpuint(state.queued[DFS_DEMAND_GET], ==, 0);
	rig_double.hang = false;
	join(&job);
	end(rig, job.file);
}

static void
a_sequential_read_brings_each_byte_once(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 64);
	int64_t wasted = counter("dp_prefetch_wasted"), issued = counter("dp_prefetch_issued");
	int64_t used = counter("dp_prefetch_used");

	for (unsigned i = 0; i < 64; i++)
		assert_mib(file, 64, i);
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, ==, 64 * MIB);
	g_assert_cmpint(counter("dp_prefetch_wasted"), ==, wasted);
	g_assert_cmpint(counter("dp_prefetch_issued") - issued, ==, 16);
	g_assert_cmpint(counter("dp_prefetch_used") - used, ==, 16);
	end(rig, file);
}

static void
a_sequential_reader_gets_more_than_its_share_of_slots(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 128);

	for (unsigned i = 0; i < 40; i++)
		assert_mib(file, 128, i);
	drained(rig);
	rig_double.hang = true;
	for (unsigned i = 40; i < 52; i++)
		assert_mib(file, 128, i);
	rig_double.hang = false;
	drained(rig);
	g_assert_cmpuint(rig_double.get_bytes, >=, (52 + 60) * MIB);
	end(rig, file);
}

static void
random_reads_bring_nothing_ahead(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 64);
	int64_t issued = counter("dp_prefetch_issued");
	GRand *rand = g_rand_new_with_seed(3);

	for (unsigned i = 0; i < 100; i++) {
		uint64_t page = 1 + 2 * (uint64_t)g_rand_int_range(rand, 0, 511);

		g_assert_cmpint(rig_read(file, 64 * MIB, page * DFS_PAGE_SIZE, got, 4096), ==,
				DFS_OK);
	}
	drained(rig);
	g_assert_cmpint(counter("dp_prefetch_issued"), ==, issued);
	g_assert_cmpuint(rig_double.get_bytes, <=, 100 * DFS_PAGE_SIZE);
	g_rand_free(rand);
	end(rig, file);
}

static void
an_event_loop_takes_what_has_landed(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 8);
	struct dfs_ctx loop = {.nonblock = true};
	struct dfs_read r;

	g_assert_cmpint(dfs_file_read(&loop, file, 8 * MIB, 0, MIB, &r), ==, DFS_AGAIN);
	assert_mib(file, 8, 0);
	drained(rig);
	for (unsigned i = 1; i < 4; i++) {
		g_assert_cmpint(dfs_file_read(&loop, file, 8 * MIB, (uint64_t)i * MIB, MIB, &r), ==,
				DFS_OK);
		fill(i);
		g_assert_cmpmem(r.spans[0].data, r.spans[0].len, data, r.spans[0].len);
		dfs_read_release(&r);
	}
	end(rig, file);
}

static void
what_was_brought_of_an_old_version_is_never_used(void)
{
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 4);

	assert_mib(file, 4, 0);
	drained(rig);
	/* Blocks 1 to 3 MiB wait in the download buffer, of the version before this. */
	fill(99);
	g_assert_cmpint(rig_write(file, 4 * MIB, 2 * MIB, data, MIB, true), ==, DFS_OK);
	g_assert_cmpint(flush(file), ==, DFS_OK);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(file, 4 * MIB, 2 * MIB, got, MIB), ==, DFS_OK);
	fill(99);
	g_assert_cmpmem(got, MIB, data, MIB);
	assert_mib(file, 4, 1);
	assert_mib(file, 4, 3);
	end(rig, file);
}

static void
what_was_brought_beyond_a_new_end_is_never_seen(void)
{
	static const unsigned char zeros[MIB];
	struct rig *rig = remote();
	struct dfs_file *file = cold_file(rig, 1, 4);

	assert_mib(file, 4, 0);
	drained(rig);
	g_assert_cmpint(rig_truncate(file, 4 * MIB, MIB + 100), ==, DFS_OK);
	g_assert_cmpint(rig_read(file, 4 * MIB, 2 * MIB, got, MIB), ==, DFS_OK);
	g_assert_cmpmem(got, MIB, zeros, MIB);
	g_assert_cmpint(rig_read(file, 4 * MIB, MIB, got, MIB), ==, DFS_OK);
	fill(1);
	g_assert_cmpmem(got, 100, data, 100);
	g_assert_cmpmem(got + 100, MIB - 100, zeros, MIB - 100);
	end(rig, file);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/offload/" name, fn)
	T("puts-of-a-flush-run-side-by-side", puts_of_a_flush_run_side_by_side);
	T("writes-during-a-flush-stay-dirty", writes_during_a_flush_stay_dirty);
	T("a-passing-failure-is-tried-again", a_passing_failure_is_tried_again);
	T("what-a-store-says-about-itself-is-not-asked-twice",
	  what_a_store_says_about_itself_is_not_asked_twice);
	T("a-read-waits-no-longer-than-its-deadline-and-the-bytes-still-come",
	  a_read_waits_no_longer_than_its_deadline_and_the_bytes_still_come);
	T("a-flush-waits-no-longer-than-its-deadline-and-leaves-nothing-behind",
	  a_flush_waits_no_longer_than_its_deadline_and_leaves_nothing_behind);
	T("a-store-that-fails-all-the-time-is-left-alone",
	  a_store_that_fails_all_the_time_is_left_alone);
	T("a-probe-that-goes-well-ends-that", a_probe_that_goes_well_ends_that);
	T("one-object-that-cannot-be-read-is-not-a-store-that-fails",
	  one_object_that_cannot_be_read_is_not_a_store_that_fails);
	T("a-store-that-refuses-us-is-asked-once", a_store_that_refuses_us_is_asked_once);
	T("a-store-that-hangs-holds-up-its-own-shares-only",
	  a_store_that_hangs_holds_up_its_own_shares_only);
	T("the-first-read-waits-for-a-mebibyte-and-the-rest-comes-beside",
	  the_first_read_waits_for_a_mebibyte_and_the_rest_comes_beside);
	T("a-reader-joins-what-is-on-its-way", a_reader_joins_what_is_on_its_way);
	T("a-prefetch-that-is-waited-for-becomes-urgent",
	  a_prefetch_that_is_waited_for_becomes_urgent);
	T("a-sequential-read-brings-each-byte-once", a_sequential_read_brings_each_byte_once);
	T("a-sequential-reader-gets-more-than-its-share-of-slots",
	  a_sequential_reader_gets_more_than_its_share_of_slots);
	T("random-reads-bring-nothing-ahead", random_reads_bring_nothing_ahead);
	T("an-event-loop-takes-what-has-landed", an_event_loop_takes_what_has_landed);
	T("what-was-brought-of-an-old-version-is-never-used",
	  what_was_brought_of_an_old_version_is_never_used);
	T("what-was-brought-beyond-a-new-end-is-never-seen",
	  what_was_brought_beyond_a_new_end_is_never_seen);
	return g_test_run();
}
