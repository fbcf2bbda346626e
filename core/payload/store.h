/* SPDX-License-Identifier: MIT
 *
 * An open block store: the plugin's instance as the core calls it, with the thread model enforced
 * as in metadata/store.h.
 */
#ifndef DFS_PAYLOAD_STORE_H
#define DFS_PAYLOAD_STORE_H

#include <dittofs/block_store.h>

#include "base/ctx.h"

struct dfs_gate;
struct dfs_lane;

struct dfs_block_store {
	char name[64];
	struct dfs_block_ops ops;
	void *inst;
	uint64_t caps;
	_Atomic uint32_t thread_model; /* enum dfs_thread_model */
	struct dfs_gate *gate;         /* NULL when VOLATILE or DURABLE_PUT */
	struct dfs_lane *lane;
	_Atomic uint64_t last_seq;     /* counts puts and erases; the gate's sequence */
};

enum dfs_status dfs_block_put(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key,
                              const struct dfs_span *spans, uint32_t n, uint64_t *seq);
enum dfs_status dfs_block_get(struct dfs_block_store *store, const struct dfs_ctx *ctx, const char *key,
                              uint64_t offset, uint64_t length, const struct dfs_sink *sink);
enum dfs_status dfs_block_erase(struct dfs_block_store *store, const struct dfs_ctx *ctx,
                                const char *key);

#endif
