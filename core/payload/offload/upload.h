/* SPDX-License-Identifier: MIT
 *
 * Puts of one file's flush, side by side: all are started, then each is waited for and, where that
 * is worth it, tried again.
 *
 * One thread uses an upload.  A put that is given up while it runs erases its object by itself
 * should it succeed after all: nobody will name it.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_UPLOAD_H
#define DFS_PAYLOAD_OFFLOAD_UPLOAD_H

#include <dittofs/block_store.h>

#include "payload/offload/offload.h"

#define DFS_UPLOAD_MAX 16

struct dfs_detour;
struct dfs_put;

struct dfs_upload {
	struct dfs_offload *offload;
	struct dfs_content_id content;
	int64_t deadline;  /* monotonic ns, of all of them and their tries */
	unsigned per_file; /* at once for the file; 0: DFS_QUEUE_PER_FILE */
	uint32_t n;
	struct dfs_put *puts[DFS_UPLOAD_MAX]; /* NULL: waited for */
};

/* o NULL: one that is not used.  deadline 0: that of one try. */
void dfs_upload_init(struct dfs_upload *u, struct dfs_offload *o,
		     const struct dfs_content_id *content, int64_t deadline);
/* Start one; its number is u->n before.  detour (NULL: none) gets a reference.  The bytes are kept by
 * reference to their buffers, or copied where a span has none, unless the detour has them.  DFS_DELAY:
 * the store does not serve. */
enum dfs_status dfs_upload_add(struct dfs_upload *u, enum dfs_entry_class class, const char *key,
			       struct dfs_detour *detour, const struct dfs_span *spans, uint32_t n);
/* Its end, once for each; *seq grows to the gate's position of a good one (may be NULL). */
enum dfs_status dfs_upload_wait(struct dfs_upload *u, uint32_t i, uint64_t *seq);

#endif
