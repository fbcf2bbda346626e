/* SPDX-License-Identifier: MIT
 *
 * The MOUNT protocol, version 3 (RFC 1813 appendix I), on NFS's own port.
 *
 * MNT hands out the handle of a share's root or of a directory below it.  That is a
 * convenience: the rules are enforced by each NFS request, so a handle by itself admits nobody.
 */
#ifndef NFS_MOUNT_H
#define NFS_MOUNT_H

#include <netinet/in.h>

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/mount/mounts.h"

enum mount3_proc_number {
	MOUNT3_NULL = 0,
	MOUNT3_MNT,
	MOUNT3_DUMP,
	MOUNT3_UMNT,
	MOUNT3_UMNTALL,
	MOUNT3_EXPORT,
	MOUNT3_PROCS,
};

#define MOUNT3_PATH_MAX 1024u  /* MNTPATHLEN */
#define MOUNT3_LIST_MAX 32768u /* bytes of a DUMP or EXPORT reply */

enum dfs_status mount3_null(struct nfs_call *call);
enum dfs_status mount3_mnt(struct nfs_call *call);
enum dfs_status mount3_dump(struct nfs_call *call);
enum dfs_status mount3_umnt(struct nfs_call *call);
enum dfs_status mount3_umntall(struct nfs_call *call);
enum dfs_status mount3_export(struct nfs_call *call);

/* mountstat3 of a failure. */
uint32_t mount3_status(enum dfs_status status);
/* dirpath as an absolute path without empty or "." parts and without a slash at its end.
 * DFS_INVAL: relative, a NUL, or ".."; DFS_NAMETOOLONG. */
enum dfs_status mount3_path(const unsigned char *bytes, uint32_t len,
			    char out[MOUNT3_PATH_MAX + 1]);
/* The peer's address as text; IPv4 also when it came in over an IPv6 socket. */
void mount3_peer(const struct nfs_access *access, char host[INET6_ADDRSTRLEN]);

#endif
