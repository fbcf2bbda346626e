/* SPDX-License-Identifier: MIT
 *
 * What the RPC layer asks of core/fs, without core/fs: shares that are counted, and pages.
 */

#include "adapters/nfs/rpc/test-doubles.h"
#include "base/buf.h"

_Atomic int test_write_status;

struct dfs_share *
dfs_share_ref(struct dfs_share *share)
{
	atomic_fetch_add(&share->refs, 1);
	return share;
}

void
dfs_share_unref(struct dfs_share *share)
{
	atomic_fetch_sub(&share->refs, 1);
}

bool
dfs_share_match(struct dfs_share *share, const struct sockaddr *peer, struct dfs_client_rule *rule)
{
	return false;
}

enum dfs_status
dfs_fs_write_reserve(uint64_t offset, uint32_t len, struct dfs_write *w)
{
	if (test_write_status != DFS_OK)
		return (enum dfs_status)test_write_status;
	w->offset = offset;
	w->len = len;
	w->n = 0;
	while (len > 0) {
		uint32_t n = len < DFS_PAGE_SIZE ? len : DFS_PAGE_SIZE;
		w->bufs[w->n] = dfs_buf_alloc(n);
		w->iov[w->n] = (struct iovec){w->bufs[w->n]->data, n};
		w->n++;
		len -= n;
	}
	return DFS_OK;
}

void
dfs_fs_write_cancel(struct dfs_write *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		dfs_buf_unref(w->bufs[i]);
	w->n = 0;
}
