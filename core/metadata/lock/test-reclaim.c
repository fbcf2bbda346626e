/* SPDX-License-Identifier: MIT
 *
 * Restarts: who is remembered, who may reclaim, when the grace period ends.
 */
#include "base/clock.h"
#include "io/gate.h"
#include "metadata/lock/test-bed.h"
#include "metadata/test-store.h"
#include "plugin/host.h"

struct world {
	struct test_store *ts;
	struct dfs_metadata_store *store;
	struct bed bed;
	struct dfs_ctx ctx;
};

static void
open_world(struct world *w, int64_t grace)
{
	struct dfs_locks_options o = {
		.domain = &w->bed.domain, .share = 3, .durability = DFS_DURABILITY_POWER};

	assert_status(dfs_metadata_store_open(test_store_entry(w->ts, false), "m", w->ts,
					      dfs_host_get("test", "m"), NULL, &w->store),
		      DFS_OK);
	memset(&w->bed, 0, sizeof w->bed);
	w->bed.domain.max_locks = w->bed.domain.max_client_locks = 1000;
	w->bed.domain.grace = grace;
	o.store = w->store;
	assert_status(dfs_locks_open(&o, &w->bed.locks), DFS_OK);
}

static void
close_world(struct world *w)
{
	bed_close(&w->bed);
	dfs_metadata_store_close(w->store);
}

static void
restart(struct world *w, int64_t grace)
{
	close_world(w);
	open_world(w, grace);
}

/* The power goes: what was not synced is lost. */
static void
crash(struct world *w, int64_t grace)
{
	test_store_lose_power(w->ts, 0);
	close_world(w);
	test_store_power_on(w->ts);
	open_world(w, grace);
}

static enum dfs_status
admit(struct world *w, const char *who, bool reclaim)
{
	struct dfs_lock_owner *owner = bed_owner(&w->bed, who);
	enum dfs_status status;

	w->ctx = (struct dfs_ctx){.deadline = dfs_clock_mono() + 10 * DFS_SECOND};
	status = dfs_locks_admit(w->bed.locks, &w->ctx, owner, reclaim, true);
	dfs_lock_owner_put(w->bed.locks, owner);
	return status;
}

/* A reply: all tickets have passed. */
static void
answer(struct world *w)
{
	for (unsigned i = 0; i < w->ctx.n_tickets; i++)
		assert_status(dfs_gate_wait_sync(w->ctx.tickets[i].gate, w->ctx.tickets[i].seq,
						 w->ctx.tickets[i].level,
						 dfs_clock_mono() + 10 * DFS_SECOND),
			      DFS_OK);
}

static enum dfs_status
lock(struct world *w, const char *who, uint64_t file, bool reclaim)
{
	enum dfs_status status = admit(w, who, reclaim);

	if (status == DFS_OK)
		status = bed_lock(&w->bed, who, file, 0, 9, EXCLUSIVE);
	if (status == DFS_OK)
		answer(w);
	return status;
}

static unsigned
remembered(struct world *w)
{
	return test_store_count(w->ts, 's');
}

#define LONG (3600 * DFS_SECOND)

static void
a_client_is_remembered_before_the_answer(struct world *w)
{
	assert_status(admit(w, "a/1", false), DFS_OK);
	g_assert_cmpuint(w->ctx.n_tickets, ==, 1);
	g_assert_cmpuint(w->ctx.tickets[0].level, ==, DFS_SYNC_POWER);
	g_assert_cmpuint(remembered(w), ==, 1);
	answer(w);
	assert_status(admit(w, "a/2", false), DFS_OK);
	g_assert_cmpuint(w->ctx.n_tickets, ==, 0);
	g_assert_cmpuint(remembered(w), ==, 1);
}

static void
a_second_answer_waits_for_the_same_sync(struct world *w)
{
	assert_status(admit(w, "a/1", false), DFS_OK);
	assert_status(admit(w, "a/2", false), DFS_OK);
	g_assert_cmpuint(w->ctx.n_tickets, ==, 1);
}

static void
nobody_known_means_no_grace(struct world *w)
{
	restart(w, LONG);
	g_assert_false(dfs_locks_in_grace(w->bed.locks));
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(admit(w, "a/1", true), DFS_PERM);
}

static void
only_who_held_may_reclaim(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(lock(w, "b/1", 8, false), DFS_OK);
	crash(w, LONG);
	g_assert_true(dfs_locks_in_grace(w->bed.locks));
	assert_status(lock(w, "b/1", 9, false), DFS_GRACE);
	assert_status(lock(w, "c/1", 9, false), DFS_GRACE);
	assert_status(lock(w, "c/1", 9, true), DFS_PERM);
	assert_status(lock(w, "a/1", 7, true), DFS_OK);
	assert_status(lock(w, "b/2", 7, true), DFS_BUSY);
}

/* A client asks for something new when it has reclaimed all. */
static void
grace_ends_when_all_have_reclaimed(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(lock(w, "b/1", 8, false), DFS_OK);
	crash(w, LONG);
	assert_status(lock(w, "a/1", 7, true), DFS_OK);
	assert_status(lock(w, "a/1", 9, false), DFS_GRACE);
	assert_status(lock(w, "b/1", 8, true), DFS_OK);
	assert_status(lock(w, "c/1", 9, false), DFS_GRACE);
	assert_status(lock(w, "b/1", 9, false), DFS_OK);
	assert_status(lock(w, "c/1", 10, false), DFS_OK);
	assert_status(lock(w, "c/1", 7, false), DFS_BUSY);
	assert_status(lock(w, "a/1", 7, true), DFS_PERM);
}

static bool
is_b(void *arg, const void *client, uint32_t len)
{
	(void)arg;
	return len == 1 && *(const char *)client == 'b';
}

static void
who_has_rebooted_reclaims_nothing(struct world *w)
{
	assert_status(lock(w, "b/1", 8, false), DFS_OK);
	crash(w, LONG);
	dfs_locks_drop_clients(w->bed.locks, is_b, NULL);
	g_assert_false(dfs_locks_in_grace(w->bed.locks));
	assert_status(lock(w, "b/1", 8, true), DFS_PERM);
	assert_status(lock(w, "c/1", 8, false), DFS_OK);
}

static void
grace_ends_in_time(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, 0);
	g_assert_false(dfs_locks_in_grace(w->bed.locks));
	assert_status(lock(w, "b/1", 7, false), DFS_OK);
	assert_status(lock(w, "a/1", 7, true), DFS_PERM);
}

/* Who did not reclaim has lost its locks for good: after the next restart another may have had them. */
static void
a_missed_reclaim_is_missed_for_ever(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, 0);
	assert_status(lock(w, "b/1", 7, false), DFS_OK);
	crash(w, LONG);
	assert_status(lock(w, "a/1", 7, true), DFS_PERM);
	assert_status(lock(w, "b/1", 7, true), DFS_OK);
}

static void
grace_ends_on_workers(struct world *w)
{
	struct dfs_lock_owner *owner;

	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, 0);
	owner = bed_owner(&w->bed, "b/1");
	w->ctx = (struct dfs_ctx){.nonblock = true};
	assert_status(dfs_locks_admit(w->bed.locks, &w->ctx, owner, false, true), DFS_AGAIN);
	w->ctx.nonblock = false;
	assert_status(dfs_locks_admit(w->bed.locks, &w->ctx, owner, false, true), DFS_OK);
	dfs_lock_owner_put(w->bed.locks, owner);
}

static gpointer
admit_passing(gpointer arg)
{
	struct world *w = arg;
	struct dfs_ctx ctx = {.deadline = dfs_clock_mono() + 30 * DFS_SECOND};
	struct dfs_lock_owner *owner = bed_owner(&w->bed, "b/1");

	assert_status(dfs_locks_admit(w->bed.locks, &ctx, owner, false, false), DFS_OK);
	g_assert_cmpuint(remembered(w), ==, 0);
	g_assert_cmpuint(ctx.n_tickets, ==, 1);
	dfs_lock_owner_put(w->bed.locks, owner);
	return NULL;
}

/* Nobody is let in between the mark that a record is being erased and the commit. */
static void
grace_ends_once_for_all_who_come(struct world *w)
{
	GThread *threads[4];

	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, 0);
	test_store_stall(w->ts, DFS_SECOND / 50);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("admit", admit_passing, w);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	test_store_stall(w->ts, 0);
}

static void
a_reclaimer_stays_remembered(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, LONG);
	assert_status(lock(w, "a/1", 7, true), DFS_OK);
	crash(w, LONG);
	assert_status(lock(w, "a/1", 7, true), DFS_OK);
}

static void
an_idle_client_is_forgotten_in_time(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(lock(w, "b/1", 8, false), DFS_OK);
	dfs_locks_tidy(w->bed.locks);
	g_assert_cmpuint(remembered(w), ==, 2);
	assert_status(bed_unlock(&w->bed, "a/1", 7, 0, 9), DFS_OK);
	g_assert_cmpuint(remembered(w), ==, 2);
	dfs_locks_tidy(w->bed.locks);
	g_assert_cmpuint(remembered(w), ==, 1);
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	g_assert_cmpuint(remembered(w), ==, 2);
}

static void
a_clean_stop_remembers_who_holds(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(lock(w, "b/1", 8, false), DFS_OK);
	assert_status(bed_unlock(&w->bed, "a/1", 7, 0, 9), DFS_OK);
	restart(w, LONG);
	g_assert_cmpuint(remembered(w), ==, 1);
	assert_status(lock(w, "a/1", 7, true), DFS_PERM);
	assert_status(lock(w, "b/1", 8, true), DFS_OK);
}

static void
without_a_record_there_is_no_lock(struct world *w)
{
	test_store_fail_commits(w->ts, 1, DFS_IO);
	assert_status(lock(w, "a/1", 7, false), DFS_IO);
	g_assert_cmpuint(dfs_locks_held(w->bed.locks), ==, 0);
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
}

static void
erasing_that_fails_is_tried_again(struct world *w)
{
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	crash(w, 0);
	test_store_fail_commits(w->ts, 1, DFS_IO);
	assert_status(lock(w, "b/1", 7, false), DFS_IO);
	assert_status(lock(w, "b/1", 7, false), DFS_OK);
	g_assert_cmpuint(remembered(w), ==, 1);
}

/* The commit may have been done all the same. */
static void
who_was_perhaps_erased_is_written_anew(struct world *w)
{
	uint64_t commits;

	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	assert_status(bed_unlock(&w->bed, "a/1", 7, 0, 9), DFS_OK);
	test_store_fail_commits(w->ts, 1, DFS_IO);
	dfs_locks_tidy(w->bed.locks);
	commits = test_store_commits(w->ts);
	assert_status(lock(w, "a/1", 7, false), DFS_OK);
	g_assert_cmpuint(test_store_commits(w->ts), ==, commits + 1);
	assert_status(lock(w, "a/2", 8, false), DFS_OK);
	g_assert_cmpuint(test_store_commits(w->ts), ==, commits + 1);
	g_assert_cmpuint(remembered(w), ==, 1);
}

/* As when the server is started with lower limits. */
static void
who_does_not_fit_any_more_is_known_until_the_grace_ends(struct world *w)
{
	struct dfs_locks_options o = {.domain = &w->bed.domain,
				      .share = 3,
				      .durability = DFS_DURABILITY_POWER,
				      .store = w->store};

	for (char name[] = "a/1"; name[0] < 'k'; name[0]++)
		assert_status(lock(w, name, (uint64_t)name[0], false), DFS_OK);
	dfs_locks_close(w->bed.locks);
	w->bed.domain.max_locks = 2;
	w->bed.domain.grace = 0;
	assert_status(dfs_locks_open(&o, &w->bed.locks), DFS_OK);
	dfs_locks_tidy(w->bed.locks);
	g_assert_cmpuint(remembered(w), ==, 0);
}

static void
set_up(struct world *w, gconstpointer fn)
{
	(void)fn;
	w->ts = test_store_new();
	open_world(w, LONG);
}

static void
run(struct world *w, gconstpointer fn)
{
	((void (*)(struct world *))(uintptr_t)fn)(w);
}

static void
tear_down(struct world *w, gconstpointer fn)
{
	(void)fn;
	close_world(w);
	test_store_free(w->ts);
}

static void
add(const char *path, void (*fn)(struct world *w))
{
	g_test_add(path, struct world, (gconstpointer)(uintptr_t)fn, set_up, run, tear_down);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/reclaim/a-client-is-remembered-before-the-answer",
	    a_client_is_remembered_before_the_answer);
	add("/reclaim/a-second-answer-waits-for-the-same-sync",
	    a_second_answer_waits_for_the_same_sync);
	add("/reclaim/nobody-known-means-no-grace", nobody_known_means_no_grace);
	add("/reclaim/only-who-held-may-reclaim", only_who_held_may_reclaim);
	add("/reclaim/grace-ends-when-all-have-reclaimed", grace_ends_when_all_have_reclaimed);
	add("/reclaim/who-has-rebooted-reclaims-nothing", who_has_rebooted_reclaims_nothing);
	add("/reclaim/grace-ends-in-time", grace_ends_in_time);
	add("/reclaim/a-missed-reclaim-is-missed-for-ever", a_missed_reclaim_is_missed_for_ever);
	add("/reclaim/grace-ends-on-workers", grace_ends_on_workers);
	add("/reclaim/grace-ends-once-for-all-who-come", grace_ends_once_for_all_who_come);
	add("/reclaim/a-reclaimer-stays-remembered", a_reclaimer_stays_remembered);
	add("/reclaim/an-idle-client-is-forgotten-in-time", an_idle_client_is_forgotten_in_time);
	add("/reclaim/a-clean-stop-remembers-who-holds", a_clean_stop_remembers_who_holds);
	add("/reclaim/without-a-record-there-is-no-lock", without_a_record_there_is_no_lock);
	add("/reclaim/erasing-that-fails-is-tried-again", erasing_that_fails_is_tried_again);
	add("/reclaim/who-was-perhaps-erased-is-written-anew",
	    who_was_perhaps_erased_is_written_anew);
	add("/reclaim/who-does-not-fit-any-more-is-known-until-the-grace-ends",
	    who_does_not_fit_any_more_is_known_until_the_grace_ends);
	return g_test_run();
}
