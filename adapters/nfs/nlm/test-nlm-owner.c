/* SPDX-License-Identifier: MIT
 *
 * Grants whose owner locks, unlocks or cancels the same or a part of it before it is known to have been
 * told, and what is given up.
 */
#include "adapters/nfs/nlm/test-nlm-bed.h"
#include "metadata/lock/table.h"

static void
test_asking_again_settles(void)
{
	out.status = DFS_TIMEDOUT;
	block_and_grant();
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	nlm_tick(nlm);
	g_assert_false(is_free());
}

/* The answer of a call that is under way comes after the lock was cancelled. */
static void
test_cancel_while_it_is_told(void)
{
	out.hold = true;
	block_and_grant();
	g_assert_true(out.wanted(out.done_arg));
	g_assert_cmpuint(cancel(host_b, 2, 0, 0), ==, 0);
	g_assert_false(out.wanted(out.done_arg)); /* it may not have been sent yet */
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
	end_call(DFS_SHUTDOWN);
}

/* What was granted is gone, another has it, and the owner waits for it again. */
static void
test_what_is_not_held_is_not_told(void)
{
	out.status = DFS_NOENT;
	block_and_grant();
	drop_locks();
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	out.status = DFS_OK;
	nlm_tick(nlm);
	wait_no_grants();
	wait_sent(1);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(2);
	wait_no_grants();
	g_assert_false(is_free());
}

/* The owner asks for a part of what is being given up: it is to come again, and has nothing then. */
static void
test_what_is_given_up_is_to_be_asked_for_again(void)
{
	struct nlm_block *block = NULL;

	out.status = DFS_NOENT;
	block_and_grant();
	for (unsigned i = 0; !block; i++)
		block = nlm->grants[i];
	dfs_lock_acquire(&nlm->mu);
	block->state = NLM_BLOCK_GIVING_UP;
	dfs_lock_release(&nlm->mu);
	drop_locks();
	g_assert_cmpuint(take(host_b, 2, 5, 1, false), ==, NLM_DENIED_GRACE);
	g_assert_cmpuint(dfs_locks_held(world.one->locks), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	dfs_lock_acquire(&nlm->mu);
	block->state = NLM_BLOCK_RESTING;
	dfs_lock_release(&nlm->mu);
	g_assert_cmpuint(take(host_b, 2, 0, 0, false), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
}

/* A LOCK of the whole file. */
static void
make_request(struct nlm_request *r, const char *host, uint32_t svid)
{
	const struct nlm_args args = {.svid = svid, .oh = {(const unsigned char *)"oh", 2}};
	union nfs_address peer;

	memset(r, 0, sizeof *r);
	r->slot = world.one->slot;
	r->ref = file;
	r->range = (struct dfs_lock_range){0, DFS_LOCK_EOF, true};
	nfs_address_set(&peer, &conn.access.peer.sa);
	nlm_client_of(&r->client, &peer, host, (uint32_t)strlen(host));
	r->who = (struct dfs_lock_who){r->client.bytes, r->owner, r->client.len,
				       nlm_lock_owner(&args, r->owner)};
}

/* To unlock the midst of a lock takes one lock more, which the limit does not allow for a while. */
static void
test_what_cannot_be_unlocked_is_given_up_later(void)
{
	struct dfs_lock_domain *domain = world.one->locks->domain;
	uint64_t max = domain->max_locks;

	out.stat = NLM_DENIED;
	g_assert_cmpuint(take(host_b, 2, 0, 10, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 20, 10, false), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 10, 10, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 10, 10, true), ==, NLM_BLOCKED);
	domain->max_locks = 0;
	g_assert_cmpuint(give(host_a, 1, 10, 10), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	domain->max_locks = max;
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 10, 10, false), ==, 0);
}

/* The client refuses while a LOCK of the same owner is under way, which finds the lock to be its own. */
static void
test_what_its_owner_asks_for_is_not_given_up(void)
{
	struct nlm_request request;

	make_request(&request, host_b, 2);
	g_assert_true(nlm_lock_begin(nlm, &request, NULL));
	out.stat = NLM_DENIED;
	block_and_grant();
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	nlm_lock_end(nlm, &request, NULL, true);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

static void
test_what_its_owner_has_asked_for_in_vain_is_given_up(void)
{
	struct nlm_request request;

	make_request(&request, host_b, 2);
	g_assert_true(nlm_lock_begin(nlm, &request, NULL));
	out.stat = NLM_DENIED;
	block_and_grant();
	nlm_lock_end(nlm, &request, NULL, false);
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

/* The lock manager has granted it, which NLM has not heard yet: it will by done. */
static void
block_and_grant_unheard(struct dfs_lock_done *done)
{
	struct dfs_locks *locks = world.one->locks;
	struct nlm_request holder;
	struct dfs_lock_owner *owner;

	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	make_request(&holder, host_a, 1);
	owner = dfs_lock_owner_find(locks, &holder.who);
	dfs_lock_done_init(done);
	g_assert_cmpint(dfs_locks_unlock(locks, owner, file.fileid, &holder.range, done), ==,
			DFS_OK);
	dfs_lock_owner_put(locks, owner);
}

static void
test_what_is_unlocked_before_it_is_heard_of_is_not_told(void)
{
	struct dfs_lock_done done;

	block_and_grant_unheard(&done);
	g_assert_cmpuint(give(host_b, 2, 0, 0), ==, 0);
	out.hold = true; /* a telling would stay */
	dfs_lock_done_run(world.one->locks, &done);
	wait_no_grants();
	wait_sent(0);
	g_assert_true(is_free());
}

static void
test_of_what_is_unlocked_in_part_the_rest_is_freed(void)
{
	out.status = DFS_NOENT;
	block_and_grant();
	g_assert_cmpuint(give(host_b, 2, 5, 1), ==, 0);
	out.hold = true;
	nlm_tick(nlm);
	wait_no_grants();
	wait_sent(1);
	g_assert_true(is_free());
}

static void
test_granted_by_the_reply_is_kept(void)
{
	struct dfs_lock_done done;

	block_and_grant_unheard(&done);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, 0);
	out.stat = NLM_DENIED; /* it waits for nothing any more */
	dfs_lock_done_run(world.one->locks, &done);
	wait_sent(1);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

/* A part of what was granted is given to the same owner by another LOCK. */
static void
test_granted_in_part_by_a_reply_is_kept(void)
{
	out.status = DFS_NOENT;
	block_and_grant();
	g_assert_cmpuint(take(host_b, 2, 5, 1, false), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	out.status = DFS_OK;
	out.stat = NLM_DENIED;
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

static void
test_what_was_known_in_part_and_is_unlocked_is_given_up(void)
{
	out.status = DFS_NOENT;
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 10, 20, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(take(host_b, 2, 10, 1, false), ==, 0);
	g_assert_cmpuint(give(host_b, 2, 10, 1), ==, 0);
	nlm_tick(nlm);
	wait_no_grants();
	g_assert_true(is_free());
}

/* Threads of a process are one owner: what one of them has is not what another waits for. */
static void
block_and_grant_part(void)
{
	out.status = DFS_NOENT;
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 11, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
	out.status = DFS_OK;
}

static void
test_cancel_of_more_leaves_what_lies_within(void)
{
	block_and_grant_part();
	g_assert_cmpuint(cancel(host_b, 2, 0, 0), ==, NLM_DENIED);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

static void
test_lock_of_more_leaves_what_lies_within(void)
{
	block_and_grant_part();
	g_assert_cmpuint(take(host_b, 2, 0, 100, false), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	out.stat = NLM_DENIED;
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

/* Two grants of the same: the client waits for one of them, and denies the other. */
static void
test_granted_twice_is_kept(void)
{
	struct dfs_lock_done done;

	block_and_grant_unheard(&done);
	g_assert_cmpuint(give(host_b, 2, 0, 0), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	out.stat = NLM_DENIED;
	dfs_lock_done_run(world.one->locks, &done);
	wait_sent(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

int
main(int argc, char **argv)
{
	test_nlm_init(&argc, &argv);
	test_nlm_add("/nlm/asking-again-settles", test_asking_again_settles);
	test_nlm_add("/nlm/cancel-while-it-is-told", test_cancel_while_it_is_told);
	test_nlm_add("/nlm/what-is-not-held-is-not-told", test_what_is_not_held_is_not_told);
	test_nlm_add("/nlm/what-is-given-up-is-to-be-asked-for-again",
		     test_what_is_given_up_is_to_be_asked_for_again);
	test_nlm_add("/nlm/what-cannot-be-unlocked-is-given-up-later",
		     test_what_cannot_be_unlocked_is_given_up_later);
	test_nlm_add("/nlm/what-its-owner-asks-for-is-not-given-up",
		     test_what_its_owner_asks_for_is_not_given_up);
	test_nlm_add("/nlm/what-its-owner-has-asked-for-in-vain-is-given-up",
		     test_what_its_owner_has_asked_for_in_vain_is_given_up);
	test_nlm_add("/nlm/what-is-unlocked-before-it-is-heard-of-is-not-told",
		     test_what_is_unlocked_before_it_is_heard_of_is_not_told);
	test_nlm_add("/nlm/of-what-is-unlocked-in-part-the-rest-is-freed",
		     test_of_what_is_unlocked_in_part_the_rest_is_freed);
	test_nlm_add("/nlm/granted-by-the-reply-is-kept", test_granted_by_the_reply_is_kept);
	test_nlm_add("/nlm/granted-in-part-by-a-reply-is-kept",
		     test_granted_in_part_by_a_reply_is_kept);
	test_nlm_add("/nlm/what-was-known-in-part-and-is-unlocked-is-given-up",
		     test_what_was_known_in_part_and_is_unlocked_is_given_up);
	test_nlm_add("/nlm/cancel-of-more-leaves-what-lies-within",
		     test_cancel_of_more_leaves_what_lies_within);
	test_nlm_add("/nlm/lock-of-more-leaves-what-lies-within",
		     test_lock_of_more_leaves_what_lies_within);
	test_nlm_add("/nlm/granted-twice-is-kept", test_granted_twice_is_kept);
	return test_nlm_run();
}
