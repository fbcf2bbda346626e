/* SPDX-License-Identifier: MIT
 *
 * File handles: 32 bytes, big-endian.
 *
 *   0  version (1), then 3 zero bytes
 *   4  share slot: low 32 bits of the share's uuid
 *   8  fileid
 *   16 generation
 *   24 SipHash-2-4 of bytes 0..23 under the share's handle key
 *
 * Nothing in it changes by rename, hard link, restart or the order of the shares; the MAC keeps a
 * client of one share from making up handles of another.  Pure functions, no allocation.
 */
#ifndef NFS_HANDLE_H
#define NFS_HANDLE_H

#include <stdint.h>

#include <dittofs/status.h>

#include "fs/fs.h"
#include "fs/share.h"

#define NFS_HANDLE_SIZE 32u
#define NFS_HANDLE_MAX 64u /* NFS3_FHSIZE */

void nfs_handle_make(const struct dfs_share *share, uint64_t fileid, uint64_t generation,
		     unsigned char out[NFS_HANDLE_SIZE]);
/* The share that a handle names.  DFS_BADHANDLE: not of our form. */
enum dfs_status nfs_handle_slot(const unsigned char *handle, uint32_t len, uint32_t *slot);
/* The file, once nfs_handle_slot has accepted the form.  DFS_BADHANDLE: the MAC is wrong. */
enum dfs_status nfs_handle_open(const struct dfs_share *share, const unsigned char *handle,
				struct dfs_ref *ref);

#endif
