/* SPDX-License-Identifier: MIT
 *
 * The one place that knows the form of object keys:
 *
 *   {prefix}/{hh}/{content id, 32 hex digits}/chunk-{c}/block-{b}.{version, 16 hex digits}
 *
 * hh: the id's first byte again, so that a directory of a file store has at most 256 entries for
 * files to fan out below.  c = offset / 64 MiB, b = the block of 4 MiB in the chunk, 0..15, both
 * decimal.  Versions grow and are never used twice for a content, so no late put can revert one.
 */
#ifndef DFS_PAYLOAD_KEY_H
#define DFS_PAYLOAD_KEY_H

#include <stdbool.h>
#include <string.h>

#include <dittofs/metadata_store.h>

#include "base/hash.h"

#define DFS_PREFIX_MAX 255
#define DFS_BLOCK_KEY_MAX (DFS_PREFIX_MAX + 96)

/* block: offset / 4 MiB.  key takes DFS_BLOCK_KEY_MAX bytes. */
void dfs_block_key(char *key, const char *prefix, const struct dfs_content_id *content,
		   uint64_t block, uint64_t version);
/* The reverse; false: the key is not of this form. */
bool dfs_block_key_parse(const char *key, const char *prefix, struct dfs_content_id *content,
			 uint64_t *block, uint64_t *version);
/* What all keys of the content begin with, '/' at the end. */
void dfs_block_prefix(char *key, const char *prefix, const struct dfs_content_id *content);

/* For hash tables; the same on one machine only. */
static inline uint64_t
dfs_content_hash(const struct dfs_content_id *content)
{
	uint64_t words[2];

	memcpy(words, content->bytes, sizeof words);
	return dfs_hash_u64(words[0], words[1]);
}

#endif
