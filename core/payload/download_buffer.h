/* SPDX-License-Identifier: MIT
 *
 * The landing zone of downloads that nobody has asked for yet: pages wait here for their first
 * reader, who takes them into the cache; what nobody takes expires, and the cache's order never
 * hears of it.
 *
 * The key has the object's version in it, so what was downloaded of an old version is not found any
 * more once a block has another.  Values are references to immutable pages: an entry may expire
 * while its bytes are being used.  Bounded in bytes.  Any thread; locks: a shard's, innermost.
 */
#ifndef DFS_PAYLOAD_DOWNLOAD_BUFFER_H
#define DFS_PAYLOAD_DOWNLOAD_BUFFER_H

#include <string.h>

#include <dittofs/metadata_store.h>

#include "payload/landing.h"

#define DFS_DOWNLOAD_TICK (3 * INT64_C(1000000000))
#define DFS_DOWNLOAD_EXPIRE (20 * INT64_C(1000000000))

struct dfs_download_buffer;

struct dfs_download_key {
	struct dfs_content_id content;
	uint64_t block;
	uint64_t counter; /* never used twice for a content: the object's version */
};

static inline bool
dfs_download_key_same(const struct dfs_download_key *a, const struct dfs_download_key *b)
{
	return a->block == b->block && a->counter == b->counter &&
	       memcmp(&a->content, &b->content, sizeof a->content) == 0;
}

struct dfs_download_options {
	int64_t tick, expire;   /* ns: how often is looked, how long an entry lives unused; > 0 */
	uint64_t budget;        /* bytes */
	int64_t (*clock)(void); /* monotonic ns; NULL: the machine's, and a thread that sweeps */
	/* Bytes come and go; NULL: nobody counts.  Called with a shard's lock. */
	void (*account)(void *arg, int64_t bytes);
	void *arg;
};

/* One reference; NULL: no memory, or a duration that is not positive. */
struct dfs_download_buffer *dfs_download_buffer_new(const struct dfs_download_options *options);
struct dfs_download_buffer *dfs_download_buffer_ref(struct dfs_download_buffer *b);
void dfs_download_buffer_unref(struct dfs_download_buffer *b);
/* Drop everything, take nothing more, end the sweeper.  Again: nothing happens. */
void dfs_download_buffer_done(struct dfs_download_buffer *b);

/* Store, in the place of an entry with the same key; keeps a reference of its own.  False: no room,
 * or done. */
bool dfs_download_buffer_set(struct dfs_download_buffer *b, const struct dfs_download_key *key,
			     struct dfs_pages *pages);
/* A reference, and a longer life; NULL: not there. */
struct dfs_pages *dfs_download_buffer_get(struct dfs_download_buffer *b,
					  const struct dfs_download_key *key);
/* Get and delete: of many at once one gets it. */
struct dfs_pages *dfs_download_buffer_fetch_and_delete(struct dfs_download_buffer *b,
						       const struct dfs_download_key *key);
bool dfs_download_buffer_delete(struct dfs_download_buffer *b, const struct dfs_download_key *key);
size_t dfs_download_buffer_len(struct dfs_download_buffer *b);
uint64_t dfs_download_buffer_bytes(const struct dfs_download_buffer *b);
uint64_t dfs_download_buffer_budget(const struct dfs_download_buffer *b);
/* Drop what has expired: the sweeper's work. */
void dfs_download_buffer_sweep(struct dfs_download_buffer *b);
/* A number that grows when an entry of the content (or of a few others) expires unread,
 * or finds no room. */
uint32_t dfs_download_buffer_wasted(const struct dfs_download_buffer *b,
				    const struct dfs_content_id *content);

#endif
