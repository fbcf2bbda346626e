/* SPDX-License-Identifier: MIT
 *
 * A LOCK that blocks, of an owner who holds some of the range already: whatever becomes of its grant, what was
 * held before stays.
 */
#include "adapters/nfs/nlm/test-nlm-bed.h"

static uint32_t
take_shared(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	o_nlm_lock4 args = {.cookie = OBJ("cookie"), .lock = lock4(host, svid, offset, length)};

	ENCODE(o_nlm_lock4, &args);
	run(4, NLM_LOCK);
	return result("cookie");
}

/* B has it shared, waits for it exclusively, and is granted that. */
static void
upgrade(void)
{
	g_assert_cmpuint(take_shared(host_b, 2, 0, 10), ==, 0);
	g_assert_cmpuint(take_shared(host_a, 1, 0, 10), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 10, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 10), ==, 0);
	wait_sent(1);
}

static void
test_cancel_of_an_upgrade(void)
{
	out.hold = true;
	upgrade();
	g_assert_cmpuint(cancel(host_b, 2, 0, 10), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 0, 10, false), ==, NLM_DENIED);
	end_call(DFS_SHUTDOWN);
	g_assert_cmpuint(give(host_b, 2, 0, 0), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 0, 10, false), ==, 0);
}

static void
test_refusal_of_an_upgrade(void)
{
	out.stat = NLM_DENIED;
	upgrade();
	wait_no_grants();
	g_assert_cmpuint(take(host_a, 1, 0, 10, false), ==, NLM_DENIED);
	g_assert_cmpuint(give(host_b, 2, 0, 0), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 0, 10, false), ==, 0);
}

static void
test_cancel_of_more(void)
{
	out.hold = true;
	g_assert_cmpuint(take(host_b, 2, 10, 10, false), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 20, 10, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 40, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 20, 10), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(cancel(host_b, 2, 0, 40), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 10, 10, false), ==, NLM_DENIED);
	g_assert_cmpuint(take(host_a, 1, 0, 10, false), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 20, 20, false), ==, 0);
	end_call(DFS_SHUTDOWN);
}

static void
test_cancel_of_what_another_lock_has_a_part_of(void)
{
	out.hold = true;
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 20, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(take(host_b, 2, 0, 5, false), ==, 0);
	g_assert_cmpuint(cancel(host_b, 2, 0, 20), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 0, 5, false), ==, NLM_DENIED);
	g_assert_cmpuint(take(host_a, 1, 5, 15, false), ==, 0);
	end_call(DFS_SHUTDOWN);
}

/* What is unlocked between the question and the grant is nobody's before. */
static void
test_what_was_held_and_is_unlocked_goes_with_the_grant(void)
{
	out.stat = NLM_DENIED;
	g_assert_cmpuint(take_shared(host_b, 2, 0, 10), ==, 0);
	g_assert_cmpuint(take_shared(host_a, 1, 0, 10), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 20, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_b, 2, 0, 10), ==, 0);
	g_assert_cmpuint(give(host_a, 1, 0, 10), ==, 0);
	wait_sent(1);
	wait_no_grants();
	g_assert_cmpuint(take(host_a, 1, 0, 20, false), ==, 0);
}

int
main(int argc, char **argv)
{
	test_nlm_init(&argc, &argv);
	test_nlm_add("/nlm/cancel-of-an-upgrade", test_cancel_of_an_upgrade);
	test_nlm_add("/nlm/refusal-of-an-upgrade", test_refusal_of_an_upgrade);
	test_nlm_add("/nlm/cancel-of-more", test_cancel_of_more);
	test_nlm_add("/nlm/cancel-of-what-another-lock-has-a-part-of",
		     test_cancel_of_what_another_lock_has_a_part_of);
	test_nlm_add("/nlm/what-was-held-and-is-unlocked-goes-with-the-grant",
		     test_what_was_held_and_is_unlocked_goes_with_the_grant);
	return test_nlm_run();
}
