/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/portmap/portmap.h"

#define UADDR_REPLY (4 + NFS_UADDR_MAX + 3)
#define TADDR_REPLY (4 + 4 + sizeof(struct sockaddr_in6) + 3)

const struct nfs_proc portmap2_procs[PORTMAP_PROCS_2] = {
	{"portmap-null", portmap_null, 0, 0, NULL},
	{"portmap-set", portmap_refuse, 4, 0, NULL},
	{"portmap-unset", portmap_refuse, 4, 0, NULL},
	{"portmap-getport", portmap2_getport, 4, 0, NULL},
	{"portmap-dump", portmap2_dump, PORTMAP_LIST_MAX, 0, NULL},
};

const struct nfs_proc rpcbind_procs[PORTMAP_PROCS_4] = {
	[0] = {"rpcbind-null", portmap_null, 0, 0, NULL},
	[1] = {"rpcbind-set", portmap_refuse, 4, 0, NULL},
	[2] = {"rpcbind-unset", portmap_refuse, 4, 0, NULL},
	[3] = {"rpcbind-getaddr", rpcbind_getaddr, UADDR_REPLY, 0, NULL},
	[4] = {"rpcbind-dump", rpcbind_dump, PORTMAP_LIST_MAX, 0, NULL},
	[6] = {"rpcbind-gettime", rpcbind_gettime, 4, 0, NULL},
	[7] = {"rpcbind-uaddr2taddr", rpcbind_uaddr2taddr, TADDR_REPLY, 0, NULL},
	[8] = {"rpcbind-taddr2uaddr", rpcbind_taddr2uaddr, UADDR_REPLY, 0, NULL},
	[9] = {"rpcbind-getversaddr", rpcbind_getversaddr, UADDR_REPLY, 0, NULL},
};
