/* SPDX-License-Identifier: MIT
 *
 * Room, pins and what becomes of a log whose disk is full or fails.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/log.h"
#include "payload/wal/test-disk.h"
#include "payload/wal/test-rig.h"

static void
begin(struct sim **sim, struct rig *rig)
{
	*sim = sim_new(3);
	rig_init(rig, sim_ops(*sim));
	rig->config.size = 4 * MIB;
}

static void
end(struct sim *sim, struct rig *rig)
{
	rig_close(rig);
	rig_free(rig);
	sim_free(sim);
}

static bool
all_used(struct rig *rig)
{
	struct dfs_wal_stats stats;

	dfs_wal_stats(rig->wal, &stats);
	return stats.used == stats.size;
}

/* Appends of 200 KiB until there is no room; masks: each record's pins.  How many. */
static unsigned
fill(struct rig *rig, uint64_t masks[64])
{
	int64_t deadline = rig_soon();
	unsigned n = 0;

	/* The last segments may still be in the making. */
	while (dfs_wal_wait_room(rig->wal, 200 * KIB, dfs_clock_mono() + DFS_SECOND / 5) ||
	       (!all_used(rig) && dfs_clock_mono() < deadline)) {
		g_assert_cmpuint(n, <, 64);
		masks[n] = 0;
		if (rig_try(rig, n, 200 * KIB, &masks[n], NULL, NULL) == DFS_OK)
			n++;
	}
	return n;
}

static void
full_log_answers_again_and_takes_more_after_unpin(void)
{
	struct dfs_wal_stats stats;
	uint64_t masks[64], oldest, mask = 0;
	struct sim *sim;
	struct rig rig;
	unsigned n;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	n = fill(&rig, masks);
	g_assert_cmpuint(n, >=, 12);
	dfs_wal_stats(rig.wal, &stats);
	g_assert_cmpuint(stats.used, ==, stats.size);
	/* The reserve takes small records, without a question, and then ends, too. */
	g_assert_cmpint(rig_try(&rig, 1, 1000, &mask, NULL, NULL), ==, DFS_OK);
	while (rig_try(&rig, 1, 100 * KIB, &mask, NULL, NULL) == DFS_OK)
		;
	g_assert_cmpint(rig_try(&rig, 1, 100 * KIB, &mask, NULL, NULL), ==, DFS_AGAIN);
	g_assert_false(dfs_wal_wait_room(rig.wal, 200 * KIB, dfs_clock_mono() + 1000000));
	/* The oldest segment's holders let go. */
	g_assert_true(dfs_wal_pressed(rig.wal, 90));
	oldest = masks[0];
	g_assert_cmpint(__builtin_popcountll(oldest), ==, 1);
	for (unsigned i = 0; i < n; i++)
		if (masks[i] == oldest)
			dfs_wal_unpin(rig.wal, masks[i]);
	g_assert_true(dfs_wal_wait_room(rig.wal, 200 * KIB, rig_soon()));
	g_assert_cmpint(rig_try(&rig, 1, 200 * KIB, &mask, NULL, NULL), ==, DFS_OK);
	end(sim, &rig);
}

static void *
let_go(void *arg)
{
	struct rig *rig = arg;

	dfs_wal_unpin(rig->wal, rig->segments);
	return NULL;
}

static void
waiter_for_room_is_woken(void)
{
	uint64_t masks[64];
	struct sim *sim;
	struct rig rig;
	GThread *thread;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	unsigned n = fill(&rig, masks);
	for (unsigned i = 1; i < n; i++)
		if (masks[i] == masks[0])
			dfs_wal_unpin(rig.wal, masks[i]);
	rig.segments = masks[0];
	thread = g_thread_new("let-go", let_go, &rig);
	g_assert_true(dfs_wal_wait_room(rig.wal, 200 * KIB, rig_soon()));
	g_thread_join(thread);
	end(sim, &rig);
}

static void
record_pins_its_segment_once_for_a_mask(void)
{
	struct sim *sim;
	struct rig rig;
	uint64_t mask = 0;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned i = 0; i < 10; i++)
		g_assert_cmpint(rig_try(&rig, i, 100, &mask, NULL, NULL), ==, DFS_OK);
	g_assert_cmpint(__builtin_popcountll(mask), ==, 1);
	g_assert_cmpuint(rig.wal->head->pins, ==, 1);
	dfs_wal_pin(rig.wal, mask);
	g_assert_cmpuint(rig.wal->head->pins, ==, 2);
	dfs_wal_unpin(rig.wal, mask);
	dfs_wal_unpin(rig.wal, mask);
	g_assert_cmpuint(rig.wal->head->pins, ==, 0);
	end(sim, &rig);
}

static void
nothing_is_pressed_below_the_limit(void)
{
	struct sim *sim;
	struct rig rig;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	rig_append(&rig, 1, 100, NULL);
	g_assert_false(dfs_wal_pressed(rig.wal, 50));
	end(sim, &rig);
}

/* Two segments fit, four may be: the third is never made, and nobody gets an error. */
static void
full_disk_means_fewer_segments(void)
{
	struct dfs_wal_stats stats;
	uint64_t masks[64];
	struct sim *sim;
	struct rig rig;
	unsigned n;

	begin(&sim, &rig);
	sim_capacity(sim, 5 * MIB / 2);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	n = fill(&rig, masks);
	g_assert_cmpuint(n, >=, 7);
	g_assert_cmpuint(n, <=, 10);
	dfs_wal_stats(rig.wal, &stats);
	g_assert_cmpuint(stats.size, ==, 2 * MIB);
	g_assert_false(stats.failed);
	g_assert_cmpint(rig_sync(&rig, stats.last, DFS_SYNC_POWER), ==, DFS_OK);
	for (unsigned i = 0; i < n; i++)
		dfs_wal_unpin(rig.wal, masks[i]);
	for (unsigned i = 0; i < 30; i++) {
		uint64_t mask = 0;

		g_assert_true(dfs_wal_wait_room(rig.wal, 200 * KIB, rig_soon()));
		g_assert_cmpint(rig_try(&rig, i, 200 * KIB, &mask, NULL, NULL), ==, DFS_OK);
		dfs_wal_unpin(rig.wal, mask);
	}
	end(sim, &rig);
}

static void
disk_without_room_for_a_segment_is_told_at_open(void)
{
	struct sim *sim;
	struct rig rig;

	begin(&sim, &rig);
	sim_capacity(sim, MIB / 2);
	g_assert_cmpint(rig_open(&rig), ==, DFS_NOSPC);
	sim_capacity(sim, 10 * MIB);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	end(sim, &rig);
}

static void
failure_is_final(enum sim_op op)
{
	struct dfs_wal_stats stats;
	uint64_t lsn, mask = 0;
	struct sim *sim;
	struct rig rig;
	dfs_wal_at at;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	lsn = rig_append(&rig, 1, 5000, NULL);
	g_assert_cmpint(rig_sync(&rig, lsn, DFS_SYNC_POWER), ==, DFS_OK);
	/* Once only: what counts is that nobody believes the second try. */
	sim_fail(sim, op, "seg-00", 0, EIO, 1);
	lsn = rig_append(&rig, 2, 5000, &at);
	g_assert_cmpint(rig_sync(&rig, lsn, DFS_SYNC_POWER), ==, DFS_IO);
	g_assert_cmpint(rig_sync(&rig, lsn, DFS_SYNC_POWER), ==, DFS_IO);
	g_assert_cmpint(rig_try(&rig, 3, 10, &mask, NULL, NULL), ==, DFS_IO);
	g_assert_false(dfs_wal_room(rig.wal, 10));
	g_assert_false(dfs_wal_wait_room(rig.wal, 10, rig_soon()));
	dfs_wal_stats(rig.wal, &stats);
	g_assert_true(stats.failed);
	g_assert_true(rig_reads(&rig, 2, at, 5000));
	rig_close(&rig);
	/* What was acknowledged is still there. */
	sim_crash(sim, false);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, >=, 1);
	g_assert_true(rig_reads(&rig, 1, rig_found(&rig, 0)->at, 5000));
	g_assert_cmpuint(rig.recovery.damaged, ==, 0);
	end(sim, &rig);
}

static void
failed_write_ends_the_log(void)
{
	failure_is_final(SIM_WRITE);
}

static void
failed_sync_ends_the_log(void)
{
	failure_is_final(SIM_SYNC);
}

static void
short_writes_are_carried_on(void)
{
	struct sim *sim;
	struct rig rig;
	uint64_t lsn;
	dfs_wal_at at;

	begin(&sim, &rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	sim_fail(sim, SIM_WRITE, "seg-00", 0, 0, 3);
	lsn = rig_append(&rig, 1, 100000, &at);
	g_assert_cmpint(rig_sync(&rig, lsn, DFS_SYNC_POWER), ==, DFS_OK);
	g_assert_true(rig_reads(&rig, 1, at, 100000));
	end(sim, &rig);
}

static void
queue_is_bounded_and_drains_by_itself(void)
{
	struct sim *sim;
	struct rig rig;
	struct dfs_wal_stats stats;

	begin(&sim, &rig);
	rig.config.queue_max = 100000;
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t mask = 0;

		g_assert_true(dfs_wal_wait_room(rig.wal, 40000, rig_soon()));
		g_assert_cmpint(rig_try(&rig, i, 40000, &mask, NULL, NULL), ==, DFS_OK);
		dfs_wal_unpin(rig.wal, mask);
		dfs_wal_stats(rig.wal, &stats);
		g_assert_cmpuint(stats.queued, <=, 100000);
	}
	end(sim, &rig);
}

static void
log_may_shrink(void)
{
	struct dfs_wal_stats stats;
	uint64_t masks[64];
	struct sim *sim;
	struct rig rig;
	unsigned n;

	begin(&sim, &rig);
	rig.config.size = 8 * MIB;
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	n = fill(&rig, masks);
	rig_close(&rig);
	rig.config.size = 4 * MIB;
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	g_assert_cmpuint(rig.found->len, ==, n);
	g_assert_false(dfs_wal_room(rig.wal, 10));
	dfs_wal_unpin(rig.wal, rig.segments);
	g_assert_true(dfs_wal_wait_room(rig.wal, 200 * KIB, rig_soon()));
	dfs_wal_stats(rig.wal, &stats);
	g_assert_cmpuint(stats.size, ==, 4 * MIB);
	rig_close(&rig);
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	rig_close(&rig);
	g_assert_null(sim_bytes(sim, "seg-07.wal", &(uint64_t){0}));
	g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
	end(sim, &rig);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
		{"full-log-answers-again-and-takes-more-after-unpin",
		 full_log_answers_again_and_takes_more_after_unpin},
		{"waiter-for-room-is-woken", waiter_for_room_is_woken},
		{"record-pins-its-segment-once-for-a-mask",
		 record_pins_its_segment_once_for_a_mask},
		{"nothing-is-pressed-below-the-limit", nothing_is_pressed_below_the_limit},
		{"full-disk-means-fewer-segments", full_disk_means_fewer_segments},
		{"disk-without-room-for-a-segment-is-told-at-open",
		 disk_without_room_for_a_segment_is_told_at_open},
		{"failed-write-ends-the-log", failed_write_ends_the_log},
		{"failed-sync-ends-the-log", failed_sync_ends_the_log},
		{"short-writes-are-carried-on", short_writes_are_carried_on},
		{"queue-is-bounded-and-drains-by-itself", queue_is_bounded_and_drains_by_itself},
		{"log-may-shrink", log_may_shrink},
	};

	g_test_init(&argc, &argv, NULL);
	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/wal/full/", tests[i].name, NULL);
		g_test_add_func(path, tests[i].fn);
	}
	return g_test_run();
}
