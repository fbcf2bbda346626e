/* SPDX-License-Identifier: MIT
 *
 * The server that does nothing: one thread, epoll, a canned success of the right size for each
 * call.  WRITE data is taken and dropped, READ data and listings come from one buffer by sendmsg.
 * What it reaches is the limit of TCP for these very messages on this machine.
 *
 * A connection that does not take its replies is not read from, so the queue is bounded.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conn.h"
#include "echo_reply.h"
#include "options.h"
#include "run.h"
#include "rxbuf.h"

#define EVENTS 64
#define RX_CAP (128u << 10)
#define QUEUED_MAX 512
#define BYPASS_MIN (32u << 10)
#define BYPASS_HEAD 1024u

struct peer {
	int fd;
	bool blocked;
	/* A call whose data is still on its way past the buffer; answered when it has come. */
	bool pending;
	uint32_t head_len;
	uint8_t head[BYPASS_HEAD];
	struct rxbuf rx;
	struct txq tx;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	stopped = 1;
}

static void
drop(struct peer *p)
{
	close(p->fd);
	rxbuf_free(&p->rx);
	txq_free(&p->tx);
	g_free(p);
}

/* Queue one answer, making room if need be.  1: done; 0: the peer takes nothing now; -1: it is
 * gone, or talks nonsense. */
static int
answer(struct peer *p, const uint8_t *data, uint32_t len)
{
	struct echo_call call;

	if (!echo_call_parse(data, len, &call))
		return -1;
	while (!echo_reply(&p->tx, &call)) {
		int sent = txq_flush(&p->tx, p->fd);
		if (sent <= 0)
			return sent;
	}
	return 1;
}

/* Answer what is complete.  False: the peer is to be dropped. */
static bool
serve(struct peer *p)
{
	struct record r;

	if (p->pending) {
		int done = p->rx.bypass ? 0 : answer(p, p->head, p->head_len);
		if (done <= 0)
			return done == 0;
		p->pending = false;
	}
	for (;;) {
		enum record_state state = rxbuf_next(&p->rx, &r);
		if (state == RECORD_BAD)
			return false;
		if (state == RECORD_OK) {
			int done = answer(p, r.data, r.len);
			if (done <= 0)
				return done == 0;
			rxbuf_consume(&p->rx, &r);
			continue;
		}
		uint32_t have = p->rx.end - p->rx.start;
		if (r.single && r.need >= BYPASS_MIN && have >= BYPASS_HEAD) {
			p->pending = true;
			p->head_len = BYPASS_HEAD - 4;
			memcpy(p->head, p->rx.buf + p->rx.start + 4, p->head_len);
			rxbuf_bypass(&p->rx, &r, NULL);
		}
		return true;
	}
}

static bool
turn(struct peer *p, uint32_t events, int epoll, uint8_t *scratch)
{
	if (!p->blocked && (events & ~(uint32_t)EPOLLOUT)) {
		int got = rxbuf_receive(&p->rx, p->fd, scratch);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return false;
	}
	if (!serve(p))
		return false;
	int sent = txq_flush(&p->tx, p->fd);
	if (sent < 0)
		return false;
	if (p->blocked != (sent == 0)) {
		struct epoll_event ev = {.data.ptr = p};
		p->blocked = sent == 0;
		ev.events = p->blocked ? EPOLLOUT : EPOLLIN;
		epoll_ctl(epoll, EPOLL_CTL_MOD, p->fd, &ev);
	}
	return true;
}

static void
accept_one(int listener, int epoll)
{
	const int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	struct peer *p = g_new0(struct peer, 1);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = p};
	p->fd = fd;
	rxbuf_init(&p->rx, RX_CAP);
	txq_init(&p->tx, QUEUED_MAX * ECHO_REPLY_MAX, 3 * QUEUED_MAX);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		drop(p);
}

static int
open_listener(const struct options *o, int *port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	struct sockaddr_in6 a;
	socklen_t len = sizeof a;
	const int one = 1;
	g_autofree char *service = g_strdup_printf("%d", o->port);
	int r = getaddrinfo(o->bind, service, &hints, &found);

	if (r != 0) {
		fprintf(stderr, "dfs-bench: %s: %s\n", o->bind, gai_strerror(r));
		return -1;
	}
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		fprintf(stderr, "dfs-bench: %s port %d: %s\n", o->bind, o->port, g_strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	*port = ntohs(a.sin6_port); /* at the same place in both families */
	return fd;
}

int
run_echo(const struct options *o)
{
	struct epoll_event ev[EVENTS], listen_ev = {.events = EPOLLIN};
	const struct sigaction sa = {.sa_handler = on_signal};
	g_autofree uint8_t *scratch = g_malloc(RXBUF_SCRATCH);
	int port = 0, listener = open_listener(o, &port), epoll = epoll_create1(EPOLL_CLOEXEC);

	if (listener < 0 || epoll < 0)
		return 1;
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	conn_raise_limit();
	echo_reply_init();
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listen_ev);
	printf("listening on %s port %d\n", o->bind, port);
	fflush(stdout);
	while (!stopped) {
		int n = epoll_wait(epoll, ev, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct peer *p = ev[i].data.ptr;
			if (!p)
				accept_one(listener, epoll);
			else if (!turn(p, ev[i].events, epoll, scratch))
				drop(p);
		}
	}
	close(listener);
	close(epoll);
	return 0;
}
