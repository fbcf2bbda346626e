/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench.h"
#include "client.h"
#include "conn.h"

#define REPLY_MAX (256u << 10)

struct rpc_client {
	int fd;
	uint32_t xid, uid, gid;
	double timeout;
	struct rxbuf rx;
	struct record last;
	bool have_last;
};

struct rpc_client *
client_open(const struct sockaddr *addr, socklen_t len, bool reserved_port, uint32_t uid,
	    uint32_t gid, double timeout, char **error)
{
	int fd = conn_connect(addr, len, reserved_port, timeout);

	if (fd < 0) {
		*error = g_strdup_printf("connect: %s", g_strerror(errno));
		return NULL;
	}
	struct rpc_client *c = g_new0(struct rpc_client, 1);
	c->fd = fd;
	c->uid = uid;
	c->gid = gid;
	c->timeout = timeout;
	if (getrandom(&c->xid, sizeof c->xid, 0) < 0)
		c->xid = (uint32_t)engine_now();
	rxbuf_init(&c->rx, REPLY_MAX);
	return c;
}

void
client_close(struct rpc_client *c)
{
	if (!c)
		return;
	close(c->fd);
	rxbuf_free(&c->rx);
	g_free(c);
}

static bool
send_all(struct rpc_client *c, const uint8_t *p, size_t n, uint64_t until)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		} else if (errno != EAGAIN || !conn_wait(c->fd, POLLOUT, until)) {
			if (errno == EAGAIN)
				errno = ETIMEDOUT;
			return false;
		}
	}
	return true;
}

static bool
receive_record(struct rpc_client *c, struct record *r, uint64_t until)
{
	for (;;) {
		enum record_state state = rxbuf_next(&c->rx, r);
		if (state == RECORD_OK)
			return true;
		if (state == RECORD_BAD) {
			errno = EPROTO;
			return false;
		}
		if (!conn_wait(c->fd, POLLIN, until)) {
			errno = ETIMEDOUT;
			return false;
		}
		int got = rxbuf_receive(&c->rx, c->fd, NULL);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return false;
	}
}

bool
client_call(struct rpc_client *c, uint32_t prog, uint32_t vers, uint32_t proc, const uint8_t *args,
	    const uint8_t *end, struct xdrr *in, uint32_t *accept_stat, char **error)
{
	uint8_t call[CALL_HEAD_MAX + CLIENT_ARGS_MAX];
	struct call_head head;
	uint32_t xid = 0;
	uint64_t until = engine_now() + (uint64_t)(c->timeout * (double)SECOND);

	*accept_stat = 0;
	if (c->have_last)
		rxbuf_consume(&c->rx, &c->last);
	c->have_last = false;
	call_head_init(&head, prog, vers, c->uid, c->gid);
	struct xdrw w = {call_begin(&head, call, ++c->xid, proc)};
	if (args) {
		memcpy(w.p, args, (size_t)(end - args));
		w.p += end - args;
	}
	if (!send_all(c, call, call_end(call, w.p, 0), until) ||
	    !receive_record(c, &c->last, until)) {
		*error = g_strdup(g_strerror(errno));
		return false;
	}
	c->have_last = true;
	*in = (struct xdrr){c->last.data, c->last.data + c->last.len, false};
	enum reply_kind kind = reply_head(in, &xid, accept_stat);
	if (kind == REPLY_MALFORMED || xid != c->xid) {
		*error = g_strdup("the answer is no reply to the call");
		return false;
	}
	if (kind == REPLY_NOT_OK) {
		*error = g_strdup_printf("RPC %s", *accept_stat == UINT32_MAX
							   ? "denied"
							   : rpc_accept_name(*accept_stat));
		return false;
	}
	return true;
}
