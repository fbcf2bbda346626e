/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/dirlist.h"

/* RFC 1813 3.3.17. */
enum dfs_status
nfs3_readdirplus(struct nfs_call *call)
{
	struct nfs3_dirlist list = {.call = call, .proc = NFS3_READDIRPLUS, .plus = true};
	struct nfs3_fh dir;

	nfs3_get_fh(&call->args, &dir);
	list.cookie = xdr_u64(&call->args);
	xdr_u64(&call->args); /* cookieverf */
	list.names = xdr_u32(&call->args);
	list.maximum = xdr_u32(&call->args);
	if (call->args.bad)
		return DFS_INVAL;
	return nfs3_dirlist_run(&list, &dir);
}
