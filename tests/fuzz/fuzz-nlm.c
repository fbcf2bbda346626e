/* SPDX-License-Identifier: MIT
 *
 * NLM over the memory stores: the input is a sequence of calls.  The first byte of each says which
 * procedure, version and peer, the second whether arguments come raw (their length, then as they are) or
 * are made from the bytes that follow, with a handle that is good.  Replies are taken apart to their
 * last byte; call-backs are encoded, and answered at once as the input says.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/handle.h"
#include "adapters/nfs/nlm/service.h"
#include "adapters/nfs/test-runtime.h"
#include "adapters/nfs/test-world.h"
#include "io/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES 2

static struct test_world world;
static struct test_conn conn;
static struct nlm *nlm;
static struct dfs_workers *workers;
static unsigned char handles[FILES][NFS_HANDLE_SIZE];
static _Atomic uint32_t answer;

static enum dfs_status
send_out(void *arg, const struct nfs_target *target, uint32_t procedure, const void *args,
	 uint32_t len, int64_t deadline, nfs_callback_fn done, void *done_arg)
{
	unsigned char reply[8];
	struct xdr_out out = {.base = reply, .p = reply, .end = reply + sizeof reply};
	struct xdr_in in;

	(void)arg;
	(void)target;
	(void)procedure;
	(void)args;
	(void)deadline;
	assert(len <= NFS_CALL_ARGS_MAX);
	xdr_put_u32(&out, 0);
	xdr_put_u32(&out, answer % 5);
	in = (struct xdr_in){.p = reply, .end = reply + sizeof reply};
	done(done_arg, answer % 7 ? DFS_OK : DFS_TIMEDOUT, &in);
	return DFS_OK;
}

static void
make_files(void)
{
	struct dfs_ctx ctx = {.share = world.one, .deadline = dfs_clock_mono() + DFS_SECOND};
	struct dfs_ref root = {world.one->root_fileid, world.one->root_generation};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	for (unsigned i = 0; i < FILES; i++) {
		struct dfs_name name = {i ? "g" : "f", 1};

		if (dfs_fs_create(&ctx, &root, name, DFS_CREATE_UNCHECKED, NULL, 0, &attr, &wcc) !=
		    DFS_OK)
			abort();
		nfs_handle_make(world.one, attr.fileid, attr.generation, handles[i]);
	}
}

static void
check_reply(uint32_t proc, uint32_t version)
{
	struct xdr_in in = {.p = conn.flat, .end = conn.flat + conn.flat_len};
	uint32_t len, stat;

	if (conn.flat_len == 0)
		return;
	xdr_opaque(&in, NLM_NETOBJ_MAX, &len);
	stat = xdr_u32(&in);
	assert(stat <= (version >= 4 ? NLM4_FAILED : NLM_DEADLCK));
	if (proc == NLM_TEST && stat == NLM_DENIED) {
		assert(xdr_u32(&in) <= 1);
		xdr_u32(&in);
		xdr_opaque(&in, NLM_NETOBJ_MAX, &len);
		xdr_fixed(&in, version >= 4 ? 16 : 8);
	}
	if (proc == NLM_SHARE || proc == NLM_UNSHARE)
		xdr_u32(&in);
	assert(!in.bad && in.p == in.end);
}

struct bytes {
	const uint8_t *p, *end;
};

static uint32_t
next(struct bytes *b)
{
	return b->p < b->end ? *b->p++ : 0;
}

static void
put_offset(struct xdr_out *out, uint32_t version, uint32_t byte)
{
	/* Low and high ends of the range. */
	uint64_t v = byte & 0x80 ? UINT64_MAX - (byte & 0x7f) : byte & 0x3f;

	if (version >= 4)
		xdr_put_u64(out, v);
	else
		xdr_put_u32(out, (uint32_t)v);
}

static void
put_names(struct xdr_out *out, struct bytes *b)
{
	static const char names[] = "ab";
	uint32_t n = next(b);

	xdr_put_opaque(out, names + n % 2, 1);
	xdr_put_opaque(out, handles[n / 2 % FILES], NFS_HANDLE_SIZE);
	xdr_put_opaque(out, names, n / 4 % 3);
}

static void
make_args(struct bytes *b, uint32_t proc, uint32_t version)
{
	unsigned char bytes[512];
	struct xdr_out out = {.base = bytes, .p = bytes, .end = bytes + sizeof bytes};
	uint32_t flags = next(b);

	xdr_put_opaque(&out, "cookie", flags % 7);
	if (proc == NLM_SHARE || proc == NLM_UNSHARE) {
		put_names(&out, b);
		xdr_put_u32(&out, flags >> 3 & 3);
		xdr_put_u32(&out, flags >> 5 & 3);
		xdr_put_u32(&out, flags >> 7);
	} else {
		if (proc == NLM_LOCK || proc == NLM_LOCK_MSG || proc == NLM_NM_LOCK ||
		    proc == NLM_CANCEL || proc == NLM_CANCEL_MSG)
			xdr_put_u32(&out, flags >> 4 & 1);
		if (proc != NLM_UNLOCK && proc != NLM_UNLOCK_MSG)
			xdr_put_u32(&out, flags >> 5 & 1);
		put_names(&out, b);
		xdr_put_u32(&out, flags >> 6 & 1); /* svid */
		put_offset(&out, version, next(b));
		put_offset(&out, version, next(b));
		xdr_put_u32(&out, 0); /* reclaim */
		xdr_put_u32(&out, 1);
	}
	test_conn_args(&conn, bytes, (size_t)(out.p - bytes));
}

static bool
any(void *arg, const void *client, uint32_t len)
{
	(void)arg;
	(void)client;
	(void)len;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t versions[] = {1, 3, 4, 4};
	static const struct nlm_outside outside = {.send = send_out};
	struct bytes b = {data, data + size};

	if (!world.one) {
		test_world_init(&world);
		workers = dfs_workers_new(2);
		make_files();
		test_conn_init(&conn, "192.0.2.7", 900);
		conn.runtime.shares[0] = world.one;
	}
	nlm = conn.service.nlm = nlm_new(&conn.runtime, workers, &outside);
	while (b.p < b.end) {
		uint32_t what = next(&b), how = next(&b), proc = what % NLM_PROCS, len;

		conn.call.version = versions[what / NLM_PROCS % 4];
		answer = how;
		if (how & 1) {
			make_args(&b, proc, conn.call.version);
		} else {
			len = next(&b);
			len = len < b.end - b.p ? len : (uint32_t)(b.end - b.p);
			test_conn_args(&conn, b.p, len);
			b.p += len;
		}
		test_conn_peer(&conn, how & 2 ? "192.0.2.7" : "2001:db8::1", 900);
		if (nlm_procs[proc].run && test_conn_run(&conn, &nlm_procs[proc]) == DFS_OK)
			check_reply(proc, conn.call.version);
	}
	/* Each input begins with nothing. */
	nlm_stop(nlm, INT64_MAX);
	nlm_free(nlm);
	dfs_locks_drop_clients(world.one->locks, any, NULL);
	assert(dfs_locks_held(world.one->locks) == 0);
	return 0;
}
