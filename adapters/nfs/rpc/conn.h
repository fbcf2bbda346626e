/* SPDX-License-Identifier: MIT
 *
 * The RPC layer's view of a connection, and a request that outlives the turn it came in.
 *
 * A call runs on the loop, straight out of the receive buffer, into the loop's reply chunk.  It
 * becomes a struct nfs_req, on the heap, only when it must: its data is still being received, it
 * has to run on a worker, or its reply waits for a gate.  A request holds its connection; its
 * fields belong to one thread at a time, in this order: loop, worker, gate, loop.
 */
#ifndef NFS_RPC_CONN_H
#define NFS_RPC_CONN_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/drc.h"
#include "adapters/nfs/rpc/header.h"
#include "adapters/nfs/server.h"
#include "io/conn.h"
#include "io/gate.h"
#include "io/net.h"
#include "io/worker.h"

#define NFS_FAIL_MAX 64u                               /* body bytes of nfs_proc.fail */
#define NFS_HEAD_SIZE (RPC_MARK_SIZE + RPC_REPLY_SIZE) /* before the body of a successful reply */
#define NFS_REQ_REPLY 320u                             /* room for the body of a WRITE's reply */

struct nfs_udp_socket; /* rpc/datagram.h */

#define NFS_FRAGMENTS_MAX 256u
#define NFS_EMPTY_FRAGMENTS_MAX 16u

/* Where a request is, for the watchdog. */
enum nfs_req_place { NFS_AT_SOCKET, NFS_AT_LANE, NFS_AT_WORKER, NFS_AT_GATE };

struct nfs_req;

struct nfs_gate_wait {
	struct dfs_gate_waiter waiter;
	struct nfs_req *req;
};

struct nfs_req {
	struct dfs_task task;
	struct dfs_post post;
	struct nfs_conn *conn;
	struct nfs_req *next, **prev; /* of the connection's requests; the loop's */
	const struct nfs_proc *proc;
	struct nfs_call call;
	struct nfs_drc_slot slot;
	int64_t started;             /* monotonic ns */
	_Atomic int place;           /* enum nfs_req_place */
	bool reported;               /* by the watchdog; the loop's */
	char share[64];              /* its name, for the watchdog */
	_Atomic uint32_t gates;      /* still to answer, and one while they are being asked */
	_Atomic int gate_status;     /* first failure */
	enum dfs_status refusal;     /* answer with proc->fail and this; DFS_OK: the reply in out */
	enum rpc_accept_stat accept; /* when refusal is DFS_OK */
	struct dfs_buf *reply;       /* what out lies in, NULL: in bytes */
	struct dfs_write write;      /* data received directly; call.direct points here */
	struct nfs_gate_wait waits[DFS_TICKETS_MAX];
	uint32_t receiving;    /* bytes charged to the server until they are here */
	uint32_t len, cap;     /* of bytes */
	unsigned char bytes[]; /* the call, or, while a gate is waited for, the reply's body */
};

struct nfs_conn {
	struct dfs_conn io;
	struct nfs_server *server;
	struct nfs_drc_client *drc;
	struct nfs_access access;
	struct nfs_req *reqs;     /* that outlived their turn */
	struct nfs_req *incoming; /* its data is being received */
	struct iovec iov;         /* of the record being put together */
	unsigned char *record;    /* several fragments, or larger than a chunk */
	uint32_t record_len;      /* bytes there, or asked for */
	uint32_t record_cap;
	uint32_t fragments, empty_fragments;
	bool last_fragment;
	bool refuse_incoming; /* the data of a WRITE is being thrown away: no memory */
	uint32_t refused_xid;
	const struct nfs_proc *refused_proc;
	int64_t short_since; /* monotonic ns: no memory for a WRITE since then; 0: there is */
	struct rpc_cred_cache cred;
	bool portmap; /* came to the portmapper's port */
	struct nfs_udp_socket
		*socket;       /* where its one call came in; NULL: it is a TCP connection */
	uint32_t datagram_len; /* bytes of that call */
};

/* What is served of a program, for the answer to a call of something else. */
struct nfs_versions {
	bool program; /* any */
	bool version; /* the one that was asked for */
	uint32_t low, high;
};

extern const struct dfs_conn_ops nfs_conn_ops;

/* dispatch.c */

/* Run one complete record on the loop.  False: no memory for a reply, nothing was done. */
bool nfs_dispatch(struct nfs_conn *conn, const unsigned char *record, uint32_t len);
/* Run a WRITE whose data has been received. */
void nfs_dispatch_direct(struct nfs_req *req);
/* NULL: there is none; served (may be NULL) then says what is missing. */
const struct nfs_proc *nfs_find_proc(const struct nfs_conn *conn, const struct rpc_call *call,
				     struct nfs_versions *served);

/* request.c: requests that outlive the turn. */

/* A request with room for `len` bytes; holds the connection.  NULL: no memory. */
struct nfs_req *nfs_req_new(struct nfs_conn *conn, uint32_t len);
/* Run req, whose bytes hold the call, on a worker of its share's lane; ctx.share is set or not. */
void nfs_req_to_worker(struct nfs_req *req);
/* req's reply lies in bytes or reply: queue it when its tickets allow.  On the loop or a worker. */
void nfs_req_gate(struct nfs_req *req);
/* Take out the tickets whose gates have passed.  True: some are left. */
bool nfs_ctx_must_wait(struct dfs_ctx *ctx);
/* The request ends without a reply. */
void nfs_req_drop(struct nfs_req *req);
/* Log each request of the connection that is under way for longer than the server's limit. */
void nfs_conn_watch(struct dfs_conn *conn);

/* reply.c */

/* Write the head of a successful reply, NFS_HEAD_SIZE bytes at base, and queue the record that
 * begins there; takes over out's references.  buf: what the encoding lies in (referenced), NULL:
 * the last reservation. */
void nfs_reply_success(struct nfs_conn *conn, struct dfs_buf *buf, uint32_t xid,
		       unsigned char *base, struct xdr_out *out);
/* Drop the references of an encoding that is not sent. */
void nfs_reply_discard(struct xdr_out *out);
/* Answer by the procedure's failure body, or SYSTEM_ERR when it has none. */
void nfs_reply_fail(struct nfs_conn *conn, uint32_t xid, const struct nfs_proc *proc,
		    enum dfs_status status);
/* Answer without a body. */
void nfs_reply_accept(struct nfs_conn *conn, uint32_t xid, enum rpc_accept_stat stat);
/* PROG_MISMATCH with the program's versions; NULL: RPC_MISMATCH. */
void nfs_reply_mismatch(struct nfs_conn *conn, uint32_t xid, const struct nfs_versions *served);
void nfs_reply_auth_error(struct nfs_conn *conn, uint32_t xid, enum rpc_auth_stat stat);

#endif
