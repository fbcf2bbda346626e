/* SPDX-License-Identifier: MIT
 *
 * What the NFSv3 procedures share: their numbers, entering a share by a handle, statuses.
 *
 * Every procedure has the same shape: decode all arguments, then answer DFS_INVAL if the reader is
 * bad; enter the share by the handle; call core/fs; pass DFS_AGAIN on; encode status and body.
 * Outputs of core/fs are cleared first, so that an early failure encodes "not known".
 */
#ifndef NFS3_NFS3_H
#define NFS3_NFS3_H

#include "adapters/nfs/access.h"
#include "adapters/nfs/call.h"
#include "adapters/nfs/nfs3/types.h"

enum nfs3_proc_number {
	NFS3_NULL = 0,
	NFS3_GETATTR,
	NFS3_SETATTR,
	NFS3_LOOKUP,
	NFS3_ACCESS,
	NFS3_READLINK,
	NFS3_READ,
	NFS3_WRITE,
	NFS3_CREATE,
	NFS3_MKDIR,
	NFS3_SYMLINK,
	NFS3_MKNOD,
	NFS3_REMOVE,
	NFS3_RMDIR,
	NFS3_RENAME,
	NFS3_LINK,
	NFS3_READDIR,
	NFS3_READDIRPLUS,
	NFS3_FSSTAT,
	NFS3_FSINFO,
	NFS3_PATHCONF,
	NFS3_COMMIT,
	NFS3_PROCS,
};

/* Bytes of one READ or WRITE; rtmax and wtmax of FSINFO. */
#define NFS3_IO_MAX (1u << 20)
/* Bytes of a READDIR or READDIRPLUS result, so that the whole reply fits a 64 KiB buffer. */
#define NFS3_DIR_MAX (65536u - 512u)

/* Enter the share that fh names, under the rules for the peer, and say which file it is.
 * DFS_BADHANDLE, DFS_STALE, DFS_ACCESS. */
static inline enum dfs_status
nfs3_enter(struct nfs_call *call, const struct nfs3_fh *fh, struct dfs_ref *ref)
{
	uint32_t slot;
	enum dfs_status status = nfs_handle_slot(fh->data, fh->len, &slot);

	if (status == DFS_OK)
		status = nfs_call_slot(call, slot);
	if (status == DFS_OK)
		status = nfs_handle_open(call->ctx.share, fh->data, ref);
	return status;
}

/* The second handle of RENAME and LINK, after nfs3_enter.  DFS_XDEV: a good handle of another
 * share. */
enum dfs_status nfs3_enter_second(struct nfs_call *call, const struct nfs3_fh *fh,
				  struct dfs_ref *ref);

/* nfsstat3 for a failure of this procedure: what RFC 1813 lists for it and what its POSIX
 * meaning needs, else the nearest, else NFS3ERR_IO. */
uint32_t nfs3_status(enum nfs3_proc_number proc, enum dfs_status status);

static inline void
nfs3_put_status(struct nfs_call *call, enum nfs3_proc_number proc, enum dfs_status status)
{
	xdr_put_u32(&call->out, status == DFS_OK ? 0 : nfs3_status(proc, status));
}

enum dfs_status nfs3_null(struct nfs_call *call);
enum dfs_status nfs3_getattr(struct nfs_call *call);
enum dfs_status nfs3_setattr(struct nfs_call *call);
enum dfs_status nfs3_lookup(struct nfs_call *call);
enum dfs_status nfs3_access(struct nfs_call *call);
enum dfs_status nfs3_readlink(struct nfs_call *call);
enum dfs_status nfs3_read(struct nfs_call *call);
enum dfs_status nfs3_write(struct nfs_call *call);
enum dfs_status nfs3_create(struct nfs_call *call);
enum dfs_status nfs3_mkdir(struct nfs_call *call);
enum dfs_status nfs3_symlink(struct nfs_call *call);
enum dfs_status nfs3_mknod(struct nfs_call *call);
enum dfs_status nfs3_remove(struct nfs_call *call);
enum dfs_status nfs3_rmdir(struct nfs_call *call);
enum dfs_status nfs3_rename(struct nfs_call *call);
enum dfs_status nfs3_link(struct nfs_call *call);
enum dfs_status nfs3_readdir(struct nfs_call *call);
enum dfs_status nfs3_readdirplus(struct nfs_call *call);
enum dfs_status nfs3_fsstat(struct nfs_call *call);
enum dfs_status nfs3_fsinfo(struct nfs_call *call);
enum dfs_status nfs3_pathconf(struct nfs_call *call);
enum dfs_status nfs3_commit(struct nfs_call *call);

/* The reply of CREATE, MKDIR, SYMLINK and MKNOD. */
void nfs3_put_created(struct nfs_call *call, enum nfs3_proc_number proc, enum dfs_status status,
		      const struct dfs_attr *attr, const struct dfs_wcc *dir_wcc);

#endif
