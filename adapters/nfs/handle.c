/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "adapters/nfs/handle.h"
#include "base/hash.h"

#define HANDLE_VERSION 0x01000000u /* version 1 and the three zero bytes */
#define HANDLE_SIGNED 24u

static inline uint32_t
load32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
load64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline void
store64(unsigned char *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

void
nfs_handle_make(const struct dfs_share *share, uint64_t fileid, uint64_t generation,
		unsigned char out[NFS_HANDLE_SIZE])
{
	store64(out, (uint64_t)HANDLE_VERSION << 32 | share->slot);
	store64(out + 8, fileid);
	store64(out + 16, generation);
	store64(out + HANDLE_SIGNED, dfs_siphash(&share->handle_key, out, HANDLE_SIGNED));
}

enum dfs_status
nfs_handle_slot(const unsigned char *handle, uint32_t len, uint32_t *slot)
{
	if (len != NFS_HANDLE_SIZE || load32(handle) != HANDLE_VERSION)
		return DFS_BADHANDLE;
	*slot = load32(handle + 4);
	return DFS_OK;
}

enum dfs_status
nfs_handle_open(const struct dfs_share *share, const unsigned char *handle, struct dfs_ref *ref)
{
	uint64_t mac = dfs_siphash(&share->handle_key, handle, HANDLE_SIGNED);

	if (mac != load64(handle + HANDLE_SIGNED))
		return DFS_BADHANDLE;
	ref->fileid = load64(handle + 8);
	ref->generation = load64(handle + 16);
	return DFS_OK;
}
