/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/datagram.h"
#include "base/cond.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/log.h"
#include "io/bind.h"

#define SOCKETS_MAX 64u
#define READS 64u              /* of one event */
#define RECEIVE_ROOM (1 << 20) /* bytes that may wait in a socket */
#define BUCKETS 1024u
#define INTERVAL (DFS_SECOND / NFS_UDP_RATE)
#define VECTORS 64u
#define CONTROL_SIZE 128u

struct nfs_udp_socket {
	struct dfs_watch watch;
	struct nfs_udp *udp;
	bool portmap;
	uint16_t port;
};

struct nfs_udp {
	struct nfs_server *server;
	unsigned n;
	struct nfs_udp_socket sockets[SOCKETS_MAX];
	struct dfs_hash_key key;
	/* By a keyed hash of the address: the time at which its budget is whole again. */
	int64_t whole_at[BUCKETS];
	uint32_t under_way; /* the first loop's, like whole_at */
	struct dfs_counter *calls, *dropped, *shortened;
	struct dfs_post stop;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool stopped; /* guarded by mu */
};

struct nfs_udp *
nfs_udp_new(struct nfs_server *server)
{
	struct nfs_udp *udp = calloc(1, sizeof *udp);

	if (!udp)
		return NULL;
	udp->server = server;
	if (getrandom(&udp->key, sizeof udp->key, 0) < 0)
		udp->key.k0 = (uint64_t)dfs_clock_mono();
	udp->calls = dfs_counter_get("nfs_udp_calls");
	udp->dropped = dfs_counter_get("nfs_udp_dropped");
	udp->shortened = dfs_counter_get("nfs_udp_replies_refused");
	pthread_mutex_init(&udp->mu, NULL);
	dfs_cond_init(&udp->cond);
	return udp;
}

/* True: the address has used up its budget. */
static bool
over_budget(struct nfs_udp *udp, const union nfs_address *peer, int64_t now)
{
	const void *bytes = peer->sa.sa_family == AF_INET ? (const void *)&peer->in.sin_addr
							  : (const void *)&peer->in6.sin6_addr;
	size_t len = peer->sa.sa_family == AF_INET ? 4 : 8; /* of IPv6 the network */
	int64_t *at = &udp->whole_at[dfs_siphash(&udp->key, bytes, len) % BUCKETS];

	if (nfs_address_loopback(peer))
		return false;
	if (*at < now)
		*at = now;
	if (*at - now > INTERVAL * NFS_UDP_BURST)
		return true;
	*at += INTERVAL;
	return false;
}

/* The address that the datagram was sent to: the answer has to come from it.  One to a broadcast or
 * multicast address cannot be answered so, and is not. */
static void
find_local(struct msghdr *msg, uint16_t port, union nfs_address *local)
{
	memset(local, 0, sizeof *local);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			const struct in_pktinfo *info = (const void *)CMSG_DATA(c);
			local->in.sin_family = AF_INET;
			local->in.sin_addr = info->ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			const struct in6_pktinfo *info = (const void *)CMSG_DATA(c);
			local->in6.sin6_family = AF_INET6;
			local->in6.sin6_addr = info->ipi6_addr;
			if (IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
				local->in6.sin6_scope_id = info->ipi6_ifindex;
		}
	}
	if (local->sa.sa_family != AF_UNSPEC)
		nfs_address_set_port(local, port);
}

static void
call_came(struct nfs_udp_socket *socket, const unsigned char *bytes, uint32_t len,
	  const struct sockaddr *peer, const union nfs_address *local)
{
	struct nfs_udp *udp = socket->udp;
	struct nfs_conn *conn = NULL;

	if (udp->under_way < NFS_UDP_CALLS_MAX)
		conn = (struct nfs_conn *)dfs_net_datagram(udp->server->net, peer);
	if (!conn) {
		dfs_counter_add(udp->dropped, 1);
		return;
	}
	udp->under_way++;
	conn->socket = socket;
	conn->datagram_len = len;
	dfs_conn_open(&conn->io);
	conn->access.local = *local;
	dfs_counter_add(udp->calls, 1);
	if (!conn->io.closed)
		nfs_dispatch(conn, bytes, len);
	dfs_conn_drain(&conn->io);
}

static void
ready(struct dfs_watch *watch, uint32_t events)
{
	struct nfs_udp_socket *socket = DFS_CONTAINER_OF(watch, struct nfs_udp_socket, watch);
	struct nfs_udp *udp = socket->udp;
	struct dfs_loop *loop = dfs_net_loop(udp->server->net, 0);
	unsigned char bytes[NFS_UDP_CALL_MAX];

	(void)events;
	for (unsigned i = 0; i < READS && watch->fd >= 0; i++) {
		_Alignas(struct cmsghdr) char control[CONTROL_SIZE];
		union nfs_address from = {0}, peer, local;
		struct iovec iov = {bytes, sizeof bytes};
		struct msghdr msg = {.msg_name = &from,
				     .msg_namelen = sizeof from,
				     .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof control};
		ssize_t n = recvmsg(watch->fd, &msg, MSG_DONTWAIT);

		if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
			return;
		nfs_address_set(&peer, &from.sa);
		if (n <= 0)
			continue;
		if (msg.msg_flags & MSG_TRUNC || nfs_address_port(&peer) == 0 ||
		    over_budget(udp, &peer, loop->now)) {
			dfs_counter_add(udp->dropped, 1);
			continue;
		}
		find_local(&msg, socket->port, &local);
		call_came(socket, bytes, (uint32_t)n, &from.sa, &local);
	}
}

void
nfs_datagram_opened(struct nfs_conn *conn)
{
	conn->access.datagram = true;
	conn->portmap = conn->socket->portmap;
}

void
nfs_datagram_freed(struct nfs_conn *conn)
{
	conn->socket->udp->under_way--;
}

/* What msg's control bytes must say to send from local. */
static void
set_source(struct msghdr *msg, const union nfs_address *local)
{
	struct cmsghdr *c = msg->msg_control;

	if (local->sa.sa_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = local->in.sin_addr};

		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
		msg->msg_controllen = CMSG_SPACE(sizeof info);
	} else if (local->sa.sa_family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_addr = local->in6.sin6_addr,
					   .ipi6_ifindex = local->in6.sin6_scope_id};

		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(c), &info, sizeof info);
		msg->msg_controllen = CMSG_SPACE(sizeof info);
	} else {
		msg->msg_control = NULL;
		msg->msg_controllen = 0;
	}
}

void
nfs_datagram_put_out(struct dfs_conn *io)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;
	unsigned char refusal[RPC_REPLY_MAX];
	struct xdr_out out = {.base = refusal, .p = refusal, .end = refusal + sizeof refusal};
	_Alignas(struct cmsghdr) char control[CONTROL_SIZE] = {0};
	struct iovec iov[VECTORS];
	struct msghdr msg = {.msg_name = &io->peer, .msg_iov = iov, .msg_control = control};
	union nfs_address peer;

	if (!conn->socket || conn->socket->watch.fd < 0)
		return;
	nfs_address_set(&peer, &io->peer.sa);
	msg.msg_namelen =
		io->peer.sa.sa_family == AF_INET6 ? sizeof io->peer.in6 : sizeof io->peer.in;
	msg.msg_iovlen = dfs_conn_queued(io, iov, VECTORS);
	if (iov[0].iov_len < RPC_MARK_SIZE + RPC_REPLY_SIZE - 4 || msg.msg_iovlen == VECTORS)
		return;
	iov[0].iov_base = (char *)iov[0].iov_base + RPC_MARK_SIZE;
	iov[0].iov_len -= RPC_MARK_SIZE;
	if (io->out_bytes - RPC_MARK_SIZE > (uint64_t)NFS_UDP_REPLY_FACTOR * conn->datagram_len &&
	    !nfs_address_loopback(&peer)) {
		dfs_counter_add(conn->socket->udp->shortened, 1);
		rpc_put_accepted(&out, rpc_get_word(iov[0].iov_base), RPC_SYSTEM_ERR);
		iov[0] = (struct iovec){refusal, (size_t)(out.p - out.base)};
		msg.msg_iovlen = 1;
	}
	set_source(&msg, &conn->access.local);
	/* What the network does not take is lost, as anywhere on its way: the client asks again. */
	sendmsg(conn->socket->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What dfs_bind_each works for. */
struct listening {
	struct nfs_udp *udp;
	bool portmap;
};

static void
set_options(void *arg, int fd, int family)
{
	int one = 1, room = RECEIVE_ROOM;

	(void)arg;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
	else
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
}

static enum dfs_status
add_socket(void *arg, int fd)
{
	struct listening *l = arg;
	struct nfs_udp *udp = l->udp;
	union nfs_address bound;

	if (udp->n == SOCKETS_MAX)
		return dfs_fail(DFS_CONFIG, "more than %u UDP sockets", SOCKETS_MAX);
	nfs_address_of_socket(&bound, fd);
	udp->sockets[udp->n++] = (struct nfs_udp_socket){.watch = {.ready = ready, .fd = fd},
							 .udp = udp,
							 .portmap = l->portmap,
							 .port = nfs_address_port(&bound)};
	return DFS_OK;
}

enum dfs_status
nfs_udp_listen(struct nfs_udp *udp, const char *address, uint16_t port, bool portmap)
{
	struct listening listening = {udp, portmap};
	const struct dfs_bind how = {.type = SOCK_DGRAM,
				     .what = "receive on",
				     .prepare = set_options,
				     .take = add_socket,
				     .arg = &listening};

	return dfs_bind_each(&how, address, port);
}

bool
nfs_udp_bound(const struct nfs_udp *udp, unsigned i, union nfs_address *bound, bool *portmap)
{
	if (i >= udp->n)
		return false;
	nfs_address_of_socket(bound, udp->sockets[i].watch.fd);
	*portmap = udp->sockets[i].portmap;
	return true;
}

bool
nfs_udp_start(struct nfs_udp *udp)
{
	for (unsigned i = 0; i < udp->n; i++)
		if (!dfs_loop_watch(dfs_net_loop(udp->server->net, 0), &udp->sockets[i].watch,
				    EPOLLIN)) {
			dfs_fail(DFS_IO, "cannot watch a UDP socket: %s", strerror(errno));
			return false;
		}
	return true;
}

/* The sockets stay open for what is still to be answered. */
static void
stop_run(struct dfs_post *post)
{
	struct nfs_udp *udp = DFS_CONTAINER_OF(post, struct nfs_udp, stop);

	for (unsigned i = 0; i < udp->n; i++)
		dfs_loop_unwatch(dfs_net_loop(udp->server->net, 0), &udp->sockets[i].watch);
	pthread_mutex_lock(&udp->mu);
	udp->stopped = true;
	pthread_cond_signal(&udp->cond);
	pthread_mutex_unlock(&udp->mu);
}

void
nfs_udp_stop(struct nfs_udp *udp, int64_t deadline)
{
	struct dfs_loop *loop = dfs_net_loop(udp->server->net, 0);

	if (udp->n == 0 || !loop->running)
		return;
	udp->stop.run = stop_run;
	dfs_loop_post(loop, &udp->stop);
	pthread_mutex_lock(&udp->mu);
	while (!udp->stopped)
		if (!dfs_cond_until(&udp->cond, &udp->mu, deadline))
			break;
	pthread_mutex_unlock(&udp->mu);
}

void
nfs_udp_free(struct nfs_udp *udp)
{
	if (!udp)
		return;
	for (unsigned i = 0; i < udp->n; i++)
		close(udp->sockets[i].watch.fd);
	pthread_cond_destroy(&udp->cond);
	pthread_mutex_destroy(&udp->mu);
	free(udp);
}
