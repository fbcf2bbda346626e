/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "rxbuf.h"

#define RECORD_MAX (8u << 20)
#define BYPASS_IOVS 16

void
rxbuf_init(struct rxbuf *rx, uint32_t cap)
{
	memset(rx, 0, sizeof *rx);
	rx->cap = cap;
	rx->buf = g_malloc(cap);
}

void
rxbuf_free(struct rxbuf *rx)
{
	g_free(rx->buf);
}

static int
receive_bypass(struct rxbuf *rx, int fd, uint8_t *scratch)
{
	struct iovec iov[BYPASS_IOVS + 1];
	struct msghdr msg = {.msg_iov = iov};
	uint32_t left = rx->bypass;

	if (rx->sink) {
		iov[msg.msg_iovlen++] = (struct iovec){rx->sink, left};
		left = 0;
	}
	while (left > 0 && msg.msg_iovlen < BYPASS_IOVS) {
		uint32_t n = MIN(left, RXBUF_SCRATCH);
		iov[msg.msg_iovlen++] = (struct iovec){scratch, n};
		left -= n;
	}
	if (left == 0)
		iov[msg.msg_iovlen++] = (struct iovec){rx->buf, rx->cap};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (n <= 0)
		return n == 0 ? 0 : -1;
	uint32_t past = (uint32_t)MIN((size_t)n, rx->bypass);
	rx->bypass -= past;
	if (rx->sink)
		rx->sink += past;
	rx->end = (uint32_t)n - past;
	return 1;
}

int
rxbuf_receive(struct rxbuf *rx, int fd, uint8_t *scratch)
{
	if (rx->bypass)
		return receive_bypass(rx, fd, scratch);
	if (rx->end - rx->start == rx->cap) {
		errno = EMSGSIZE;
		return -1;
	}
	if (rx->end == rx->cap) {
		memmove(rx->buf, rx->buf + rx->start, rx->end - rx->start);
		rx->end -= rx->start;
		rx->start = 0;
	}
	ssize_t n = recv(fd, rx->buf + rx->end, rx->cap - rx->end, MSG_DONTWAIT);
	if (n <= 0)
		return n == 0 ? 0 : -1;
	rx->end += (uint32_t)n;
	return 1;
}

enum record_state
rxbuf_next(struct rxbuf *rx, struct record *r)
{
	enum record_state state =
		record_parse(rx->buf + rx->start, rx->end - rx->start, RECORD_MAX, r);

	if (state == RECORD_NEED && rx->start + (uint64_t)r->need > rx->cap) {
		memmove(rx->buf, rx->buf + rx->start, rx->end - rx->start);
		rx->end -= rx->start;
		rx->start = 0;
	}
	return state;
}

void
rxbuf_bypass(struct rxbuf *rx, const struct record *r, uint8_t *sink)
{
	rx->bypass = r->need - (rx->end - rx->start);
	rx->sink = sink;
	rx->start = rx->end = 0;
}
