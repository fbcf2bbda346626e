/* SPDX-License-Identifier: MIT
 *
 * When a call is tried again, and when a store is left alone.
 */
#include <glib.h>

#include "payload/offload/breaker.h"
#include "payload/offload/retry.h"

static void
pauses_double_up_to_twenty_seconds(void)
{
	const int64_t ms = DFS_SECOND / 1000;

	g_assert_cmpint(dfs_retry_pause(1, 100 * ms), ==, 100 * ms);
	g_assert_cmpint(dfs_retry_pause(1, 100 * ms + 1), ==, 0);
	g_assert_cmpint(dfs_retry_pause(2, 200 * ms), ==, 200 * ms);
	g_assert_cmpint(dfs_retry_pause(4, 800 * ms), ==, 800 * ms);
	g_assert_cmpint(dfs_retry_pause(9, 20 * DFS_SECOND), ==, 20 * DFS_SECOND);
	g_assert_cmpint(dfs_retry_pause(1000, 20 * DFS_SECOND + 1), ==, 0);
}

static void
a_pause_may_be_anything_up_to_its_limit(void)
{
	int64_t low = INT64_MAX, high = 0;
	GRand *rand = g_rand_new_with_seed(1);

	for (int i = 0; i < 1000; i++) {
		uint64_t random = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
		int64_t pause = dfs_retry_pause(3, random);

		g_assert_cmpint(pause, >=, 0);
		g_assert_cmpint(pause, <=, 4 * DFS_SECOND / 10);
		low = MIN(low, pause);
		high = MAX(high, pause);
	}
	g_assert_cmpint(low, <, DFS_SECOND / 100);
	g_assert_cmpint(high, >, 39 * DFS_SECOND / 100);
	g_rand_free(rand);
}

static void
only_what_may_pass_is_transient(void)
{
	g_assert_true(dfs_retry_transient(DFS_TIMEDOUT));
	g_assert_true(dfs_retry_transient(DFS_DELAY));
	g_assert_true(dfs_retry_transient(DFS_BUSY));
	g_assert_true(dfs_retry_transient(DFS_IO));
	g_assert_false(dfs_retry_transient(DFS_OK));
	g_assert_false(dfs_retry_transient(DFS_NOENT));
	g_assert_false(dfs_retry_transient(DFS_NOSPC));
	g_assert_false(dfs_retry_transient(DFS_ROFS));
	g_assert_false(dfs_retry_transient(DFS_ACCESS));
	g_assert_false(dfs_retry_transient(DFS_CORRUPT));
}

static void
a_hundred_retries_in_a_row_are_paid_for(void)
{
	struct dfs_retry_bucket b;
	unsigned retries = 0, timeouts = 0;

	dfs_retry_init(&b);
	while (dfs_retry_take(&b, DFS_IO))
		retries++;
	g_assert_cmpuint(retries, ==, 100);
	dfs_retry_init(&b);
	while (dfs_retry_take(&b, DFS_TIMEDOUT))
		timeouts++;
	g_assert_cmpuint(timeouts, ==, 50);
}

static void
good_answers_fill_the_bucket_up_to_its_brim(void)
{
	struct dfs_retry_bucket b;

	dfs_retry_init(&b);
	g_assert_true(dfs_retry_take(&b, DFS_IO));
	g_assert_true(dfs_retry_take(&b, DFS_IO));
	dfs_retry_give(&b, true);
	g_assert_cmpint(b.tokens, ==, DFS_RETRY_TOKENS - DFS_RETRY_COST);
	for (int i = 0; i < 10; i++)
		dfs_retry_give(&b, false);
	g_assert_cmpint(b.tokens, ==, DFS_RETRY_TOKENS);
}

static void
five_failures_in_a_row_open_the_breaker(void)
{
	struct dfs_breaker b = {0};
	int64_t now = 1000 * DFS_SECOND;

	for (int i = 0; i < 4; i++)
		g_assert_false(dfs_breaker_note(&b, DFS_TIMEDOUT, false, now));
	/* One good answer between them, and they are not in a row. */
	dfs_breaker_note(&b, DFS_NOENT, false, now);
	for (int i = 0; i < 4; i++)
		g_assert_false(dfs_breaker_note(&b, DFS_IO, false, now));
	g_assert_cmpint(dfs_breaker_ask(&b, now), ==, DFS_BREAKER_PASS);
	g_assert_true(dfs_breaker_note(&b, DFS_IO, false, now));
	g_assert_cmpint(b.state, ==, DFS_BREAKER_OPEN);
	g_assert_cmpint(b.since, ==, now);
	g_assert_cmpint(b.why, ==, DFS_IO);
	g_assert_cmpint(dfs_breaker_ask(&b, now), ==, DFS_BREAKER_REFUSE);
}

static struct dfs_breaker
opened_at(int64_t now)
{
	struct dfs_breaker b = {0};

	for (int i = 0; i < DFS_BREAKER_FAILURES; i++)
		dfs_breaker_note(&b, DFS_IO, false, now);
	return b;
}

static void
probes_go_out_alone_and_ever_less_often(void)
{
	static const int seconds[] = {5, 10, 20, 40, 60, 60};
	int64_t now = 1000 * DFS_SECOND;
	struct dfs_breaker b = opened_at(now);

	for (unsigned i = 0; i < G_N_ELEMENTS(seconds); i++) {
		int64_t due = now + seconds[i] * DFS_SECOND;

		g_assert_cmpint(dfs_breaker_ask(&b, due - 1), ==, DFS_BREAKER_REFUSE);
		g_assert_cmpint(dfs_breaker_ask(&b, due), ==, DFS_BREAKER_PROBE);
		g_assert_cmpint(dfs_breaker_ask(&b, due), ==, DFS_BREAKER_REFUSE);
		g_assert_false(dfs_breaker_note(&b, DFS_IO, true, due));
		now = due;
	}
	g_assert_cmpint(b.since, ==, 1000 * DFS_SECOND);
}

static void
a_good_probe_closes_it(void)
{
	int64_t now = 1000 * DFS_SECOND;
	struct dfs_breaker b = opened_at(now);

	now += DFS_BREAKER_PROBE_FIRST;
	g_assert_cmpint(dfs_breaker_ask(&b, now), ==, DFS_BREAKER_PROBE);
	g_assert_true(dfs_breaker_note(&b, DFS_OK, true, now));
	g_assert_cmpint(b.state, ==, DFS_BREAKER_CLOSED);
	g_assert_cmpint(b.since, ==, now);
	g_assert_cmpint(dfs_breaker_ask(&b, now), ==, DFS_BREAKER_PASS);
}

static void
a_late_good_answer_closes_it_too(void)
{
	struct dfs_breaker b = opened_at(DFS_SECOND);

	g_assert_true(dfs_breaker_note(&b, DFS_OK, false, 2 * DFS_SECOND));
	g_assert_cmpint(b.state, ==, DFS_BREAKER_CLOSED);
}

static void
late_failures_do_not_put_probes_off(void)
{
	struct dfs_breaker b = opened_at(DFS_SECOND);
	int64_t due = b.next_probe;

	dfs_breaker_note(&b, DFS_TIMEDOUT, false, 2 * DFS_SECOND);
	g_assert_cmpint(b.next_probe, ==, due);
	g_assert_cmpint(dfs_breaker_ask(&b, due), ==, DFS_BREAKER_PROBE);
	dfs_breaker_note(&b, DFS_TIMEDOUT, false, due);
	g_assert_cmpint(b.state, ==, DFS_BREAKER_PROBING);
}

static void
a_probe_that_never_answers_makes_room_for_another(void)
{
	struct dfs_breaker b = opened_at(DFS_SECOND);
	int64_t called = b.next_probe;

	g_assert_cmpint(dfs_breaker_ask(&b, called), ==, DFS_BREAKER_PROBE);
	g_assert_false(dfs_breaker_would(&b, called + DFS_BREAKER_PROBE_MAX - 1));
	g_assert_true(dfs_breaker_would(&b, called + DFS_BREAKER_PROBE_MAX));
	g_assert_cmpint(dfs_breaker_ask(&b, called + DFS_BREAKER_PROBE_MAX), ==, DFS_BREAKER_PROBE);
}

static void
a_refusal_opens_it_at_once(void)
{
	struct dfs_breaker b = {0};

	g_assert_true(dfs_breaker_note(&b, DFS_ACCESS, false, DFS_SECOND));
	g_assert_cmpint(b.state, ==, DFS_BREAKER_OPEN);
	g_assert_cmpint(b.why, ==, DFS_ACCESS);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/offload/" name, fn)
	T("pauses-double-up-to-twenty-seconds", pauses_double_up_to_twenty_seconds);
	T("a-pause-may-be-anything-up-to-its-limit", a_pause_may_be_anything_up_to_its_limit);
	T("only-what-may-pass-is-transient", only_what_may_pass_is_transient);
	T("a-hundred-retries-in-a-row-are-paid-for", a_hundred_retries_in_a_row_are_paid_for);
	T("good-answers-fill-the-bucket-up-to-its-brim",
	  good_answers_fill_the_bucket_up_to_its_brim);
	T("five-failures-in-a-row-open-the-breaker", five_failures_in_a_row_open_the_breaker);
	T("probes-go-out-alone-and-ever-less-often", probes_go_out_alone_and_ever_less_often);
	T("a-good-probe-closes-it", a_good_probe_closes_it);
	T("a-late-good-answer-closes-it-too", a_late_good_answer_closes_it_too);
	T("late-failures-do-not-put-probes-off", late_failures_do_not_put_probes_off);
	T("a-probe-that-never-answers-makes-room-for-another",
	  a_probe_that_never_answers_makes_room_for_another);
	T("a-refusal-opens-it-at-once", a_refusal_opens_it_at_once);
	return g_test_run();
}
