/* SPDX-License-Identifier: MIT
 *
 * Record marking, heads and dispatch: the input is a stream fed into a connection without a socket,
 * in pieces whose sizes its first byte decides.  Programs are this file's own: they echo, take
 * WRITEs, answer DFS_AGAIN, so that requests outlive the stream.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/test-doubles.h"
#include "base/clock.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum dfs_status
run_null(struct nfs_call *call)
{
	return DFS_OK;
}

static enum dfs_status
run_echo(struct nfs_call *call)
{
	uint32_t len;
	const unsigned char *p = xdr_opaque(&call->args, 1024, &len);

	if (call->args.bad)
		return DFS_INVAL;
	xdr_put_opaque(&call->out, p, len);
	return DFS_OK;
}

static enum dfs_status
run_again(struct nfs_call *call)
{
	return call->ctx.nonblock ? DFS_AGAIN : run_echo(call);
}

static enum dfs_status
run_write(struct nfs_call *call)
{
	uint32_t len, stable;

	xdr_opaque(&call->args, 64, &len);
	xdr_u64(&call->args);
	xdr_u32(&call->args);
	stable = xdr_u32(&call->args);
	if (call->direct)
		len = xdr_u32(&call->args);
	else
		xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	assert(!call->direct || call->direct->len == len);
	if (stable == 1 && call->ctx.nonblock)
		return DFS_AGAIN;
	if (call->direct && stable != 2) { /* 2: leave it to the dispatcher */
		dfs_fs_write_cancel(call->direct);
		call->direct = NULL;
	}
	xdr_put_u32(&call->out, len);
	return DFS_OK;
}

static enum dfs_status
run_ref(struct nfs_call *call)
{
	uint32_t len = xdr_u32(&call->args) % 70000 + 1;
	struct dfs_buf *buf = dfs_buf_alloc(len);

	xdr_put_ref(&call->out, buf, buf->data, len);
	return call->args.bad ? DFS_INVAL : DFS_OK;
}

static void
fail(struct xdr_out *out, enum dfs_status status)
{
	xdr_put_u32(out, status);
}

static const struct nfs_proc procs[] = {
	{"null", run_null, 0, 0, NULL},
	{"echo", run_echo, 1028, 0, fail},
	{"again", run_again, 1028, NFS_PROC_CACHED, fail},
	{"count", run_echo, 1028, NFS_PROC_CACHED, NULL},
	{"ref", run_ref, 8, 0, fail},
	{"narrow", run_echo, 8, 0, fail}, /* its reply need not fit */
	{NULL, NULL, 0, 0, NULL},
	{"write", run_write, 8, NFS_PROC_DIRECT, fail},
};

static const struct nfs_program programs[] = {{NFS_PROGRAM, 3, 3, procs, 8}};

static struct nfs_server *server;
static struct dfs_loop *loop;
static bool gone;

static void
freed(struct dfs_conn *io)
{
	nfs_conn_ops.freed(io);
	gone = true;
}

static void
start(void)
{
	static const char *const addresses[] = {NULL};
	struct nfs_config config = {
		.listen = addresses,
		.max_connections = 1,
		.max_requests = 32,
		.max_queued = 1 << 20,
		.max_receiving = 2 << 20,
		.stall_timeout = 60 * DFS_SECOND,
		.request_timeout = 60 * DFS_SECOND,
		.reply_cache = 256,
	};

	dfs_log_setup((enum dfs_log_level) - 1, DFS_LOG_TEXT);
	if (nfs_server_new(NULL, dfs_workers_new(2), 1, &config, programs, 1, &server) != DFS_OK)
		abort();
	loop = dfs_loop_new("fuzz");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dfs_conn_ops ops;
	static const struct dfs_conn_limits limits = {
		.requests = 32, .out_bytes = 1 << 20, .stall = 60 * DFS_SECOND};
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = 1000};
	struct nfs_conn *conn;
	size_t step;

	if (!server)
		start();
	if (size < 1)
		return 0;
	ops = nfs_conn_ops;
	ops.freed = freed;
	step = data[0] ? data[0] : size;
	data++;
	size--;
	conn = (struct nfs_conn *)dfs_conn_new(loop, -1, (struct sockaddr *)&peer, &ops, &limits,
					       NULL);
	conn->server = server;
	gone = false;
	dfs_conn_open(&conn->io);
	while (size > 0 && !conn->io.closed) {
		size_t n = size < step ? size : step;
		/* Without room the connection takes nothing until a turn has made some. */
		dfs_conn_feed(&conn->io, data, n);
		dfs_loop_turn(loop, 0);
		data += n;
		size -= n;
		if (gone)
			return 0;
	}
	dfs_conn_close(&conn->io, NULL);
	while (!gone)
		dfs_loop_turn(loop, 100);
	assert(atomic_load(&server->receiving) == 0);
	return 0;
}
