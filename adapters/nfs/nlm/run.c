/* SPDX-License-Identifier: MIT
 *
 * Around the operations: decoding, answering by a reply or by a call, who asks about what.
 */
#include "adapters/nfs/handle.h"
#include "adapters/nfs/nlm/service.h"
#include "base/log.h"
#include "io/gate.h"

#define ANSWER_WAIT (10 * DFS_SECOND)

void
nlm_client_of(struct nlm_client *client, const union nfs_address *peer, const void *name,
	      uint32_t len)
{
	client->bytes[0] = NLM_CLIENT_KIND;
	memset(client->bytes + 1, 0, NLM_CLIENT_HEAD - 1);
	if (peer->sa.sa_family == AF_INET) {
		client->bytes[11] = client->bytes[12] = 0xff;
		memcpy(client->bytes + 13, &peer->in.sin_addr, 4);
	} else if (peer->sa.sa_family == AF_INET6) {
		memcpy(client->bytes + 1, &peer->in6.sin6_addr, 16);
	}
	if (len)
		memcpy(client->bytes + NLM_CLIENT_HEAD, name, len);
	client->len = NLM_CLIENT_HEAD + len;
}

/* Which file, under the rules for the peer; DFS_BADHANDLE, DFS_STALE, DFS_ACCESS. */
static enum dfs_status
enter(struct nfs_call *call, const struct nlm_bytes *fh, bool gives_back,
      struct nlm_request *request)
{
	enum dfs_status status = nfs_handle_slot(fh->data, fh->len, &request->slot);

	if (status == DFS_OK)
		status = nfs_call_slot(call, request->slot);
	if (status == DFS_OK || (status == DFS_ACCESS && gives_back && call->ctx.share))
		status = nfs_handle_open(call->ctx.share, fh->data, &request->ref);
	return status;
}

static enum dfs_status
begin(struct nfs_call *call, const struct nlm_operation *op, struct nlm_request *r)
{
	enum dfs_status status = enter(call, &r->args->fh, op->gives_back, r);
	uint32_t owner_len =
		op->share ? nlm_share_owner(r->args, r->owner) : nlm_lock_owner(r->args, r->owner);
	union nfs_address peer;

	nfs_address_set(&peer, &call->access->peer.sa);
	nlm_client_of(&r->client, &peer, r->args->caller.data, r->args->caller.len);
	r->who = (struct dfs_lock_who){r->client.bytes, r->owner, r->client.len, owner_len};
	if (status == DFS_OK && !op->share)
		status = nlm_range(call->version, r->args, &r->range);
	return status;
}

/* DFS_AGAIN, or DFS_OK and *res. */
static enum dfs_status
operate(struct nfs_call *call, const struct nlm_operation *op, const struct nlm_args *args,
	bool message, struct nlm_result *res)
{
	struct nlm_request request = {.args = args, .message = message};
	struct nlm *nlm = nlm_of(call);
	enum dfs_status status = begin(call, op, &request);

	if (status == DFS_OK && op->monitored)
		status = nlm_peer_enter(nlm, call, args);
	if (status == DFS_OK) {
		status = op->run(call, &request, res);
		if (op->monitored)
			nlm_peer_leave(nlm, call, args);
	}
	if (op->answer_of)
		status = op->answer_of(status);
	if (status == DFS_AGAIN)
		return status;
	res->stat = nlm_status(call->version, status);
	return DFS_OK;
}

static bool
decode(struct nfs_call *call, const struct nlm_operation *op, struct nlm_args *args)
{
	memset(args, 0, sizeof *args);
	op->get(&call->args, call->version, args);
	return !call->args.bad;
}

enum dfs_status
nlm_run(struct nfs_call *call, const struct nlm_operation *op)
{
	struct nlm_args args;
	struct nlm_result res;
	enum dfs_status status;

	if (!decode(call, op, &args))
		return DFS_INVAL;
	status = operate(call, op, &args, false, &res);
	if (status == DFS_OK)
		op->put(&call->out, call->version, &args, &res);
	return status;
}

static void
answered(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	(void)arg;
	(void)status; /* the client asks again if it did not come */
	(void)reply;
}

/* Wait until everything that the answer tells is durable. */
static enum dfs_status
settle(struct dfs_ctx *ctx)
{
	enum dfs_status status = DFS_OK;

	for (unsigned i = 0; i < ctx->n_tickets && status == DFS_OK; i++)
		status = dfs_gate_wait_sync(ctx->tickets[i].gate, ctx->tickets[i].seq,
					    ctx->tickets[i].level, ctx->deadline);
	ctx->n_tickets = 0;
	return status;
}

enum dfs_status
nlm_run_message(struct nfs_call *call, const struct nlm_operation *op)
{
	struct nlm *nlm = nlm_of(call);
	struct nfs_target target = {.program = NLM_PROGRAM,
				    .version = call->version,
				    .local = call->access->local,
				    .protocol = call->access->datagram ? IPPROTO_UDP : IPPROTO_TCP,
				    .one_way = true};
	unsigned char bytes[NLM_TESTRES_MAX];
	struct xdr_out out = {.base = bytes, .p = bytes, .end = bytes + sizeof bytes};
	struct nlm_args args;
	struct nlm_result res;
	enum dfs_status status;

	if (!decode(call, op, &args))
		return DFS_INVAL;
	if (call->ctx.nonblock)
		return DFS_AGAIN; /* it may wait for a sync before it answers */
	status = operate(call, op, &args, true, &res);
	if (status != DFS_OK)
		return status;
	/* Without an answer the client asks again. */
	if (settle(&call->ctx) != DFS_OK || !nlm->outside.send)
		return DFS_OK;
	op->put(&out, call->version, &args, &res);
	nfs_address_set(&target.peer, &call->access->peer.sa);
	nfs_address_set_port(&target.peer, 0);
	nlm->outside.send(nlm->outside.arg, &target, op->message, bytes, (uint32_t)(out.p - bytes),
			  dfs_clock_mono() + ANSWER_WAIT, answered, NULL);
	return DFS_OK;
}
