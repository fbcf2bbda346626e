/* SPDX-License-Identifier: MIT
 *
 * The built-in portmapper: PMAP version 2 and RPCBIND versions 3 and 4 (RFC 1833), on a port of its own.
 *
 * It tells where this adapter's programs are and nothing else.  SET and UNSET are answered FALSE,
 * whoever asks: there is nothing here that another program may register with.  The indirect calls
 * (CALLIT, BCAST, INDIRECT), GETADDRLIST and GETSTAT are not there: the first let a stranger have this
 * host send calls in its own name, the others tell nobody anything new.
 */
#ifndef NFS_PORTMAP_H
#define NFS_PORTMAP_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/portmap/map.h"

#define PORTMAP_PROGRAM 100000

#define PORTMAP_PROCS_2 5u
#define PORTMAP_PROCS_3 9u
#define PORTMAP_PROCS_4 10u
#define PORTMAP_STRING_MAX 1024u
#define PORTMAP_LIST_MAX 32768u /* bytes of a DUMP: every entry fits */

extern const struct nfs_proc portmap2_procs[PORTMAP_PROCS_2];
extern const struct nfs_proc
	rpcbind_procs[PORTMAP_PROCS_4]; /* version 3: PORTMAP_PROCS_3 of them */

enum dfs_status portmap_null(struct nfs_call *call);
/* SET and UNSET of all versions. */
enum dfs_status portmap_refuse(struct nfs_call *call);
enum dfs_status portmap2_getport(struct nfs_call *call);
enum dfs_status portmap2_dump(struct nfs_call *call);
enum dfs_status rpcbind_getaddr(struct nfs_call *call);
enum dfs_status rpcbind_getversaddr(struct nfs_call *call);
enum dfs_status rpcbind_dump(struct nfs_call *call);
enum dfs_status rpcbind_gettime(struct nfs_call *call);
enum dfs_status rpcbind_uaddr2taddr(struct nfs_call *call);
enum dfs_status rpcbind_taddr2uaddr(struct nfs_call *call);

#endif
