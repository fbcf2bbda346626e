/* SPDX-License-Identifier: MIT
 *
 * A conversation with this host's rpcbind: what is registered, SET and UNSET.
 *
 * Over its local socket by RPCBIND version 4, or, where that is not there, over loopback by PMAP
 * version 2, which knows IPv4 alone; rpcbind takes registrations in no other way.  Blocks, until the
 * deadline: for the main thread.
 */
#ifndef NFS_PORTMAP_SESSION_H
#define NFS_PORTMAP_SESSION_H

#include <dittofs/status.h>

#include "adapters/nfs/portmap/map.h"
#include "adapters/nfs/xdr.h"

#define RPCBIND_SOCKET "/run/rpcbind.sock"
#define RPCBIND_REPLY_MAX 262144u /* bytes of a DUMP */
#define RPCBIND_LIST_MAX 2048u

struct rpcbind_session {
	int fd;
	bool local; /* its local socket */
	uint32_t xid;
	int64_t deadline; /* monotonic ns */
	unsigned char *reply;
};

struct rpcbind_row {
	uint32_t program, version;
	uint8_t protocol;
	sa_family_t family;
	uint16_t port;
	char owner[24]; /* cut off */
};

/* path: the local socket.  DFS_IO, DFS_TIMEDOUT: there is no rpcbind, dfs_fail_text says more. */
enum dfs_status rpcbind_open(struct rpcbind_session *s, const char *path, int64_t deadline);
void rpcbind_close(struct rpcbind_session *s);
/* All that is registered for networks that we know; free(*rows). */
enum dfs_status rpcbind_list(struct rpcbind_session *s, struct rpcbind_row **rows, uint32_t *n);
/* DFS_EXIST: rpcbind says no. */
enum dfs_status rpcbind_set(struct rpcbind_session *s, const struct nfs_map_entry *entry);
enum dfs_status rpcbind_unset(struct rpcbind_session *s, const struct nfs_map_entry *entry);
/* Whether such an entry can be told over this session. */
bool rpcbind_can_tell(const struct rpcbind_session *s, const struct nfs_map_entry *entry);

/* The results of a DUMP, of version 4 or 2; at most RPCBIND_LIST_MAX rows.  False: they do not decode.
 * For the fuzzer. */
bool rpcbind_parse_list(struct xdr_in *in, bool version4, struct rpcbind_row *rows, uint32_t *n);

#endif
