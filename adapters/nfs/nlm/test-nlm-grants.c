/* SPDX-License-Identifier: MIT
 *
 * Telling a client that its LOCK is granted: call-backs that are answered in all ways, or not at all.
 */
#include "adapters/nfs/nlm/test-nlm-bed.h"

static void
test_grant_is_told(void)
{
	o_nlm_test4 told;

	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 10, 20, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
	g_assert_cmpuint(out.procedure, ==, NLM_GRANTED);
	g_assert_cmpuint(out.version, ==, 4);
	decode_bytes((xdrproc_t)xdr_o_nlm_test4, &told, sizeof told, out.args, out.len);
	g_assert_true(told.exclusive);
	g_assert_cmpstr(told.lock.caller, ==, "beta");
	g_assert_cmpuint(told.lock.svid, ==, 2);
	g_assert_cmpuint(told.lock.offset, ==, 10);
	g_assert_cmpuint(told.lock.length, ==, 20);
	g_assert_cmpmem(told.lock.fh.o_netobj_val, told.lock.fh.o_netobj_len, handle,
			NFS_HANDLE_SIZE);
	FREE(o_nlm_test4, &told);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_cmpuint(take(host_a, 1, 10, 1, false), ==, NLM_DENIED);
}

static void
test_refused_at_once_is_free(void)
{
	out.stat = NLM_DENIED;
	block_and_grant();
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

static void
test_refused_after_silence_is_kept(void)
{
	out.status = DFS_TIMEDOUT;
	block_and_grant();
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	out.status = DFS_OK;
	out.stat = NLM_DENIED;
	tick_to(2);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

static void
test_who_cannot_be_told_loses_it_in_the_end(void)
{
	out.status = DFS_NOENT; /* no such program there */
	block_and_grant();
	for (unsigned i = 2; i <= 15; i++) {
		g_assert_cmpuint(nlm_grants(nlm), ==, 1);
		g_assert_false(is_free());
		tick_to(i);
	}
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

static void
test_who_may_have_been_told_keeps_it(void)
{
	out.status = DFS_TIMEDOUT;
	block_and_grant();
	for (unsigned i = 2; i <= 15; i++)
		tick_to(i);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

static void
test_a_restarted_peer_is_not_told(void)
{
	union nfs_address peer;

	out.status = DFS_TIMEDOUT;
	block_and_grant();
	nfs_address_set(&peer, &conn.access.peer.sa);
	nlm_peer_restarted(nlm, &peer, "beta");
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

/* A LOCK_MSG that blocks and is granted: two calls so far. */
static void
block_and_grant_message(void)
{
	o_nlm_lock4 args = {.cookie = OBJ("msg"),
			    .block = true,
			    .exclusive = true,
			    .lock = lock4(host_b, 2, 0, 0)};

	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	ENCODE(o_nlm_lock4, &args);
	run(4, NLM_LOCK_MSG);
	wait_sent(1);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(2);
	g_assert_cmpuint(out.procedure, ==, NLM_GRANTED_MSG);
}

/* GRANTED_RES to the last call. */
static void
answer_message(enum nlm_stat stat)
{
	o_nlm_test4 told;
	o_nlm_res res;

	decode_bytes((xdrproc_t)xdr_o_nlm_test4, &told, sizeof told, out.args, out.len);
	res = (o_nlm_res){.cookie = told.cookie, .stat = stat};
	ENCODE(o_nlm_res, &res);
	run(4, NLM_GRANTED_RES);
	FREE(o_nlm_test4, &told);
}

static void
test_message_refused_is_free(void)
{
	block_and_grant_message();
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	answer_message(NLM_DENIED);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

static void
test_message_accepted_is_kept(void)
{
	out.hold = true;
	block_and_grant_message();
	answer_message(NLM_GRANTED_STAT);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	end_call(DFS_OK);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

/* A copy of GRANTED_MSG comes after the client has accepted, and waits no more. */
static void
test_message_accepted_and_then_refused_is_kept(void)
{
	out.hold = true;
	block_and_grant_message();
	answer_message(NLM_GRANTED_STAT);
	answer_message(NLM_DENIED);
	end_call(DFS_OK);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

/* The first GRANTED_MSG may have been accepted; while the second is sent, it is refused. */
static void
test_message_refused_after_silence_is_kept(void)
{
	block_and_grant_message();
	out.hold = true;
	tick_to(3);
	answer_message(NLM_DENIED);
	end_call(DFS_OK);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_false(is_free());
}

/* A client in its grace period has answered: it has not accepted. */
static void
test_message_refused_after_grace_is_free(void)
{
	block_and_grant_message();
	answer_message(NLM_DENIED_GRACE);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	out.hold = true;
	tick_to(3);
	answer_message(NLM_DENIED);
	end_call(DFS_OK);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

int
main(int argc, char **argv)
{
	test_nlm_init(&argc, &argv);
	test_nlm_add("/nlm/grant-is-told", test_grant_is_told);
	test_nlm_add("/nlm/refused-at-once-is-free", test_refused_at_once_is_free);
	test_nlm_add("/nlm/refused-after-silence-is-kept", test_refused_after_silence_is_kept);
	test_nlm_add("/nlm/who-cannot-be-told-loses-it-in-the-end",
		     test_who_cannot_be_told_loses_it_in_the_end);
	test_nlm_add("/nlm/who-may-have-been-told-keeps-it", test_who_may_have_been_told_keeps_it);
	test_nlm_add("/nlm/a-restarted-peer-is-not-told", test_a_restarted_peer_is_not_told);
	test_nlm_add("/nlm/message-refused-is-free", test_message_refused_is_free);
	test_nlm_add("/nlm/message-accepted-is-kept", test_message_accepted_is_kept);
	test_nlm_add("/nlm/message-accepted-and-then-refused-is-kept",
		     test_message_accepted_and_then_refused_is_kept);
	test_nlm_add("/nlm/message-refused-after-silence-is-kept",
		     test_message_refused_after_silence_is_kept);
	test_nlm_add("/nlm/message-refused-after-grace-is-free",
		     test_message_refused_after_grace_is_free);
	return test_nlm_run();
}
