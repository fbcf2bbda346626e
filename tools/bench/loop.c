/* SPDX-License-Identifier: MIT
 *
 * The event loop of one thread: receive, check, choose the slot's next request, and one send for
 * all that a turn made.  The clock is read once per connection and turn.
 *
 * Nothing waits for ever: a request that has no answer within --timeout ends the run.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench.h"

#define EVENTS 64
#define CHECK_EVERY (250 * MILLISECOND)
#define RETRY_AFTER (10 * MILLISECOND)
#define ERRORS_MAX 1000
/* A READ reply of this size is not worth a place in the receive buffer. */
#define BYPASS_MIN (32u << 10)
/* Enough of a READ reply to hold everything before its data. */
#define BYPASS_HEAD 768u

static void
watch(struct conn *c, bool out)
{
	struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};

	if (c->want_out == out)
		return;
	c->want_out = out;
	epoll_ctl(c->t->epoll, EPOLL_CTL_MOD, c->fd, &ev);
}

static void
flush(struct conn *c)
{
	int r = txq_flush(&c->tx, c->fd);

	if (r < 0)
		engine_fatal(c->t->b, "connection %u: send: %s", c->index, g_strerror(errno));
	watch(c, r == 0);
}

/* Start the slot's next operation, if there is one. */
static void
start(struct thread *t, struct conn *c, struct slot *s)
{
	const struct phase *ph = t->b->phase;

	s->busy = false;
	if (t->now >= t->b->t_stop || atomic_load_explicit(&t->b->abort, memory_order_relaxed))
		return;
	if (ph->limit) {
		s->turn = atomic_fetch_add_explicit(&t->b->next, 1, memory_order_relaxed);
		if (s->turn >= ph->limit)
			return;
	}
	s->step = 0;
	s->counted = true;
	s->sample = false;
	if (!ph->next(t, c, s))
		return;
	s->t_start = t->now;
	if (request_send(t, c, s)) {
		s->busy = true;
		t->inflight++;
	}
}

/* The operation is over. */
static void
finish(struct thread *t, struct slot *s)
{
	uint64_t took = t->now - s->t_start;

	if (s->counted) {
		t->tally.ops++;
		hist_add(&t->hist, took);
	} else {
		hist_add(&t->commit_hist, took);
	}
	if (s->proc == NFS3_COMMIT)
		t->tally.commits++;
}

/* A reply was checked: retry, go on with the operation, or start another. */
static void
settle(struct thread *t, struct conn *c, struct slot *s, enum verdict v)
{
	const struct phase *ph = t->b->phase;

	if (v == VERDICT_RETRY) {
		t->tally.jukebox++;
		s->retry_at = t->now + RETRY_AFTER;
		t->waiting++;
		return;
	}
	if (v == VERDICT_OK) {
		if (s->proc == NFS3_READ || s->proc == NFS3_WRITE)
			t->tally.bytes += s->len;
		if (ph->done && ph->done(t, s) == MORE) {
			request_send(t, c, s);
			return;
		}
		finish(t, s);
	} else if (t->tally.errors >= ERRORS_MAX) {
		engine_fatal(t->b, "more than %u errors", ERRORS_MAX);
	}
	t->inflight--;
	start(t, c, s);
}

/* The slot that a reply's xid belongs to. */
static struct slot *
find_slot(struct conn *c, uint32_t xid)
{
	const struct bench *b = c->t->b;
	uint32_t n = xid - b->xid_base;
	uint32_t slot = n & ((1u << b->slot_bits) - 1);
	uint32_t conn = (n >> b->slot_bits) & ((1u << b->conn_bits) - 1);
	struct slot *s = &c->slots[slot];

	if (conn != c->index || slot >= (uint32_t)b->opt->depth || s->xid != xid || !s->busy ||
	    s->retry_at)
		return NULL;
	return s;
}

/* Read the RPC head; NULL when the run cannot go on. */
static struct slot *
identify(struct conn *c, struct xdrr *in)
{
	uint32_t xid = 0, stat = 0;
	enum reply_kind kind = reply_head(in, &xid, &stat);

	if (kind == REPLY_MALFORMED) {
		engine_fatal(c->t->b, "connection %u: no RPC reply", c->index);
		return NULL;
	}
	struct slot *s = find_slot(c, xid);
	if (!s) {
		engine_fatal(c->t->b, "connection %u: a reply with xid %08x, which is not awaited",
			     c->index, xid);
		return NULL;
	}
	if (kind == REPLY_NOT_OK) {
		engine_fatal(c->t->b, "%s: RPC %s", nfs3_proc_name(s->proc),
			     stat == UINT32_MAX ? "denied" : rpc_accept_name(stat));
		return NULL;
	}
	return s;
}

static bool
reply(struct conn *c, const struct record *r)
{
	struct thread *t = c->t;
	struct xdrr in = {r->data, r->data + r->len, false};
	struct slot *s = identify(c, &in);
	const uint8_t *data;

	if (!s)
		return false;
	enum verdict v = reply_check(t, s, &in, &data);
	if (v == VERDICT_OK && data) {
		if ((size_t)(in.end - data) != (((size_t)s->len + 3) & ~(size_t)3)) {
			engine_error(t, "READ: the reply's length is wrong");
			v = VERDICT_ERROR;
		} else if (s->sample && !reply_compare(t, s, data)) {
			v = VERDICT_ERROR;
		}
	}
	settle(t, c, s, v);
	return true;
}

/* The head of a large reply has come: when it is a READ, let its data bypass the buffer. */
static bool
try_bypass(struct conn *c, const struct record *r)
{
	struct thread *t = c->t;
	uint32_t have = c->rx.end - c->rx.start;
	const uint8_t *base = c->rx.buf + c->rx.start + 4;
	struct xdrr in = {base, base + have - 4, false};
	uint32_t xid = xdrr_peek32(base);
	struct slot *s = find_slot(c, xid);
	const uint8_t *data;

	if (!s || s->proc != NFS3_READ)
		return true;
	if (!identify(c, &in))
		return false;
	if (reply_check(t, s, &in, &data) != VERDICT_OK ||
	    r->need - 4 != (uint32_t)(data - base) + s->len) {
		engine_fatal(t->b, "READ: a large reply that is no data");
		return false;
	}
	if (s->sample) {
		have = (uint32_t)(in.end - data);
		if (!c->sample)
			c->sample = g_malloc(s->len);
		memcpy(c->sample, data, have);
	}
	c->bypass = s;
	rxbuf_bypass(&c->rx, r, s->sample ? c->sample + have : NULL);
	return true;
}

static bool
bypass_complete(struct conn *c)
{
	struct slot *s = c->bypass;
	enum verdict v = VERDICT_OK;

	c->bypass = NULL;
	if (s->sample && !reply_compare(c->t, s, c->sample))
		v = VERDICT_ERROR;
	settle(c->t, c, s, v);
	return true;
}

static void
receive(struct conn *c)
{
	struct bench *b = c->t->b;
	struct record r;
	int got = rxbuf_receive(&c->rx, c->fd, c->t->scratch);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		engine_fatal(b, "connection %u: %s", c->index,
			     got == 0 ? "closed by the server" : g_strerror(errno));
		return;
	}
	if (c->bypass) {
		if (c->rx.bypass)
			return;
		bypass_complete(c);
	}
	for (;;) {
		enum record_state state = rxbuf_next(&c->rx, &r);
		if (state == RECORD_OK) {
			if (!reply(c, &r))
				return;
			rxbuf_consume(&c->rx, &r);
			continue;
		}
		if (state == RECORD_BAD)
			engine_fatal(b, "connection %u: a reply larger than can be", c->index);
		else if (r.single && r.need >= BYPASS_MIN && c->rx.end - c->rx.start >= BYPASS_HEAD)
			try_bypass(c, &r);
		return;
	}
}

/* Send again what was told to wait; end the run for what has no answer. */
static void
check_slots(struct thread *t)
{
	uint64_t timeout = (uint64_t)(t->b->opt->timeout * (double)SECOND);

	for (unsigned i = 0; i < t->n_conns; i++) {
		struct conn *c = &t->conns[i];
		for (int k = 0; k < t->b->opt->depth; k++) {
			struct slot *s = &c->slots[k];
			if (!s->busy)
				continue;
			if (s->retry_at && t->now >= s->retry_at) {
				s->retry_at = 0;
				t->waiting--;
				request_send(t, c, s);
			} else if (!s->retry_at && t->now > s->t_sent + timeout) {
				engine_fatal(t->b, "%s: no reply in %g s", nfs3_proc_name(s->proc),
					     t->b->opt->timeout);
				return;
			}
		}
		flush(c);
	}
}

static void
start_all(struct thread *t)
{
	for (unsigned i = 0; i < t->n_conns; i++) {
		t->now = engine_now();
		for (int k = 0; k < t->b->opt->depth; k++)
			start(t, &t->conns[i], &t->conns[i].slots[k]);
		flush(&t->conns[i]);
	}
}

void
loop_run(struct thread *t)
{
	struct epoll_event ev[EVENTS];

	start_all(t);
	t->next_check = t->now + CHECK_EVERY;
	while (t->inflight > 0 && !atomic_load_explicit(&t->b->abort, memory_order_relaxed)) {
		int wait = (int)((t->waiting ? RETRY_AFTER : CHECK_EVERY) / MILLISECOND);
		int n = epoll_wait(t->epoll, ev, EVENTS, wait);
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;
			t->now = engine_now();
			if (ev[i].events & ~(uint32_t)EPOLLOUT)
				receive(c);
			if (!txq_empty(&c->tx))
				flush(c);
		}
		if (n <= 0)
			t->now = engine_now();
		if (t->now >= t->next_check || t->waiting) {
			t->next_check = t->now + CHECK_EVERY;
			check_slots(t);
		}
	}
}
