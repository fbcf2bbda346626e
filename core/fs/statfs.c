/* SPDX-License-Identifier: MIT */
#include "fs/op.h"
#include "payload/payload.h"

#define UNBOUNDED (UINT64_C(1) << 50) /* what a store without a limit is said to have */
#define FILES_UNBOUNDED (UINT64_C(1) << 40)

static void
at_most(uint64_t *value, uint64_t bound)
{
	if (*value > bound)
		*value = bound;
}

/* What the limits of the share, the caller and the caller's group leave of it. */
static void
take_limits(struct dfs_quota *quota, const struct dfs_identity *id, struct dfs_statfs *st)
{
	struct dfs_quota_room room;

	dfs_quota_room(quota, id->uid, id->gid, &room);
	at_most(&st->bytes_total, room.bytes_total);
	at_most(&st->bytes_free, room.bytes_free);
	at_most(&st->files_total, room.files_total);
	at_most(&st->files_free, room.files_free);
	st->bytes_avail = st->bytes_free;
	st->files_avail = st->files_free;
}

enum dfs_status
dfs_fs_statfs(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_statfs *st,
	      struct dfs_attr *attr)
{
	struct dfs_block_store *blocks = ctx->share->blocks;
	struct dfs_namespace *ns = ctx->share->ns;
	struct dfs_block_stats b = {.size = sizeof b};
	struct dfs_metadata_stats m;
	uint64_t room;
	enum dfs_status status = dfs_fs_getattr(ctx, ref, attr);

	if (status != DFS_OK) {
		attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (ctx->nonblock && !op_memory_speed(ctx))
		return DFS_AGAIN;
	status = dfs_metadata_stats(ns->store, &m);
	if (status == DFS_OK && blocks)
		status = blocks->ops.stats(blocks->inst, &b);
	if (status != DFS_OK)
		return status;
	st->bytes_total = b.bytes_total ? b.bytes_total : UNBOUNDED;
	st->bytes_free = b.bytes_total ? b.bytes_free : UNBOUNDED - b.bytes_used;
	room = dfs_payload_room(ctx->share->payload);
	if (st->bytes_free > room)
		st->bytes_free = room;
	st->bytes_avail = st->bytes_free;
	st->files_total = FILES_UNBOUNDED;
	st->files_free =
		FILES_UNBOUNDED - (m.inodes < FILES_UNBOUNDED ? m.inodes : FILES_UNBOUNDED);
	st->files_avail = st->files_free;
	if (ns->quota)
		take_limits(ns->quota, &ctx->id, st);
	return DFS_OK;
}
