/* SPDX-License-Identifier: MIT
 *
 * UDP: a connected socket for each call, so that the kernel lets through what comes from the peer's address
 * and port alone, and tells when the port is closed.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "adapters/nfs/callback/caller.h"
#include "adapters/nfs/callback/message.h"
#include "adapters/nfs/callback/socket.h"
#include "adapters/nfs/rpc/header.h"
#include "base/clock.h"
#include "base/container.h"

#define SENDS_MAX 5u
#define FIRST_WAIT DFS_SECOND
#define READS 16 /* of one event: strays must not keep the loop */

/* False: the call has ended. */
static bool
transmit(struct nfs_outcall *call)
{
	struct nfs_caller *caller = call->caller;
	int64_t wait = FIRST_WAIT << call->sends;
	ssize_t n;
	bool again;

	if (!nfs_call_wanted(call)) {
		nfs_call_end(call, DFS_STALE, NULL);
		return false;
	}
	n = send(call->watch.fd, nfs_call_message(call), call->len - RPC_MARK_SIZE,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
		nfs_call_failed(call, false);
		return false;
	}
	if (call->target.one_way && n > 0) {
		nfs_call_end(call, DFS_OK, NULL);
		return false;
	}
	call->sends++;
	again = call->sends < SENDS_MAX && !(call->target.once && n > 0);
	call->resend = again ? caller->loop->now + wait : 0;
	dfs_timer_set(caller->loop, &call->timer,
		      call->resend && call->resend < call->deadline ? call->resend
								    : call->deadline);
	return true;
}

static void
ready(struct dfs_watch *watch, uint32_t events)
{
	struct nfs_outcall *call = DFS_CONTAINER_OF(watch, struct nfs_outcall, watch);
	unsigned char reply[NFS_CALL_REPLY_MAX + 1];

	(void)events;
	for (unsigned i = 0; i < READS && watch->fd >= 0; i++) {
		ssize_t n = recv(watch->fd, reply, sizeof reply, 0);
		struct xdr_in in = {reply, reply + (n > 0 ? n : 0), false};
		enum dfs_status status;
		uint32_t xid;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			nfs_call_failed(call, false);
			return;
		}
		status = nfs_message_reply(&in, &xid);
		if (status == DFS_AGAIN || xid != call->xid)
			continue; /* not ours: an answer to nothing, or to an older call */
		if (n > NFS_CALL_REPLY_MAX)
			status = DFS_CORRUPT;
		nfs_call_answered(call, status, &in);
		return;
	}
}

void
nfs_datagram_begin(struct nfs_outcall *call)
{
	int fd = nfs_socket_to(&call->target.peer, &call->target.local, SOCK_DGRAM);

	if (fd < 0) {
		nfs_call_failed(call, false);
		return;
	}
	call->watch = (struct dfs_watch){.ready = ready, .fd = fd};
	call->sends = 0;
	if (!dfs_loop_watch(call->caller->loop, &call->watch, EPOLLIN))
		nfs_call_end(call, DFS_IO, NULL);
	else
		transmit(call);
}

void
nfs_datagram_again(struct nfs_outcall *call)
{
	if (call->watch.fd >= 0 && call->resend)
		transmit(call);
	else
		dfs_timer_set(call->caller->loop, &call->timer, call->deadline);
}
