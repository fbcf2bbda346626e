/* SPDX-License-Identifier: MIT
 *
 * A connection: bytes in, replies out, bounded.
 *
 * It is pinned to one loop for life; everything here runs on that loop's thread.
 * The adapter embeds struct dfs_conn as the first member of its own.  Bytes that have come are
 * offered to ops->data, which consumes whole records and leaves the rest, or asks for the next
 * bytes to be received straight into its own memory (dfs_conn_receive).  Replies are encoded into
 * the loop's chunk (reserve, commit) or are references to buffers; one sendmsg a turn takes them.
 *
 * A request that outlives the turn holds the connection (dfs_conn_begin) until it is answered on
 * the loop (dfs_conn_end): a reply that comes after the close finds `closed` and is dropped.
 */
#ifndef DFS_IO_CONN_H
#define DFS_IO_CONN_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/loop.h"

struct dfs_conn;
struct dfs_net;

#define DFS_CONN_CLOSE SIZE_MAX

struct dfs_conn_ops {
	size_t size; /* of the adapter's struct that begins with struct dfs_conn; zeroed */
	/* A new connection; before any data. */
	void (*opened)(struct dfs_conn *conn);
	/* n bytes have come, those left over last time first; answers how many were used up, or
	 * DFS_CONN_CLOSE.  Ends early when dfs_conn_may_go_on says so, and calls dfs_conn_yield
	 * when it leaves a complete record. */
	size_t (*data)(struct dfs_conn *conn, const unsigned char *p, size_t n);
	/* The bytes asked for by dfs_conn_receive are there. */
	void (*received)(struct dfs_conn *conn);
	/* The descriptor is closed; requests may still hold the connection. */
	void (*closed)(struct dfs_conn *conn);
	/* The last holder is gone. */
	void (*freed)(struct dfs_conn *conn);
	/* Optional.  A connection without a descriptor (dfs_net_datagram) has something queued: send
	 * it some other way; it is dropped after the call. */
	void (*put_out)(struct dfs_conn *conn);
};

struct dfs_conn_limits {
	uint32_t requests; /* under way at once; beyond, nothing is read */
	/* Queued; beyond, nothing is read until it is below 3/4.  Less when little is left of the
	 * loop's bound, so that peers who take nothing leave buffers to the others; who has nothing
	 * queued may always go on. */
	uint32_t out_bytes;
	int64_t idle;  /* ns without a request until the server closes; 0: never */
	int64_t stall; /* ns that a peer may take no reply bytes, or leave a record incomplete */
};

struct dfs_conn_seg {
	const unsigned char *data;
	uint32_t len;
	struct dfs_buf *buf; /* one reference */
};

#define DFS_CONN_SEGS 6 /* held inside; more are allocated while there are more */

struct dfs_conn {
	struct dfs_watch watch;
	struct dfs_loop *loop;
	struct dfs_net *net; /* NULL in tests */
	const struct dfs_conn_ops *ops;
	const struct dfs_conn_limits *limits;
	uint32_t refs; /* one while open, one for each request that dfs_conn_begin counted */
	bool closed;
	bool eof;           /* the peer sends no more */
	bool readable;      /* bytes may wait in the socket */
	bool blocked;       /* the socket takes no more bytes */
	bool full;          /* a bound was met: reading rests until below 3/4 */
	bool yielded;       /* a complete record waits for the next turn */
	bool paused;        /* no memory: reading rests until the timer */
	bool draining;      /* no new request; closes when all is answered */
	bool receiving;     /* the next bytes are those of dfs_conn_receive */
	bool running;       /* inside a turn's run: it will flush */
	bool active;        /* counted as such in the loop's load */
	int32_t calls_left; /* of this turn's quantum */
	int32_t bytes_left; /* of this turn's quantum */
	uint32_t in_flight;
	uint32_t want; /* bytes to ask the socket for, at most */
	struct dfs_job again, flush, release;
	struct dfs_timer timer;
	struct dfs_post adopt;
	struct dfs_conn *next, **prev; /* the loop's connections */
	int64_t last_in, last_out;     /* monotonic ns of the last bytes that moved */
	int64_t partial_since;         /* of the record that is incomplete, 0: none */
	int64_t resume_at;             /* end of the pause */

	struct dfs_buf *in; /* chunk; NULL when nothing is buffered but the stash */
	uint32_t in_at, in_len;
	unsigned char *stash; /* a short rest, instead of a chunk: in_len bytes */

	const struct iovec *direct;   /* where the next bytes go while receiving */
	uint32_t direct_n, direct_at; /* vectors; bytes of the first that are there */
	uint64_t direct_left, skip;   /* bytes still to come; then this many to throw away */

	struct dfs_conn_seg *segs, inline_segs[DFS_CONN_SEGS];
	uint32_t seg_head, seg_tail, seg_cap;
	uint64_t out_bytes;

	const unsigned char *feed; /* fd -1: what dfs_conn_feed offers */
	size_t feed_n;

	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
};

/* Take a connected non-blocking socket; the caller's reference is the loop's.  On loop's thread, or
 * before it runs.  NULL: no memory (fd is not closed). */
struct dfs_conn *dfs_conn_new(struct dfs_loop *loop, int fd, const struct sockaddr *peer,
			      const struct dfs_conn_ops *ops, const struct dfs_conn_limits *limits,
			      struct dfs_net *net);
/* Begin to read; on the loop's thread. */
void dfs_conn_open(struct dfs_conn *conn);
/* Offer bytes as if they had come from the socket (fd -1: tests and fuzzers). */
void dfs_conn_feed(struct dfs_conn *conn, const void *data, size_t n);

/* why: for the debug log, NULL: the peer left. */
void dfs_conn_close(struct dfs_conn *conn, const char *why);
/* Answer what is under way, then close. */
void dfs_conn_drain(struct dfs_conn *conn);

/* True while ops->data may take another record: the turn's quantum (64 requests, 1 MiB in and out)
 * is not used up and no bound is met. */
static inline bool
dfs_conn_may_go_on(const struct dfs_conn *conn)
{
	return conn->calls_left > 0 && conn->bytes_left > 0 && !conn->full && !conn->paused &&
	       !conn->closed;
}

/* Count a record against the quantum; bytes in and out count themselves. */
static inline void
dfs_conn_used(struct dfs_conn *conn)
{
	conn->calls_left--;
}

/* data() leaves a complete record behind: offer it again in the next turn, or, when a bound is met
 * or reading rests, at the end of that. */
static inline void
dfs_conn_yield(struct dfs_conn *conn)
{
	conn->yielded = !conn->full && !conn->paused;
}

/* Read nothing for a while (memory is short); data() is offered its rest again then. */
void dfs_conn_pause(struct dfs_conn *conn, int64_t ns);

/* From data(), which returns the bytes before: the next bytes go into iov (borrowed until
 * received() or closed()), and skip more are thrown away after them.  n may be 0. */
void dfs_conn_receive(struct dfs_conn *conn, const struct iovec *iov, uint32_t n, uint64_t skip);

/* A request stays beyond data(): hold the connection, count the request. */
void dfs_conn_begin(struct dfs_conn *conn);
/* It is answered or given up; may free the connection. */
void dfs_conn_end(struct dfs_conn *conn);

/* Room for n bytes, up to 4 MiB, in one piece; NULL: no memory.  Valid until the next reserve
 * on this loop; what is not committed is free again. */
unsigned char *dfs_conn_reserve(struct dfs_conn *conn, uint32_t n);
/* Queue n bytes at p, which lie in the last reservation. */
void dfs_conn_commit(struct dfs_conn *conn, const unsigned char *p, uint32_t n);
/* Queue bytes of buf; takes over one reference. */
void dfs_conn_put(struct dfs_conn *conn, struct dfs_buf *buf, const unsigned char *data,
		  uint32_t len);

/* Bytes that the connection may have queued now. */
static inline uint64_t
dfs_conn_out_bound(const struct dfs_conn *conn)
{
	const struct dfs_loop *loop = conn->loop;
	uint64_t left = loop->out_bytes < loop->out_limit ? loop->out_limit - loop->out_bytes : 0;

	return left < conn->limits->out_bytes ? left : conn->limits->out_bytes;
}

/* What is queued, in order, as at most n vectors; answers how many. */
unsigned dfs_conn_queued(const struct dfs_conn *conn, struct iovec *iov, unsigned n);
/* Send what is queued, as far as the socket takes it and the turn's share goes. */
void dfs_conn_flush(struct dfs_conn *conn);
/* Drop what is queued. */
void dfs_conn_out_clear(struct dfs_conn *conn);
/* After something was answered or sent: read again when below the bounds, close when draining is
 * done, and tell epoll. */
void dfs_conn_relax(struct dfs_conn *conn);

/* "192.0.2.1:1023" or "[2001:db8::1]:1023". */
const char *dfs_conn_peer_text(const struct dfs_conn *conn, char text[64]);

#endif
