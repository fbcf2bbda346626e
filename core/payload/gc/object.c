/* SPDX-License-Identifier: MIT
 *
 * Objects that several rows name: how they come to have a record, one more reference, where they lie.
 */
#include <string.h>

#include "base/log.h"
#include "payload/file.h"

enum dfs_status
dfs_object_owner(const struct dfs_ctx *ctx, struct dfs_payload *payload, uint64_t version,
		 struct dfs_content_id *content, uint64_t *block)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {.size = sizeof rec};
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, ctx, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return st;
	st = metadata->ops.get_object(metadata->inst, txn, payload->share_id, version, &rec);
	dfs_metadata_abort(metadata, txn);
	*content = rec.content;
	*block = rec.block;
	return st;
}

enum dfs_status
dfs_object_share(struct dfs_payload *payload, struct dfs_txn *txn,
		 const struct dfs_content_id *content, uint64_t block, struct dfs_segment *segs,
		 uint32_t n, uint32_t i)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {
		.size = sizeof rec,
		.length = dfs_row_reach(segs, n, segs[i].version),
		.version = segs[i].version,
		.content = *content,
		.block = block,
		.refs = 1,
	};

	for (uint32_t k = 0; k < n; k++)
		if (segs[k].version == rec.version && dfs_segment_in_object(&segs[k]))
			segs[k].flags |= DFS_SEGMENT_SHARED;
	return metadata->ops.put_object(metadata->inst, txn, payload->share_id, &rec);
}

enum dfs_status
dfs_object_get(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version,
	       struct dfs_object_record *rec)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	enum dfs_status st;

	rec->size = sizeof *rec;
	st = metadata->ops.get_object(metadata->inst, txn, payload->share_id, version, rec);
	if (st == DFS_NOENT || (st == DFS_OK && rec->refs == 0))
		return dfs_fail(DFS_CORRUPT,
				"share %s: a row names the shared object %016llx, which has no "
				"record",
				payload->prefix, (unsigned long long)version);
	return st;
}

enum dfs_status
dfs_object_ref(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {0};
	enum dfs_status st = dfs_object_get(payload, txn, version, &rec);

	if (st != DFS_OK)
		return st;
	rec.refs++;
	return metadata->ops.put_object(metadata->inst, txn, payload->share_id, &rec);
}
