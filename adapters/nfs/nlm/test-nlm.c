/* SPDX-License-Identifier: MIT
 *
 * NLM's procedures in both widths, their limits, the peers that are watched, and the stop.
 */
#include <semaphore.h>

#include "adapters/nfs/nlm/test-nlm-bed.h"
#include "metadata/lock/table.h"

static void
test_holder_is_told_in_both_widths(void)
{
	o_nlm_test4 args4 = {
		.cookie = OBJ("c4"), .exclusive = true, .lock = lock4(host_b, 9, 0, 0)};
	o_nlm_test3 args3 = {.cookie = OBJ("c3"),
			     .exclusive = true,
			     .lock = {.caller = host_b, .fh = HANDLE, .oh = OBJ("x"), .svid = 9}};
	o_nlm_testres4 res4;
	o_nlm_testres3 res3;

	g_assert_cmpuint(take(host_a, 77, UINT64_C(0x1234567890), 0x111, false), ==, 0);
	ENCODE(o_nlm_test4, &args4);
	run(4, NLM_TEST);
	DECODE(o_nlm_testres4, &res4);
	g_assert_cmpmem(res4.cookie.o_netobj_val, res4.cookie.o_netobj_len, "c4", 2);
	g_assert_cmpuint(res4.reply.stat, ==, NLM_DENIED);
	g_assert_true(res4.reply.o_testrply4_u.holder.exclusive);
	g_assert_cmpuint(res4.reply.o_testrply4_u.holder.svid, ==, 77);
	g_assert_cmpmem(res4.reply.o_testrply4_u.holder.oh.o_netobj_val,
			res4.reply.o_testrply4_u.holder.oh.o_netobj_len, "oh", 2);
	g_assert_cmpuint(res4.reply.o_testrply4_u.holder.offset, ==, UINT64_C(0x1234567890));
	g_assert_cmpuint(res4.reply.o_testrply4_u.holder.length, ==, 0x111);
	FREE(o_nlm_testres4, &res4);
	ENCODE(o_nlm_test3, &args3);
	run(3, NLM_TEST);
	DECODE(o_nlm_testres3, &res3);
	g_assert_cmpuint(res3.reply.stat, ==, NLM_DENIED);
	g_assert_cmpuint(res3.reply.o_testrply3_u.holder.offset, ==, UINT32_MAX);
	g_assert_cmpuint(res3.reply.o_testrply3_u.holder.length, ==, 0);
	FREE(o_nlm_testres3, &res3);
}

static void
test_narrow_lock(void)
{
	o_nlm_lock3 args = {.cookie = OBJ("narrow"),
			    .exclusive = true,
			    .lock = {.caller = host_a,
				     .fh = HANDLE,
				     .oh = OBJ("oh"),
				     .svid = 3,
				     .offset = 100,
				     .length = 50}};

	ENCODE(o_nlm_lock3, &args);
	run(1, NLM_LOCK);
	g_assert_cmpuint(result("narrow"), ==, 0);
	g_assert_cmpuint(take(host_b, 1, 149, 1, false), ==, NLM_DENIED);
	g_assert_cmpuint(take(host_b, 1, 150, 1, false), ==, 0);
}

static void
test_share_modes(void)
{
	o_nlm_share args = {.cookie = OBJ("s"),
			    .caller = host_a,
			    .fh = HANDLE,
			    .oh = OBJ("oh"),
			    .mode = 2, /* deny writing */
			    .access = 1};
	o_nlm_shareres res;

	ENCODE(o_nlm_share, &args);
	run(4, NLM_SHARE);
	DECODE(o_nlm_shareres, &res);
	g_assert_cmpuint(res.stat, ==, 0);
	FREE(o_nlm_shareres, &res);
	args.caller = host_b;
	args.mode = 0;
	args.access = 2;
	ENCODE(o_nlm_share, &args);
	run(4, NLM_SHARE);
	DECODE(o_nlm_shareres, &res);
	g_assert_cmpuint(res.stat, ==, NLM_DENIED);
	FREE(o_nlm_shareres, &res);
}

static void
test_free_all(void)
{
	o_nlm_notify args = {.name = host_a, .state = 3};

	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	ENCODE(o_nlm_notify, &args);
	run(4, NLM_FREE_ALL);
	g_assert_cmpuint(conn.flat_len, ==, 0);
	g_assert_cmpuint(take(host_b, 1, 0, 0, false), ==, 0);
}

/* The arguments end anywhere: never more than garbage. */
static void
test_cut_arguments_are_garbage(void)
{
	o_nlm_lock4 args = {
		.cookie = OBJ("cookie"), .exclusive = true, .lock = lock4(host_a, 1, 0, 0)};
	g_autofree unsigned char *bytes = NULL;
	size_t len;

	ENCODE(o_nlm_lock4, &args);
	len = (size_t)(conn.call.args.end - conn.call.args.p);
	bytes = g_memdup2(conn.call.args.p, len);
	conn.call.version = 4;
	for (size_t n = 0; n < len; n++) {
		test_conn_args(&conn, bytes, n);
		g_assert_cmpint(test_conn_run(&conn, &nlm_procs[NLM_LOCK]), ==, DFS_INVAL);
	}
}

static void
test_message_is_answered_by_a_call(void)
{
	o_nlm_lock4 args = {
		.cookie = OBJ("msg"), .exclusive = true, .lock = lock4(host_a, 1, 0, 0)};
	o_nlm_res res;

	ENCODE(o_nlm_lock4, &args);
	run(4, NLM_LOCK_MSG);
	g_assert_cmpuint(conn.flat_len, ==, 0);
	wait_sent(1);
	g_assert_cmpuint(out.procedure, ==, NLM_LOCK_RES);
	decode_bytes((xdrproc_t)xdr_o_nlm_res, &res, sizeof res, out.args, out.len);
	g_assert_cmpmem(res.cookie.o_netobj_val, res.cookie.o_netobj_len, "msg", 3);
	g_assert_cmpuint(res.stat, ==, 0);
	FREE(o_nlm_res, &res);
}

static void
test_every_status_has_a_meaning_in_each_version(void)
{
	for (int s = DFS_OK; s <= DFS_GRACE; s++) {
		g_assert_cmpuint(nlm_status(4, (enum dfs_status)s), <=, NLM4_FAILED);
		g_assert_cmpuint(nlm_status(3, (enum dfs_status)s), <=, NLM_DEADLCK);
	}
	g_assert_cmpuint(nlm_status(4, DFS_STALE), ==, NLM4_STALE_FH);
	g_assert_cmpuint(nlm_status(3, DFS_STALE), ==, NLM_DENIED_NOLOCKS);
	g_assert_cmpuint(nlm_status(4, DFS_DELAY), ==, NLM_DENIED_GRACE);
}

static void
test_blocks_are_bounded(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	nlm->n_blocks = NLM_BLOCKS_MAX;
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_DENIED_NOLOCKS);
	nlm->n_blocks = 0;
	for (unsigned i = 0; i < NLM_BLOCK_COUNTERS; i++)
		nlm->n_blocks_of[i] = NLM_BLOCKS_ADDRESS_MAX;
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_DENIED_NOLOCKS);
	for (unsigned i = 0; i < NLM_BLOCK_COUNTERS; i++)
		nlm->n_blocks_of[i] = NLM_BLOCKS_ADDRESS_MAX - 1;
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(take(host_b, 3, 0, 0, true), ==, NLM_DENIED_NOLOCKS);
	g_assert_cmpuint(nlm->n_blocks, ==, 1);
	g_assert_cmpuint(cancel(host_b, 2, 0, 0), ==, 0);
	g_assert_cmpuint(nlm->n_blocks, ==, 0);
}

static void
test_monitor_comes_first(void)
{
	watch.status = DFS_NOSPC;
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, NLM_DENIED_NOLOCKS);
	g_assert_cmpuint(nlm->n_peers, ==, 0);
	watch.status = DFS_OK;
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpstr(watch.name, ==, "alpha");
	nlm_peers_tidy(nlm);
	g_assert_cmpuint(watch.forgotten, ==, 0);
	give(host_a, 1, 0, 0);
	nlm_peers_tidy(nlm);
	g_assert_cmpuint(watch.forgotten, ==, 1);
}

static void
test_tidying_keeps_one_share_at_a_time(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	nfs_access_clear(&conn.access);
	conn.runtime.shares[1] = world.two;
	conn.runtime.most_refs = 0;
	for (unsigned i = 0; i < 30; i++)
		nlm_tick(nlm);
	g_assert_true(dfs_lane_wait(nlm->lane, INT64_MAX));
	g_assert_cmpuint(watch.forgotten, ==, 1);
	/* Neither had more than ours when the next one's turn came. */
	g_assert_cmpuint(conn.runtime.most_refs, ==, 1);
}

/* As a LOCK does that is still under way when the stop gives up waiting for it. */
static void
test_a_wait_that_comes_after_the_stop_ends(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	nlm_stop(nlm, INT64_MAX);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	nlm_free(nlm);
	nlm = NULL;
	drop_locks();
}

/* tear_down stops it again. */
static void
test_a_stop_may_come_twice(void)
{
	g_assert_true(nlm_stop(nlm, INT64_MAX));
}

/* The client may have it: it is not unlocked, so that its record is there to be reclaimed from. */
static void
test_a_stop_keeps_what_is_being_told(void)
{
	out.hold = true;
	block_and_grant();
	g_assert_true(nlm_stop(nlm, INT64_MAX));
	end_call(DFS_SHUTDOWN);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_cmpuint(dfs_locks_held(world.one->locks), ==, 1);
	nlm_free(nlm);
	nlm = NULL;
	drop_locks();
}

static void
test_a_wait_in_a_share_that_was_taken_out_ends(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	conn.runtime.shares[0] = NULL;
	conn.runtime.leaving = world.one;
	g_assert_true(nlm_stop(nlm, INT64_MAX));
	g_assert_cmpuint(nlm->n_blocks, ==, 0);
}

struct hung {
	struct dfs_task task;
	sem_t *started, *go;
};

static void
hang(struct dfs_task *task)
{
	struct hung *hung = (struct hung *)task;

	sem_post(hung->started);
	sem_wait(hung->go);
}

/* As what waits for a store that does not answer; what was granted meanwhile has had no turn yet. */
static void
test_a_stop_ends_although_the_background_does_not(void)
{
	struct hung hung[2]; /* as many as run at once */
	sem_t started, go;

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(hung); i++) {
		hung[i] = (struct hung){{.run = hang}, &started, &go};
		g_assert_true(dfs_lane_submit(nlm->lane, &hung[i].task));
		sem_wait(&started);
	}
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 1);
	g_assert_false(nlm_stop(nlm, 0));
	sem_post(&go);
	sem_post(&go);
	g_assert_true(nlm_stop(nlm, INT64_MAX));
	/* Nobody is told any more. */
	g_assert_cmpuint(out.n, ==, 0);
	g_assert_cmpuint(nlm_grants(nlm), ==, 0);
	g_assert_true(is_free());
}

int
main(int argc, char **argv)
{
	test_nlm_init(&argc, &argv);
	test_nlm_add("/nlm/holder-is-told-in-both-widths", test_holder_is_told_in_both_widths);
	test_nlm_add("/nlm/narrow-lock", test_narrow_lock);
	test_nlm_add("/nlm/share-modes", test_share_modes);
	test_nlm_add("/nlm/free-all", test_free_all);
	test_nlm_add("/nlm/cut-arguments-are-garbage", test_cut_arguments_are_garbage);
	test_nlm_add("/nlm/message-is-answered-by-a-call", test_message_is_answered_by_a_call);
	test_nlm_add("/nlm/every-status-has-a-meaning-in-each-version",
		     test_every_status_has_a_meaning_in_each_version);
	test_nlm_add("/nlm/blocks-are-bounded", test_blocks_are_bounded);
	test_nlm_add("/nlm/monitor-comes-first", test_monitor_comes_first);
	test_nlm_add("/nlm/tidying-keeps-one-share-at-a-time",
		     test_tidying_keeps_one_share_at_a_time);
	test_nlm_add("/nlm/a-wait-that-comes-after-the-stop-ends",
		     test_a_wait_that_comes_after_the_stop_ends);
	test_nlm_add("/nlm/a-stop-may-come-twice", test_a_stop_may_come_twice);
	test_nlm_add("/nlm/a-stop-keeps-what-is-being-told", test_a_stop_keeps_what_is_being_told);
	test_nlm_add("/nlm/a-wait-in-a-share-that-was-taken-out-ends",
		     test_a_wait_in_a_share_that_was_taken_out_ends);
	test_nlm_add("/nlm/a-stop-ends-although-the-background-does-not",
		     test_a_stop_ends_although_the_background_does_not);
	return test_nlm_run();
}
