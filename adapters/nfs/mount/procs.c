/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/handle.h"
#include "adapters/nfs/mount/mount.h"

static void
fail_mnt(struct xdr_out *out, enum dfs_status status)
{
	xdr_put_u32(out, mount3_status(status));
}

const struct nfs_proc mount3_procs[MOUNT3_PROCS] = {
	[MOUNT3_NULL] = {"null", mount3_null, 0, 0, NULL},
	[MOUNT3_MNT] = {"mnt", mount3_mnt, 4 + 4 + NFS_HANDLE_SIZE + 12, 0, fail_mnt},
	[MOUNT3_DUMP] = {"dump", mount3_dump, MOUNT3_LIST_MAX, 0, NULL},
	[MOUNT3_UMNT] = {"umnt", mount3_umnt, 0, 0, NULL},
	[MOUNT3_UMNTALL] = {"umntall", mount3_umntall, 0, 0, NULL},
	[MOUNT3_EXPORT] = {"export", mount3_export, MOUNT3_LIST_MAX, 0, NULL},
};
