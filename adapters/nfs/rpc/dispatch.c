/* SPDX-License-Identifier: MIT
 *
 * From a record to a reply, on the loop.
 *
 * The procedure encodes straight into the loop's reply chunk, behind the place of mark and head.
 * DFS_AGAIN copies the call and sends it to a worker; open tickets copy the finished reply and
 * let it wait.  Everything else is answered before this returns.
 */
#include "adapters/nfs/rpc/conn.h"
#include "base/log.h"

static bool
is_served(const struct nfs_conn *conn, const struct nfs_program *p)
{
	if (conn->access.datagram && !(p->flags & NFS_PROGRAM_UDP))
		return false;
	return !(p->flags & NFS_PROGRAM_PORTMAP) == !conn->portmap;
}

const struct nfs_proc *
nfs_find_proc(const struct nfs_conn *conn, const struct rpc_call *call, struct nfs_versions *served)
{
	const struct nfs_server *server = conn->server;
	struct nfs_versions found = {.low = UINT32_MAX};

	for (uint32_t i = 0; i < server->n_programs; i++) {
		const struct nfs_program *p = &server->programs[i];
		if (p->number != call->program || !is_served(conn, p))
			continue;
		if (call->version >= p->low && call->version <= p->high) {
			found.version = true;
			if (call->procedure < p->n_procs && p->procs[call->procedure].run)
				return &p->procs[call->procedure];
		}
		found.program = true;
		found.low = p->low < found.low ? p->low : found.low;
		found.high = p->high > found.high ? p->high : found.high;
	}
	if (served)
		*served = found;
	return NULL;
}

/* There is no such procedure: say what is missing. */
static void
answer_unknown(struct nfs_conn *conn, const struct rpc_call *head,
	       const struct nfs_versions *served)
{
	if (!served->program)
		nfs_reply_accept(conn, head->xid, RPC_PROG_UNAVAIL);
	else if (!served->version)
		nfs_reply_mismatch(conn, head->xid, served);
	else
		nfs_reply_accept(conn, head->xid, RPC_PROC_UNAVAIL);
}

/* All but ids, arguments and output. */
static void
call_begin(struct nfs_call *call, struct nfs_conn *conn, const struct rpc_call *head)
{
	call->ctx.share = NULL;
	call->ctx.nonblock = true;
	call->ctx.read_only = false;
	call->ctx.n_tickets = 0;
	call->ctx.deadline = conn->io.loop->now + conn->server->request_timeout;
	call->server = conn->server;
	call->conn = conn;
	call->access = &conn->access;
	call->xid = head->xid;
	call->program = head->program;
	call->version = head->version;
	call->procedure = head->procedure;
	call->flavor = head->cred_flavor == RPC_AUTH_SYS ? RPC_AUTH_SYS : RPC_AUTH_NONE;
	call->direct = NULL;
	call->share_held = false;
}

static unsigned char *
reserve_reply(struct nfs_conn *conn, const struct nfs_proc *proc, struct xdr_out *out)
{
	uint32_t body = proc->max_reply > NFS_FAIL_MAX ? proc->max_reply : NFS_FAIL_MAX;
	unsigned char *base = dfs_conn_reserve(&conn->io, NFS_HEAD_SIZE + body);

	if (!base)
		return NULL;
	out->base = out->p = base + NFS_HEAD_SIZE;
	out->end = out->base + body;
	out->bad = false;
	out->n_refs = 0;
	return base;
}

static enum dfs_status
run(struct nfs_conn *conn, const struct nfs_proc *proc, struct nfs_call *call)
{
	atomic_store_explicit(&conn->io.loop->doing, proc->name, memory_order_relaxed);
	return proc->run(call);
}

/* Neither OK nor AGAIN, or an encoding that ran over its room. */
static void
answer_failed(struct nfs_conn *conn, const struct nfs_proc *proc, struct nfs_call *call,
	      struct nfs_drc_slot *slot, enum dfs_status status)
{
	if (status != DFS_INVAL)
		dfs_log(DFS_LOG_ERROR, "%s: %s", proc->name,
			status == DFS_OK ? "the reply does not fit" : dfs_status_name(status));
	nfs_drc_forget(slot);
	nfs_reply_discard(&call->out);
	nfs_call_drop_share(call);
	nfs_reply_accept(conn, call->xid, status == DFS_INVAL ? RPC_GARBAGE_ARGS : RPC_SYSTEM_ERR);
}

/* From the loop's chunk to the request: the chunk goes on, the body waits. */
static void
park_reply(struct nfs_req *req, const struct xdr_out *out)
{
	uint32_t len = (uint32_t)(out->p - out->base);

	req->len = len;
	memcpy(req->bytes, out->base, len);
	req->call.out.base = req->bytes;
	req->call.out.p = req->bytes + len;
}

/* True: the cache has dealt with the call. */
static bool
answered_before(struct nfs_conn *conn, struct nfs_call *call, const struct nfs_proc *proc,
		struct nfs_drc_slot *slot, unsigned char *base)
{
	uint32_t len = 0;

	slot->client = NULL;
	if (!(proc->flags & NFS_PROC_CACHED) || !conn->drc)
		return false;
	switch (nfs_drc_begin(conn->drc, call->xid, call->procedure, call->args.p,
			      (uint32_t)(call->args.end - call->args.p), conn->io.loop->now, slot,
			      call->out.p, &len)) {
	case NFS_DRC_NEW:
	case NFS_DRC_BYPASS:
		return false;
	case NFS_DRC_DROP:
		return true;
	case NFS_DRC_RESEND:
		call->out.p += len;
		nfs_reply_success(conn, NULL, call->xid, base, &call->out);
		return true;
	}
	return false;
}

/* A copy on the heap of a call that has run, with room for len bytes; NULL: no memory. */
static struct nfs_req *
detach(struct nfs_conn *conn, const struct nfs_proc *proc, const struct nfs_call *call,
       const struct nfs_drc_slot *slot, uint32_t len)
{
	struct nfs_req *req = nfs_req_new(conn, len);

	if (!req)
		return NULL;
	req->proc = proc;
	req->call = *call;
	req->slot = *slot;
	return req;
}

static void
finish_inline(struct nfs_conn *conn, const struct nfs_proc *proc, struct nfs_call *call,
	      struct nfs_drc_slot *slot, unsigned char *base)
{
	if (call->ctx.n_tickets > 0 && nfs_ctx_must_wait(&call->ctx)) {
		struct nfs_req *req =
			detach(conn, proc, call, slot, (uint32_t)(call->out.p - call->out.base));
		if (req) {
			park_reply(req, &call->out);
			nfs_req_gate(req);
			return;
		}
		/* The change is made; without a reply the client asks again and finds it so. */
		nfs_drc_forget(slot);
		nfs_reply_discard(&call->out);
		nfs_call_drop_share(call);
		dfs_conn_close(&conn->io, "no memory to hold a reply");
		return;
	}
	nfs_drc_done(slot, call->out.base, (uint32_t)(call->out.p - call->out.base));
	nfs_call_drop_share(call);
	nfs_reply_success(conn, NULL, call->xid, base, &call->out);
}

static void
run_inline(struct nfs_conn *conn, const struct nfs_proc *proc, struct nfs_call *call,
	   unsigned char *base, const unsigned char *record, uint32_t len)
{
	struct nfs_drc_slot slot;
	enum dfs_status status;
	struct nfs_req *req;

	if (answered_before(conn, call, proc, &slot, base))
		return;
	status = run(conn, proc, call);
	if (status == DFS_OK && !call->out.bad) {
		finish_inline(conn, proc, call, &slot, base);
	} else if (status == DFS_AGAIN) {
		nfs_reply_discard(&call->out);
		nfs_call_hold_share(call);
		req = detach(conn, proc, call, &slot, len);
		if (req) {
			memcpy(req->bytes, record, len);
			req->len = len;
			nfs_req_to_worker(req);
			return;
		}
		nfs_drc_forget(&slot);
		nfs_call_drop_share(call);
		nfs_reply_fail(conn, call->xid, proc, DFS_DELAY);
	} else {
		answer_failed(conn, proc, call, &slot, status);
	}
}

bool
nfs_dispatch(struct nfs_conn *conn, const unsigned char *record, uint32_t len)
{
	struct nfs_call call;
	struct rpc_call head;
	struct nfs_versions served;
	const struct nfs_proc *proc;
	enum rpc_auth_stat auth;
	unsigned char *base;

	call.args = (struct xdr_in){record, record + len, false};
	switch (rpc_call_parse(&call.args, &head)) {
	case RPC_PARSE_OK:
		break;
	case RPC_PARSE_VERSION:
		nfs_reply_mismatch(conn, head.xid, NULL);
		return true;
	case RPC_PARSE_CRED:
		nfs_reply_auth_error(conn, head.xid, RPC_AUTH_BADCRED);
		return true;
	case RPC_PARSE_SHORT:
	case RPC_PARSE_NOCALL:
		dfs_counter_add(conn->server->bad_records, 1);
		dfs_conn_close(&conn->io, "not an RPC call");
		return true;
	}
	proc = nfs_find_proc(conn, &head, &served);
	if (!proc) {
		answer_unknown(conn, &head, &served);
		return true;
	}
	auth = rpc_authenticate(&conn->cred, &head, &call.ctx.id);
	if (auth != RPC_AUTH_OK) {
		nfs_reply_auth_error(conn, head.xid, auth);
		return true;
	}
	base = reserve_reply(conn, proc, &call.out);
	if (!base)
		return false;
	call_begin(&call, conn, &head);
	run_inline(conn, proc, &call, base, record, len);
	return true;
}

void
nfs_dispatch_direct(struct nfs_req *req)
{
	struct nfs_conn *conn = req->conn;
	struct nfs_call *call = &req->call;
	struct dfs_write *direct = call->direct;
	struct rpc_call head;
	enum rpc_auth_stat auth;
	enum dfs_status status;
	unsigned char *base;

	call->args = (struct xdr_in){req->bytes, req->bytes + req->len, false};
	call->out.n_refs = 0;
	rpc_call_parse(&call->args, &head); /* it was parsed before */
	auth = rpc_authenticate(&conn->cred, &head, &call->ctx.id);
	if (auth != RPC_AUTH_OK) {
		nfs_reply_auth_error(conn, head.xid, auth);
		nfs_req_drop(req);
		return;
	}
	call_begin(call, conn, &head);
	call->direct = direct;
	base = reserve_reply(conn, req->proc, &call->out);
	if (!base) {
		dfs_conn_close(&conn->io, "no memory for a reply");
		nfs_req_drop(req);
		return;
	}
	status = run(conn, req->proc, call);
	if (status == DFS_AGAIN) {
		nfs_reply_discard(&call->out);
		nfs_call_hold_share(call);
		nfs_req_to_worker(req);
	} else if (status != DFS_OK || call->out.bad) {
		answer_failed(conn, req->proc, call, &req->slot, status);
		nfs_req_drop(req);
	} else if (call->ctx.n_tickets > 0 && nfs_ctx_must_wait(&call->ctx) &&
		   call->out.p - call->out.base <= req->cap) {
		park_reply(req, &call->out);
		nfs_req_gate(req);
	} else {
		nfs_call_drop_share(call);
		nfs_reply_success(conn, NULL, call->xid, base, &call->out);
		nfs_req_drop(req);
	}
}
