/* SPDX-License-Identifier: MIT
 *
 * Record marking (RFC 5531 11): bytes of a connection become calls.
 *
 * A record in one fragment that fits the receive chunk, which is nearly every one, is run where
 * it lies.  A large one is received into memory of its own, and the data of a large WRITE straight
 * into cache pages, once its head has been read.  What cannot be a call of this protocol (a length
 * beyond the limit, HTTP, TLS, SMB) closes the connection, since no answer is possible.
 */
#include <stdlib.h>

#include "adapters/nfs/rpc/conn.h"
#include "adapters/nfs/rpc/datagram.h"
#include "base/clock.h"
#include "base/log.h"

#define DIRECT_MIN 16384u /* bytes of data still to come that pay for receiving directly */
#define HEAD_MAX 1024u    /* no WRITE's head is longer: credential and verifier of 400 bytes */
#define HANDLE_MAX 64u
#define SHORTAGE_RETRY (DFS_SECOND / 20)
#define SHORTAGE_MAX DFS_SECOND
#define HELD_TOO_LONG (DFS_SECOND / 200) /* a turn of one connection on the loop */
#define HELD_EVERY (10 * DFS_SECOND)     /* between log lines about that */

static void
nfs_opened(struct dfs_conn *io)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;

	if (io->net)
		conn->server = dfs_net_owner(io->net);
	nfs_access_init(&conn->access, &conn->server->service, &io->peer.sa);
	if (conn->socket) {
		nfs_datagram_opened(conn);
	} else if (io->watch.fd >= 0) {
		nfs_address_of_socket(&conn->access.local, io->watch.fd);
		conn->portmap =
			conn->server->config.portmap &&
			nfs_address_port(&conn->access.local) == conn->server->config.portmap_port;
	}
	conn->drc = nfs_drc_client_get(conn->server->drc, &io->peer.sa);
}

static void
uncharge(struct nfs_conn *conn, uint32_t len)
{
	atomic_fetch_sub_explicit(&conn->server->receiving, len, memory_order_relaxed);
}

/* Count memory that is set aside for bytes that have not come.  False: too much already. */
static bool
charge(struct nfs_conn *conn, uint32_t len)
{
	struct nfs_server *server = conn->server;

	if (atomic_fetch_add_explicit(&server->receiving, len, memory_order_relaxed) + len <=
	    server->max_receiving)
		return true;
	uncharge(conn, len);
	return false;
}

static void
record_forget(struct nfs_conn *conn)
{
	uncharge(conn, conn->record_cap);
	free(conn->record);
	conn->record = NULL;
	conn->record_len = conn->record_cap = 0;
	conn->fragments = conn->empty_fragments = 0;
	conn->last_fragment = false;
}

static void
nfs_closed(struct dfs_conn *io)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;
	struct nfs_req *req = conn->incoming;

	record_forget(conn);
	nfs_access_clear(&conn->access);
	conn->incoming = NULL;
	if (req)
		nfs_req_drop(req);
}

static void
nfs_freed(struct dfs_conn *io)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;

	if (conn->socket)
		nfs_datagram_freed(conn);
	if (conn->drc)
		nfs_drc_client_put(conn->server->drc, conn->drc);
}

/* The head of a WRITE, up to and with the length of its data. */
struct write_head {
	struct rpc_call call;
	const struct nfs_proc *proc;
	uint64_t offset;
	uint32_t len;  /* bytes of data */
	uint32_t head; /* bytes before the data */
};

enum peek { PEEK_NO, PEEK_MORE, PEEK_YES };

/* Is the record of len bytes, of which n are there, a WRITE whose data may go to pages? */
static enum peek
peek_write(struct nfs_conn *conn, const unsigned char *p, uint32_t n, uint32_t len,
	   struct write_head *w)
{
	struct xdr_in in = {p, p + n, false};
	uint32_t fh_len, count;
	enum rpc_parse parsed = rpc_call_parse(&in, &w->call);

	if (parsed == RPC_PARSE_SHORT)
		return n < HEAD_MAX ? PEEK_MORE : PEEK_NO;
	if (parsed != RPC_PARSE_OK)
		return PEEK_NO;
	w->proc = nfs_find_proc(conn, &w->call, NULL);
	if (!w->proc || !(w->proc->flags & NFS_PROC_DIRECT))
		return PEEK_NO;
	fh_len = xdr_u32(&in);
	if (!in.bad && fh_len > HANDLE_MAX)
		return PEEK_NO;
	xdr_fixed(&in, fh_len);
	w->offset = xdr_u64(&in);
	count = xdr_u32(&in);
	xdr_u32(&in); /* stable */
	w->len = xdr_u32(&in);
	if (in.bad)
		return n < HEAD_MAX ? PEEK_MORE : PEEK_NO;
	w->head = (uint32_t)(in.p - p);
	if (w->len == 0 || w->len != count || w->len > DFS_WRITE_MAX ||
	    w->offset > (uint64_t)INT64_MAX - w->len ||
	    (uint64_t)w->head + ((w->len + 3) & ~UINT32_C(3)) != len)
		return PEEK_NO;
	return PEEK_YES;
}

/* Pages for the data of w. */
static bool
reserve(struct nfs_conn *conn, const struct write_head *w, struct nfs_req *req)
{
	if (!charge(conn, w->len))
		return false;
	if (dfs_fs_write_reserve(w->offset, w->len, &req->write) == DFS_OK)
		return true;
	uncharge(conn, w->len);
	return false;
}

/* The record at p begins with w.  Answers the bytes used up; 0: no memory now, or closed. */
static size_t
begin_direct(struct nfs_conn *conn, const unsigned char *p, const struct write_head *w)
{
	uint32_t pad = -w->len & 3;
	struct nfs_req *req;

	req = nfs_req_new(conn, w->head > NFS_REQ_REPLY ? w->head : NFS_REQ_REPLY);
	if (req && reserve(conn, w, req)) {
		conn->short_since = 0;
		req->proc = w->proc;
		req->receiving = w->len;
		req->call.direct = &req->write;
		req->len = w->head;
		memcpy(req->bytes, p, w->head);
		conn->incoming = req;
		dfs_conn_receive(&conn->io, req->write.iov, req->write.n, pad);
		return w->head;
	}
	if (req)
		nfs_req_drop(req);
	if (conn->short_since == 0)
		conn->short_since = conn->io.loop->now;
	if (conn->io.loop->now - conn->short_since < SHORTAGE_MAX) {
		dfs_conn_pause(&conn->io, SHORTAGE_RETRY);
		return 0;
	}
	/* Waited long enough: the client shall come again. */
	conn->short_since = 0;
	conn->refuse_incoming = true;
	conn->refused_xid = w->call.xid;
	conn->refused_proc = w->proc;
	dfs_conn_receive(&conn->io, NULL, 0, (uint64_t)w->len + pad);
	return w->head;
}

/* Make room for len more bytes of the record and have them received there. */
static bool
begin_fragment(struct nfs_conn *conn, uint32_t len, bool last)
{
	uint32_t total = conn->record_len + len;

	if (total > conn->record_cap) {
		/* Twice as much, so that many small fragments cost no more than few large ones. */
		uint32_t cap = conn->record_cap * 2 > total ? conn->record_cap * 2 : total;
		unsigned char *mem;
		if (!charge(conn, cap - conn->record_cap))
			return false;
		mem = realloc(conn->record, cap);
		if (!mem) {
			uncharge(conn, cap - conn->record_cap);
			return false;
		}
		conn->record = mem;
		conn->record_cap = cap;
	}
	conn->iov = (struct iovec){conn->record + conn->record_len, len};
	conn->record_len = total;
	conn->last_fragment = last;
	dfs_conn_receive(&conn->io, &conn->iov, 1, 0);
	return true;
}

static bool
record_run(struct nfs_conn *conn)
{
	bool done = conn->record_len > 0 && nfs_dispatch(conn, conn->record, conn->record_len);

	record_forget(conn);
	dfs_conn_used(&conn->io);
	return done;
}

/* A fragment of several begins at p.  Answers the bytes used up. */
static size_t
several_fragments(struct nfs_conn *conn, const unsigned char *p, size_t n)
{
	uint32_t mark = rpc_get_word(p), len = mark & ~RPC_MARK_LAST;

	if (conn->fragments == 0 && n >= 8 && memcmp(p + 5, "SMB", 3) == 0)
		return DFS_CONN_CLOSE;
	if (++conn->fragments > NFS_FRAGMENTS_MAX ||
	    len > conn->server->max_record - conn->record_len)
		return DFS_CONN_CLOSE;
	if (len > 0) {
		conn->empty_fragments = 0;
		return begin_fragment(conn, len, mark & RPC_MARK_LAST) ? 4 : DFS_CONN_CLOSE;
	}
	if (++conn->empty_fragments > NFS_EMPTY_FRAGMENTS_MAX)
		return DFS_CONN_CLOSE;
	if (mark & RPC_MARK_LAST && !record_run(conn))
		return DFS_CONN_CLOSE;
	return 4;
}

/* A record of one fragment is not all there.  Answers the bytes used up, 0: wait for more. */
static size_t
large_record(struct nfs_conn *conn, const unsigned char *p, size_t n, uint32_t len)
{
	uint32_t there = (uint32_t)n - RPC_MARK_SIZE;
	struct write_head w;

	if (len - there >= DIRECT_MIN) {
		switch (peek_write(conn, p + RPC_MARK_SIZE, there, len, &w)) {
		case PEEK_MORE:
			return 0;
		case PEEK_YES:
			n = begin_direct(conn, p + RPC_MARK_SIZE, &w);
			return n ? n + RPC_MARK_SIZE : 0;
		case PEEK_NO:
			break;
		}
	}
	if (len <= DFS_PAGE_SIZE - RPC_MARK_SIZE)
		return 0;
	conn->fragments = 1;
	return begin_fragment(conn, len, true) ? RPC_MARK_SIZE : DFS_CONN_CLOSE;
}

/* Name what held the loop, one line in ten seconds: on a machine with too few processors a
 * preemption looks the same. */
static void
watch_turn(struct nfs_conn *conn, int64_t began, int32_t calls)
{
	static _Atomic int64_t last;
	int64_t now = dfs_clock_mono(), before = atomic_load_explicit(&last, memory_order_relaxed);
	char text[64];

	if (now - began <= HELD_TOO_LONG || calls == 0)
		return;
	dfs_counter_add(conn->server->slow_turns, 1);
	if ((before && now - before < HELD_EVERY) ||
	    !atomic_compare_exchange_strong(&last, &before, now))
		return;
	dfs_log(DFS_LOG_WARN, "%d calls of %s held an event loop for %lld ms (the last: %s)", calls,
		dfs_conn_peer_text(&conn->io, text), (long long)((now - began) / 1000000),
		atomic_load_explicit(&conn->io.loop->doing, memory_order_relaxed));
}

static size_t
nfs_data(struct dfs_conn *io, const unsigned char *p, size_t n)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;
	int64_t began = dfs_clock_mono();
	int32_t calls = io->calls_left;
	size_t used = 0;

	while (n - used >= RPC_MARK_SIZE && !io->receiving && !io->closed) {
		const unsigned char *at = p + used;
		size_t left = n - used, step;
		uint32_t mark = rpc_get_word(at), len = mark & ~RPC_MARK_LAST;

		if (!dfs_conn_may_go_on(io)) {
			dfs_conn_yield(io);
			break;
		}
		if (!(mark & RPC_MARK_LAST) || conn->fragments > 0) {
			step = several_fragments(conn, at, left);
		} else if (len > conn->server->max_record) {
			step = DFS_CONN_CLOSE;
		} else if (left - RPC_MARK_SIZE < len) {
			step = large_record(conn, at, left, len);
		} else if (nfs_dispatch(conn, at + RPC_MARK_SIZE, len)) {
			dfs_conn_used(io);
			step = RPC_MARK_SIZE + len;
		} else {
			dfs_conn_pause(io, SHORTAGE_RETRY);
			step = 0;
		}
		if (step == DFS_CONN_CLOSE) {
			dfs_counter_add(conn->server->bad_records, 1);
			return DFS_CONN_CLOSE;
		}
		if (step == 0)
			break;
		used += step;
	}
	dfs_counter_add(conn->server->calls, calls - io->calls_left);
	watch_turn(conn, began, calls - io->calls_left);
	return used;
}

static void
nfs_received(struct dfs_conn *io)
{
	struct nfs_conn *conn = (struct nfs_conn *)io;
	struct nfs_req *req = conn->incoming;

	if (conn->refuse_incoming) {
		conn->refuse_incoming = false;
		nfs_reply_fail(conn, conn->refused_xid, conn->refused_proc, DFS_DELAY);
		dfs_conn_used(io);
	} else if (req) {
		conn->incoming = NULL;
		uncharge(conn, req->receiving);
		req->receiving = 0;
		nfs_dispatch_direct(req);
		dfs_conn_used(io);
		dfs_counter_add(conn->server->calls, 1);
	} else if (conn->last_fragment && !record_run(conn)) {
		dfs_conn_close(io, "no memory for a reply");
	}
}

const struct dfs_conn_ops nfs_conn_ops = {
	.size = sizeof(struct nfs_conn),
	.opened = nfs_opened,
	.data = nfs_data,
	.received = nfs_received,
	.closed = nfs_closed,
	.freed = nfs_freed,
	.put_out = nfs_datagram_put_out,
};
