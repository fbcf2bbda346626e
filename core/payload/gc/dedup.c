/* SPDX-License-Identifier: MIT
 *
 * Blocks of equal content become one object, within a share that asks for it.
 *
 * A block that is put is hashed before; an object with that hash is looked up, and its record is asked
 * again in the transaction that publishes the row: only there does the hit count.  Gone by then, the block
 * is put after all.  Nothing remembers hashes beyond that.  A record appears with the transaction that
 * names its object, so a hit is always of an object that is as durable as any.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/log.h"
#include "payload/file.h"

bool
dfs_dedup_hash(const struct dfs_span *spans, uint32_t n, uint8_t hash[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (uint32_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, spans[i].data, spans[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

uint64_t
dfs_dedup_find(const struct dfs_ctx *ctx, struct dfs_payload *payload, const uint8_t hash[32],
	       uint32_t length)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {.size = sizeof rec};
	struct dfs_txn *txn;
	enum dfs_status st = dfs_metadata_begin(metadata, ctx, DFS_TXN_READ, &txn);

	if (st != DFS_OK)
		return 0;
	st = metadata->ops.find_object(metadata->inst, txn, payload->share_id, hash, &rec);
	dfs_metadata_abort(metadata, txn);
	return st == DFS_OK && rec.length == length ? rec.version : 0;
}

enum dfs_status
dfs_dedup_ref(struct dfs_payload *payload, struct dfs_txn *txn, uint64_t version,
	      const uint8_t hash[32], uint32_t length)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {.size = sizeof rec};
	enum dfs_status st =
		metadata->ops.get_object(metadata->inst, txn, payload->share_id, version, &rec);

	if (st != DFS_OK)
		return st;
	if (rec.refs == 0 || rec.length != length || memcmp(rec.hash, hash, sizeof rec.hash) != 0)
		return DFS_NOENT;
	rec.refs++;
	return metadata->ops.put_object(metadata->inst, txn, payload->share_id, &rec);
}

enum dfs_status
dfs_dedup_record(struct dfs_payload *payload, struct dfs_txn *txn,
		 const struct dfs_content_id *content, uint64_t block, uint64_t version,
		 const uint8_t hash[32], uint32_t length)
{
	struct dfs_metadata_store *metadata = payload->metadata;
	struct dfs_object_record rec = {
		.size = sizeof rec,
		.length = length,
		.version = version,
		.content = *content,
		.block = block,
		.refs = 1,
	};

	memcpy(rec.hash, hash, sizeof rec.hash);
	return metadata->ops.put_object(metadata->inst, txn, payload->share_id, &rec);
}
