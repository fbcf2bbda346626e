/* SPDX-License-Identifier: MIT
 *
 * An open block store: the plugin's instance as the core calls it, with the thread model enforced
 * as in metadata/store.h.
 */
#ifndef DFS_PAYLOAD_STORE_H
#define DFS_PAYLOAD_STORE_H

#include <dittofs/block_store.h>

#include "base/ctx.h"
#include "base/lock.h"
#include "io/watchdog.h"

struct dfs_gate;
struct dfs_lane;
struct dfs_offload;
struct dfs_plugin_entry;
struct dfs_workers;

struct dfs_block_store {
	char name[64];
	struct dfs_block_ops ops;
	void *inst;
	uint64_t caps;
	_Atomic uint32_t thread_model; /* enum dfs_thread_model */
	struct dfs_gate *gate;         /* NULL when VOLATILE or DURABLE_PUT */
	/* Of a store that is far; NULL: the lane's threads are the server's. */
	struct dfs_workers *own;
	struct dfs_lane *lane;       /* flushes and garbage collection of its shares */
	struct dfs_offload *offload; /* NULL: at memory speed, or no workers */
	_Atomic uint64_t last_seq;   /* counts puts and erases; the gate's sequence */
	struct dfs_lock serial;      /* SERIAL: held for each call */
	struct dfs_watchdog dog;
};

/* Open an instance.  config: the struct that the plugin's table describes, borrowed for the call as
 * name is; host outlives the store; workers NULL: no lane (tests).  dfs_fail_text() explains a
 * failure. */
enum dfs_status dfs_block_store_open(const struct dfs_plugin_entry *entry, const char *name,
				     const void *config, const struct dfs_host *host,
				     struct dfs_workers *workers, struct dfs_block_store **store);
/* Every share on it is closed. */
void dfs_block_store_close(struct dfs_block_store *store);

/* ctx: only nonblock and the deadline are read; NULL: may block, for as long as the offloader's own
 * times say (payload/offload/offload.h).  With an offloader transient failures are tried again, and one
 * that does not end in time is DFS_DELAY. */
enum dfs_status dfs_block_erase(struct dfs_block_store *store, const struct dfs_ctx *ctx,
				const char *key);
/* The store's call itself; ctx NULL: it blocks.  *seq (may be NULL): the gate's position. */
enum dfs_status dfs_block_put_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx,
				     const char *key, const struct dfs_span *spans, uint32_t n,
				     uint64_t *seq);
enum dfs_status dfs_block_get_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx,
				     const char *key, uint64_t offset, uint64_t length,
				     const struct dfs_sink *sink);
enum dfs_status dfs_block_erase_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx,
				       const char *key);
/* The object `from` under the key `to` too; DFS_NOTSUP: the store cannot. */
enum dfs_status dfs_block_copy_direct(struct dfs_block_store *store, const struct dfs_ctx *ctx,
				      const char *from, const char *to, uint64_t *seq);
/* Blocking; n objects, up to 1000.  Not DFS_OK: some of them may be there still. */
enum dfs_status dfs_block_erase_many(struct dfs_block_store *store, const char *const *keys,
				     uint32_t n);
enum dfs_status dfs_block_list(struct dfs_block_store *store, const char *prefix, const char *after,
			       dfs_object_fn fn, void *arg);
enum dfs_status dfs_block_head(struct dfs_block_store *store, const char *key, uint64_t *length);
enum dfs_status dfs_block_erase_prefix(struct dfs_block_store *store, const char *prefix);
enum dfs_status dfs_block_stats(struct dfs_block_store *store, struct dfs_block_stats *stats);
/* Whether a call with nonblock can do anything but answer DFS_AGAIN. */
bool dfs_block_inline(const struct dfs_block_store *store);

#endif
