/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "txq.h"

#define IOV_BATCH 64

void
txq_init(struct txq *q, uint32_t head_bytes, uint32_t entries)
{
	memset(q, 0, sizeof *q);
	q->cap = head_bytes;
	q->buf = g_malloc(head_bytes);
	q->max_entries = entries + 4;
	q->entries = g_new(struct txq_entry, q->max_entries);
}

void
txq_free(struct txq *q)
{
	g_free(q->buf);
	g_free(q->entries);
}

/* Move what is unsent to the front of both arrays. */
static void
compact(struct txq *q)
{
	uint32_t n = q->last - q->first, low = q->tail;

	memmove(q->entries, q->entries + q->first, n * sizeof *q->entries);
	q->first = 0;
	q->last = n;
	for (uint32_t i = 0; i < n; i++)
		if (!q->entries[i].payload) {
			low = q->entries[i].off;
			break;
		}
	memmove(q->buf, q->buf + low, q->tail - low);
	for (uint32_t i = 0; i < n; i++)
		if (!q->entries[i].payload)
			q->entries[i].off -= low;
	q->tail -= low;
}

uint8_t *
txq_reserve(struct txq *q, uint32_t n)
{
	if (q->cap - q->tail < n || q->max_entries - q->last < 3) {
		compact(q);
		if (q->cap - q->tail < n || q->max_entries - q->last < 3)
			return NULL;
	}
	return q->buf + q->tail;
}

void
txq_commit(struct txq *q, uint32_t n)
{
	struct txq_entry *e = &q->entries[q->last - 1];

	if (q->last > q->first && !e->payload && e->off + e->len == q->tail) {
		e->len += n;
	} else {
		assert(q->last < q->max_entries);
		e = &q->entries[q->last++];
		e->payload = NULL;
		e->off = q->tail;
		e->len = n;
	}
	q->tail += n;
}

void
txq_payload(struct txq *q, const uint8_t *p, uint32_t len)
{
	assert(q->last < q->max_entries);
	struct txq_entry *e = &q->entries[q->last++];
	e->payload = p;
	e->len = len;
}

static void
advance(struct txq *q, size_t n)
{
	while (n > 0) {
		struct txq_entry *e = &q->entries[q->first];
		if (n < e->len) {
			e->len -= (uint32_t)n;
			if (e->payload)
				e->payload += n;
			else
				e->off += (uint32_t)n;
			return;
		}
		n -= e->len;
		q->first++;
	}
}

int
txq_flush(struct txq *q, int fd)
{
	struct iovec iov[IOV_BATCH];

	while (q->first < q->last) {
		struct msghdr msg = {.msg_iov = iov};
		for (uint32_t i = q->first; i < q->last && msg.msg_iovlen < IOV_BATCH; i++) {
			const struct txq_entry *e = &q->entries[i];
			iov[msg.msg_iovlen].iov_base =
				e->payload ? (void *)e->payload : q->buf + e->off;
			iov[msg.msg_iovlen++].iov_len = e->len;
		}
		ssize_t n = msg.msg_iovlen == 1 ? send(fd, iov[0].iov_base, iov[0].iov_len,
						       MSG_NOSIGNAL | MSG_DONTWAIT)
						: sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		}
		advance(q, (size_t)n);
	}
	q->first = q->last = q->tail = 0;
	return 1;
}
