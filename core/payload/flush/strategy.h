/* SPDX-License-Identifier: MIT
 *
 * How a flush brings an object to its final key.
 *
 * As a rule by one put: keys are never used twice, so an object that nothing names yet is temporary
 * by itself.  A share may want a detour instead: through a file of a local folder, or through a
 * temporary key of the store.  A detour that cannot be taken is left out, for what it promises is
 * comfort, not safety; what the end of the process leaves on one is removed when the share is opened
 * again.
 */
#ifndef DFS_PAYLOAD_FLUSH_STRATEGY_H
#define DFS_PAYLOAD_FLUSH_STRATEGY_H

#include <pthread.h>

#include "config/rules.h"
#include "io/worker.h"
#include "payload/key.h"
#include "payload/store.h"

#define DFS_TEMP_PREFIX_MAX 64 /* bytes of temp_prefix */

struct dfs_payload;
struct dfs_detour;

/* Part of struct dfs_payload; constant once it is started but for what mu guards. */
struct dfs_strategy {
	enum dfs_flush_strategy kind;
	uint64_t threshold;   /* bytes of a flush that is hybrid */
	unsigned concurrency; /* puts of a file at once */
	/* What temporary keys begin with, '/' at the end. */
	char temp[DFS_PREFIX_MAX + DFS_TEMP_PREFIX_MAX + 3];
	char *folder;        /* of local files; NULL: none */
	char label[34];      /* what their names begin with */
	_Atomic bool failed; /* the last local file did: said once */

	struct dfs_task task; /* erases temporary objects of earlier runs */
	pthread_mutex_t mu;
	pthread_cond_t ended;
	bool cleaning; /* guarded by mu */
};

/* False: no memory. */
bool dfs_strategy_init(struct dfs_payload *payload, const struct dfs_flush_options *options);
/* Make the folder, and remove what the last run has left: files now, objects on a worker. */
enum dfs_status dfs_strategy_start(struct dfs_payload *payload);
/* Wait for the worker; false: deadline (monotonic ns). */
bool dfs_strategy_stop(struct dfs_payload *payload, int64_t deadline);
void dfs_strategy_destroy(struct dfs_payload *payload);

/* Begin to put an object; how: not DFS_STRATEGY_HYBRID.  *detour: one reference; NULL: none is taken.
 * A local file is written here, and the spans are of no more use.  DFS_AGAIN (nonblock): it would
 * be. */
enum dfs_status dfs_detour_begin(struct dfs_payload *payload, const struct dfs_ctx *ctx,
				 enum dfs_flush_strategy how, uint64_t version,
				 const struct dfs_span *spans, uint32_t n,
				 struct dfs_detour **detour);
struct dfs_detour *dfs_detour_ref(struct dfs_detour *detour); /* NULL is allowed, here and below */
void dfs_detour_unref(struct dfs_detour *detour);
/* Bytes that it has itself, 0: it needs the spans. */
uint64_t dfs_detour_staged(const struct dfs_detour *detour);
/* The put, whichever way; may be tried again. */
enum dfs_status dfs_detour_put(struct dfs_detour *detour, struct dfs_block_store *store,
			       const struct dfs_ctx *ctx, const char *key,
			       const struct dfs_span *spans, uint32_t n, uint64_t *seq);

#endif
