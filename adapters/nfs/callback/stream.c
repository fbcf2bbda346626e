/* SPDX-License-Identifier: MIT
 *
 * TCP: one connection to a peer's port for all calls to it, kept for a while after the last one.
 *
 * Replies come in any order and are matched by xid; one that belongs to no call (its time was up) is
 * dropped.  A connection that ends after it has served calls may only have been idle for too long on
 * the peer's side: its calls are begun once more on a new one.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "adapters/nfs/callback/caller.h"
#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/callback/socket.h"
#include "adapters/nfs/rpc/header.h"
#include "base/clock.h"
#include "base/container.h"

#define KEEP (15 * DFS_SECOND)
#define READS 16 /* of one event */
#define FRAGMENTS_MAX 16u

struct nfs_stream {
	struct nfs_stream *next, **prev; /* the caller's */
	struct nfs_caller *caller;
	union nfs_address peer, local; /* as the calls ask for it */
	struct dfs_watch watch;
	bool connected;
	bool served; /* a reply has come */
	struct nfs_outcall *unsent, **unsent_tail, *sent;
	struct dfs_timer idle;
	struct dfs_job release;
	unsigned char mark[RPC_MARK_SIZE];
	uint32_t mark_len;  /* bytes of mark that are there */
	uint32_t left;      /* of the fragment */
	uint32_t fragments; /* of the record */
	uint32_t len;       /* of record */
	unsigned char record[NFS_CALL_REPLY_MAX];
};

static void
release_run(struct dfs_job *job)
{
	free(DFS_CONTAINER_OF(job, struct nfs_stream, release));
}

static void
stream_close(struct nfs_stream *stream)
{
	struct nfs_caller *caller = stream->caller;

	assert(!stream->unsent && !stream->sent);
	dfs_loop_unwatch(caller->loop, &stream->watch);
	close(stream->watch.fd);
	stream->watch.fd = -1;
	dfs_timer_cancel(caller->loop, &stream->idle);
	*stream->prev = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	caller->n_streams--;
	dfs_loop_at_end(caller->loop, &stream->release);
}

static void
unlink_call(struct nfs_outcall *call)
{
	struct nfs_stream *stream = call->stream;

	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else if (stream->unsent_tail == &call->next)
		stream->unsent_tail = call->prev;
	call->prev = NULL;
	call->stream = NULL;
}

/* Take every call off the stream, close it, and let the calls begin anew or fail.  They are cut
 * off first: one that begins anew must not come back to this stream. */
static void
stream_fail(struct nfs_stream *stream)
{
	bool served = stream->served;
	struct nfs_outcall *list = NULL, *call;

	while ((call = stream->sent ? stream->sent : stream->unsent)) {
		unlink_call(call);
		call->next = list;
		list = call;
	}
	stream_close(stream);
	while ((call = list)) {
		list = call->next;
		if (call->target.once && call->sent == call->len)
			call->retried = true; /* the peer may have it */
		nfs_call_failed(call, served);
	}
}

static void
idle_fire(struct dfs_timer *timer)
{
	stream_close(DFS_CONTAINER_OF(timer, struct nfs_stream, idle));
}

static void
rest_if_idle(struct nfs_stream *stream)
{
	if (!stream->unsent && !stream->sent && stream->watch.fd >= 0)
		dfs_timer_set(stream->caller->loop, &stream->idle,
			      stream->caller->loop->now + KEEP);
}

void
nfs_stream_leave(struct nfs_outcall *call)
{
	struct nfs_stream *stream = call->stream;
	bool torn = call->sent > 0 && call->sent < call->len;

	unlink_call(call);
	if (stream->watch.fd < 0)
		return;
	if (torn || (!stream->connected && !stream->unsent)) {
		stream_fail(stream);
		return;
	}
	rest_if_idle(stream);
}

static void
write_calls(struct nfs_stream *stream)
{
	struct nfs_outcall *call;

	while (stream->watch.fd >= 0 && (call = stream->unsent)) {
		ssize_t n;

		if (call->sent == 0 && !nfs_call_wanted(call)) {
			nfs_call_end(call, DFS_STALE, NULL);
			continue;
		}
		n = send(stream->watch.fd, call->bytes + call->sent, call->len - call->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			stream_fail(stream);
			return;
		}
		call->sent += (uint32_t)n;
		if (call->sent < call->len)
			continue;
		if (call->target.one_way) {
			nfs_call_end(call, DFS_OK, NULL);
			continue;
		}
		unlink_call(call);
		call->stream = stream;
		call->next = stream->sent;
		call->prev = &stream->sent;
		if (call->next)
			call->next->prev = &call->next;
		stream->sent = call;
	}
	if (stream->watch.fd >= 0 && !dfs_loop_watch(stream->caller->loop, &stream->watch,
						     stream->unsent ? EPOLLIN | EPOLLOUT : EPOLLIN))
		stream_fail(stream);
}

/* The record is complete.  False: the stream makes no sense. */
static bool
take_record(struct nfs_stream *stream)
{
	struct xdr_in in = {stream->record, stream->record + stream->len, false};
	struct nfs_outcall *call = stream->sent;
	enum dfs_status status;
	uint32_t xid;

	stream->len = stream->fragments = 0;
	status = nfs_message_reply(&in, &xid);
	if (status == DFS_AGAIN)
		return false;
	stream->served = true;
	while (call && call->xid != xid)
		call = call->next;
	if (call)
		nfs_call_answered(call, status, &in);
	return true;
}

/* The mark is complete.  False: the stream makes no sense. */
static bool
take_mark(struct nfs_stream *stream)
{
	uint32_t len = rpc_get_word(stream->mark) & ~RPC_MARK_LAST;

	if (++stream->fragments > FRAGMENTS_MAX || len > sizeof stream->record - stream->len)
		return false;
	stream->left = len;
	return true;
}

/* Bytes have come, or may have.  False: fail the stream. */
static bool
read_some(struct nfs_stream *stream, bool *more)
{
	bool in_mark = stream->mark_len < RPC_MARK_SIZE;
	ssize_t n = recv(stream->watch.fd,
			 in_mark ? stream->mark + stream->mark_len : stream->record + stream->len,
			 in_mark ? RPC_MARK_SIZE - stream->mark_len : stream->left, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		*more = errno == EINTR;
		return true;
	}
	if (n <= 0)
		return false;
	if (in_mark) {
		stream->mark_len += (uint32_t)n;
		if (stream->mark_len < RPC_MARK_SIZE)
			return true;
		if (!take_mark(stream))
			return false;
	} else {
		stream->len += (uint32_t)n;
		stream->left -= (uint32_t)n;
	}
	if (stream->left > 0)
		return true;
	stream->mark_len = 0;
	return !(stream->mark[0] & 0x80) || take_record(stream);
}

static void
ready(struct dfs_watch *watch, uint32_t events)
{
	struct nfs_stream *stream = DFS_CONTAINER_OF(watch, struct nfs_stream, watch);
	bool more = true;

	if (watch->fd < 0)
		return;
	if (!stream->connected) {
		int err = 0;
		socklen_t len = sizeof err;

		getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err || !(events & EPOLLOUT)) {
			stream_fail(stream);
			return;
		}
		stream->connected = true;
	}
	for (unsigned i = 0; i < READS && more && watch->fd >= 0; i++)
		if (!read_some(stream, &more)) {
			if (watch->fd >= 0)
				stream_fail(stream);
			return;
		}
	if (watch->fd >= 0)
		write_calls(stream);
}

static bool
fits(const struct nfs_stream *stream, const struct nfs_target *target)
{
	return nfs_address_same(&stream->peer, &target->peer) &&
	       nfs_address_port(&stream->peer) == nfs_address_port(&target->peer) &&
	       (stream->local.sa.sa_family == target->local.sa.sa_family &&
		(target->local.sa.sa_family == AF_UNSPEC ||
		 nfs_address_same(&stream->local, &target->local)));
}

/* One that nobody uses makes room. */
static void
evict(struct nfs_caller *caller)
{
	for (struct nfs_stream *s = caller->streams; s; s = s->next)
		if (!s->unsent && !s->sent) {
			stream_close(s);
			return;
		}
}

static struct nfs_stream *
stream_new(struct nfs_outcall *call)
{
	struct nfs_caller *caller = call->caller;
	struct nfs_stream *stream;
	int fd;

	if (caller->n_streams >= NFS_CALL_STREAMS_MAX)
		evict(caller);
	fd = nfs_socket_to(&call->target.peer, &call->target.local, SOCK_STREAM);
	if (fd < 0)
		return NULL;
	stream = calloc(1, sizeof *stream);
	if (!stream) {
		close(fd);
		return NULL;
	}
	stream->caller = caller;
	stream->peer = call->target.peer;
	stream->local = call->target.local;
	stream->watch = (struct dfs_watch){.ready = ready, .fd = fd};
	stream->unsent_tail = &stream->unsent;
	stream->idle.fire = idle_fire;
	stream->release.run = release_run;
	if (!dfs_loop_watch(caller->loop, &stream->watch, EPOLLIN | EPOLLOUT)) {
		close(fd);
		free(stream);
		return NULL;
	}
	stream->next = caller->streams;
	stream->prev = &caller->streams;
	if (stream->next)
		stream->next->prev = &stream->next;
	caller->streams = stream;
	caller->n_streams++;
	return stream;
}

void
nfs_stream_begin(struct nfs_outcall *call)
{
	struct nfs_stream *stream = call->caller->streams;

	while (stream && !fits(stream, &call->target))
		stream = stream->next;
	if (!stream)
		stream = stream_new(call);
	if (!stream) {
		nfs_call_failed(call, false);
		return;
	}
	dfs_timer_cancel(call->caller->loop, &stream->idle);
	call->stream = stream;
	call->next = NULL;
	call->prev = stream->unsent_tail;
	*stream->unsent_tail = call;
	stream->unsent_tail = &call->next;
	if (stream->connected && stream->unsent == call)
		write_calls(stream);
}

void
nfs_streams_close(struct nfs_caller *caller)
{
	while (caller->streams)
		stream_close(caller->streams);
}
