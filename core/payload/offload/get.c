/* SPDX-License-Identifier: MIT
 *
 * A single GET into the caller's sink: through pages of the offloader's own, for the caller may leave
 * before it ends.
 */
#include <stdlib.h>

#include "payload/offload/download.h"

enum dfs_status
dfs_offload_get(struct dfs_offload *o, const struct dfs_ctx *ctx, const char *key, uint64_t offset,
		uint64_t length, const struct dfs_sink *sink)
{
	int64_t deadline = dfs_offload_deadline(o, ctx);
	struct dfs_content_id flow = dfs_offload_flow(key);
	enum dfs_status st;

	if (length == 0 || length > DFS_OBJECT_MAX || offset > DFS_OBJECT_MAX - length)
		return DFS_INVAL;
	for (unsigned tries = 1;; tries++) {
		struct dfs_download *d = dfs_download_new(o, DFS_DEMAND_GET, key, (uint32_t)offset,
							  (uint32_t)length, 0);

		if (!d)
			return DFS_DELAY;
		st = dfs_transfer_start(&d->t, &flow);
		if (st == DFS_OK)
			st = dfs_transfer_wait(&d->t, deadline,
					       o->times.demand / DFS_OFFLOAD_TRIES);
		if (st == DFS_OK &&
		    !dfs_pages_deliver(d->pages, (uint32_t)offset, (uint32_t)length, sink))
			st = DFS_NOMEM;
		dfs_transfer_unref(&d->t);
		if (st == DFS_OK) {
			dfs_offload_good(o, tries > 1);
			return DFS_OK;
		}
		if (!dfs_offload_again(o, st, tries, deadline))
			return st == DFS_NOMEM ? DFS_DELAY : dfs_offload_status(st);
	}
}
