/* SPDX-License-Identifier: MIT
 *
 * Which program and version this adapter serves where: what the built-in portmapper answers from and
 * what is registered with the host's rpcbind.
 *
 * Filled once, before the first connection; read by any thread.
 */
#ifndef NFS_PORTMAP_MAP_H
#define NFS_PORTMAP_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/nfs/address.h"

#define NFS_MAP_MAX 256u
#define NFS_NETID_MAX 4u /* bytes: "tcp6" */

struct nfs_map_entry {
	uint32_t program, version;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	union nfs_address address;
};

struct nfs_map {
	uint32_t n;
	struct nfs_map_entry entries[NFS_MAP_MAX];
};

/* An entry that is there already, or that is beyond the maximum, is not added. */
void nfs_map_add(struct nfs_map *map, uint32_t program, uint32_t version, uint8_t protocol,
		 const union nfs_address *address);

/* Where a client that talks to `local` (AF_UNSPEC: not known) finds the program: an entry of this
 * protocol and address family that such a client can reach.  Without one of this version any
 * other will do unless exact is set: the program's own answer then tells which versions there are.
 * NULL: none. */
const struct nfs_map_entry *nfs_map_find(const struct nfs_map *map, uint32_t program,
					 uint32_t version, bool exact, uint8_t protocol,
					 sa_family_t family, const union nfs_address *local);

/* "tcp", "udp", "tcp6", "udp6". */
const char *nfs_netid(uint8_t protocol, sa_family_t family);
/* False: another network. */
bool nfs_netid_parse(const unsigned char *text, uint32_t len, uint8_t *protocol,
		     sa_family_t *family);

#endif
