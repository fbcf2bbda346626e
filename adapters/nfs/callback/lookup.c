/* SPDX-License-Identifier: MIT
 *
 * Which port a peer's program has: a small direct-mapped cache, and calls to rpcbind.
 *
 * The peer is asked over the protocol that the call wants and, when that fails, over the other one: hosts
 * and what lies between them often let only one of them through.
 */
#include <string.h>

#include "adapters/nfs/callback/caller.h"
#include "adapters/nfs/callback/message.h"
#include "base/clock.h"
#include "base/hash.h"

#define KEEP (60 * DFS_SECOND)

static struct nfs_call_port *
place(struct nfs_caller *caller, const struct nfs_target *target)
{
	uint64_t service =
		(uint64_t)target->program << 32 | target->version << 8 | target->protocol;

	return &caller->ports[dfs_hash_u64(service, nfs_address_hash(&target->peer)) %
			      NFS_CALL_PORTS];
}

static bool
holds(const struct nfs_call_port *p, const struct nfs_target *target)
{
	return nfs_address_same(&p->address, &target->peer) && p->program == target->program &&
	       p->version == target->version && p->protocol == target->protocol;
}

bool
nfs_port_cached(struct nfs_caller *caller, struct nfs_target *target)
{
	const struct nfs_call_port *p = place(caller, target);

	if (!holds(p, target) || p->until <= caller->loop->now)
		return false;
	nfs_address_set_port(&target->peer, p->port);
	return true;
}

void
nfs_port_forget(struct nfs_caller *caller, const struct nfs_target *target)
{
	struct nfs_call_port *p = place(caller, target);

	if (holds(p, target))
		p->address.sa.sa_family = AF_UNSPEC;
}

static void
answer(void *arg, enum dfs_status status, struct xdr_in *reply)
{
	struct nfs_outcall *call = arg;
	struct nfs_caller *caller = call->caller;
	uint16_t port = 0;

	call->lookup = NULL;
	if (status == DFS_OK)
		status = nfs_message_port(reply, &call->target.peer, &port);
	if (status == DFS_OK) {
		struct nfs_call_port *p = place(caller, &call->target);

		*p = (struct nfs_call_port){.address = call->target.peer,
					    .program = call->target.program,
					    .version = call->target.version,
					    .protocol = call->target.protocol,
					    .port = port,
					    .until = caller->loop->now + KEEP};
		nfs_address_set_port(&call->target.peer, port);
		nfs_call_go(call);
	} else if (call->lookups < 2 && (status == DFS_IO || status == DFS_TIMEDOUT) &&
		   !caller->stopped) {
		nfs_port_ask(call);
	} else {
		nfs_call_end(call, status, NULL);
	}
}

void
nfs_port_ask(struct nfs_outcall *call)
{
	struct nfs_caller *caller = call->caller;
	struct nfs_target rpcbind = call->target;
	unsigned char args[NFS_LOOKUP_ARGS_MAX];
	struct xdr_out out = {.base = args, .p = args, .end = args + sizeof args};
	int64_t deadline = call->deadline;
	uint32_t procedure;

	nfs_message_put_lookup(&out, &call->target.peer, call->target.program, call->target.version,
			       call->target.protocol, &rpcbind.version, &procedure);
	rpcbind.program = RPCBIND_PROGRAM;
	rpcbind.auth_sys = rpcbind.one_way = rpcbind.once = false;
	rpcbind.wanted = NULL;
	nfs_address_set_port(&rpcbind.peer, RPCBIND_PORT);
	if (call->target.peer.sa.sa_family == AF_INET6)
		call->lookups = 2; /* GETADDR answers for the protocol that it is asked over */
	else if (call->lookups++ == 0)
		deadline -= (deadline - caller->loop->now) / 2;
	else
		rpcbind.protocol = rpcbind.protocol == IPPROTO_UDP ? IPPROTO_TCP : IPPROTO_UDP;
	call->lookup = nfs_call_new(caller, &rpcbind, procedure, args, (uint32_t)(out.p - out.base),
				    deadline, answer, call);
	if (!call->lookup) {
		nfs_call_end(call, DFS_NOMEM, NULL);
		return;
	}
	nfs_call_adopt(call->lookup);
	nfs_call_go(call->lookup);
}
