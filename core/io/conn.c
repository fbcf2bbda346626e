/* SPDX-License-Identifier: MIT
 *
 * The receiving half of a connection, its bounds and its end.
 *
 * A run (one a turn at most) offers what is buffered, reads until the socket is drained or the
 * quantum is used up, and sends.  A short rest of a record is copied to a stash of its exact size,
 * so that thousands of slow connections hold little more than they have sent.  While bytes go
 * straight into the adapter's memory, a small piece of the chunk is the last vector: the next
 * record's header comes along with the same system call, and little of its data.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "io/conn.h"
#include "io/net.h"

#define QUANTUM_CALLS 64
#define QUANTUM_BYTES (1 << 20)
#define STASH_MAX (DFS_PAGE_SIZE / 4)
#define TAIL_BYTES 4096u /* read beyond the adapter's memory, and first after a large record */
#define VECTORS 32
#define ACTIVE_NS (10 * DFS_SECOND)
#define PAUSE_NS (DFS_SECOND / 50)

static void conn_ready(struct dfs_watch *watch, uint32_t events);
static void conn_again(struct dfs_job *job);
static void conn_flush_job(struct dfs_job *job);
static void conn_release(struct dfs_job *job);
static void conn_timer(struct dfs_timer *timer);

#define CONN_OF(ptr, member) DFS_CONTAINER_OF(ptr, struct dfs_conn, member)

struct dfs_conn *
dfs_conn_new(struct dfs_loop *loop, int fd, const struct sockaddr *peer,
	     const struct dfs_conn_ops *ops, const struct dfs_conn_limits *limits,
	     struct dfs_net *net)
{
	struct dfs_conn *conn = calloc(1, ops->size);

	if (!conn)
		return NULL;
	conn->watch = (struct dfs_watch){.ready = conn_ready, .fd = fd};
	conn->loop = loop;
	conn->net = net;
	conn->ops = ops;
	conn->limits = limits;
	conn->refs = 1;
	conn->again.run = conn_again;
	conn->flush.run = conn_flush_job;
	conn->release.run = conn_release;
	conn->timer.fire = conn_timer;
	conn->want = DFS_PAGE_SIZE;
	conn->segs = conn->inline_segs;
	conn->seg_cap = DFS_CONN_SEGS;
	if (peer && peer->sa_family == AF_INET)
		memcpy(&conn->peer.in, peer, sizeof conn->peer.in);
	else if (peer && peer->sa_family == AF_INET6)
		memcpy(&conn->peer.in6, peer, sizeof conn->peer.in6);
	return conn;
}

static void
conn_interest(struct dfs_conn *conn)
{
	uint32_t events = conn->blocked ? EPOLLOUT : 0;

	if (!conn->eof && (conn->receiving || (!conn->full && !conn->paused && !conn->draining)))
		events |= EPOLLIN;
	if (events == conn->watch.events || conn->watch.fd < 0)
		return;
	if (!dfs_loop_watch(conn->loop, &conn->watch, events))
		dfs_conn_close(conn, "epoll refuses the socket");
}

/* Keep the timer no later than `due`. */
static void
conn_due(struct dfs_conn *conn, int64_t due)
{
	if (!conn->timer.due || conn->timer.due > due)
		dfs_timer_set(conn->loop, &conn->timer, due);
}

static void
conn_activate(struct dfs_conn *conn)
{
	if (conn->active)
		return;
	conn->active = true;
	atomic_fetch_add_explicit(&conn->loop->active, 1, memory_order_relaxed);
	conn_due(conn, conn->loop->now + ACTIVE_NS);
}

static void
conn_deactivate(struct dfs_conn *conn)
{
	if (!conn->active)
		return;
	conn->active = false;
	atomic_fetch_sub_explicit(&conn->loop->active, 1, memory_order_relaxed);
}

void
dfs_conn_open(struct dfs_conn *conn)
{
	struct dfs_loop *loop = conn->loop;

	conn->next = loop->conns;
	conn->prev = &loop->conns;
	if (conn->next)
		conn->next->prev = &conn->next;
	loop->conns = conn;
	conn->last_in = conn->last_out = loop->now;
	conn_activate(conn);
	conn->ops->opened(conn);
	if (!conn->closed)
		conn_interest(conn);
}

static void
conn_unref(struct dfs_conn *conn)
{
	struct dfs_net *net = conn->net;

	if (--conn->refs > 0)
		return;
	conn->ops->freed(conn);
	free(conn);
	if (net)
		dfs_net_freed(net);
}

static void
conn_release(struct dfs_job *job)
{
	struct dfs_conn *conn = CONN_OF(job, release);

	if (conn->in)
		dfs_loop_chunk_give(conn->loop, conn->in);
	conn->in = NULL;
	if (!conn->again.queued) /* else its run, in the next turn, is the last to touch conn */
		conn_unref(conn);
}

void
dfs_conn_close(struct dfs_conn *conn, const char *why)
{
	struct dfs_loop *loop = conn->loop;
	char text[64];

	if (conn->closed)
		return;
	conn->closed = true;
	if (why && dfs_log_enabled(DFS_LOG_DEBUG))
		dfs_log(DFS_LOG_DEBUG, "connection from %s closed: %s",
			dfs_conn_peer_text(conn, text), why);
	if (conn->watch.fd >= 0) {
		dfs_loop_unwatch(loop, &conn->watch);
		close(conn->watch.fd);
		conn->watch.fd = -1;
	}
	dfs_timer_cancel(loop, &conn->timer);
	conn_deactivate(conn);
	if (conn->prev) {
		*conn->prev = conn->next;
		if (conn->next)
			conn->next->prev = conn->prev;
	}
	dfs_conn_out_clear(conn);
	free(conn->stash);
	conn->stash = NULL;
	conn->in_len = 0;
	conn->receiving = false;
	conn->ops->closed(conn);
	if (conn->net)
		dfs_net_closed(conn->net, loop);
	/* Events of this turn may still name it, and its chunk may be in the caller's hands. */
	dfs_loop_at_end(loop, &conn->release);
}

void
dfs_conn_drain(struct dfs_conn *conn)
{
	conn->draining = true;
	dfs_conn_relax(conn);
}

void
dfs_conn_relax(struct dfs_conn *conn)
{
	const struct dfs_conn_limits *limits = conn->limits;

	if (conn->closed)
		return;
	if (conn->full &&
	    (conn->out_bytes == 0 || conn->out_bytes < dfs_conn_out_bound(conn) / 4 * 3) &&
	    conn->in_flight < limits->requests - limits->requests / 4) {
		conn->full = false;
		if (conn->in_len > 0)
			dfs_loop_again(conn->loop, &conn->again);
	}
	if ((conn->eof || conn->draining) && conn->in_flight == 0 &&
	    conn->seg_head == conn->seg_tail && !conn->again.queued && !conn->paused &&
	    !conn->running) {
		dfs_conn_close(conn, conn->eof ? NULL : "the server stops");
		return;
	}
	conn_interest(conn);
}

void
dfs_conn_pause(struct dfs_conn *conn, int64_t ns)
{
	conn->paused = true;
	conn->resume_at = conn->loop->now + ns;
	conn_due(conn, conn->resume_at);
}

void
dfs_conn_receive(struct dfs_conn *conn, const struct iovec *iov, uint32_t n, uint64_t skip)
{
	assert(!conn->receiving);
	conn->receiving = true;
	conn->direct = iov;
	conn->direct_n = n;
	conn->direct_at = 0;
	conn->direct_left = 0;
	for (uint32_t i = 0; i < n; i++)
		conn->direct_left += iov[i].iov_len;
	conn->skip = skip;
}

void
dfs_conn_begin(struct dfs_conn *conn)
{
	conn->refs++;
	if (++conn->in_flight >= conn->limits->requests)
		conn->full = true;
}

void
dfs_conn_end(struct dfs_conn *conn)
{
	conn->in_flight--;
	dfs_conn_relax(conn);
	conn_unref(conn);
}

/* n bytes of the direct vectors are there. */
static void
direct_advance(struct dfs_conn *conn, size_t n)
{
	conn->direct_left -= n;
	while (n > 0) {
		size_t left = conn->direct->iov_len - conn->direct_at;
		if (n < left) {
			conn->direct_at += (uint32_t)n;
			return;
		}
		n -= left;
		conn->direct++;
		conn->direct_n--;
		conn->direct_at = 0;
	}
}

/* Serve the receive from what is buffered; when it is complete, say so. */
static void
direct_absorb(struct dfs_conn *conn)
{
	while (conn->direct_left > 0 && conn->in_len > 0) {
		size_t n = conn->direct->iov_len - conn->direct_at;
		if (n > conn->in_len)
			n = conn->in_len;
		memcpy((char *)conn->direct->iov_base + conn->direct_at,
		       conn->in->data + conn->in_at, n);
		conn->in_at += (uint32_t)n;
		conn->in_len -= (uint32_t)n;
		direct_advance(conn, n);
	}
	if (conn->direct_left == 0) {
		uint64_t n = conn->skip < conn->in_len ? conn->skip : conn->in_len;
		conn->skip -= n;
		conn->in_at += (uint32_t)n;
		conn->in_len -= (uint32_t)n;
	}
	if (conn->direct_left == 0 && conn->skip == 0) {
		conn->receiving = false;
		/* The next record is likely as large: read its header first, not 60 KiB of its
		 * data. */
		conn->want = TAIL_BYTES;
		conn->ops->received(conn);
	}
}

/* Hand over what is buffered, as far as the adapter takes it now. */
static void
conn_offer(struct dfs_conn *conn)
{
	while (conn->in_len > 0) {
		size_t used;
		if (conn->receiving) {
			direct_absorb(conn);
			if (conn->closed || conn->receiving)
				return;
			continue;
		}
		if (!dfs_conn_may_go_on(conn)) {
			dfs_conn_yield(conn);
			return;
		}
		if (conn->draining)
			return;
		used = conn->ops->data(conn, conn->in->data + conn->in_at, conn->in_len);
		if (used == DFS_CONN_CLOSE)
			dfs_conn_close(conn, "not a stream of this protocol");
		if (conn->closed)
			return;
		assert(used <= conn->in_len);
		conn->in_at += (uint32_t)used;
		conn->in_len -= (uint32_t)used;
		if (!conn->receiving)
			return;
	}
}

/* A chunk with room behind what is buffered. */
static bool
conn_room(struct dfs_conn *conn)
{
	if (!conn->in) {
		conn->in = dfs_loop_chunk_take(conn->loop);
		if (!conn->in) {
			dfs_conn_pause(conn, PAUSE_NS);
			return false;
		}
		conn->in_at = 0;
		if (conn->stash) {
			memcpy(conn->in->data, conn->stash, conn->in_len);
			free(conn->stash);
			conn->stash = NULL;
		}
	}
	if (conn->in_len == 0) {
		conn->in_at = 0;
	} else if (conn->in_at > DFS_PAGE_SIZE / 2) {
		memmove(conn->in->data, conn->in->data + conn->in_at, conn->in_len);
		conn->in_at = 0;
	}
	if (conn->in_at + conn->in_len < DFS_PAGE_SIZE)
		return true;
	if (conn->in_at == 0) {
		dfs_conn_close(conn, "a record is too large");
		return false;
	}
	memmove(conn->in->data, conn->in->data + conn->in_at, conn->in_len);
	conn->in_at = 0;
	return true;
}

static ssize_t
feed_read(struct dfs_conn *conn, const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n && conn->feed_n > 0; i++) {
		size_t len = iov[i].iov_len < conn->feed_n ? iov[i].iov_len : conn->feed_n;
		memcpy(iov[i].iov_base, conn->feed, len);
		conn->feed += len;
		conn->feed_n -= len;
		sum += len;
	}
	if (sum == 0) {
		errno = EAGAIN;
		return -1;
	}
	return (ssize_t)sum;
}

/* One read.  False: nothing came. */
static bool
conn_fill(struct dfs_conn *conn)
{
	struct iovec iov[VECTORS];
	size_t asked = 0, tail, direct = 0;
	int n = 0;
	ssize_t got;

	if (!conn_room(conn))
		return false;
	if (conn->receiving) {
		for (uint32_t i = 0; i < conn->direct_n && n < VECTORS - 1; i++, n++) {
			iov[n] = conn->direct[i];
			if (i == 0) {
				iov[n].iov_base = (char *)iov[n].iov_base + conn->direct_at;
				iov[n].iov_len -= conn->direct_at;
			}
			direct += iov[n].iov_len;
		}
	}
	/* The tail only when all vectors of the receive are in, else it would come too early. */
	if (!conn->receiving || direct == conn->direct_left) {
		tail = DFS_PAGE_SIZE - conn->in_at - conn->in_len;
		if (conn->receiving && tail > TAIL_BYTES && conn->skip < TAIL_BYTES)
			tail = TAIL_BYTES;
		else if (!conn->receiving && tail > conn->want)
			tail = conn->want;
		iov[n++] = (struct iovec){conn->in->data + conn->in_at + conn->in_len, tail};
		asked = tail;
	}
	asked += direct;
	if (conn->watch.fd < 0)
		got = feed_read(conn, iov, n);
	else if (n == 1)
		got = recv(conn->watch.fd, iov[0].iov_base, iov[0].iov_len, 0);
	else
		got = readv(conn->watch.fd, iov, n);
	if (got <= 0) {
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			conn->readable = errno == EINTR;
			return false;
		}
		conn->readable = false;
		conn->eof = true;
		if (got < 0)
			dfs_conn_close(conn, strerror(errno));
		else if (conn->receiving)
			dfs_conn_close(conn, "the peer left in the middle of a record");
		return false;
	}
	if ((size_t)got < asked)
		conn->readable = false;
	else if (!conn->receiving)
		conn->want =
			DFS_PAGE_SIZE; /* a stream of small records, or the head of a large one */
	conn->last_in = conn->loop->now;
	conn->bytes_left -= (int32_t)got;
	if (direct > 0) {
		size_t d = (size_t)got < direct ? (size_t)got : direct;
		direct_advance(conn, d);
		got -= (ssize_t)d;
	}
	conn->in_len += (uint32_t)got;
	if (conn->receiving)
		direct_absorb(conn);
	return true;
}

/* After a run: give the chunk back or keep the rest, and note how long a record is incomplete. */
static void
conn_settle(struct dfs_conn *conn)
{
	struct dfs_loop *loop = conn->loop;
	bool held = conn->full || conn->paused || conn->yielded || conn->draining;

	if (conn->in && conn->in_len == 0) {
		dfs_loop_chunk_give(loop, conn->in);
		conn->in = NULL;
	} else if (conn->in && conn->in_len <= STASH_MAX && !conn->yielded) {
		conn->stash = malloc(conn->in_len);
		if (conn->stash) {
			memcpy(conn->stash, conn->in->data + conn->in_at, conn->in_len);
			dfs_loop_chunk_give(loop, conn->in);
			conn->in = NULL;
		}
	}
	if (held || (conn->in_len == 0 && !conn->receiving)) {
		conn->partial_since = 0;
	} else {
		if (conn->partial_since == 0 || conn->calls_left != QUANTUM_CALLS)
			conn->partial_since = loop->now;
		conn_due(conn, conn->partial_since + conn->limits->stall);
	}
	if (conn->seg_head != conn->seg_tail)
		conn_due(conn, loop->now + conn->limits->stall);
}

static void
conn_run(struct dfs_conn *conn, bool offer)
{
	conn->running = true;
	conn->calls_left = QUANTUM_CALLS;
	conn->bytes_left = QUANTUM_BYTES;
	conn->yielded = false;
	conn_activate(conn);
	if (offer && conn->in_len > 0 && (conn->in || conn_room(conn)))
		conn_offer(conn);
	/* What is being received is finished whatever bound is met: it is paid for already. */
	while (!conn->closed && conn->readable && !conn->yielded && conn->bytes_left > 0 &&
	       (conn->receiving || (!conn->draining && dfs_conn_may_go_on(conn)))) {
		if (!conn_fill(conn))
			break;
		if (!conn->closed)
			conn_offer(conn);
	}
	conn->running = false;
	if (conn->closed)
		return;
	if (conn->yielded)
		dfs_loop_again(conn->loop, &conn->again);
	conn_settle(conn);
	dfs_conn_flush(conn);
}

static void
conn_ready(struct dfs_watch *watch, uint32_t events)
{
	struct dfs_conn *conn = CONN_OF(watch, watch);

	if (conn->closed)
		return;
	if (events & (EPOLLERR | EPOLLHUP)) {
		dfs_conn_close(conn, "reset by the peer");
		return;
	}
	if (events & EPOLLOUT)
		conn->blocked = false;
	if (events & EPOLLIN)
		conn->readable = true;
	if (conn->again.queued)
		return; /* its turn comes */
	if (events & EPOLLIN)
		conn_run(conn, false);
	else
		dfs_conn_flush(conn);
}

static void
conn_again(struct dfs_job *job)
{
	struct dfs_conn *conn = CONN_OF(job, again);

	if (!conn->closed)
		conn_run(conn, true);
	else if (!conn->release.queued)
		conn_unref(conn); /* what conn_release left to this run */
}

static void
conn_flush_job(struct dfs_job *job)
{
	struct dfs_conn *conn = CONN_OF(job, flush);

	if (!conn->closed)
		dfs_conn_flush(conn);
}

static void
conn_timer(struct dfs_timer *timer)
{
	struct dfs_conn *conn = CONN_OF(timer, timer);
	const struct dfs_conn_limits *limits = conn->limits;
	int64_t now = conn->loop->now;
	bool out = conn->seg_head != conn->seg_tail;

	if (out && now - conn->last_out >= limits->stall) {
		dfs_conn_close(conn, "the peer does not read its replies");
		return;
	}
	if (conn->partial_since && now - conn->partial_since >= limits->stall) {
		dfs_conn_close(conn, "the peer left a record incomplete");
		return;
	}
	if (limits->idle && !out && conn->in_flight == 0 && now - conn->last_in >= limits->idle) {
		dfs_conn_close(conn, "idle");
		return;
	}
	if (conn->active && now - conn->last_in >= ACTIVE_NS)
		conn_deactivate(conn);
	if (conn->paused && now >= conn->resume_at) {
		conn->paused = false;
		dfs_loop_again(conn->loop, &conn->again);
		conn_interest(conn);
		if (conn->closed)
			return;
	}
	if (conn->active)
		conn_due(conn, conn->last_in + ACTIVE_NS);
	if (limits->idle)
		conn_due(conn,
			 (now > conn->last_in + limits->idle ? now : conn->last_in) + limits->idle);
	if (out)
		conn_due(conn, conn->last_out + limits->stall);
	if (conn->partial_since)
		conn_due(conn, conn->partial_since + limits->stall);
	if (conn->paused)
		conn_due(conn, conn->resume_at);
}

void
dfs_conn_feed(struct dfs_conn *conn, const void *data, size_t n)
{
	conn->feed = data;
	conn->feed_n = n;
	while (conn->feed_n > 0 && !conn->closed) {
		size_t before = conn->feed_n;
		conn->readable = true;
		conn_run(conn, true);
		if (conn->feed_n == before && !conn->yielded)
			break;
	}
}

const char *
dfs_conn_peer_text(const struct dfs_conn *conn, char text[64])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	if (conn->peer.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &conn->peer.in.sin_addr, addr, sizeof addr);
		snprintf(text, 64, "%s:%u", addr, ntohs(conn->peer.in.sin_port));
	} else if (conn->peer.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &conn->peer.in6.sin6_addr, addr, sizeof addr);
		snprintf(text, 64, "[%s]:%u", addr, ntohs(conn->peer.in6.sin6_port));
	} else {
		snprintf(text, 64, "a local peer");
	}
	return text;
}
