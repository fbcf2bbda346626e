/* SPDX-License-Identifier: MIT
 *
 * Who may do what on which share: export rules, squashing, read-only, secure ports.
 *
 * Enforced for each request, never only at MOUNT.  A connection keeps the decisions about the
 * few shares it uses; the runtime's epoch tells when they are out of date.  The cache belongs to
 * the connection's event loop (ctx.nonblock set); runs on workers decide anew and take a
 * reference of their own, so that the cache needs no lock and a cached request no atomic
 * operation on the share.
 */
#ifndef NFS_ACCESS_H
#define NFS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "adapters/nfs/address.h"
#include "adapters/nfs/call.h"
#include "fs/share.h"

struct dfs_runtime;
struct nfs_mounts; /* mount/mounts.h */

struct nfs_caller; /* callback/callback.h */
struct nfs_nsm;    /* nsm/nsm.h */
struct nfs_map;    /* portmap/map.h */
struct nlm;        /* nlm/nlm.h */

/* What procedures need of the server; one per server, set up before the first connection. */
struct nfs_service {
	struct dfs_runtime *runtime;
	struct nfs_mounts *mounts;
	struct nfs_caller *caller; /* calls to clients */
	struct nfs_nsm *nsm;
	struct nfs_map *map; /* which program is served where */
	struct nlm *nlm;     /* NULL: NLM is not served */
};

#define NFS_ACCESS_ENTRIES 4

struct nfs_decision {
	struct dfs_share *share; /* a reference; NULL: empty */
	uint64_t epoch;
	uint32_t slot;
	uint32_t anon_uid, anon_gid;
	uint8_t squash; /* enum dfs_squash */
	bool admitted, read_only;
};

/* Embedded in struct nfs_conn. */
struct nfs_access {
	const struct nfs_service *service;
	union nfs_address peer;
	union nfs_address local; /* this end; AF_UNSPEC: not known */
	bool datagram;           /* the call came by UDP */
	uint32_t next;           /* entry that is replaced next */
	struct nfs_decision decisions[NFS_ACCESS_ENTRIES];
};

/* peer: AF_INET or AF_INET6; anything else is admitted nowhere. */
void nfs_access_init(struct nfs_access *access, const struct nfs_service *service,
		     const struct sockaddr *peer);
/* Drop the cached decisions and their references: on the loop, when the connection closes and
 * (for idle connections) after a reload. */
void nfs_access_clear(struct nfs_access *access);

/* Point call->ctx at the share of this slot under the rules for the peer, and squash ctx.id.
 * Once per run.  DFS_STALE: no such share.  DFS_ACCESS: no rule admits the peer. */
enum dfs_status nfs_call_slot(struct nfs_call *call, uint32_t slot);
/* The same for a share at hand, uncached; takes a reference for the call. */
enum dfs_status nfs_call_share(struct nfs_call *call, struct dfs_share *share);

/* The dispatcher, after each run and on the thread that ran: a call that ends, or is handed to a
 * worker, drops; one that is parked (reply gating) holds first and drops when it ends. */
void nfs_call_hold_share(struct nfs_call *call);
void nfs_call_drop_share(struct nfs_call *call);

#endif
