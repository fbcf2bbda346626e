/* SPDX-License-Identifier: MIT
 *
 * File handles from the wire: whatever the bytes, only the one that the share has made opens.
 */
#include <stdlib.h>
#include <string.h>

#include "adapters/nfs/handle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dfs_share share = {.slot = 0x01020304, .handle_key = {7, 8}};
	unsigned char made[NFS_HANDLE_SIZE];
	unsigned char *copy = malloc(size ? size : 1); /* its end is watched */
	struct dfs_ref ref;
	uint32_t slot;

	memcpy(copy, data, size);
	if (size <= NFS_HANDLE_MAX && nfs_handle_slot(copy, (uint32_t)size, &slot) == DFS_OK &&
	    nfs_handle_open(&share, copy, &ref) == DFS_OK) {
		nfs_handle_make(&share, ref.fileid, ref.generation, made);
		if (slot == share.slot && memcmp(made, copy, sizeof made) != 0)
			abort();
	}
	free(copy);
	return 0;
}
