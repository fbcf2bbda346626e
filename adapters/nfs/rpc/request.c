/* SPDX-License-Identifier: MIT
 *
 * Requests that outlive their turn: a second run on a worker, and replies that wait for gates.
 *
 * Each ends on its loop, in finish().  A gate that never answers keeps its replies for ever: what
 * they would say is not known, and a client that asks again is told by the reply cache to go on
 * waiting.  The watchdog names them.
 */
#include <stdlib.h>

#include "adapters/nfs/rpc/conn.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#define COPY_MAX 4096u /* a worker's reply up to this is copied to the loop's chunk */

static void finish(struct dfs_post *post);
static void work(struct dfs_task *task);

struct nfs_req *
nfs_req_new(struct nfs_conn *conn, uint32_t len)
{
	struct nfs_req *req = malloc(sizeof *req + len);

	if (!req)
		return NULL;
	req->task.run = work;
	req->post.run = finish;
	req->conn = conn;
	req->slot.client = NULL;
	req->started = conn->io.loop->now;
	atomic_init(&req->place, NFS_AT_SOCKET);
	req->reported = false;
	req->share[0] = '\0';
	atomic_init(&req->gates, 0);
	atomic_init(&req->gate_status, DFS_OK);
	req->refusal = DFS_OK;
	req->accept = RPC_SUCCESS;
	req->reply = NULL;
	req->receiving = 0;
	req->len = 0;
	req->cap = len;
	req->call.direct = NULL;
	req->call.share_held = false;
	req->call.out.n_refs = 0;
	req->next = conn->reqs;
	req->prev = &conn->reqs;
	if (req->next)
		req->next->prev = &req->next;
	conn->reqs = req;
	dfs_conn_begin(&conn->io);
	return req;
}

void
nfs_req_drop(struct nfs_req *req)
{
	struct nfs_conn *conn = req->conn;

	nfs_drc_forget(&req->slot);
	nfs_reply_discard(&req->call.out);
	nfs_call_drop_share(&req->call);
	if (req->call.direct)
		dfs_fs_write_cancel(req->call.direct);
	if (req->receiving)
		atomic_fetch_sub_explicit(&conn->server->receiving, req->receiving,
					  memory_order_relaxed);
	dfs_buf_unref(req->reply);
	*req->prev = req->next;
	if (req->next)
		req->next->prev = req->prev;
	free(req);
	dfs_conn_end(&conn->io);
}

static void
set_place(struct nfs_req *req, enum nfs_req_place place)
{
	atomic_store_explicit(&req->place, place, memory_order_relaxed);
}

/* The body in bytes goes to the loop's chunk. */
static void
send_parked(struct nfs_req *req)
{
	struct nfs_conn *conn = req->conn;
	struct xdr_out *out = &req->call.out;
	uint32_t len = (uint32_t)(out->p - out->base);
	unsigned char *base = dfs_conn_reserve(&conn->io, NFS_HEAD_SIZE + len);

	if (!base) {
		dfs_conn_close(&conn->io, "no memory for a reply");
		return;
	}
	memcpy(base + NFS_HEAD_SIZE, out->base, len);
	out->base = base + NFS_HEAD_SIZE;
	out->p = out->base + len;
	nfs_reply_success(conn, NULL, req->call.xid, base, out);
}

/* On the loop, once in the life of every detached request. */
static void
finish(struct dfs_post *post)
{
	struct nfs_req *req = DFS_CONTAINER_OF(post, struct nfs_req, post);
	struct nfs_conn *conn = req->conn;
	struct nfs_call *call = &req->call;
	uint32_t len = (uint32_t)(call->out.p - call->out.base);
	int gate = atomic_load_explicit(&req->gate_status, memory_order_relaxed);

	if (gate != DFS_OK) {
		/* Done in memory, not durable; a store that is full may take writes again. */
		nfs_reply_discard(&call->out);
		req->refusal = gate == DFS_NOSPC ? DFS_NOSPC : DFS_IO;
	}
	/* Also for a client that has gone: it may ask anew. */
	if (req->refusal == DFS_OK && req->accept == RPC_SUCCESS)
		nfs_drc_done(&req->slot, call->out.base, len);
	if (conn->io.closed) {
		nfs_req_drop(req);
		return;
	}
	if (req->refusal != DFS_OK)
		nfs_reply_fail(conn, call->xid, req->proc, req->refusal);
	else if (req->accept != RPC_SUCCESS)
		nfs_reply_accept(conn, call->xid, req->accept);
	else if (req->reply && len + NFS_HEAD_SIZE > COPY_MAX)
		nfs_reply_success(conn, req->reply, call->xid, req->reply->data, &call->out);
	else
		send_parked(req);
	nfs_req_drop(req);
}

static void
to_loop(struct nfs_req *req)
{
	dfs_loop_post(req->conn->io.loop, &req->post);
}

bool
nfs_ctx_must_wait(struct dfs_ctx *ctx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ctx->n_tickets; i++)
		if (!dfs_gate_passed(ctx->tickets[i].gate, ctx->tickets[i].seq,
				     ctx->tickets[i].level))
			ctx->tickets[n++] = ctx->tickets[i];
	ctx->n_tickets = (uint8_t)n;
	return n > 0;
}

static void
gate_answered(struct nfs_req *req)
{
	if (atomic_fetch_sub_explicit(&req->gates, 1, memory_order_acq_rel) == 1)
		to_loop(req);
}

static void
gate_done(struct dfs_gate_waiter *waiter, enum dfs_status status)
{
	struct nfs_req *req = ((struct nfs_gate_wait *)waiter)->req;

	if (status != DFS_OK)
		atomic_store_explicit(&req->gate_status, (int)status, memory_order_relaxed);
	gate_answered(req);
}

static void
note_share(struct nfs_req *req)
{
	if (req->call.ctx.share)
		memcpy(req->share, req->call.ctx.share->name, sizeof req->share);
}

void
nfs_req_gate(struct nfs_req *req)
{
	struct dfs_ctx *ctx = &req->call.ctx;
	unsigned n = ctx->n_tickets;

	if (ctx->nonblock)
		note_share(req);
	/* The stores, and with them the gates, live as long as the share. */
	nfs_call_hold_share(&req->call);
	set_place(req, NFS_AT_GATE);
	dfs_counter_add(req->conn->server->gated_replies, 1);
	atomic_store_explicit(&req->gates, n + 1, memory_order_relaxed);
	for (unsigned i = 0; i < n; i++) {
		req->waits[i].req = req;
		req->waits[i].waiter.done = gate_done;
		req->waits[i].waiter.seq = ctx->tickets[i].seq;
		req->waits[i].waiter.level = ctx->tickets[i].level;
		dfs_gate_wait(ctx->tickets[i].gate, &req->waits[i].waiter);
	}
	gate_answered(req);
}

void
nfs_req_to_worker(struct nfs_req *req)
{
	struct nfs_conn *conn = req->conn;
	struct dfs_share *share = req->call.ctx.share;
	struct dfs_lane *lane = share && share->lane ? share->lane : conn->server->lane;
	struct rpc_call head;

	note_share(req);
	set_place(req, NFS_AT_LANE);
	/* The first run has squashed the identity: begin with what was sent. */
	req->call.args = (struct xdr_in){req->bytes, req->bytes + req->len, false};
	rpc_call_parse(&req->call.args, &head);
	rpc_authenticate(&conn->cred, &head, &req->call.ctx.id);
	dfs_counter_add(conn->server->worker_calls, 1);
	if (dfs_lane_submit(lane, &req->task))
		return;
	nfs_reply_fail(conn, req->call.xid, req->proc, DFS_DELAY);
	nfs_req_drop(req);
}

/* The second run.  What it leaves in req says how finish() answers. */
static void
work_run(struct nfs_req *req)
{
	struct nfs_call *call = &req->call;
	uint32_t body = req->proc->max_reply > NFS_FAIL_MAX ? req->proc->max_reply : NFS_FAIL_MAX;
	enum dfs_status status;

	call->ctx.nonblock = false;
	call->ctx.n_tickets = 0;
	call->ctx.read_only = false;
	req->reply = dfs_buf_alloc(NFS_HEAD_SIZE + body);
	if (!req->reply || dfs_clock_mono() >= call->ctx.deadline) {
		req->refusal = DFS_DELAY;
		return;
	}
	call->out.base = call->out.p = req->reply->data + NFS_HEAD_SIZE;
	call->out.end = call->out.base + body;
	call->out.bad = false;
	call->out.n_refs = 0;
	status = req->proc->run(call);
	if (status == DFS_OK && !call->out.bad)
		return;
	nfs_reply_discard(&call->out);
	call->ctx.n_tickets = 0;
	if (status == DFS_AGAIN)
		req->refusal = DFS_DELAY;
	else
		req->accept = status == DFS_INVAL ? RPC_GARBAGE_ARGS : RPC_SYSTEM_ERR;
}

static void
work(struct dfs_task *task)
{
	struct nfs_req *req = (struct nfs_req *)task; /* task is the first member */

	set_place(req, NFS_AT_WORKER);
	work_run(req);
	if (req->refusal == DFS_OK && req->accept == RPC_SUCCESS &&
	    nfs_ctx_must_wait(&req->call.ctx))
		nfs_req_gate(req);
	else
		to_loop(req);
}

void
nfs_conn_watch(struct dfs_conn *io)
{
	static const char *const places[] = {
		[NFS_AT_SOCKET] = "its data is being received",
		[NFS_AT_LANE] = "waits for a worker",
		[NFS_AT_WORKER] = "runs on a worker",
		[NFS_AT_GATE] = "waits for a sync",
	};
	struct nfs_conn *conn = (struct nfs_conn *)io;
	char text[64];

	for (struct nfs_req *req = conn->reqs; req; req = req->next) {
		int64_t age = io->loop->now - req->started;
		if (req->reported || age < conn->server->stuck_after)
			continue;
		req->reported = true;
		dfs_log(DFS_LOG_WARN, "%s of %s, share \"%s\", is not answered for %lld s: %s",
			req->proc->name, dfs_conn_peer_text(io, text), req->share,
			(long long)(age / DFS_SECOND),
			places[atomic_load_explicit(&req->place, memory_order_relaxed)]);
	}
}
