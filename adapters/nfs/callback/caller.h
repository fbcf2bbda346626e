/* SPDX-License-Identifier: MIT
 *
 * Inside the caller: all of it belongs to the caller's thread, but for the three fields of
 * submission.
 *
 * A call waits in its peer's queue, is begun when both bounds allow, may look for its port with a
 * call of its own (which counts nowhere), and then is on a socket of its own (UDP) or on the list of a
 * connection (TCP).  It ends in nfs_call_end, wherever it is.
 */
#ifndef NFS_CALLBACK_CALLER_H
#define NFS_CALLBACK_CALLER_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapters/nfs/callback/callback.h"
#include "io/loop.h"

#define NFS_CALL_PEERS 256u /* hash buckets */
#define NFS_CALL_PORTS 512u /* cached look-ups */
#define NFS_CALL_STREAMS_MAX NFS_CALLS_UNDER_WAY

struct nfs_call_peer;
struct nfs_stream;

struct nfs_outcall {
	struct dfs_post post;
	struct nfs_caller *caller;
	struct nfs_outcall *all_next, **all_prev;
	struct nfs_outcall *next, **prev; /* the peer's queue, or a list of the stream */
	struct nfs_call_peer *peer;       /* NULL: a look-up */
	struct nfs_target target;         /* its port is filled in when it is found */
	uint32_t xid;
	int64_t deadline; /* monotonic ns */
	struct dfs_timer timer;
	nfs_callback_fn done;
	void *arg;
	struct nfs_outcall *lookup; /* under way for this one */
	uint8_t lookups;            /* made */
	bool fixed_port;            /* the target's */
	bool under_way;
	bool cached;  /* the port comes from the cache */
	bool retried; /* what was cached or kept open was stale once; or not to be begun again */
	struct dfs_watch watch; /* UDP: the socket; fd -1: none */
	struct dfs_job release;
	int64_t resend; /* UDP: when; 0: not again */
	unsigned sends;
	struct nfs_stream *stream; /* TCP */
	uint32_t sent;             /* TCP: bytes that the socket has taken */
	uint32_t len;
	unsigned char bytes[]; /* record mark and message */
};

struct nfs_call_peer {
	struct nfs_call_peer *next, **prev; /* of the bucket */
	struct nfs_call_peer *wait_next;    /* of the caller's list */
	bool waiting;                       /* on it */
	union nfs_address address;
	uint32_t n, under_way;
	struct nfs_outcall *head, **tail; /* not begun */
};

struct nfs_call_port {
	union nfs_address address; /* AF_UNSPEC: free */
	uint32_t program, version;
	uint8_t protocol;
	uint16_t port;
	int64_t until; /* monotonic ns */
};

struct nfs_caller {
	pthread_mutex_t mu; /* orders calls before the stop */
	bool stopping;      /* guarded by mu */
	_Atomic uint32_t pending;
	struct dfs_loop *loop;
	uint32_t xid;
	uint32_t under_way;
	bool stopped;
	struct nfs_outcall *all;
	struct nfs_call_peer *peers[NFS_CALL_PEERS];
	struct nfs_call_peer *wait_head, **wait_tail; /* peers that may begin another call */
	struct dfs_job begin;
	struct nfs_call_port ports[NFS_CALL_PORTS];
	struct nfs_stream *streams;
	uint32_t n_streams;
};

/* caller.c */

struct nfs_outcall *nfs_call_new(struct nfs_caller *caller, const struct nfs_target *target,
				 uint32_t procedure, const void *args, uint32_t len,
				 int64_t deadline, nfs_callback_fn done, void *arg);
/* Take it onto the caller's thread: from here on its time runs. */
void nfs_call_adopt(struct nfs_outcall *call);
/* The end, from any place; reply NULL: empty.  May be called inside the events of its own socket. */
void nfs_call_end(struct nfs_outcall *call, enum dfs_status status, struct xdr_in *reply);
/* A reply's bytes have come for call: end it. */
void nfs_call_answered(struct nfs_outcall *call, enum dfs_status status, struct xdr_in *in);
/* The port or connection does not work; reused: it had worked before.  Begins once more, or ends. */
void nfs_call_failed(struct nfs_outcall *call, bool reused);
/* Look for the port if need be, then send. */
void nfs_call_go(struct nfs_outcall *call);

/* lookup.c */

bool nfs_port_cached(struct nfs_caller *caller, struct nfs_target *target);
void nfs_port_forget(struct nfs_caller *caller, const struct nfs_target *target);
/* Ask the peer's rpcbind; goes on with nfs_call_go. */
void nfs_port_ask(struct nfs_outcall *call);

/* datagram.c */

void nfs_datagram_begin(struct nfs_outcall *call);
void nfs_datagram_again(struct nfs_outcall *call);

/* stream.c */

void nfs_stream_begin(struct nfs_outcall *call);
/* The call leaves its stream. */
void nfs_stream_leave(struct nfs_outcall *call);
void nfs_streams_close(struct nfs_caller *caller);

static inline bool
nfs_call_wanted(const struct nfs_outcall *call)
{
	return !call->target.wanted || call->target.wanted(call->arg);
}

/* Bytes of a message, behind the mark. */
static inline const unsigned char *
nfs_call_message(const struct nfs_outcall *call)
{
	return call->bytes + 4;
}

#endif
