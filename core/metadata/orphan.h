/* SPDX-License-Identifier: MIT
 *
 * Reclaiming the content of files whose last name is gone.
 *
 * The transaction that removes the name also puts an orphan record; once that is durable the
 * content's objects are deleted, and then the record.  What a crash interrupts is found again by
 * the sweep at start.  Runs in bounded pieces on the share's lane.
 */
#ifndef DFS_METADATA_ORPHAN_H
#define DFS_METADATA_ORPHAN_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "base/lock.h"
#include "io/worker.h"

struct dfs_namespace;

struct dfs_orphan {
	uint64_t fileid, seq;
	struct dfs_content_id content;
};

struct dfs_orphans {
	struct dfs_lock lock;
	struct dfs_orphan *list; /* guarded by lock, as the rest */
	uint32_t n, cap;
	bool running, stopping;
	bool sweep; /* look into the store, too: at start, and when the list was full */
	struct dfs_lane *lane;
	uint32_t level; /* enum dfs_sync_level of an unlink before its content goes; 0: none */
	struct dfs_task task;
};

/* lane NULL: content is reclaimed by dfs_orphans_run only (tests).  Begins with a sweep. */
void dfs_orphans_start(struct dfs_namespace *ns, struct dfs_lane *lane, uint32_t level);
/* Nothing new is begun; the lane may be freed after this. */
void dfs_orphans_stop(struct dfs_namespace *ns);
/* The unlink committed; its record is in the store unless the namespace has no_orphans. */
void dfs_orphan_queue(struct dfs_namespace *ns, uint64_t fileid,
		      const struct dfs_content_id *content);
/* Work off what is queued; blocking.  For tests and for the lane's task. */
void dfs_orphans_run(struct dfs_namespace *ns);

#endif
