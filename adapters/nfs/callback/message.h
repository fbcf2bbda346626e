/* SPDX-License-Identifier: MIT
 *
 * The head of an ONC RPC message (RFC 5531) from the caller's side, and rpcbind's look-ups (RFC 1833).
 * Pure functions over spans.
 */
#ifndef NFS_CALLBACK_MESSAGE_H
#define NFS_CALLBACK_MESSAGE_H

#include <dittofs/status.h>

#include "adapters/nfs/address.h"
#include "adapters/nfs/xdr.h"

#define RPCBIND_PROGRAM 100000u
#define RPCBIND_PORT 111u

#define NFS_CALL_HEAD_MAX 128u /* bytes of a call before its arguments */
#define NFS_LOOKUP_ARGS_MAX 256u

struct nfs_call_head {
	uint32_t xid, program, version, procedure;
	bool auth_sys;
};

/* The machine's name in the credential is "dittofs". */
void nfs_message_put_call(struct xdr_out *out, const struct nfs_call_head *head);

/* Read a reply's head; in then stands at the results.  *xid is set when the status is not
 * DFS_AGAIN, which says that this is no reply at all.  Other statuses as in callback.h. */
enum dfs_status nfs_message_reply(struct xdr_in *in, uint32_t *xid);

/* What to ask peer's rpcbind for the port of (program, version, protocol): GETPORT of version 2
 * for IPv4, GETADDR of version 4 for IPv6.  Encodes the arguments. */
void nfs_message_put_lookup(struct xdr_out *out, const union nfs_address *peer, uint32_t program,
			    uint32_t version, uint8_t protocol, uint32_t *rpcbind_version,
			    uint32_t *procedure);
/* The port of the answer.  DFS_NOENT: not registered.  DFS_CORRUPT. */
enum dfs_status nfs_message_port(struct xdr_in *in, const union nfs_address *peer, uint16_t *port);

#endif
