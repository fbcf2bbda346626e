/* SPDX-License-Identifier: MIT
 *
 * Calls that the server makes: to a client's rpcbind, status monitor and lock manager.
 *
 * One thread with an event loop of its own does all of it, so a peer that is slow, silent or gone
 * holds no other thread.  A call finds the port of its program through the peer's rpcbind (RFC 1833)
 * unless the target names one; the answer is kept for a minute.  UDP calls are sent again after 1, 2,
 * 4 and 8 s; TCP calls share one connection to a peer's port, and are sent once more if it is lost
 * after it has served others.  So a peer may execute a call more than once, unless the target forbids.
 * Bounded: calls in all and of one peer, those of them that are under way, the size of a reply, and
 * the time of each.
 *
 * Whom to call: only addresses that calls have come from or that an operator has named, never one
 * out of a message; otherwise a client could have the server talk to others (rpcbind's answer gives a
 * port and nothing else).
 */
#ifndef NFS_CALLBACK_H
#define NFS_CALLBACK_H

#include <dittofs/status.h>

#include "adapters/nfs/address.h"
#include "adapters/nfs/xdr.h"

struct dfs_loop;
struct nfs_caller;

#define NFS_CALLS_MAX 2048u                           /* accepted and not done, of all peers */
#define NFS_CALLS_PEER_MAX 128u                       /* the same of one peer */
#define NFS_CALLS_UNDER_WAY 512u                      /* of those, sent or looking for a port */
#define NFS_CALLS_PEER_UNDER_WAY 16u                  /* the same of one peer */
#define NFS_CALL_ARGS_MAX 4096u                       /* bytes */
#define NFS_CALL_REPLY_MAX 8192u                      /* bytes of a reply, its head included */
#define NFS_CALL_TIME_MAX (INT64_C(120) * 1000000000) /* ns; later deadlines are brought forward */

struct nfs_target {
	union nfs_address peer;  /* port 0: ask its rpcbind */
	union nfs_address local; /* send from here if possible (clients know a server by the address
				  * that they mounted); AF_UNSPEC: from any */
	uint32_t program, version;
	uint8_t protocol; /* IPPROTO_UDP or IPPROTO_TCP */
	bool auth_sys;    /* as user 0 by AUTH_SYS; else AUTH_NONE */
	bool one_way;     /* sent once, no reply is waited for (NLM's _RES messages) */
	bool once; /* the program gets it once at most: a call that may be lost is not repeated */
	/* Asked with nfs_caller_send's arg before it is sent, which can be long after that call: whether it
	 * still is to be.  On the caller's thread, must not block.  NULL: it is. */
	bool (*wanted)(void *arg);
};

/* A call has ended; on the caller's thread, must not block.  reply stands at the results and is valid
 * inside the call; it is empty unless status is
 *   DFS_OK        answered; one way: handed to the network
 * Else:
 *   DFS_NOENT     the peer's rpcbind does not know the program, or the port does not serve it
 *   DFS_NOTSUP    not this version or procedure
 *   DFS_INVAL     the peer could not decode the arguments
 *   DFS_ACCESS    the peer rejects the credential
 *   DFS_CORRUPT   the reply is none
 *   DFS_TIMEDOUT  the deadline passed
 *   DFS_BUSY      too many calls to this peer
 *   DFS_STALE     not wanted any more
 *   DFS_IO        unreachable, refused, connection lost, or the peer's own failure
 *   DFS_SHUTDOWN  the caller is being stopped
 * After DFS_CORRUPT, DFS_TIMEDOUT, DFS_IO and DFS_SHUTDOWN the peer may have executed it. */
typedef void (*nfs_callback_fn)(void *arg, enum dfs_status status, struct xdr_in *reply);

/* NULL: no memory or descriptor, dfs_fail_text says so.  Starts the thread. */
struct nfs_caller *nfs_caller_new(void);
/* Ends what is under way with DFS_SHUTDOWN; after it every call is refused.  Main thread. */
void nfs_caller_stop(struct nfs_caller *caller);
/* Stops and frees; NULL is allowed.  Nobody calls any more. */
void nfs_caller_free(struct nfs_caller *caller);

/* Begin a call; any thread, never blocks.  args: len bytes of XDR, copied, at most NFS_CALL_ARGS_MAX.
 * deadline: monotonic ns.  DFS_OK: done will be called once.  Else it will not: DFS_BUSY (too many
 * calls), DFS_TOOBIG, DFS_INVAL (no such address or protocol), DFS_NOMEM, DFS_SHUTDOWN. */
enum dfs_status nfs_caller_send(struct nfs_caller *caller, const struct nfs_target *target,
				uint32_t procedure, const void *args, uint32_t len,
				int64_t deadline, nfs_callback_fn done, void *arg);

/* The caller's loop, for timers of who works with its callbacks. */
struct dfs_loop *nfs_caller_loop(struct nfs_caller *caller);
/* Calls accepted and not done; for tests. */
uint32_t nfs_caller_pending(const struct nfs_caller *caller);

#endif
