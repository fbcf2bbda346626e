/* SPDX-License-Identifier: MIT
 *
 * Facts about dead objects: recorded with the row's change, erased in time, found after a restart; what
 * a crash leaves is found; a reconciliation reports first and erases later.
 */
#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)
#define HOUR (3600 * DFS_SECOND)

static unsigned char data[MIB];

static void
write_some(struct dfs_file *file, uint64_t length, int seed)
{
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + (unsigned)seed);
	g_assert_cmpint(rig_write(file, length, 0, data, sizeof data, true), ==, DFS_OK);
}

/* A block that is put twice: the first object is dead, or erased. */
static void
make_dead(struct dfs_file *file)
{
	write_some(file, 0, 1);
	rig_flush_ok(file);
	write_some(file, MIB, 2);
	rig_flush_ok(file);
}

static int
count_dead(void *arg, const struct dfs_dead_record *rec)
{
	(*(unsigned *)arg)++;
	return 1;
}

static unsigned
dead(struct rig *rig)
{
	struct dfs_metadata_store *m = rig->metadata;
	struct dfs_txn *txn;
	unsigned n = 0;

	g_assert_cmpint(dfs_metadata_begin(m, NULL, DFS_TXN_READ, &txn), ==, DFS_OK);
	g_assert_cmpint(m->ops.scan_dead(m->inst, txn, 1, NULL, count_dead, &n), ==, DFS_OK);
	dfs_metadata_abort(m, txn);
	return n;
}

static int64_t
counter(const char *name)
{
	return atomic_load(&dfs_counter_get(name)->value);
}

static bool
drain(struct rig *rig)
{
	return dfs_garbage_drain(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND);
}

/* An object that nothing names, put `age` ns ago. */
static void
put_orphan(struct rig *rig, uint8_t id, uint64_t version)
{
	struct dfs_span span = {"orphan", 6, NULL};
	struct dfs_content_id content;
	char key[DFS_BLOCK_KEY_MAX];

	memset(content.bytes, id, sizeof content.bytes);
	dfs_block_key(key, "share", &content, 5, version);
	g_assert_cmpint(dfs_block_put_direct(rig->blocks, NULL, key, &span, 1, NULL), ==, DFS_OK);
}

static const struct dfs_payload_options at_once = {.gc_grace = 1};

static void
a_dead_object_is_recorded_with_the_row_and_then_erased(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	write_some(file, 0, 1);
	rig_flush_ok(file);
	g_assert_cmpuint(dead(rig), ==, 0);
	write_some(file, MIB, 2);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpuint(dead(rig), ==, 0);
	g_assert_cmpint(rig_truncate(file, MIB, 0), ==, DFS_OK);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_end(rig, file);
}

static void
the_grace_holds_over_a_restart(void)
{
	const struct dfs_payload_options o = {.gc_grace = HOUR};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	make_dead(file);
	g_assert_true(drain(rig));
	g_assert_cmpuint(rig_objects_now(rig), ==, 2);
	g_assert_cmpuint(dead(rig), ==, 1);
	dfs_file_free(file);
	rig_reopen(rig, false);
	g_assert_true(drain(rig));
	g_assert_cmpuint(rig_objects_now(rig), ==, 2);
	rig->options.gc_grace = 1;
	rig_reopen(rig, false);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpuint(dead(rig), ==, 0);
	rig_free(rig);
}

static void
the_clock_erases_without_being_asked(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	int64_t deadline = dfs_clock_mono() + 30 * DFS_SECOND;

	make_dead(file);
	while (rig_objects_now(rig) != 1 && dfs_clock_mono() < deadline)
		g_usleep(10000);
	g_assert_cmpuint(rig_objects_now(rig), ==, 1);
	rig_end(rig, file);
}

static void
what_cannot_be_erased_keeps_its_record(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file;

	rig_install_double(rig);
	file = rig_file(rig, 1, 0, 0);
	write_some(file, 0, 1);
	rig_flush_ok(file);
	rig_double.erase = DFS_IO;
	write_some(file, MIB, 2);
	rig_flush_ok(file);
	g_assert_true(drain(rig));
	g_assert_cmpuint(rig_objects_now(rig), ==, 2);
	g_assert_cmpuint(dead(rig), ==, 1);
	rig_double.erase = DFS_OK;
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpuint(dead(rig), ==, 0);
	rig_end(rig, file);
}

/* Ends a hang that nothing else would: when it is told, or too late. */
static void *
let_go(void *told)
{
	g_async_queue_timeout_pop(told, 10 * G_USEC_PER_SEC);
	rig_double.hang = false;
	return NULL;
}

/* Whether a drain, on a store that hangs, answers by its deadline that it is not done. */
static bool
drain_gives_up(struct rig *rig)
{
	GAsyncQueue *told = g_async_queue_new();
	GThread *thread;
	bool done;

	rig_double.hang = true;
	thread = g_thread_new("let_go", let_go, told);
	done = dfs_garbage_drain(rig->payload, dfs_clock_mono() + DFS_SECOND / 20);
	g_async_queue_push(told, told);
	g_thread_join(thread);
	g_async_queue_unref(told);
	return !done;
}

static void
a_drain_of_a_store_that_hangs_ends_at_its_deadline(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	make_dead(file);
	g_assert_true(drain_gives_up(rig));
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpuint(dead(rig), ==, 0);
	rig_end(rig, file);
}

static void
what_is_left_open_begins_nothing_any_more(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	make_dead(file);
	dfs_file_discard(file);
	dfs_file_free(file);
	rig_double.hang = true;
	g_assert_cmpint(dfs_payload_free(rig->payload, 0), ==, DFS_TIMEDOUT);
	g_assert_false(rig->payload->gc.listed);
	rig_double.hang = false;
	rig_free(rig);
}

static _Atomic bool stuck;

static void
stick(struct dfs_task *task)
{
	while (stuck)
		g_usleep(500);
}

static void
a_drain_behind_a_full_lane_ends_at_its_deadline(void)
{
	struct rig *rig = rig_new("remote", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_lane *wide = rig->blocks->lane;
	struct dfs_lane *narrow = dfs_lane_new(rig->workers, 1, 1);
	struct dfs_task tasks[] = {{.run = stick}, {.run = stick}};
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	rig_install_double(rig);
	write_some(file, 0, 1);
	rig_flush_ok(file);
	stuck = true;
	for (unsigned i = 0; i < G_N_ELEMENTS(tasks); i++)
		g_assert_true(dfs_lane_submit_until(narrow, &tasks[i], INT64_MAX));
	rig->blocks->lane = narrow;
	write_some(file, MIB, 2);
	rig_flush_ok(file);
	g_assert_true(drain_gives_up(rig));
	stuck = false;
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig->blocks->lane = wide;
	dfs_lane_free(narrow);
	rig_end(rig, file);
}

static unsigned batches, batched;
static struct dfs_block_ops one_by_one;

static enum dfs_status
erase_many(void *inst, const char *const *keys, uint32_t n)
{
	batches++;
	batched += n;
	for (uint32_t i = 0; i < n; i++)
		one_by_one.erase(inst, keys[i], 0);
	return DFS_OK;
}

static void
objects_go_in_batches_where_the_store_can(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	one_by_one = rig->blocks->ops;
	rig->blocks->ops.erase_many = erase_many;
	batches = batched = 0;
	for (int i = 0; i < 40; i++) {
		write_some(file, i ? MIB : 0, i);
		rig_flush_ok(file);
	}
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpuint(batched, ==, 39);
	g_assert_cmpuint(batches, <, 39);
	rig_end(rig, file);
}

static void
versions_grow_over_restarts_and_a_clock_set_back(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	uint64_t before = dfs_version_next(rig->payload), after;

	rig_reopen(rig, true);
	after = dfs_version_next(rig->payload);
	g_assert_cmpuint(after, >, before);
	/* As if the clock had been ahead when the last run began. */
	atomic_store(&rig->payload->gc.version, after + (uint64_t)HOUR);
	before = dfs_version_next(rig->payload);
	g_assert_cmpuint(before, >, (uint64_t)dfs_clock_real());
	rig_reopen(rig, true);
	g_assert_cmpuint(dfs_version_next(rig->payload), >, before);
	rig_free(rig);
}

/* Its newest object and one that was overwritten before: both stay as long as others may read them. */
static void
the_grace_holds_for_a_removed_file(void)
{
	const struct dfs_payload_options o = {.gc_grace = HOUR};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_content_id content = file->content;
	int64_t orphans = counter("payload_gc_orphans");

	write_some(file, 0, 1);
	rig_flush_ok(file);
	dfs_file_free(file);
	g_assert_cmpint(dfs_payload_reclaim(rig->payload, &content), ==, DFS_OK);
	g_assert_cmpuint(dead(rig), ==, 1);
	g_assert_cmpint(counter("payload_gc_orphans"), ==, orphans);
	file = rig_file(rig, 2, 0, 0);
	content = file->content;
	write_some(file, 0, 2);
	rig_flush_ok(file);
	write_some(file, MIB, 3);
	rig_flush_ok(file);
	dfs_file_free(file);
	g_assert_cmpint(dfs_payload_reclaim(rig->payload, &content), ==, DFS_OK);
	g_assert_true(drain(rig));
	g_assert_cmpuint(rig_objects_now(rig), ==, 3);
	rig->options.gc_grace = 1;
	rig_reopen(rig, true);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	g_assert_cmpuint(dead(rig), ==, 0);
	rig_free(rig);
}

static void
what_a_crash_left_of_a_suspect_is_erased_at_the_next_start(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	struct dfs_content_id content = file->content;

	write_some(file, 0, 1);
	rig_flush_ok(file);
	dfs_file_free(file);
	put_orphan(rig, 1, dfs_version_next(rig->payload));
	rig_reopen(rig, false);
	dfs_payload_suspect(rig->payload, &content);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	/* After an orderly end there is nothing to suspect. */
	put_orphan(rig, 1, dfs_version_next(rig->payload));
	rig_reopen(rig, true);
	dfs_payload_suspect(rig->payload, &content);
	g_assert_cmpuint(rig->payload->gc.n_suspects, ==, 0);
	rig_free(rig);
}

static void
objects_of_this_run_are_never_suspect(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_content_id content;

	memset(content.bytes, 1, sizeof content.bytes);
	dfs_version_next(rig->payload);
	rig_reopen(rig, false);
	dfs_payload_suspect(rig->payload, &content);
	put_orphan(rig, 1, dfs_version_next(rig->payload)); /* a flush under way */
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	rig_free(rig);
}

/* --- the reconciliation --------------------------------------------------------------------- */

static uint64_t
old_version(void)
{
	return (uint64_t)(dfs_clock_real() - 25 * HOUR);
}

static struct dfs_reconcile_report
reconcile(struct rig *rig)
{
	struct dfs_reconcile_report report;

	g_assert_cmpint(dfs_payload_reconcile(rig->payload, &report), ==, DFS_OK);
	return report;
}

static void
an_orphan_is_reported_first_and_erased_by_the_next_run(void)
{
	const struct dfs_payload_options o = {.gc_grace = 1,
					      .gc_reconcile = DFS_GC_RECONCILE_ERASE};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	int64_t before = counter("payload_reconcile_orphans");
	struct dfs_reconcile_report r;

	/* Old, but named. */
	atomic_store(&rig->payload->gc.version, old_version());
	atomic_store(&rig->payload->gc.version_limit, 0);
	write_some(file, 0, 1);
	rig_flush_ok(file);
	put_orphan(rig, 1, old_version());
	put_orphan(rig, 9, old_version());
	put_orphan(rig, 9, (uint64_t)dfs_clock_real());
	g_assert_cmpint(dfs_block_put_direct(rig->blocks, NULL, "share/README",
					     &(struct dfs_span){"text", 4, NULL}, 1, NULL),
			==, DFS_OK);
	r = reconcile(rig);
	g_assert_cmpuint(r.objects, ==, 5);
	g_assert_cmpuint(r.orphans, ==, 2);
	g_assert_cmpuint(r.young, ==, 1);
	g_assert_cmpuint(r.strange, ==, 1);
	g_assert_cmpuint(r.erased, ==, 0);
	g_assert_cmpint(counter("payload_reconcile_orphans") - before, ==, 2);
	g_assert_cmpuint(rig_objects(rig), ==, 5);
	put_orphan(rig, 8, old_version()); /* not reported yet */
	r = reconcile(rig);
	g_assert_cmpuint(r.orphans, ==, 3);
	g_assert_cmpuint(r.erased, ==, 2);
	g_assert_cmpuint(rig_objects(rig), ==, 4);
	rig_end(rig, file);
}

static struct dfs_metadata_ops real_metadata;
static _Atomic unsigned writers;

static enum dfs_status
begin_counted(void *inst, uint32_t mode, struct dfs_txn **txn)
{
	writers += (mode & DFS_TXN_WRITE) != 0;
	return real_metadata.begin(inst, mode, txn);
}

static void
a_reconciliation_that_finds_no_orphan_writes_nothing(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	atomic_store(&rig->payload->gc.version, old_version());
	atomic_store(&rig->payload->gc.version_limit, 0);
	write_some(file, 0, 1);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 1); /* and nothing runs beside */
	real_metadata = rig->metadata->ops;
	rig->metadata->ops.begin = begin_counted;
	writers = 0;
	g_assert_cmpuint(reconcile(rig).objects, ==, 1);
	g_assert_cmpuint(writers, ==, 0);
	put_orphan(rig, 1, old_version());
	g_assert_cmpuint(reconcile(rig).orphans, ==, 1);
	g_assert_cmpuint(writers, ==, 2); /* its mark, and the marks looked through */
	rig->metadata->ops = real_metadata;
	rig_end(rig, file);
}

static void
reporting_erases_nothing_however_often(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);

	put_orphan(rig, 9, old_version());
	for (int i = 0; i < 3; i++) {
		g_assert_cmpuint(reconcile(rig).erased, ==, 0);
		g_assert_cmpuint(rig_objects(rig), ==, 1);
	}
	rig_free(rig);
}

static void
an_orphan_that_was_away_is_reported_anew(void)
{
	const struct dfs_payload_options o = {.gc_grace = 1,
					      .gc_reconcile = DFS_GC_RECONCILE_ERASE};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	uint64_t version = old_version();
	struct dfs_content_id content;
	char key[DFS_BLOCK_KEY_MAX];

	put_orphan(rig, 9, version);
	g_assert_cmpuint(reconcile(rig).orphans, ==, 1);
	memset(content.bytes, 9, sizeof content.bytes);
	dfs_block_key(key, "share", &content, 5, version);
	g_assert_cmpint(dfs_block_erase(rig->blocks, NULL, key), ==, DFS_OK);
	g_assert_cmpuint(reconcile(rig).orphans, ==, 0);
	put_orphan(rig, 9, version);
	g_assert_cmpuint(reconcile(rig).erased, ==, 0);
	rig_free(rig);
}

static enum dfs_status
list_fails_at_the_end(void *inst, const char *prefix, const char *after, dfs_object_fn fn,
		      void *arg)
{
	one_by_one.list(inst, prefix, after, fn, arg);
	return DFS_IO;
}

static void
an_error_of_the_list_erases_nothing(void)
{
	const struct dfs_payload_options o = {.gc_grace = 1,
					      .gc_reconcile = DFS_GC_RECONCILE_ERASE};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	struct dfs_reconcile_report r;

	for (uint8_t id = 1; id < 9; id++)
		put_orphan(rig, id, old_version());
	g_assert_cmpuint(reconcile(rig).orphans, ==, 8);
	one_by_one = rig->blocks->ops;
	rig->blocks->ops.list = list_fails_at_the_end;
	g_assert_cmpint(dfs_payload_reconcile(rig->payload, &r), ==, DFS_IO);
	rig->blocks->ops = one_by_one;
	g_assert_cmpuint(r.erased, ==, 0);
	g_assert_cmpuint(rig_objects(rig), ==, 8);
	g_assert_cmpuint(dead(rig), ==, 0);
	rig_free(rig);
}

static void
more_orphans_than_one_piece_are_all_found(void)
{
	const struct dfs_payload_options o = {.gc_grace = 1,
					      .gc_reconcile = DFS_GC_RECONCILE_ERASE};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &o);
	uint64_t version = old_version();

	for (unsigned i = 0; i < 1000; i++)
		put_orphan(rig, (uint8_t)(1 + i % 7), version + i);
	g_assert_cmpuint(reconcile(rig).orphans, ==, 1000);
	g_assert_cmpuint(reconcile(rig).erased, ==, 1000);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_free(rig);
}

static _Atomic bool listing;
static struct rig *listed;

/* A list that takes longer than anybody has time for. */
static enum dfs_status
list_until_stopped(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct dfs_gc *gc = &listed->payload->gc;
	bool stop = false;

	listing = true;
	while (!stop) {
		pthread_mutex_lock(&gc->mu);
		stop = gc->stop;
		pthread_mutex_unlock(&gc->mu);
		g_usleep(500);
	}
	return one_by_one.list(inst, prefix, after, fn, arg);
}

static void
the_end_of_a_share_does_not_wait_for_a_reconciliation(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);

	one_by_one = rig->blocks->ops;
	rig->blocks->ops.list = list_until_stopped;
	listing = false;
	listed = rig;
	rig->options.gc_reconcile_interval = 1;
	rig_reopen(rig, true);
	while (!listing)
		g_usleep(500);
	g_assert_true(dfs_garbage_drain(rig->payload, dfs_clock_mono() + 10 * DFS_SECOND));
	rig_free(rig);
}

/* --- a reader -------------------------------------------------------------------------------- */

static void
a_missing_object_is_an_error_and_counted(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	int64_t before = counter("payload_objects_missing");
	unsigned char got[16];

	write_some(file, 0, 1);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(dfs_block_erase_prefix(rig->blocks, "share/"), ==, DFS_OK);
	g_assert_cmpint(rig_read(file, MIB, 0, got, sizeof got), ==, DFS_IO);
	g_assert_cmpint(counter("payload_objects_missing") - before, ==, 1);
	rig_end(rig, file);
}

static void
a_row_that_has_changed_is_read_again(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &at_once);
	struct dfs_file *file = rig_file(rig, 1, 0, 0), *elsewhere;
	unsigned char got[16];

	write_some(file, 0, 1);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(file, MIB, 0, got, sizeof got), ==, DFS_OK);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	/* As another server would: it knows nothing of our memory. */
	elsewhere = rig_file(rig, 1, MIB, MIB);
	write_some(elsewhere, MIB, 2);
	rig_flush_ok(elsewhere);
	dfs_file_free(elsewhere);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpint(rig_read(file, MIB, 0, got, sizeof got), ==, DFS_OK);
	g_assert_cmpmem(got, sizeof got, data, sizeof got);
	rig_end(rig, file);
}

static void
keys_are_read_back(void)
{
	struct dfs_content_id content, got;
	char key[DFS_BLOCK_KEY_MAX];
	uint64_t block, version;

	for (int i = 0; i < 16; i++)
		content.bytes[i] = (uint8_t)(i * 17);
	dfs_block_key(key, "share", &content, 12345, 0xfedcba9876543210u);
	g_assert_true(dfs_block_key_parse(key, "share", &got, &block, &version));
	g_assert_cmpmem(&got, sizeof got, &content, sizeof content);
	g_assert_cmpuint(block, ==, 12345);
	g_assert_cmpuint(version, ==, 0xfedcba9876543210u);
	g_assert_false(dfs_block_key_parse(key, "shar", &got, &block, &version));
	key[strlen(key) - 1] = 'F';
	g_assert_false(dfs_block_key_parse(key, "share", &got, &block, &version));
	strcpy(key + strlen(key) - 1, "00");
	g_assert_false(dfs_block_key_parse(key, "share", &got, &block, &version));
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
#define TEST(fn) {"/payload/gc/" #fn, fn}
		TEST(a_dead_object_is_recorded_with_the_row_and_then_erased),
		TEST(the_grace_holds_over_a_restart),
		TEST(the_clock_erases_without_being_asked),
		TEST(what_cannot_be_erased_keeps_its_record),
		TEST(a_drain_of_a_store_that_hangs_ends_at_its_deadline),
		TEST(what_is_left_open_begins_nothing_any_more),
		TEST(a_drain_behind_a_full_lane_ends_at_its_deadline),
		TEST(objects_go_in_batches_where_the_store_can),
		TEST(versions_grow_over_restarts_and_a_clock_set_back),
		TEST(the_grace_holds_for_a_removed_file),
		TEST(what_a_crash_left_of_a_suspect_is_erased_at_the_next_start),
		TEST(objects_of_this_run_are_never_suspect),
		TEST(an_orphan_is_reported_first_and_erased_by_the_next_run),
		TEST(a_reconciliation_that_finds_no_orphan_writes_nothing),
		TEST(reporting_erases_nothing_however_often),
		TEST(an_orphan_that_was_away_is_reported_anew),
		TEST(an_error_of_the_list_erases_nothing),
		TEST(more_orphans_than_one_piece_are_all_found),
		TEST(the_end_of_a_share_does_not_wait_for_a_reconciliation),
		TEST(a_missing_object_is_an_error_and_counted),
		TEST(a_row_that_has_changed_is_read_again),
		TEST(keys_are_read_back),
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].fn);
	return g_test_run();
}
