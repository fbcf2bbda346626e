/* SPDX-License-Identifier: MIT
 *
 * A share takes over what the log has of it: slices of files that exist, but for what a truncation
 * made void, and the length and times that came with them.
 */
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "fs/op.h"
#include "fs/replay.h"
#include "payload/metrics.h"
#include "payload/payload.h"

struct replay {
	struct dfs_ctx ctx;
	uint64_t bytes, gone; /* taken; of files that are no more */
};

/* The inode that the slices are of, or NULL with *status DFS_OK: it is no more. */
static struct dfs_inode *
owner_of(struct replay *replay, const struct dfs_recovered_slice *slice, enum dfs_status *status)
{
	struct dfs_inode *inode = NULL;

	*status = dfs_inode_get(&replay->ctx, replay->ctx.share->ns, slice->fileid, &inode);
	if (*status == DFS_NOENT)
		*status = DFS_OK;
	/* An id that was given twice, after the store came back from an older copy. */
	if (inode && (inode->type != DFS_TYPE_REG ||
		      memcmp(&inode->content, &slice->content, sizeof slice->content) != 0)) {
		dfs_inode_unref(inode);
		inode = NULL;
	}
	return inode;
}

/* What the write did to the attributes, as far as the record does not know. */
static void
take_attr(struct dfs_attr *attr, const struct dfs_log_cut *cut,
	  const struct dfs_recovered_slice *slice)
{
	if (!slice->change)
		return; /* a copy of bytes that other slices told of */
	if (slice->lsn > cut->lsn && slice->length > attr->length)
		attr->length = slice->length;
	if (slice->change <= attr->change)
		return;
	attr->change = slice->change;
	attr->mtime = slice->mtime;
	if (slice->mtime > attr->ctime)
		attr->ctime = slice->mtime;
	/* Who wrote is not known any more. */
	attr->mode = dfs_mode_without_suid(attr->mode);
}

static enum dfs_status
replay_content(void *arg, const struct dfs_recovered_slice *slices, uint32_t n)
{
	struct replay *replay = arg;
	/* Up to there they were given up at an earlier opening, and still lie in a segment that others hold. */
	uint64_t begin = replay->ctx.share->ns->lease.lsn;
	INODE_REF inode = NULL;
	struct dfs_inode_image image;
	struct dfs_attr attr;
	struct dfs_file *file;
	enum dfs_status status;

	dfs_payload_suspect(replay->ctx.share->payload, &slices[0].content);
	inode = owner_of(replay, &slices[0], &status);
	if (!inode) {
		replay->gone += n;
		return status;
	}
	dfs_inode_image(inode, &image);
	attr = image.attr;
	file = op_file(&replay->ctx, inode);
	if (!file)
		return dfs_fail(DFS_NOMEM, "no memory for what the log holds");
	for (uint32_t i = 0; i < n; i++)
		if (slices[i].lsn > begin)
			take_attr(&attr, &image.cut, &slices[i]);
	/* First, as for a write: a flush that begins in between publishes these. */
	dfs_inode_publish(inode, &attr, DFS_PUBLISH_CONTENT | DFS_PUBLISH_LAZY);
	for (uint32_t i = 0; i < n; i++) {
		const struct dfs_recovered_slice *s = &slices[i];
		uint64_t len = s->len;

		if (s->lsn <= begin)
			continue;
		if (s->lsn <= image.cut.lsn) {
			if (s->offset >= image.cut.length)
				continue;
			if (len > image.cut.length - s->offset)
				len = image.cut.length - s->offset;
		}
		if (s->damaged)
			dfs_log(DFS_LOG_ERROR,
				"share %s: file %llu: %llu acknowledged bytes at %llu are damaged "
				"in the log; reading them fails",
				replay->ctx.share->name, (unsigned long long)s->fileid,
				(unsigned long long)len, (unsigned long long)s->offset);
		status = dfs_file_replay(&replay->ctx, file, s->lsn, s->offset, (uint32_t)len,
					 s->at, s->damaged);
		if (status != DFS_OK)
			return status;
		replay->bytes += len;
		DFS_FAILPOINT("replay-slice");
	}
	dfs_inode_publish(inode, &attr, DFS_PUBLISH_CONTENT | DFS_PUBLISH_USED);
	return DFS_OK;
}

struct given_up {
	/* Up to there all is in the stores, though a segment that others hold has it, too. */
	uint64_t returned;
	uint64_t n;
};

static enum dfs_status
count_given_up(void *arg, const struct dfs_recovered_slice *slices, uint32_t n)
{
	struct given_up *g = arg;

	for (uint32_t i = 0; i < n; i++)
		g->n += slices[i].lsn > g->returned;
	return DFS_OK;
}

/* Whoever had the share since then has gone on without them. */
static enum dfs_status
give_up(struct dfs_share *share, struct dfs_recovered *recovered)
{
	struct given_up g = {.returned = share->ns->lease.returned};
	enum dfs_status status = dfs_recovered_take(recovered, share->uuid, count_given_up, &g);

	if (g.n)
		dfs_log(DFS_LOG_ERROR,
			"share %s: %llu slices that only this log had are given up: another server "
			"has taken the share over since, or its metadata store was put back to an "
			"earlier state",
			share->name, (unsigned long long)g.n);
	share->ns->log_settled = status == DFS_OK;
	return status;
}

enum dfs_status
dfs_share_replay(struct dfs_share *share, struct dfs_recovered *recovered)
{
	struct replay replay = {.ctx = {.share = share, .deadline = INT64_MAX}};
	enum dfs_status status;

	if (!share->ns->lease.same)
		return give_up(share, recovered);
	dfs_payload_replaying(share->payload, true);
	status = dfs_recovered_take(recovered, share->uuid, replay_content, &replay);
	dfs_payload_replaying(share->payload, false);

	if (status != DFS_OK)
		return status;
	share->ns->log_settled = true;
	dfs_counter_add(dfs_payload_metrics()->replay_bytes, (int64_t)replay.bytes);
	dfs_counter_add(dfs_payload_metrics()->replay_orphans, (int64_t)replay.gone);
	if (replay.bytes || replay.gone)
		dfs_log(DFS_LOG_INFO,
			"share %s: %llu bytes taken over from the log; %llu slices were of files "
			"that are gone",
			share->name, (unsigned long long)replay.bytes,
			(unsigned long long)replay.gone);
	return DFS_OK;
}
