/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/handle.h"
#include "adapters/nfs/mount/mount.h"
#include "runtime/runtime.h"

#define AUTH_NONE_FLAVOR 0u
#define AUTH_SYS_FLAVOR 1u

static bool
squashes_all(const struct nfs_call *call)
{
	struct dfs_client_rule rule;

	return dfs_share_match(call->ctx.share, &call->access->peer.sa, &rule) &&
	       rule.squash == DFS_SQUASH_ALL;
}

/* Find the directory and make its handle; call->ctx.share is set when the share was found. */
static enum dfs_status
resolve(struct nfs_call *call, const char *path, unsigned char handle[NFS_HANDLE_SIZE])
{
	struct dfs_share *share;
	struct dfs_attr attr;
	const char *rest;
	enum dfs_status status;

	share = dfs_runtime_share_by_path(call->access->service->runtime, path, &rest);
	if (!share)
		return DFS_NOENT;
	status = nfs_call_share(call, share);
	dfs_share_unref(share);
	if (status == DFS_OK)
		status = dfs_fs_resolve(&call->ctx, rest, &attr);
	if (status == DFS_OK && attr.type != DFS_TYPE_DIR)
		status = DFS_NOTDIR;
	if (status == DFS_OK)
		nfs_handle_make(call->ctx.share, attr.fileid, attr.generation, handle);
	return status;
}

/* RFC 1813 5.2.1.  The list of flavours is in order of preference and never empty, which some
 * clients take for an error. */
enum dfs_status
mount3_mnt(struct nfs_call *call)
{
	unsigned char handle[NFS_HANDLE_SIZE];
	char path[MOUNT3_PATH_MAX + 1], host[INET6_ADDRSTRLEN];
	const unsigned char *bytes;
	bool anonymous;
	uint32_t len;
	enum dfs_status status;

	bytes = xdr_opaque(&call->args, UINT32_MAX, &len);
	if (call->args.bad)
		return DFS_INVAL;
	status = mount3_path(bytes, len, path);
	if (status == DFS_OK)
		status = resolve(call, path, handle);
	if (status == DFS_AGAIN)
		return status;
	xdr_put_u32(&call->out, mount3_status(status));
	if (status != DFS_OK)
		return DFS_OK;
	mount3_peer(call->access, host);
	nfs_mounts_add(call->access->service->mounts, host, path);
	anonymous = squashes_all(call);
	xdr_put_opaque(&call->out, handle, sizeof handle);
	xdr_put_u32(&call->out, anonymous ? 2 : 1);
	xdr_put_u32(&call->out, AUTH_SYS_FLAVOR);
	if (anonymous)
		xdr_put_u32(&call->out, AUTH_NONE_FLAVOR);
	return DFS_OK;
}
