/* SPDX-License-Identifier: MIT
 *
 * Who waits, in which order they get it, how a wait ends otherwise.
 */
#include "metadata/lock/test-bed.h"

static void
assert_waits(const struct waiter *w)
{
	g_assert_cmpuint(w->calls, ==, 0);
}

static void
assert_ended(const struct waiter *w, enum dfs_status status)
{
	g_assert_cmpuint(w->calls, ==, 1);
	assert_status(w->status, status);
}

static void
unlock_grants_in_order(struct bed *bed)
{
	struct waiter w[3];

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w[0], "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &w[1], "c/1", 7, 5, 5, SHARED), DFS_BUSY);
	assert_status(bed_wait(bed, &w[2], "d/1", 7, 5, 7, SHARED), DFS_BUSY);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 4), DFS_OK);
	for (unsigned i = 0; i < 3; i++)
		assert_waits(&w[i]);
	assert_status(bed_unlock(bed, "a/1", 7, 5, 9), DFS_OK);
	assert_ended(&w[0], DFS_OK);
	assert_waits(&w[1]);
	assert_waits(&w[2]);
	assert_status(bed_unlock(bed, "b/1", 7, 0, 9), DFS_OK);
	assert_ended(&w[1], DFS_OK);
	assert_ended(&w[2], DFS_OK);
	g_assert_cmpuint(w[1].order, <, w[2].order);
	assert_status(bed_test(bed, "e/1", 7, 5, 5, EXCLUSIVE), DFS_BUSY);
}

static void
readers_do_not_starve_a_writer(struct bed *bed)
{
	struct waiter writer, reader;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_wait(bed, &writer, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &reader, "c/1", 7, 0, 9, SHARED), DFS_BUSY);
	assert_waits(&reader);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_ended(&writer, DFS_OK);
	assert_waits(&reader);
	assert_status(bed_unlock(bed, "b/1", 7, 0, 9), DFS_OK);
	assert_ended(&reader, DFS_OK);
}

static void
who_does_not_wait_is_not_held_back(struct bed *bed)
{
	struct waiter writer;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_wait(bed, &writer, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_lock(bed, "c/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_waits(&writer);
	assert_status(bed_unlock(bed, "c/1", 7, 0, 9), DFS_OK);
	assert_ended(&writer, DFS_OK);
}

static void
waiters_for_other_bytes_go_ahead(struct bed *bed)
{
	struct waiter w[2];

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 20, 29, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w[0], "c/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &w[1], "d/1", 7, 20, 29, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_unlock(bed, "b/1", 7, 20, 29), DFS_OK);
	assert_ended(&w[1], DFS_OK);
	assert_waits(&w[0]);
	bed_drop_client(bed, "c");
	assert_ended(&w[0], DFS_NOENT);
}

static void
downgrade_grants(struct bed *bed)
{
	struct waiter w;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w, "b/1", 7, 3, 4, SHARED), DFS_BUSY);
	assert_status(bed_lock(bed, "a/1", 7, 0, 4, SHARED), DFS_OK);
	assert_ended(&w, DFS_OK);
}

static void
the_same_request_waits_once(struct bed *bed)
{
	struct waiter w, again;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &again, "b/1", 7, 0, 9, EXCLUSIVE), DFS_EXIST);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_ended(&w, DFS_OK);
	assert_waits(&again);
	assert_status(bed_wait(bed, &again, "b/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
}

static void
cancel_ends_one_wait_and_lets_others_by(struct bed *bed)
{
	struct waiter writer, reader;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_wait(bed, &writer, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &reader, "c/1", 7, 0, 9, SHARED), DFS_BUSY);
	assert_status(bed_cancel(bed, "b/1", 7, 0, 9, SHARED), DFS_NOENT);
	assert_status(bed_cancel(bed, "b/1", 7, 0, 8, EXCLUSIVE), DFS_NOENT);
	assert_status(bed_cancel(bed, "c/2", 7, 0, 9, SHARED), DFS_NOENT);
	assert_status(bed_cancel(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_ended(&writer, DFS_NOENT);
	assert_ended(&reader, DFS_OK);
	assert_status(bed_cancel(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_NOENT);
}

static void
dropping_a_client_ends_its_waits_and_grants_others(struct bed *bed)
{
	struct waiter own, other;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 8, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &own, "a/2", 8, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &other, "c/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	bed_drop_client(bed, "a");
	assert_ended(&own, DFS_NOENT);
	assert_ended(&other, DFS_OK);
}

static void
a_session_ends_its_waits(struct bed *bed)
{
	struct dfs_lock_range range = {0, 9, true};
	struct dfs_lock_owner *owner;
	struct dfs_lock_done done;
	struct waiter mine, other;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &mine, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_cancel(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	owner = bed_owner(bed, "b/1");
	mine.calls = 0;
	mine.wait.session = &mine;
	dfs_lock_done_init(&done);
	assert_status(dfs_locks_lock(bed->locks, owner, 7, &range, &mine.wait, NULL, &done),
		      DFS_BUSY);
	dfs_lock_owner_put(bed->locks, owner);
	assert_status(bed_wait(bed, &other, "c/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	dfs_locks_cancel_session(bed->locks, &mine);
	assert_ended(&mine, DFS_NOENT);
	assert_waits(&other);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_ended(&other, DFS_OK);
}

static void
closing_ends_waits(struct bed *bed)
{
	struct waiter w;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	bed_close(bed);
	assert_ended(&w, DFS_SHUTDOWN);
	bed_open(bed);
}

static void
a_circle_of_two_is_a_deadlock(struct bed *bed)
{
	struct waiter w, x;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 8, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w, "a/1", 8, 0, 9, SHARED), DFS_BUSY);
	assert_status(bed_wait(bed, &x, "b/1", 7, 0, 9, SHARED), DFS_DEADLOCK);
	assert_waits(&x);
	assert_status(bed_unlock(bed, "b/1", 8, 0, 9), DFS_OK);
	assert_ended(&w, DFS_OK);
}

static void
a_circle_of_many_is_a_deadlock(struct bed *bed)
{
	enum { N = 40 };
	struct waiter w[N];
	char who[16];

	for (unsigned i = 0; i < N; i++) {
		g_snprintf(who, sizeof who, "c%u/1", i);
		assert_status(bed_lock(bed, who, i, 0, 0, EXCLUSIVE), DFS_OK);
	}
	for (unsigned i = 0; i < N - 1; i++) {
		g_snprintf(who, sizeof who, "c%u/1", i);
		assert_status(bed_wait(bed, &w[i], who, i + 1, 0, 0, EXCLUSIVE), DFS_BUSY);
	}
	g_snprintf(who, sizeof who, "c%u/1", N - 1);
	assert_status(bed_wait(bed, &w[N - 1], who, 0, 0, 0, EXCLUSIVE), DFS_DEADLOCK);
	for (unsigned i = N; i-- > 0;) {
		g_snprintf(who, sizeof who, "c%u", i);
		bed_drop_client(bed, who);
	}
	for (unsigned i = 0; i < N - 1; i++)
		assert_ended(&w[i], DFS_OK);
}

/* Two who share and both want more. */
static void
two_upgrades_are_a_deadlock(struct bed *bed)
{
	struct waiter w, x;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_wait(bed, &w, "a/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &x, "b/1", 7, 0, 9, EXCLUSIVE), DFS_DEADLOCK);
	assert_status(bed_unlock(bed, "b/1", 7, 0, 9), DFS_OK);
	assert_ended(&w, DFS_OK);
}

/* Waiting behind somebody who waits for oneself would be for ever: so there is no waiting. */
static void
an_upgrade_passes_who_waits_for_it(struct bed *bed)
{
	struct waiter writer, upgrade;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_wait(bed, &writer, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &upgrade, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_waits(&writer);
	assert_waits(&upgrade);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_ended(&writer, DFS_OK);
}

/* c holds 8 and stands behind b for 7; a holds 7 and now waits for 8: c goes first. */
static void
a_circle_by_fairness_is_opened(struct bed *bed)
{
	struct waiter b, c, a;

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "c/1", 8, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &b, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &c, "c/1", 7, 0, 9, SHARED), DFS_BUSY);
	assert_waits(&c);
	assert_status(bed_wait(bed, &a, "a/1", 8, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_ended(&c, DFS_OK);
	assert_waits(&a);
	assert_status(bed_unlock(bed, "c/1", 8, 0, 9), DFS_OK);
	assert_ended(&a, DFS_OK);
	assert_waits(&b);
	bed_drop_client(bed, "b");
	assert_ended(&b, DFS_NOENT);
}

static void
a_file_has_so_many_waiters(struct bed *bed)
{
	g_autofree struct waiter *w = g_new0(struct waiter, DFS_LOCK_FILE_WAITS + 1);
	char who[24];

	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	for (unsigned i = 0; i <= DFS_LOCK_FILE_WAITS; i++) {
		g_snprintf(who, sizeof who, "c%u/1", i % 10);
		g_snprintf(who, sizeof who, "c%u/%u", i % 10, i);
		assert_status(bed_wait(bed, &w[i], who, 7, 0, 9, EXCLUSIVE),
			      i < DFS_LOCK_FILE_WAITS ? DFS_BUSY : DFS_NOMEM);
	}
	for (unsigned i = 0; i < 10; i++) {
		g_snprintf(who, sizeof who, "c%u", i);
		bed_drop_client(bed, who);
	}
	for (unsigned i = 0; i < DFS_LOCK_FILE_WAITS; i++)
		assert_ended(&w[i], DFS_NOENT);
}

static void
a_client_has_so_many_waits(struct bed *bed)
{
	g_autofree struct waiter *w = g_new0(struct waiter, DFS_LOCK_CLIENT_WAITS + 1);
	char who[24];

	for (unsigned i = 0; i < 8; i++)
		assert_status(bed_lock(bed, "a/1", 7 + i, 0, 9, EXCLUSIVE), DFS_OK);
	for (unsigned i = 0; i <= DFS_LOCK_CLIENT_WAITS; i++) {
		g_snprintf(who, sizeof who, "b/%u", i);
		assert_status(bed_wait(bed, &w[i], who, 7 + i % 8, 0, 9, EXCLUSIVE),
			      i < DFS_LOCK_CLIENT_WAITS ? DFS_BUSY : DFS_NOMEM);
	}
	assert_status(bed_wait(bed, &w[DFS_LOCK_CLIENT_WAITS], "c/1", 7, 0, 9, EXCLUSIVE),
		      DFS_BUSY);
	bed_drop_client(bed, "b");
	bed_drop_client(bed, "c");
}

static void
a_turn_that_meets_a_limit_ends_the_wait(struct bed *bed)
{
	struct waiter w, next;

	bed->domain.max_client_locks = 1;
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 8, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_wait(bed, &w, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_wait(bed, &next, "c/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	assert_ended(&w, DFS_NOMEM);
	assert_ended(&next, DFS_OK);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	bed_add("/waits/unlock-grants-in-order", unlock_grants_in_order);
	bed_add("/waits/readers-do-not-starve-a-writer", readers_do_not_starve_a_writer);
	bed_add("/waits/who-does-not-wait-is-not-held-back", who_does_not_wait_is_not_held_back);
	bed_add("/waits/waiters-for-other-bytes-go-ahead", waiters_for_other_bytes_go_ahead);
	bed_add("/waits/downgrade-grants", downgrade_grants);
	bed_add("/waits/the-same-request-waits-once", the_same_request_waits_once);
	bed_add("/waits/cancel-ends-one-wait-and-lets-others-by",
		cancel_ends_one_wait_and_lets_others_by);
	bed_add("/waits/dropping-a-client-ends-its-waits-and-grants-others",
		dropping_a_client_ends_its_waits_and_grants_others);
	bed_add("/waits/a-session-ends-its-waits", a_session_ends_its_waits);
	bed_add("/waits/closing-ends-waits", closing_ends_waits);
	bed_add("/waits/a-circle-of-two-is-a-deadlock", a_circle_of_two_is_a_deadlock);
	bed_add("/waits/a-circle-of-many-is-a-deadlock", a_circle_of_many_is_a_deadlock);
	bed_add("/waits/two-upgrades-are-a-deadlock", two_upgrades_are_a_deadlock);
	bed_add("/waits/an-upgrade-passes-who-waits-for-it", an_upgrade_passes_who_waits_for_it);
	bed_add("/waits/a-circle-by-fairness-is-opened", a_circle_by_fairness_is_opened);
	bed_add("/waits/a-file-has-so-many-waiters", a_file_has_so_many_waiters);
	bed_add("/waits/a-client-has-so-many-waits", a_client_has_so_many_waits);
	bed_add("/waits/a-turn-that-meets-a-limit-ends-the-wait",
		a_turn_that_meets_a_limit_ends_the_wait);
	return g_test_run();
}
