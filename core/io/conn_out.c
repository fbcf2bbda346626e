/* SPDX-License-Identifier: MIT
 *
 * The sending half of a connection: a queue of runs of bytes, each with a reference to the buffer
 * that it lies in.  Replies encoded one after the other in the loop's chunk grow one run, so that
 * a turn's small replies are one vector; pages of a READ are runs of their own, never copied.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/failpoint.h"
#include "io/conn.h"

#define VECTORS_MAX 1024
#define SEND_BYTES (1u << 20) /* a turn's share of one connection */

unsigned char *
dfs_conn_reserve(struct dfs_conn *conn, uint32_t n)
{
	struct dfs_loop *loop = conn->loop;

	if (loop->big) {
		dfs_buf_unref(loop->big);
		loop->big = NULL;
	}
	if (n > DFS_PAGE_SIZE) {
		loop->big = dfs_buf_alloc(n);
		return loop->big ? loop->big->data : NULL;
	}
	if (loop->tx && loop->tx_used > 0 && dfs_buf_exclusive(loop->tx))
		loop->tx_used = 0; /* all of it was sent: stay in warm memory */
	if (loop->tx && loop->tx_used + n > DFS_PAGE_SIZE) {
		dfs_buf_unref(loop->tx);
		loop->tx = NULL;
	}
	if (!loop->tx) {
		loop->tx = dfs_loop_chunk_take(loop);
		loop->tx_used = 0;
		if (!loop->tx)
			return NULL;
	}
	return loop->tx->data + loop->tx_used;
}

static void
seg_grow(struct dfs_conn *conn)
{
	uint32_t n = conn->seg_tail - conn->seg_head;
	struct dfs_conn_seg *segs = conn->segs;

	if (conn->seg_head >= conn->seg_cap / 2) {
		memmove(segs, segs + conn->seg_head, n * sizeof *segs);
	} else {
		uint32_t cap = conn->seg_cap < 64 ? 64 : conn->seg_cap * 2;
		segs = malloc(cap * sizeof *segs);
		/* Bounded by the connection's limits: without it the machine is out of memory. */
		if (!segs)
			abort();
		memcpy(segs, conn->segs + conn->seg_head, n * sizeof *segs);
		if (conn->segs != conn->inline_segs)
			free(conn->segs);
		conn->segs = segs;
		conn->seg_cap = cap;
	}
	conn->seg_head = 0;
	conn->seg_tail = n;
}

static void
seg_add(struct dfs_conn *conn, struct dfs_buf *buf, const unsigned char *data, uint32_t len)
{
	if (conn->seg_head == conn->seg_tail)
		conn->last_out = conn->loop->now; /* the peer's time to take something begins */
	if (conn->seg_tail == conn->seg_cap)
		seg_grow(conn);
	conn->segs[conn->seg_tail++] = (struct dfs_conn_seg){data, len, buf};
}

static void
out_added(struct dfs_conn *conn, uint32_t len)
{
	conn->out_bytes += len;
	conn->loop->out_bytes += len;
	conn->bytes_left -= (int32_t)len;
	if (conn->out_bytes > dfs_conn_out_bound(conn))
		conn->full = true;
	if (!conn->running)
		dfs_loop_at_end(conn->loop, &conn->flush);
}

void
dfs_conn_commit(struct dfs_conn *conn, const unsigned char *p, uint32_t n)
{
	struct dfs_loop *loop = conn->loop;
	struct dfs_buf *buf = loop->big ? loop->big : loop->tx;
	struct dfs_conn_seg *last;

	if (n == 0 || conn->closed)
		return;
	assert(p >= buf->data && p + n <= buf->data + buf->len);
	if (buf == loop->tx)
		loop->tx_used = (uint32_t)(p + n - buf->data);
	last = conn->seg_tail > conn->seg_head ? &conn->segs[conn->seg_tail - 1] : NULL;
	if (last && last->buf == buf && last->data + last->len == p)
		last->len += n;
	else
		seg_add(conn, dfs_buf_ref(buf), p, n);
	out_added(conn, n);
}

void
dfs_conn_put(struct dfs_conn *conn, struct dfs_buf *buf, const unsigned char *data, uint32_t len)
{
	if (len == 0 || conn->closed) {
		dfs_buf_unref(buf);
		return;
	}
	seg_add(conn, buf, data, len);
	out_added(conn, len);
}

static void
out_empty(struct dfs_conn *conn)
{
	conn->seg_head = conn->seg_tail = 0;
	if (conn->segs != conn->inline_segs) {
		free(conn->segs);
		conn->segs = conn->inline_segs;
		conn->seg_cap = DFS_CONN_SEGS;
	}
}

void
dfs_conn_out_clear(struct dfs_conn *conn)
{
	while (conn->seg_head < conn->seg_tail)
		dfs_buf_unref(conn->segs[conn->seg_head++].buf);
	conn->loop->out_bytes -= conn->out_bytes;
	conn->out_bytes = 0;
	out_empty(conn);
}

static void
out_advance(struct dfs_conn *conn, size_t n)
{
	conn->out_bytes -= n;
	conn->loop->out_bytes -= n;
	while (n > 0) {
		struct dfs_conn_seg *seg = &conn->segs[conn->seg_head];
		if (n < seg->len) {
			seg->data += n;
			seg->len -= (uint32_t)n;
			return;
		}
		n -= seg->len;
		dfs_buf_unref(seg->buf);
		conn->seg_head++;
	}
}

unsigned
dfs_conn_queued(const struct dfs_conn *conn, struct iovec *iov, unsigned n)
{
	unsigned i = 0;

	for (uint32_t at = conn->seg_head; at < conn->seg_tail && i < n; at++, i++)
		iov[i] = (struct iovec){(void *)conn->segs[at].data, conn->segs[at].len};
	return i;
}

void
dfs_conn_flush(struct dfs_conn *conn)
{
	struct iovec iov[VECTORS_MAX];
	struct msghdr msg = {.msg_iov = iov};
	size_t share = SEND_BYTES;

	if (conn->watch.fd < 0) {
		if (conn->ops->put_out && conn->seg_head < conn->seg_tail)
			conn->ops->put_out(conn);
		dfs_conn_out_clear(conn);
	}
	while (conn->seg_head < conn->seg_tail && !conn->blocked) {
		size_t asked = 0;
		ssize_t sent;
		uint32_t n = 0;
		bool torn;

		for (uint32_t i = conn->seg_head;
		     i < conn->seg_tail && n < VECTORS_MAX && asked < share; i++, n++) {
			iov[n] = (struct iovec){(void *)conn->segs[i].data, conn->segs[i].len};
			asked += conn->segs[i].len;
		}
		msg.msg_iovlen = n;
		torn = DFS_FAILPOINT_DUE("reply-half");
		if (torn)
			iov[0].iov_len /= 2;
		sent = sendmsg(conn->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (torn)
			DFS_FAILPOINT_DIE();
		DFS_FAILPOINT("reply-sent");
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN) {
			dfs_conn_close(conn, strerror(errno));
			return;
		}
		if (sent > 0) {
			out_advance(conn, (size_t)sent);
			conn->last_out = conn->loop->now;
		}
		if (sent < (ssize_t)asked) {
			conn->blocked = true;
		} else if (asked >= share) {
			if (conn->seg_head < conn->seg_tail)
				dfs_loop_again(conn->loop, &conn->again);
			break;
		} else {
			share -= asked;
		}
	}
	if (conn->seg_head == conn->seg_tail)
		out_empty(conn);
	dfs_conn_relax(conn);
}
