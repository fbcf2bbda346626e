/* SPDX-License-Identifier: MIT
 *
 * The table of NFSv3: what each procedure needs for its reply, and its failure without attributes.
 */
#include "adapters/nfs/drc.h"
#include "adapters/nfs/nfs3/nfs3.h"

/* A failure's body is the status and so many absent attributes: one word for a post_op_attr, two
 * for a wcc_data. */
#define FAIL(name, number, words)                                                                  \
	static void fail_##name(struct xdr_out *out, enum dfs_status status)                       \
	{                                                                                          \
		xdr_put_u32(out, nfs3_status(NFS3_##number, status));                              \
		for (int i = 0; i < (words); i++)                                                  \
			xdr_put_u32(out, 0);                                                       \
	}

/* clang-format off */
FAIL(getattr, GETATTR, 0)
FAIL(setattr, SETATTR, 2)
FAIL(lookup, LOOKUP, 1)
FAIL(access, ACCESS, 1)
FAIL(readlink, READLINK, 1)
FAIL(read, READ, 1)
FAIL(write, WRITE, 2)
FAIL(create, CREATE, 2)
FAIL(mkdir, MKDIR, 2)
FAIL(symlink, SYMLINK, 2)
FAIL(mknod, MKNOD, 2)
FAIL(remove, REMOVE, 2)
FAIL(rmdir, RMDIR, 2)
FAIL(rename, RENAME, 4)
FAIL(link, LINK, 3)
FAIL(readdir, READDIR, 1)
FAIL(readdirplus, READDIRPLUS, 1)
FAIL(fsstat, FSSTAT, 1)
FAIL(fsinfo, FSINFO, 1)
FAIL(pathconf, PATHCONF, 1)
FAIL(commit, COMMIT, 2)
/* clang-format on */

#define CREATED_MAX (4u + NFS3_POST_FH_SIZE + NFS3_POST_OP_SIZE + NFS3_WCC_SIZE)

_Static_assert(CREATED_MAX <= NFS_DRC_REPLY_MAX, "the reply cache takes a CREATE");
_Static_assert(4 + 2 * NFS3_WCC_SIZE <= NFS_DRC_REPLY_MAX, "the reply cache takes a RENAME");

#define ROW(name, bytes, bits)                                                                     \
	{                                                                                          \
#name, nfs3_##name, bytes, bits, fail_##name                                       \
	}

const struct nfs_proc nfs3_procs[NFS3_PROCS] = {
	[NFS3_NULL] = {"null", nfs3_null, 0, 0, NULL},
	[NFS3_GETATTR] = ROW(getattr, 4 + NFS3_FATTR_SIZE, 0),
	[NFS3_SETATTR] = ROW(setattr, 4 + NFS3_WCC_SIZE, NFS_PROC_CACHED),
	[NFS3_LOOKUP] = ROW(lookup, 8 + NFS_HANDLE_SIZE + 2 * NFS3_POST_OP_SIZE, 0),
	[NFS3_ACCESS] = ROW(access, 8 + NFS3_POST_OP_SIZE, 0),
	[NFS3_READLINK] = ROW(readlink, 8 + NFS3_POST_OP_SIZE + DFS_SYMLINK_MAX, 0),
	[NFS3_READ] = ROW(read, 16 + NFS3_POST_OP_SIZE + 4, 0),
	[NFS3_WRITE] = ROW(write, 20 + NFS3_WCC_SIZE, NFS_PROC_DIRECT),
	[NFS3_CREATE] = ROW(create, CREATED_MAX, NFS_PROC_CACHED),
	[NFS3_MKDIR] = ROW(mkdir, CREATED_MAX, NFS_PROC_CACHED),
	[NFS3_SYMLINK] = ROW(symlink, CREATED_MAX, NFS_PROC_CACHED),
	[NFS3_MKNOD] = ROW(mknod, CREATED_MAX, NFS_PROC_CACHED),
	[NFS3_REMOVE] = ROW(remove, 4 + NFS3_WCC_SIZE, NFS_PROC_CACHED),
	[NFS3_RMDIR] = ROW(rmdir, 4 + NFS3_WCC_SIZE, NFS_PROC_CACHED),
	[NFS3_RENAME] = ROW(rename, 4 + 2 * NFS3_WCC_SIZE, NFS_PROC_CACHED),
	[NFS3_LINK] = ROW(link, 4 + NFS3_POST_OP_SIZE + NFS3_WCC_SIZE, NFS_PROC_CACHED),
	[NFS3_READDIR] = ROW(readdir, 4 + NFS3_DIR_MAX, 0),
	[NFS3_READDIRPLUS] = ROW(readdirplus, 4 + NFS3_DIR_MAX, 0),
	[NFS3_FSSTAT] = ROW(fsstat, 4 + NFS3_POST_OP_SIZE + 52, 0),
	[NFS3_FSINFO] = ROW(fsinfo, 4 + NFS3_POST_OP_SIZE + 48, 0),
	[NFS3_PATHCONF] = ROW(pathconf, 4 + NFS3_POST_OP_SIZE + 24, 0),
	[NFS3_COMMIT] = ROW(commit, 12 + NFS3_WCC_SIZE, 0),
};
