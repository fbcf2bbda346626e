/* SPDX-License-Identifier: MIT
 *
 * What recovery makes of disks that have lost, damaged or foreign bytes.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/log.h"
#include "payload/wal/test-disk.h"
#include "payload/wal/test-rig.h"

struct bed {
	struct sim *sim;
	struct rig rig;
	dfs_wal_at at[64];
	uint64_t lsn[64];
};

static struct bed *
bed_new(void)
{
	struct bed *bed = g_new0(struct bed, 1);

	bed->sim = sim_new(7);
	rig_init(&bed->rig, sim_ops(bed->sim));
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	return bed;
}

static void
bed_free(struct bed *bed)
{
	dfs_wal_close(bed->rig.wal);
	rig_free(&bed->rig);
	sim_free(bed->sim);
	g_free(bed);
}

/* Records from..to-1, each in a batch of its own, acknowledged. */
static void
append_synced(struct bed *bed, unsigned from, unsigned to, uint32_t len)
{
	for (unsigned i = from; i < to; i++) {
		bed->lsn[i] = rig_append(&bed->rig, i, len, &bed->at[i]);
		g_assert_cmpint(rig_sync(&bed->rig, bed->lsn[i], DFS_SYNC_POWER), ==, DFS_OK);
	}
}

/* The process dies; nothing that was written is lost. */
static void
die(struct bed *bed)
{
	sim_freeze(bed->sim);
	rig_close(&bed->rig);
	sim_crash(bed->sim, true);
}

static char *
segment_of(dfs_wal_at at, uint64_t *offset)
{
	*offset = DFS_WAL_OFFSET(at);
	return g_strdup_printf(WAL_SEGMENT_NAME, DFS_WAL_SEGMENT(at));
}

/* Turn over len bytes at an offset from where record i's payload is. */
static void
damage(struct bed *bed, unsigned i, int64_t from, uint64_t len)
{
	uint64_t offset, size;
	g_autofree char *name = segment_of(bed->at[i], &offset);
	unsigned char *bytes = sim_bytes(bed->sim, name, &size);
	g_autofree unsigned char *copy = g_memdup2(bytes, size);

	for (uint64_t j = 0; j < len; j++)
		copy[(uint64_t)((int64_t)offset + from) + j] ^= 0x5a;
	sim_put(bed->sim, name, copy, size);
}

static void
super_change(struct bed *bed, void (*change)(struct wal_super *super))
{
	uint64_t size;
	g_autofree unsigned char *copy = g_memdup2(sim_bytes(bed->sim, "SUPER", &size), 8192);

	for (unsigned i = 0; i < 2; i++) {
		struct wal_super super;

		g_assert_true(wal_super_get(copy + i * WAL_PAGE, &super));
		change(&super);
		wal_super_put(copy + i * WAL_PAGE, &super);
	}
	sim_put(bed->sim, "SUPER", copy, size);
}

static void
damaged_payload_is_told_and_the_rest_goes_on(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 5, 6000);
	die(bed);
	damage(bed, 2, 5000, 1);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 5);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 1);
	for (unsigned i = 0; i < 5; i++) {
		g_assert_cmpuint(rig_found(&bed->rig, i)->lsn, ==, bed->lsn[i]);
		g_assert_cmpint(rig_found(&bed->rig, i)->damaged, ==, i == 2);
	}
	/* And again: nothing has been forgotten. */
	die(bed);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 1);
	g_assert_cmpuint(bed->rig.found->len, ==, 5);
	bed_free(bed);
}

static void
damaged_header_costs_its_batch_only(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 5, 6000);
	die(bed);
	damage(bed, 2, -4000, 1);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 1);
	g_assert_cmpuint(bed->rig.found->len, ==, 4);
	g_assert_cmpuint(rig_found(&bed->rig, 2)->lsn, ==, bed->lsn[3]);
	bed_free(bed);
}

/* The last batch has none behind it that tells of its sync: all it can be is a torn tail. */
static void
tear_at_the_end_is_no_damage(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 5, 6000);
	die(bed);
	damage(bed, 4, 100, 1);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 0);
	g_assert_cmpuint(bed->rig.recovery.discarded, ==, 6000);
	g_assert_false(bed->rig.recovery.clean);
	g_assert_cmpuint(bed->rig.found->len, ==, 4);
	bed_free(bed);
}

static void
what_follows_a_tear_stays_void(void)
{
	struct bed *bed = bed_new();
	uint64_t offset, size;
	g_autofree char *name = NULL;
	g_autofree unsigned char *whole = NULL;

	append_synced(bed, 0, 2, 6000);
	/* One batch after the other, none of them synced. */
	for (unsigned i = 2; i < 5; i++) {
		bed->lsn[i] = rig_append(&bed->rig, i, 6000, &bed->at[i]);
		rig_sync(&bed->rig, bed->lsn[i], DFS_SYNC_PROCESS);
	}
	die(bed);
	name = segment_of(bed->at[2], &offset);
	whole = g_memdup2(sim_bytes(bed->sim, name, &size), MIB);
	damage(bed, 2, 0, 1);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 2);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 0);
	g_assert_cmpuint(bed->rig.recovery.discarded, >, 2 * 6000);
	die(bed);
	/* Even where the bytes are all there again. */
	sim_put(bed->sim, name, whole, size);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 2);
	bed_free(bed);
}

static void
closed_log_is_clean_and_damage_in_it_is_damage(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 5, 6000);
	rig_close(&bed->rig);
	damage(bed, 4, 100, 1);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_true(bed->rig.recovery.clean);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 1);
	g_assert_cmpuint(bed->rig.found->len, ==, 5);
	die(bed);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_false(bed->rig.recovery.clean);
	bed_free(bed);
}

static void
set_format(struct wal_super *super)
{
	super->format = 2;
}

static void
set_feature(struct wal_super *super)
{
	super->incompat |= UINT64_C(1) << 40;
}

static void
unknown_formats_and_features_are_refused(void)
{
	struct bed *bed = bed_new();
	static void (*const changes[])(struct wal_super * super) = {set_feature, set_format};

	append_synced(bed, 0, 2, 100);
	rig_close(&bed->rig);
	for (unsigned i = 0; i < 2; i++) {
		super_change(bed, changes[i]);
		g_assert_cmpint(rig_open(&bed->rig), ==, DFS_VERSION);
		g_assert_cmpstr(dfs_fail_text(), !=, "");
	}
	/* No segment that is known: still not an empty log. */
	sim_remove(bed->sim, "seg-00.wal");
	sim_remove(bed->sim, "seg-01.wal");
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_VERSION);
	bed_free(bed);
}

static void
segments_without_a_superblock_are_refused(void)
{
	struct bed *bed = bed_new();
	static const unsigned char zeros[8192];

	append_synced(bed, 0, 2, 100);
	rig_close(&bed->rig);
	sim_put(bed->sim, "SUPER", zeros, sizeof zeros);
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_CORRUPT);
	sim_remove(bed->sim, "SUPER");
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_CORRUPT);
	/* It made none by asking. */
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_CORRUPT);
	bed_free(bed);
}

static void
one_sound_superblock_is_enough(void)
{
	for (unsigned slot = 0; slot < 2; slot++) {
		struct bed *bed = bed_new();
		uint64_t size;
		g_autofree unsigned char *copy = NULL;

		append_synced(bed, 0, 2, 100);
		die(bed);
		copy = g_memdup2(sim_bytes(bed->sim, "SUPER", &size), 8192);
		copy[slot * WAL_PAGE + 70] ^= 1;
		sim_put(bed->sim, "SUPER", copy, size);
		g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
		bed_free(bed);
	}
}

static void
missing_segment_with_records_is_refused(void)
{
	struct bed *bed = bed_new();
	uint64_t offset;
	g_autofree char *name = NULL;

	append_synced(bed, 0, 2, 100);
	rig_close(&bed->rig);
	name = segment_of(bed->at[0], &offset);
	sim_remove(bed->sim, name);
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_CORRUPT);
	bed_free(bed);
}

static void
interrupted_creation_begins_anew(void)
{
	for (unsigned calls = 0; calls < 40; calls++) {
		struct sim *sim = sim_new(calls + 1);
		struct rig rig;

		rig_init(&rig, sim_ops(sim));
		sim_freeze_after(sim, calls);
		if (rig_start(&rig) == DFS_OK)
			rig_close(&rig);
		else
			dfs_wal_close(rig.wal);
		sim_crash(sim, false);
		g_assert_cmpint(rig_start(&rig), ==, DFS_OK);
		rig_append(&rig, 1, 100, NULL);
		rig_close(&rig);
		rig_free(&rig);
		sim_free(sim);
	}
}

static enum dfs_status
refuse(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	return DFS_NOMEM;
}

static void
recovery_that_is_given_up_changes_nothing(void)
{
	struct bed *bed = bed_new();
	struct dfs_wal_recovery found;

	append_synced(bed, 0, 3, 100);
	rig_close(&bed->rig);
	g_assert_cmpint(rig_open(&bed->rig), ==, DFS_OK);
	g_assert_cmpint(dfs_wal_recover(bed->rig.wal, refuse, NULL, &found), ==, DFS_NOMEM);
	rig_close(&bed->rig);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_true(bed->rig.recovery.clean);
	g_assert_cmpuint(bed->rig.found->len, ==, 3);
	bed_free(bed);
}

static void
what_nobody_pins_is_gone_after_recovery(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 3, 100);
	rig_close(&bed->rig);
	bed->rig.keep = false;
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 3);
	die(bed);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 0);
	bed_free(bed);
}

static void
what_nobody_pins_at_the_end_is_gone(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 3, 100);
	dfs_wal_unpin(bed->rig.wal, bed->rig.segments);
	bed->rig.segments = 0;
	rig_close(&bed->rig);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_true(bed->rig.recovery.clean);
	g_assert_cmpuint(bed->rig.found->len, ==, 0);
	append_synced(bed, 3, 4, 100);
	g_assert_cmpuint(bed->lsn[3], >, bed->lsn[2]);
	bed_free(bed);
}

/* A slot that only the kernel has, for the process died before its sync, is not the one to fall back to when
 * the power fails while the other is written. */
static void
superblock_outlives_the_process_and_then_the_power(void)
{
	for (unsigned i = 0; i < 30 * 8; i++) {
		struct bed *bed = bed_new();

		append_synced(bed, 0, 1, 100);
		die(bed);
		sim_freeze_after(bed->sim, i % 8);
		(void)rig_start(&bed->rig);
		sim_freeze(bed->sim);
		rig_close(&bed->rig);
		sim_crash(bed->sim, true);
		sim_freeze_after(bed->sim, i / 8 % 10);
		(void)rig_start(&bed->rig);
		sim_freeze(bed->sim);
		rig_close(&bed->rig);
		sim_crash(bed->sim, false);
		if (rig_start(&bed->rig) != DFS_OK)
			g_error("after %u and %u calls: %s", i % 8, i / 8 % 10, dfs_fail_text());
		g_assert_cmpuint(bed->rig.found->len, ==, 1);
		bed_free(bed);
	}
}

static void
numbers_grow_over_restarts(void)
{
	struct bed *bed = bed_new();
	uint64_t last = 0;

	for (unsigned i = 0; i < 4; i++) {
		append_synced(bed, i, i + 1, 100);
		g_assert_cmpuint(bed->lsn[i], >, last);
		last = bed->lsn[i];
		if (i % 2)
			die(bed);
		else
			rig_close(&bed->rig);
		g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
		g_assert_cmpuint(dfs_wal_last(bed->rig.wal), >=, last);
	}
	bed_free(bed);
}

/* A client writes what looks like a batch of this very epoch into its file. */
static void
file_content_is_never_taken_for_a_batch(void)
{
	struct bed *bed = bed_new();
	unsigned char page[WAL_PAGE] = {0};
	struct dfs_wal_record record = {.type = DFS_WAL_WRITE, .len = WAL_PAGE};
	struct dfs_wal_record forged = {.type = DFS_WAL_REMOVE, .fileid = 666};
	struct dfs_span span = {page, WAL_PAGE, NULL};
	struct wal_header h = {.epoch = 1, .total = WAL_PAGE, .n = 1};

	append_synced(bed, 0, 1, 4096);
	h.first = bed->lsn[0] + 1;
	h.durable = UINT64_MAX / 2;
	wal_desc_put(page, 0, &forged, 0, 0);
	wal_header_put(page, &h);
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpint(dfs_wal_append(bed->rig.wal, &record, &span, 1, &bed->rig.segments,
					       &bed->lsn[1], &bed->at[1]),
				==, DFS_OK);
	rig_sync(&bed->rig, bed->lsn[1], DFS_SYNC_PROCESS);
	die(bed);
	bed->at[1] -= 2 * WAL_PAGE;
	damage(bed, 1, -4096, 8); /* the batch's page: looking for the next one begins */
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.found->len, ==, 1);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 0);
	bed_free(bed);
}

static void
log_opens_with_the_other_persister(void)
{
	struct bed *bed = bed_new();

	for (unsigned i = 0; i < 4; i++) {
		append_synced(bed, i, i + 1, 5000);
		rig_close(&bed->rig);
		bed->rig.config.persister = i % 2 ? DFS_WAL_FILE : DFS_WAL_MMAP;
		g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
		g_assert_cmpuint(bed->rig.found->len, ==, i + 1);
		g_assert_true(rig_reads(&bed->rig, i, rig_found(&bed->rig, i)->at, 5000));
	}
	bed_free(bed);
}

static void
unreadable_sectors_are_damage_where_they_lie(void)
{
	struct bed *bed = bed_new();

	append_synced(bed, 0, 5, 6000);
	rig_close(&bed->rig);
	/* The large read fails, and then that of the first page; all others succeed. */
	sim_fail(bed->sim, SIM_READ, "seg-", 0, EIO, 2);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 1);
	g_assert_cmpuint(bed->rig.found->len, ==, 4);
	bed_free(bed);
}

static void
numbers_that_were_left_out_are_no_damage(void)
{
	struct bed *bed = bed_new();
	uint64_t far;

	append_synced(bed, 0, 3, 6000);
	far = dfs_wal_last(bed->rig.wal) + 1000000;
	g_assert_cmpint(dfs_wal_advance(bed->rig.wal, far, rig_soon()), ==, DFS_OK);
	append_synced(bed, 3, 5, 6000);
	g_assert_cmpuint(bed->lsn[3], >, far);
	/* Nothing to do: they are above already. */
	g_assert_cmpint(dfs_wal_advance(bed->rig.wal, far, rig_soon()), ==, DFS_OK);
	g_assert_cmpuint(dfs_wal_last(bed->rig.wal), ==, bed->lsn[4]);
	die(bed);
	g_assert_cmpint(rig_start(&bed->rig), ==, DFS_OK);
	g_assert_cmpuint(bed->rig.recovery.damaged, ==, 0);
	g_assert_cmpuint(bed->rig.found->len, ==, 6); /* and the one that says nothing */
	g_assert_cmpuint(rig_found(&bed->rig, 2)->lsn, ==, bed->lsn[2]);
	g_assert_cmpuint(rig_found(&bed->rig, 5)->lsn, ==, bed->lsn[4]);
	bed_free(bed);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} tests[] = {
		{"damaged-payload-is-told-and-the-rest-goes-on",
		 damaged_payload_is_told_and_the_rest_goes_on},
		{"damaged-header-costs-its-batch-only", damaged_header_costs_its_batch_only},
		{"tear-at-the-end-is-no-damage", tear_at_the_end_is_no_damage},
		{"what-follows-a-tear-stays-void", what_follows_a_tear_stays_void},
		{"closed-log-is-clean-and-damage-in-it-is-damage",
		 closed_log_is_clean_and_damage_in_it_is_damage},
		{"unknown-formats-and-features-are-refused",
		 unknown_formats_and_features_are_refused},
		{"segments-without-a-superblock-are-refused",
		 segments_without_a_superblock_are_refused},
		{"one-sound-superblock-is-enough", one_sound_superblock_is_enough},
		{"missing-segment-with-records-is-refused",
		 missing_segment_with_records_is_refused},
		{"interrupted-creation-begins-anew", interrupted_creation_begins_anew},
		{"recovery-that-is-given-up-changes-nothing",
		 recovery_that_is_given_up_changes_nothing},
		{"what-nobody-pins-is-gone-after-recovery",
		 what_nobody_pins_is_gone_after_recovery},
		{"what-nobody-pins-at-the-end-is-gone", what_nobody_pins_at_the_end_is_gone},
		{"superblock-outlives-the-process-and-then-the-power",
		 superblock_outlives_the_process_and_then_the_power},
		{"numbers-grow-over-restarts", numbers_grow_over_restarts},
		{"numbers-that-were-left-out-are-no-damage",
		 numbers_that_were_left_out_are_no_damage},
		{"file-content-is-never-taken-for-a-batch",
		 file_content_is_never_taken_for_a_batch},
		{"log-opens-with-the-other-persister", log_opens_with_the_other_persister},
		{"unreadable-sectors-are-damage-where-they-lie",
		 unreadable_sectors_are_damage_where_they_lie},
	};

	g_test_init(&argc, &argv, NULL);
	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/wal/recover/", tests[i].name, NULL);
		g_test_add_func(path, tests[i].fn);
	}
	return g_test_run();
}
