/* SPDX-License-Identifier: MIT
 *
 * Submission, the peers' queues, deadlines and the end of calls.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "adapters/nfs/callback/caller.h"
#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/rpc/header.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

static void begin_run(struct dfs_job *job);

struct nfs_caller *
nfs_caller_new(void)
{
	struct nfs_caller *caller = calloc(1, sizeof *caller);

	if (!caller) {
		dfs_fail(DFS_NOMEM, "no memory for outgoing calls");
		return NULL;
	}
	pthread_mutex_init(&caller->mu, NULL);
	caller->wait_tail = &caller->wait_head;
	caller->begin.run = begin_run;
	if (getrandom(&caller->xid, sizeof caller->xid, GRND_NONBLOCK) < 0)
		caller->xid = (uint32_t)dfs_clock_mono();
	caller->loop = dfs_loop_new("nfs-call");
	if (!caller->loop || !dfs_loop_start(caller->loop)) {
		nfs_caller_free(caller);
		return NULL;
	}
	return caller;
}

struct stop {
	struct dfs_post post;
	struct nfs_caller *caller;
};

static void
stop_run(struct dfs_post *post)
{
	struct nfs_caller *caller = ((struct stop *)post)->caller;

	caller->stopped = true;
	while (caller->all) {
		/* Look-ups end with the calls that they are for. */
		struct nfs_outcall *call = caller->all;
		while (!call->peer && call->all_next)
			call = call->all_next;
		nfs_call_end(call, DFS_SHUTDOWN, NULL);
	}
	nfs_streams_close(caller);
}

void
nfs_caller_stop(struct nfs_caller *caller)
{
	struct stop stop = {{.run = stop_run}, caller};
	bool before;

	pthread_mutex_lock(&caller->mu);
	before = caller->stopping;
	caller->stopping = true;
	if (!before)
		dfs_loop_post(caller->loop, &stop.post);
	pthread_mutex_unlock(&caller->mu);
	dfs_loop_stop(caller->loop);
}

void
nfs_caller_free(struct nfs_caller *caller)
{
	if (!caller)
		return;
	if (caller->loop && caller->loop->running)
		nfs_caller_stop(caller);
	dfs_loop_free(caller->loop);
	pthread_mutex_destroy(&caller->mu);
	free(caller);
}

struct dfs_loop *
nfs_caller_loop(struct nfs_caller *caller)
{
	return caller->loop;
}

uint32_t
nfs_caller_pending(const struct nfs_caller *caller)
{
	return atomic_load(&caller->pending);
}

static void
release_run(struct dfs_job *job)
{
	free(DFS_CONTAINER_OF(job, struct nfs_outcall, release));
}

static void
timer_fire(struct dfs_timer *timer)
{
	struct nfs_outcall *call = DFS_CONTAINER_OF(timer, struct nfs_outcall, timer);

	if (call->caller->loop->now >= call->deadline)
		nfs_call_end(call, DFS_TIMEDOUT, NULL);
	else
		nfs_datagram_again(call);
}

struct nfs_outcall *
nfs_call_new(struct nfs_caller *caller, const struct nfs_target *target, uint32_t procedure,
	     const void *args, uint32_t len, int64_t deadline, nfs_callback_fn done, void *arg)
{
	size_t room = RPC_MARK_SIZE + NFS_CALL_HEAD_MAX + len + 3;
	struct nfs_outcall *call = malloc(sizeof *call + room);
	struct nfs_call_head head = {.program = target->program,
				     .version = target->version,
				     .procedure = procedure,
				     .auth_sys = target->auth_sys};
	struct xdr_out out;

	if (!call)
		return NULL;
	memset(call, 0, sizeof *call);
	out = (struct xdr_out){
		.base = call->bytes, .p = call->bytes + RPC_MARK_SIZE, .end = call->bytes + room};
	nfs_message_put_call(&out, &head);
	if (len > 0)
		xdr_put_fixed(&out, args, len);
	call->len = (uint32_t)(out.p - out.base);
	rpc_put_mark(call->bytes, call->len - RPC_MARK_SIZE);
	call->caller = caller;
	call->target = *target;
	call->fixed_port = nfs_address_port(&target->peer) != 0;
	call->deadline = deadline;
	call->timer.fire = timer_fire;
	call->release.run = release_run;
	call->watch.fd = -1;
	call->done = done;
	call->arg = arg;
	return call;
}

static struct nfs_call_peer *
peer_get(struct nfs_caller *caller, const union nfs_address *address)
{
	struct nfs_call_peer **bucket = &caller->peers[nfs_address_hash(address) % NFS_CALL_PEERS];
	struct nfs_call_peer *peer;

	for (peer = *bucket; peer; peer = peer->next)
		if (nfs_address_same(&peer->address, address))
			return peer;
	peer = calloc(1, sizeof *peer);
	if (!peer)
		return NULL;
	peer->address = *address;
	peer->tail = &peer->head;
	peer->next = *bucket;
	peer->prev = bucket;
	if (peer->next)
		peer->next->prev = &peer->next;
	*bucket = peer;
	return peer;
}

/* Have the peer's next call begun at the end of the turn, if it may. */
static void
peer_wait(struct nfs_caller *caller, struct nfs_call_peer *peer)
{
	if (!peer->waiting && peer->head && peer->under_way < NFS_CALLS_PEER_UNDER_WAY) {
		peer->waiting = true;
		peer->wait_next = NULL;
		*caller->wait_tail = peer;
		caller->wait_tail = &peer->wait_next;
	}
	if (caller->wait_head)
		dfs_loop_at_end(caller->loop, &caller->begin);
}

static void
peer_free_if_idle(struct nfs_call_peer *peer)
{
	if (peer->n > 0 || peer->waiting)
		return;
	*peer->prev = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	free(peer);
}

static void
unqueue(struct nfs_outcall *call)
{
	if (!call->prev)
		return;
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else if (call->peer && call->peer->tail == &call->next)
		call->peer->tail = call->prev;
	call->prev = NULL;
}

static void
begin_run(struct dfs_job *job)
{
	struct nfs_caller *caller = DFS_CONTAINER_OF(job, struct nfs_caller, begin);

	while (caller->wait_head && caller->under_way < NFS_CALLS_UNDER_WAY) {
		struct nfs_call_peer *peer = caller->wait_head;
		struct nfs_outcall *call = peer->head;

		caller->wait_head = peer->wait_next;
		if (!caller->wait_head)
			caller->wait_tail = &caller->wait_head;
		peer->waiting = false;
		if (!call || peer->under_way >= NFS_CALLS_PEER_UNDER_WAY) {
			peer_free_if_idle(peer);
			continue;
		}
		unqueue(call);
		call->under_way = true;
		peer->under_way++;
		caller->under_way++;
		peer_wait(caller, peer);
		nfs_call_go(call);
	}
}

void
nfs_call_adopt(struct nfs_outcall *call)
{
	struct nfs_caller *caller = call->caller;
	uint32_t xid = __builtin_bswap32(++caller->xid);

	call->xid = caller->xid;
	memcpy(call->bytes + RPC_MARK_SIZE, &xid, sizeof xid);
	call->all_next = caller->all;
	call->all_prev = &caller->all;
	if (call->all_next)
		call->all_next->all_prev = &call->all_next;
	caller->all = call;
	dfs_timer_set(caller->loop, &call->timer, call->deadline);
}

static void
arrive(struct dfs_post *post)
{
	struct nfs_outcall *call = DFS_CONTAINER_OF(post, struct nfs_outcall, post);
	struct nfs_caller *caller = call->caller;
	struct nfs_call_peer *peer;

	nfs_call_adopt(call);
	peer = peer_get(caller, &call->target.peer);
	call->peer = peer;
	if (!peer || peer->n >= NFS_CALLS_PEER_MAX) {
		call->peer = NULL;
		atomic_fetch_sub(&caller->pending, 1);
		nfs_call_end(call, peer ? DFS_BUSY : DFS_NOMEM, NULL);
		return;
	}
	peer->n++;
	call->next = NULL;
	call->prev = peer->tail;
	*peer->tail = call;
	peer->tail = &call->next;
	peer_wait(caller, peer);
}

enum dfs_status
nfs_caller_send(struct nfs_caller *caller, const struct nfs_target *target, uint32_t procedure,
		const void *args, uint32_t len, int64_t deadline, nfs_callback_fn done, void *arg)
{
	int64_t latest = dfs_clock_mono() + NFS_CALL_TIME_MAX;
	struct nfs_outcall *call;
	bool stopping;

	if (len > NFS_CALL_ARGS_MAX)
		return DFS_TOOBIG;
	if (target->peer.sa.sa_family != AF_INET && target->peer.sa.sa_family != AF_INET6)
		return DFS_INVAL;
	if (target->protocol != IPPROTO_UDP && target->protocol != IPPROTO_TCP)
		return DFS_INVAL;
	if (atomic_fetch_add(&caller->pending, 1) >= NFS_CALLS_MAX) {
		atomic_fetch_sub(&caller->pending, 1);
		return DFS_BUSY;
	}
	call = nfs_call_new(caller, target, procedure, args, len,
			    deadline < latest ? deadline : latest, done, arg);
	if (!call) {
		atomic_fetch_sub(&caller->pending, 1);
		return DFS_NOMEM;
	}
	call->post.run = arrive;
	pthread_mutex_lock(&caller->mu);
	stopping = caller->stopping;
	if (!stopping)
		dfs_loop_post(caller->loop, &call->post);
	pthread_mutex_unlock(&caller->mu);
	if (!stopping)
		return DFS_OK;
	atomic_fetch_sub(&caller->pending, 1);
	free(call);
	return DFS_SHUTDOWN;
}

static void
leave_peer(struct nfs_outcall *call)
{
	struct nfs_caller *caller = call->caller;
	struct nfs_call_peer *peer = call->peer;

	if (!peer)
		return;
	if (call->under_way) {
		peer->under_way--;
		caller->under_way--;
	}
	peer->n--;
	atomic_fetch_sub(&caller->pending, 1);
	call->peer = NULL;
	peer_wait(caller, peer);
	peer_free_if_idle(peer);
}

void
nfs_call_end(struct nfs_outcall *call, enum dfs_status status, struct xdr_in *reply)
{
	struct nfs_caller *caller = call->caller;
	struct xdr_in none = {NULL, NULL, false};

	if (call->lookup) {
		call->lookup->done = NULL;
		nfs_call_end(call->lookup, DFS_SHUTDOWN, NULL);
	}
	dfs_timer_cancel(caller->loop, &call->timer);
	if (call->stream)
		nfs_stream_leave(call);
	unqueue(call);
	if (call->watch.fd >= 0) {
		dfs_loop_unwatch(caller->loop, &call->watch);
		close(call->watch.fd);
		call->watch.fd = -1;
	}
	*call->all_prev = call->all_next;
	if (call->all_next)
		call->all_next->all_prev = call->all_prev;
	leave_peer(call);
	if (call->done)
		call->done(call->arg, status, reply ? reply : &none);
	dfs_loop_at_end(caller->loop, &call->release);
}

void
nfs_call_answered(struct nfs_outcall *call, enum dfs_status status, struct xdr_in *in)
{
	if (status == DFS_NOENT && call->cached && !call->retried) {
		nfs_call_failed(call, false); /* another service has got the port */
		return;
	}
	nfs_call_end(call, status, status == DFS_OK ? in : NULL);
}

void
nfs_call_failed(struct nfs_outcall *call, bool reused)
{
	struct nfs_caller *caller = call->caller;

	if (!call->fixed_port && !call->lookup)
		nfs_port_forget(caller, &call->target);
	if (call->retried || (!reused && !call->cached) || caller->stopped) {
		nfs_call_end(call, DFS_IO, NULL);
		return;
	}
	call->retried = true;
	if (call->stream)
		nfs_stream_leave(call);
	if (call->watch.fd >= 0) {
		dfs_loop_unwatch(caller->loop, &call->watch);
		close(call->watch.fd);
		call->watch.fd = -1;
	}
	call->sent = 0;
	if (!call->fixed_port)
		nfs_address_set_port(&call->target.peer, 0);
	nfs_call_go(call);
}

void
nfs_call_go(struct nfs_outcall *call)
{
	if (nfs_address_port(&call->target.peer) == 0) {
		call->cached = nfs_port_cached(call->caller, &call->target);
		if (!call->cached) {
			nfs_port_ask(call);
			return;
		}
	}
	if (call->target.protocol == IPPROTO_UDP)
		nfs_datagram_begin(call);
	else
		nfs_stream_begin(call);
}
