/* SPDX-License-Identifier: MIT */
#ifndef NFS_CALLBACK_SOCKET_H
#define NFS_CALLBACK_SOCKET_H

#include "adapters/nfs/address.h"

/* A non-blocking socket to peer, connected or (SOCK_STREAM) connecting, from the local address (AF_UNSPEC:
 * any, as also when the host does not have it) and a privileged port where that is possible.  type:
 * SOCK_DGRAM or SOCK_STREAM.  -1: errno. */
int nfs_socket_to(const union nfs_address *peer, const union nfs_address *local, int type);

#endif
