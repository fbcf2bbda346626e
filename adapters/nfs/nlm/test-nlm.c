/* SPDX-License-Identifier: MIT
 *
 * NLM without a network: its procedures against rpcgen's codec over the real core/fs, what it tells the
 * status monitor, and call-backs that are answered in all ways.
 */
#include <glib.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#define xdr_opaque tirpc_xdr_opaque
#include "adapters/nfs/oracle.h"
#undef xdr_opaque

#include "adapters/nfs/nlm/service.h"
#include "adapters/nfs/test-runtime.h"
#include "adapters/nfs/test-world.h"
#include "base/cond.h"
#include "base/log.h"
#include "io/worker.h"
#include "metadata/lock/table.h"

static struct test_world world;
static struct test_conn conn;
static struct dfs_workers *workers;
static struct nlm *nlm;
static unsigned char handle[NFS_HANDLE_SIZE];
static struct dfs_ref file;

/* What was sent, and how each is answered. */
static struct {
	pthread_mutex_t mu; /* not GLib's, which the thread sanitizer does not see */
	pthread_cond_t cond;
	unsigned n;
	uint32_t procedure, version, len;
	unsigned char args[NFS_CALL_ARGS_MAX];
	enum dfs_status status; /* with which the call ends */
	uint32_t stat;          /* in its reply */
	bool hold;              /* the call does not end */
	bool (*wanted)(void *arg);
	nfs_callback_fn done;
	void *done_arg;
} out;

static struct {
	unsigned monitored, forgotten;
	enum dfs_status status;
	char name[64];
} watch;

/* --- what NLM asks of others --- */

static enum dfs_status
send_out(void *arg, const struct nfs_target *target, uint32_t procedure, const void *args,
	 uint32_t len, int64_t deadline, nfs_callback_fn done, void *done_arg)
{
	static const unsigned char zero[4];
	unsigned char reply[64];
	struct xdr_out body = {.base = reply, .p = reply, .end = reply + sizeof reply};
	struct xdr_in in;
	enum dfs_status status;
	bool hold;

	(void)arg;
	(void)deadline;
	g_assert_cmpuint(target->program, ==, NLM_PROGRAM);
	if (procedure == NLM_GRANTED || procedure == NLM_GRANTED_MSG)
		g_assert_true(
			target->once); /* a second copy is denied by a client that has accepted */
	pthread_mutex_lock(&out.mu);
	out.procedure = procedure;
	out.version = target->version;
	out.len = len;
	memcpy(out.args, args, len);
	status = out.status;
	hold = out.hold;
	out.wanted = target->wanted;
	out.done = done;
	out.done_arg = done_arg;
	xdr_put_fixed(&body, zero, 4); /* an empty cookie */
	xdr_put_u32(&body, out.stat);
	pthread_mutex_unlock(&out.mu);
	if (!hold) {
		in = (struct xdr_in){.p = reply, .end = status == DFS_OK ? body.p : reply};
		done(done_arg, status, &in);
	}
	pthread_mutex_lock(&out.mu);
	out.n++;
	pthread_cond_signal(&out.cond);
	pthread_mutex_unlock(&out.mu);
	return DFS_OK;
}

/* Until n calls were made. */
static void
wait_sent(unsigned n)
{
	int64_t end = dfs_clock_mono() + 30 * DFS_SECOND;

	pthread_mutex_lock(&out.mu);
	while (out.n < n)
		g_assert_true(dfs_cond_until(&out.cond, &out.mu, end));
	g_assert_cmpuint(out.n, ==, n);
	pthread_mutex_unlock(&out.mu);
}

static enum dfs_status
monitor(void *arg, const struct nfs_access *access, const char *name, uint32_t len, uint32_t state,
	struct dfs_ctx *ctx)
{
	(void)arg;
	(void)access;
	(void)state;
	(void)ctx;
	watch.monitored++;
	g_snprintf(watch.name, sizeof watch.name, "%.*s", (int)len, name);
	return watch.status;
}

static void
forget(void *arg, const union nfs_address *peer, const char *name, uint32_t len)
{
	(void)arg;
	(void)peer;
	(void)name;
	(void)len;
	watch.forgotten++;
}

/* --- calls --- */

static void
encode(xdrproc_t fn, const void *args)
{
	static char bytes[16384];
	XDR x;

	xdrmem_create(&x, bytes, sizeof bytes, XDR_ENCODE);
	g_assert_true(fn(&x, (void *)(uintptr_t)args));
	test_conn_args(&conn, bytes, xdr_getpos(&x));
}

static void
decode_bytes(xdrproc_t fn, void *res, size_t size, void *bytes, uint32_t len)
{
	XDR x;

	memset(res, 0, size);
	xdrmem_create(&x, bytes, len, XDR_DECODE);
	g_assert_true(fn(&x, res));
	g_assert_cmpuint(xdr_getpos(&x), ==, len);
}

#define ENCODE(type, args) encode((xdrproc_t)xdr_##type, args)
#define DECODE(type, res)                                                                          \
	decode_bytes((xdrproc_t)xdr_##type, res, sizeof *(res), conn.flat, conn.flat_len)
#define FREE(type, res) xdr_free((xdrproc_t)xdr_##type, res)
#define OBJ(text)                                                                                  \
	{                                                                                          \
		.o_netobj_len = sizeof(text) - 1, .o_netobj_val = (char *)(uintptr_t)(text)        \
	}
#define HANDLE                                                                                     \
	{                                                                                          \
		.o_netobj_len = NFS_HANDLE_SIZE, .o_netobj_val = (char *)handle                    \
	}

static void
run(uint32_t version, uint32_t proc)
{
	conn.call.version = version;
	conn.call.program = NLM_PROGRAM;
	g_assert_cmpint(test_conn_run(&conn, &nlm_procs[proc]), ==, DFS_OK);
}

static uint32_t
result(const char *cookie)
{
	o_nlm_res res;
	uint32_t stat;

	DECODE(o_nlm_res, &res);
	g_assert_cmpmem(res.cookie.o_netobj_val, res.cookie.o_netobj_len, cookie, strlen(cookie));
	stat = res.stat;
	FREE(o_nlm_res, &res);
	return stat;
}

static char host_a[] = "alpha", host_b[] = "beta";

static o_lock4
lock4(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	return (o_lock4){.caller = host,
			 .fh = HANDLE,
			 .oh = OBJ("oh"),
			 .svid = svid,
			 .offset = offset,
			 .length = length};
}

static uint32_t
take(char *host, uint32_t svid, uint64_t offset, uint64_t length, bool block)
{
	o_nlm_lock4 args = {.cookie = OBJ("cookie"),
			    .block = block,
			    .exclusive = true,
			    .lock = lock4(host, svid, offset, length)};

	ENCODE(o_nlm_lock4, &args);
	run(4, NLM_LOCK);
	return result("cookie");
}

static uint32_t
give(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	o_nlm_unlock4 args = {.cookie = OBJ("c"), .lock = lock4(host, svid, offset, length)};

	ENCODE(o_nlm_unlock4, &args);
	run(4, NLM_UNLOCK);
	return result("c");
}

static uint32_t
cancel(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	o_nlm_cancel4 args = {.cookie = OBJ("c"),
			      .block = true,
			      .exclusive = true,
			      .lock = lock4(host, svid, offset, length)};

	ENCODE(o_nlm_cancel4, &args);
	run(4, NLM_CANCEL);
	return result("c");
}

/* --- tests --- */

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

/* Until it is told, tick by tick; each tick is due at once. */
static void
tick_to(unsigned sent)
{
	nlm_tick(nlm);
	wait_sent(sent);
}

static void
block_and_grant(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
}

static bool
is_free(void)
{
	bool got = take(host_a, 1, 0, 0, false) == 0;

	if (got)
		give(host_a, 1, 0, 0);
	return got;
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
end_call(enum dfs_status status)
{
	struct xdr_in nothing = {.p = out.args, .end = out.args};

	out.done(out.done_arg, status, &nothing);
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

static bool
any(void *arg, const void *client, uint32_t len)
{
	(void)arg;
	(void)client;
	(void)len;
	return true;
}

static void
wait_no_grants(void)
{
	gint64 end = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

	while (nlm_grants(nlm) > 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, end);
		g_thread_yield();
	}
}

/* What was granted is gone, another has it, and the owner waits for it again. */
static void
test_what_is_not_held_is_not_told(void)
{
	out.status = DFS_NOENT;
	block_and_grant();
	dfs_locks_drop_clients(world.one->locks, any, NULL);
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
	dfs_locks_drop_clients(world.one->locks, any, NULL);
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

/* As a LOCK does that is still under way when the stop gives up waiting for it. */
static void
test_a_wait_that_comes_after_the_stop_ends(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	nlm_stop(nlm, INT64_MAX);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	nlm_free(nlm);
	nlm = NULL;
	dfs_locks_drop_clients(world.one->locks, any, NULL);
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
	dfs_locks_drop_clients(world.one->locks, any, NULL);
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
set_up(void)
{
	struct nlm_outside outside = {.send = send_out, .monitor = monitor, .forget = forget};

	memset(&watch, 0, sizeof watch);
	out.n = out.stat = 0;
	out.status = DFS_OK;
	out.hold = false;
	test_conn_init(&conn, "192.0.2.7", 900);
	conn.runtime.shares[0] = world.one;
	nlm = nlm_new(&conn.runtime, workers, &outside);
	nlm->try_every = 0;
	conn.service.nlm = nlm;
}

static void
tear_down(void)
{
	if (nlm) {
		nlm_stop(nlm, INT64_MAX);
		g_assert_cmpuint(nlm->n_blocks, ==, nlm->n_grants);
		nlm_free(nlm);
	}
	dfs_locks_drop_clients(world.one->locks, any, NULL);
	g_assert_cmpuint(dfs_locks_held(world.one->locks), ==, 0);
	test_conn_clear(&conn);
}

static void
add(const char *path, void (*fn)(void))
{
	g_test_add_vtable(path, 0, fn, (GTestFixtureFunc)(void (*)(void))set_up,
			  (GTestFixtureFunc)fn, (GTestFixtureFunc)(void (*)(void))tear_down);
}

static void
make_file(void)
{
	struct dfs_ctx ctx = {.share = world.one, .deadline = dfs_clock_mono() + DFS_SECOND};
	struct dfs_ref root = {world.one->root_fileid, world.one->root_generation};
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0666};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	g_assert_cmpint(dfs_fs_create(&ctx, &root, (struct dfs_name){"f", 1}, DFS_CREATE_GUARDED,
				      &set, 0, &attr, &wcc),
			==, DFS_OK);
	file = (struct dfs_ref){attr.fileid, attr.generation};
	nfs_handle_make(world.one, file.fileid, file.generation, handle);
}

int
main(int argc, char **argv)
{
	int failed;

	g_test_init(&argc, &argv, NULL);
	test_world_init(&world);
	pthread_mutex_init(&out.mu, NULL);
	dfs_cond_init(&out.cond);
	workers = dfs_workers_new(2);
	make_file();
	add("/nlm/holder-is-told-in-both-widths", test_holder_is_told_in_both_widths);
	add("/nlm/narrow-lock", test_narrow_lock);
	add("/nlm/share-modes", test_share_modes);
	add("/nlm/free-all", test_free_all);
	add("/nlm/cut-arguments-are-garbage", test_cut_arguments_are_garbage);
	add("/nlm/grant-is-told", test_grant_is_told);
	add("/nlm/refused-at-once-is-free", test_refused_at_once_is_free);
	add("/nlm/refused-after-silence-is-kept", test_refused_after_silence_is_kept);
	add("/nlm/who-cannot-be-told-loses-it-in-the-end",
	    test_who_cannot_be_told_loses_it_in_the_end);
	add("/nlm/who-may-have-been-told-keeps-it", test_who_may_have_been_told_keeps_it);
	add("/nlm/asking-again-settles", test_asking_again_settles);
	add("/nlm/message-refused-is-free", test_message_refused_is_free);
	add("/nlm/message-accepted-is-kept", test_message_accepted_is_kept);
	add("/nlm/message-accepted-and-then-refused-is-kept",
	    test_message_accepted_and_then_refused_is_kept);
	add("/nlm/message-refused-after-silence-is-kept",
	    test_message_refused_after_silence_is_kept);
	add("/nlm/message-refused-after-grace-is-free", test_message_refused_after_grace_is_free);
	add("/nlm/cancel-while-it-is-told", test_cancel_while_it_is_told);
	add("/nlm/what-is-not-held-is-not-told", test_what_is_not_held_is_not_told);
	add("/nlm/what-is-given-up-is-to-be-asked-for-again",
	    test_what_is_given_up_is_to_be_asked_for_again);
	add("/nlm/what-cannot-be-unlocked-is-given-up-later",
	    test_what_cannot_be_unlocked_is_given_up_later);
	add("/nlm/what-its-owner-asks-for-is-not-given-up",
	    test_what_its_owner_asks_for_is_not_given_up);
	add("/nlm/what-its-owner-has-asked-for-in-vain-is-given-up",
	    test_what_its_owner_has_asked_for_in_vain_is_given_up);
	add("/nlm/what-is-unlocked-before-it-is-heard-of-is-not-told",
	    test_what_is_unlocked_before_it_is_heard_of_is_not_told);
	add("/nlm/of-what-is-unlocked-in-part-the-rest-is-freed",
	    test_of_what_is_unlocked_in_part_the_rest_is_freed);
	add("/nlm/granted-by-the-reply-is-kept", test_granted_by_the_reply_is_kept);
	add("/nlm/granted-in-part-by-a-reply-is-kept", test_granted_in_part_by_a_reply_is_kept);
	add("/nlm/what-was-known-in-part-and-is-unlocked-is-given-up",
	    test_what_was_known_in_part_and_is_unlocked_is_given_up);
	add("/nlm/cancel-of-more-leaves-what-lies-within",
	    test_cancel_of_more_leaves_what_lies_within);
	add("/nlm/lock-of-more-leaves-what-lies-within", test_lock_of_more_leaves_what_lies_within);
	add("/nlm/granted-twice-is-kept", test_granted_twice_is_kept);
	add("/nlm/blocks-are-bounded", test_blocks_are_bounded);
	add("/nlm/a-wait-that-comes-after-the-stop-ends",
	    test_a_wait_that_comes_after_the_stop_ends);
	add("/nlm/a-stop-may-come-twice", test_a_stop_may_come_twice);
	add("/nlm/a-stop-keeps-what-is-being-told", test_a_stop_keeps_what_is_being_told);
	add("/nlm/a-wait-in-a-share-that-was-taken-out-ends",
	    test_a_wait_in_a_share_that_was_taken_out_ends);
	add("/nlm/a-stop-ends-although-the-background-does-not",
	    test_a_stop_ends_although_the_background_does_not);
	add("/nlm/tidying-keeps-one-share-at-a-time", test_tidying_keeps_one_share_at_a_time);
	add("/nlm/a-restarted-peer-is-not-told", test_a_restarted_peer_is_not_told);
	add("/nlm/monitor-comes-first", test_monitor_comes_first);
	add("/nlm/message-is-answered-by-a-call", test_message_is_answered_by_a_call);
	add("/nlm/every-status-has-a-meaning-in-each-version",
	    test_every_status_has_a_meaning_in_each_version);
	failed = g_test_run();
	dfs_workers_free(workers);
	test_world_clear(&world);
	return failed;
}
