/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/dirlist.h"

/* RFC 1813 3.3.16. */
enum dfs_status
nfs3_readdir(struct nfs_call *call)
{
	struct nfs3_dirlist list = {.call = call, .proc = NFS3_READDIR, .names = UINT32_MAX};
	struct nfs3_fh dir;

	nfs3_get_fh(&call->args, &dir);
	list.cookie = xdr_u64(&call->args);
	xdr_u64(&call->args); /* cookieverf */
	list.maximum = xdr_u32(&call->args);
	if (call->args.bad)
		return DFS_INVAL;
	return nfs3_dirlist_run(&list, &dir);
}
