/* SPDX-License-Identifier: MIT
 *
 * Registration of what this adapter serves with the host's rpcbind.
 *
 * Nothing here is fatal: who mounts by port needs no rpcbind, and whoever looks for the server there and
 * does not find it is helped by a line in the log.  What is registered at a port of ours is taken over
 * (a server that was killed leaves that behind); what another program has registered is left to it.
 * Blocks up to a deadline; main thread.
 */
#ifndef NFS_PORTMAP_RPCBIND_H
#define NFS_PORTMAP_RPCBIND_H

#include "adapters/nfs/portmap/map.h"

/* How much of a map is registered. */
struct nfs_registration {
	bool done[NFS_MAP_MAX];
};

/* path: rpcbind's local socket.  May be called again: rpcbind forgets all when it starts anew. */
void nfs_rpcbind_register(struct nfs_registration *r, const struct nfs_map *map, const char *path,
			  int64_t deadline);
/* Take out what is registered. */
void nfs_rpcbind_unregister(struct nfs_registration *r, const struct nfs_map *map, const char *path,
			    int64_t deadline);

#endif
