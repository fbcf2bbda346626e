/* SPDX-License-Identifier: MIT
 *
 * An open metadata store: the plugin's instance as the core calls it.
 *
 * Enforces the declared thread model: with nonblock, a store that is not NONBLOCKING or TRY
 * answers DFS_AGAIN at begin; SERIAL stores are called under one lock; a store that holds an
 * event loop over 5 ms is demoted to BLOCKING with a warning.
 */
#ifndef DFS_METADATA_STORE_INTERNAL_H
#define DFS_METADATA_STORE_INTERNAL_H

#include <stdbool.h>

#include <dittofs/metadata_store.h>

#include "base/ctx.h"
#include "base/lock.h"
#include "io/watchdog.h"
#include "config/rules.h"

struct dfs_gate;
struct dfs_lane;
struct dfs_plugin_entry;
struct dfs_workers;
struct dfs_writeback;

/* The last truncation, as the record tells it to a replay of the log: slices that were logged up to
 * lsn end at length. */
struct dfs_log_cut {
	uint64_t lsn, length;
};

struct dfs_metadata_store {
	char name[64];
	struct dfs_metadata_ops ops; /* size-limited copy, NULL where absent */
	void *inst;
	uint64_t caps;
	_Atomic uint32_t thread_model; /* enum dfs_thread_model; demotion lowers it */
	struct dfs_gate *gate;         /* NULL when VOLATILE or DURABLE */
	struct dfs_lane *lane;
	_Atomic uint64_t last_seq;   /* highest committed */
	struct dfs_writeback *dirty; /* metadata/writeback.h */
	struct dfs_lock leased_lock;
	struct dfs_namespace *leased; /* guarded by leased_lock: open, with a lease */
	struct dfs_lock serial;       /* SERIAL: held from begin to the end of the transaction */
	struct dfs_watchdog dog;
	_Atomic bool full;         /* at the last look: no free byte */
	_Atomic int64_t looked_at; /* monotonic ns */
	_Atomic unsigned listed;   /* entries that the last reader of a folder had room for */
};

/* Open an instance.  config: the struct that the plugin's table describes, borrowed for the call as
 * name is; host outlives the store; workers NULL: no lane (tests).  dfs_fail_text() explains a
 * failure. */
enum dfs_status dfs_metadata_store_open(const struct dfs_plugin_entry *entry, const char *name,
					const void *config, const struct dfs_host *host,
					struct dfs_workers *workers,
					struct dfs_metadata_store **store);
/* Writes back, syncs and closes.  Every namespace on it is closed. */
void dfs_metadata_store_close(struct dfs_metadata_store *store);
enum dfs_status dfs_metadata_stats(struct dfs_metadata_store *store,
				   struct dfs_metadata_stats *stats);

/* Before an operation that adds.  DFS_NOSPC: nothing is free; DFS_AGAIN: a worker shall look. */
enum dfs_status dfs_metadata_room(struct dfs_metadata_store *store, const struct dfs_ctx *ctx);

/* Begin; DFS_AGAIN by the rule above.  On DFS_OK the caller ends it by commit or abort. */
enum dfs_status dfs_metadata_begin(struct dfs_metadata_store *store, const struct dfs_ctx *ctx,
				   enum dfs_txn_mode mode, struct dfs_txn **txn);
/* Commit; *seq (may be NULL) is the transaction's position. */
enum dfs_status dfs_metadata_commit(struct dfs_metadata_store *store, struct dfs_txn *txn,
				    uint64_t *seq);
/* Leave the ticket that a share of this durability asks for a commit at seq. */
void dfs_metadata_ticket(struct dfs_metadata_store *store, struct dfs_ctx *ctx,
			 enum dfs_durability durability, uint64_t seq);
/* After a try that answered *status: true, a serialisation failure on a worker: wait a little and
 * try again.  False: *status is final; DFS_AGAIN becomes DFS_DELAY when the tries or the deadline
 * are used up, and stays on loops.  *tries begins at 0. */
bool dfs_metadata_again(const struct dfs_ctx *ctx, enum dfs_status *status, unsigned *tries);
/* A write transaction of the server's own: begun, filled by fn, which is called anew with each try, and
 * committed, for as often as the store wants it repeated (within bounds: DFS_DELAY then).  Anything but
 * DFS_OK of fn ends it without a trace.  *seq, which may be NULL: as of dfs_metadata_commit. */
enum dfs_status dfs_metadata_update(struct dfs_metadata_store *store,
				    enum dfs_status (*fn)(void *arg, struct dfs_txn *txn),
				    void *arg, uint64_t *seq);
void dfs_metadata_abort(struct dfs_metadata_store *store, struct dfs_txn *txn);

#endif
