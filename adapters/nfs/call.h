/* SPDX-License-Identifier: MIT
 *
 * One RPC call as a procedure sees it, and the table that describes the procedures.
 *
 * A procedure decodes call->args, calls core/fs, encodes its results into call->out and returns:
 *   DFS_OK     the reply's body is encoded (an NFS error status included);
 *   DFS_AGAIN  nothing happened: run it again on a worker (args and out are reset by the caller);
 *   DFS_INVAL  the arguments do not decode: GARBAGE_ARGS.
 * It runs unchanged on loops and on workers.
 */
#ifndef NFS_CALL_H
#define NFS_CALL_H

#include <sys/socket.h>

#include "adapters/nfs/xdr.h"
#include "base/ctx.h"
#include "fs/fs.h"

#define NFS_PROGRAM 100003
#define MOUNT_PROGRAM 100005

struct nfs_server; /* server.h */
struct nfs_conn;   /* rpc/conn.h: per-connection state, rule and credential caches */

struct nfs_call {
	struct dfs_ctx ctx; /* id is the credential as sent until nfs_call_share() squashes it */
	struct nfs_server *server;
	struct nfs_conn *conn;
	uint32_t xid, program, version, procedure;
	uint32_t flavor; /* 0 AUTH_NONE, 1 AUTH_SYS */
	struct xdr_in args;
	struct xdr_out out;
	struct dfs_write *direct; /* WRITE: the data, received into pages already; else NULL */
};

#define NFS_PROC_CACHED (1u << 0) /* not idempotent: the duplicate request cache keeps its reply */

struct nfs_proc {
	const char *name;
	enum dfs_status (*run)(struct nfs_call *call);
	uint32_t max_reply; /* bytes of body that the dispatcher reserves; READ data does not count */
	uint32_t flags;
};

extern const struct nfs_proc nfs3_procs[22];
extern const struct nfs_proc mount3_procs[6];

/* Point ctx at `share` under the rules for this peer: match, secure port, squash, read-only.  A
 * decision is cached per connection until the runtime's epoch changes.  DFS_ACCESS: no rule
 * admits the peer.  The call holds a reference until it ends. */
enum dfs_status nfs_call_share(struct nfs_call *call, struct dfs_share *share);

#endif
