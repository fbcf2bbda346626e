/* SPDX-License-Identifier: MIT
 *
 * Who has mounted what: soft state for DUMP (RFC 1813 5.2.2), never a reason to admit anybody.
 *
 * Bounded; the oldest row makes room.  Any thread; one lock.
 */
#ifndef NFS_MOUNTS_H
#define NFS_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#define NFS_MOUNTS_MAX 1024u
#define NFS_MOUNTS_PATH_MAX 256u /* longer paths are listed cut off */

struct nfs_mounts;

struct nfs_mounts *nfs_mounts_new(void);
void nfs_mounts_free(struct nfs_mounts *mounts);
/* host: the peer's address as text. */
void nfs_mounts_add(struct nfs_mounts *mounts, const char *host, const char *path);
void nfs_mounts_remove(struct nfs_mounts *mounts, const char *host, const char *path);
void nfs_mounts_remove_all(struct nfs_mounts *mounts, const char *host);
/* Oldest first, under the lock, until fn answers false. */
void nfs_mounts_each(struct nfs_mounts *mounts,
		     bool (*fn)(void *arg, const char *host, const char *path), void *arg);

#endif
