/* SPDX-License-Identifier: MIT
 *
 * Rows give up objects: references are counted in the transaction that changes the rows, and the last
 * one leaves a record of the dead object.
 */
#include <stdlib.h>

#include "payload/file.h"

static bool
grow(struct dfs_drops *drops)
{
	uint32_t cap = drops->cap ? 2 * drops->cap : 8;
	struct dfs_drop *list = realloc(drops->list, cap * sizeof *list);

	if (!list)
		return false;
	drops->list = list;
	drops->cap = cap;
	return true;
}

void
dfs_drops_add(struct dfs_drops *drops, const struct dfs_content_id *content, uint64_t block,
	      const struct dfs_segment *old, uint32_t n_old, const struct dfs_segment *now,
	      uint32_t n_now)
{
	for (uint32_t i = 0; i < n_old; i++) {
		if (!dfs_segment_in_object(&old[i]) || dfs_row_has(old, i, old[i].version) ||
		    dfs_row_has(now, n_now, old[i].version))
			continue;
		if (drops->n == drops->cap && !grow(drops)) {
			drops->no_memory = true;
			return;
		}
		drops->list[drops->n++] = (struct dfs_drop){
			.content = *content,
			.block = block,
			.version = old[i].version,
			.shared = old[i].flags & DFS_SEGMENT_SHARED,
		};
	}
}

void
dfs_drops_free(struct dfs_drops *drops)
{
	free(drops->list);
	*drops = (struct dfs_drops){0};
}

enum dfs_status
dfs_object_put_dead(struct dfs_payload *payload, struct dfs_txn *txn, int64_t at,
		    const struct dfs_content_id *content, uint64_t block, uint64_t version)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	const struct dfs_dead_record rec = {
		.size = sizeof rec,
		.at = (uint64_t)at,
		.content = *content,
		.block = block,
		.version = version,
	};

	return metadata->ops.put_dead(metadata->inst, txn, payload->share_id, &rec);
}

/* One reference less to an object with a record; *last: that was all, and the record is gone. */
static enum dfs_status
release(struct dfs_payload *payload, struct dfs_txn *txn, const struct dfs_drop *drop,
	struct dfs_object_record *rec, bool *last)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	enum dfs_status st = dfs_object_get(payload, txn, drop->version, rec);

	*last = false;
	if (st != DFS_OK)
		return st;
	if (--rec->refs > 0)
		return metadata->ops.put_object(metadata->inst, txn, payload->share_id, rec);
	*last = true;
	return metadata->ops.del_object(metadata->inst, txn, payload->share_id, drop->version);
}

enum dfs_status
dfs_drops_apply(struct dfs_payload *payload, struct dfs_txn *txn, const struct dfs_drops *drops,
		struct dfs_garbage **garbage)
{
	int64_t now = dfs_clock_real();

	if (drops->no_memory)
		return DFS_DELAY;
	for (uint32_t i = 0; i < drops->n; i++) {
		const struct dfs_drop *drop = &drops->list[i];
		struct dfs_object_record rec = {.content = drop->content, .block = drop->block};
		enum dfs_status st = DFS_OK;
		bool last = true;

		if (drop->shared)
			st = release(payload, txn, drop, &rec, &last);
		if (st == DFS_OK && last && payload->gc.records)
			st = dfs_object_put_dead(payload, txn, now, &rec.content, rec.block,
						 drop->version);
		else if (st == DFS_OK && last)
			*garbage =
				dfs_garbage_add(*garbage, &rec.content, rec.block, drop->version);
		if (st != DFS_OK)
			return st;
	}
	return DFS_OK;
}
