/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nlm/test-nlm-bed.h"
#include "base/cond.h"
#include "metadata/lock/table.h"

struct test_world world;
struct test_conn conn;
struct nlm *nlm;
unsigned char handle[NFS_HANDLE_SIZE];
struct dfs_ref file;
char host_a[] = "alpha", host_b[] = "beta";
struct nlm_sent out;
struct nlm_watch watch;

static struct dfs_workers *workers;

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

void
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

void
encode(xdrproc_t fn, const void *args)
{
	static char bytes[16384];
	XDR x;

	xdrmem_create(&x, bytes, sizeof bytes, XDR_ENCODE);
	g_assert_true(fn(&x, (void *)(uintptr_t)args));
	test_conn_args(&conn, bytes, xdr_getpos(&x));
}

void
decode_bytes(xdrproc_t fn, void *res, size_t size, void *bytes, uint32_t len)
{
	XDR x;

	memset(res, 0, size);
	xdrmem_create(&x, bytes, len, XDR_DECODE);
	g_assert_true(fn(&x, res));
	g_assert_cmpuint(xdr_getpos(&x), ==, len);
}

void
run(uint32_t version, uint32_t proc)
{
	conn.call.version = version;
	conn.call.program = NLM_PROGRAM;
	g_assert_cmpint(test_conn_run(&conn, &nlm_procs[proc]), ==, DFS_OK);
}

uint32_t
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

o_lock4
lock4(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	return (o_lock4){.caller = host,
			 .fh = HANDLE,
			 .oh = OBJ("oh"),
			 .svid = svid,
			 .offset = offset,
			 .length = length};
}

uint32_t
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

uint32_t
give(char *host, uint32_t svid, uint64_t offset, uint64_t length)
{
	o_nlm_unlock4 args = {.cookie = OBJ("c"), .lock = lock4(host, svid, offset, length)};

	ENCODE(o_nlm_unlock4, &args);
	run(4, NLM_UNLOCK);
	return result("c");
}

uint32_t
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

bool
is_free(void)
{
	bool got = take(host_a, 1, 0, 0, false) == 0;

	if (got)
		give(host_a, 1, 0, 0);
	return got;
}

static bool
any(void *arg, const void *client, uint32_t len)
{
	(void)arg;
	(void)client;
	(void)len;
	return true;
}

void
drop_locks(void)
{
	dfs_locks_drop_clients(world.one->locks, any, NULL);
}

void
tick_to(unsigned sent)
{
	nlm_tick(nlm);
	wait_sent(sent);
}

void
block_and_grant(void)
{
	g_assert_cmpuint(take(host_a, 1, 0, 0, false), ==, 0);
	g_assert_cmpuint(take(host_b, 2, 0, 0, true), ==, NLM_BLOCKED);
	g_assert_cmpuint(give(host_a, 1, 0, 0), ==, 0);
	wait_sent(1);
}

void
wait_no_grants(void)
{
	gint64 end = g_get_monotonic_time() + 30 * G_TIME_SPAN_SECOND;

	while (nlm_grants(nlm) > 0) {
		g_assert_cmpint(g_get_monotonic_time(), <, end);
		g_thread_yield();
	}
}

void
end_call(enum dfs_status status)
{
	struct xdr_in nothing = {.p = out.args, .end = out.args};

	out.done(out.done_arg, status, &nothing);
}

/* --- the programs --- */

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

void
test_nlm_init(int *argc, char ***argv)
{
	g_test_init(argc, argv, NULL);
	test_world_init(&world);
	pthread_mutex_init(&out.mu, NULL);
	dfs_cond_init(&out.cond);
	workers = dfs_workers_new(2);
	make_file();
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
	drop_locks();
	g_assert_cmpuint(dfs_locks_held(world.one->locks), ==, 0);
	test_conn_clear(&conn);
}

void
test_nlm_add(const char *path, void (*fn)(void))
{
	g_test_add_vtable(path, 0, fn, (GTestFixtureFunc)(void (*)(void))set_up,
			  (GTestFixtureFunc)fn, (GTestFixtureFunc)(void (*)(void))tear_down);
}

int
test_nlm_run(void)
{
	int failed = g_test_run();

	dfs_workers_free(workers);
	test_world_clear(&world);
	return failed;
}
