/* SPDX-License-Identifier: MIT
 *
 * The runtime: named stores, shares, adapters and the server's life cycle behind one entry point.
 *
 * Built from one checked configuration; everything is opened in order (stores, shares,
 * adapters) and closed in reverse.  The main thread calls all of this; adapters call the look-ups
 * from any thread.
 */
#ifndef DFS_RUNTIME_RUNTIME_H
#define DFS_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/host.h>

#include "fs/share.h"

struct dfs_config; /* core/config: a parsed and checked file */
struct dfs_runtime;
struct dfs_workers;

/* Takes config over; the registry that it was read with outlives the runtime. */
struct dfs_runtime *dfs_runtime_new(struct dfs_config *config);
/* Take the lock on state_dir, open stores and shares, create adapters; nothing listens yet.  take_over
 * (NULL: none): names of shares to take from whichever server has them.  False: *error (g_free) says
 * why; free the runtime. */
bool dfs_runtime_open(struct dfs_runtime *rt, const char *const *take_over, char **error);
/* Adapters bind and serve.  False: one could not, *error (g_free) says why; free the runtime. */
bool dfs_runtime_start(struct dfs_runtime *rt, char **error);
/* Shares, client rules and RELOADABLE options as in config; validates all, then applies.  Shares
 * that left are drained and closed.  True: config is taken over.  False: nothing has changed,
 * *error (g_free) says why. */
bool dfs_runtime_reload(struct dfs_runtime *rt, struct dfs_config *config, char **error);
/* Stop adapters (drain until deadline, monotonic ns), flush, close; also what was not opened or started
 * altogether.  Ends in bounded time whatever stores do.  False: some dirty data could not be written, or
 * requests or stores do not end (logged); what they use is left as it is, and the process should end
 * without further ado. */
bool dfs_runtime_free(struct dfs_runtime *rt, int64_t deadline);

/* A referenced share, NULL: none.  by_slot: the low 32 bits of its uuid, as in handles.
 * by_path: the longest share path that is a prefix of path at a '/' boundary; *rest: what
 * follows. */
struct dfs_share *dfs_runtime_share_by_slot(struct dfs_runtime *rt, uint32_t slot);
struct dfs_share *dfs_runtime_share_by_path(struct dfs_runtime *rt, const char *path,
					    const char **rest);
/* Visit all; the share is borrowed for the call. */
void dfs_runtime_each_share(struct dfs_runtime *rt, void (*fn)(void *arg, struct dfs_share *share),
			    void *arg);
/* Visit those that were taken out and are still in use.  Main thread. */
void dfs_runtime_each_leaving(struct dfs_runtime *rt,
			      void (*fn)(void *arg, struct dfs_share *share), void *arg);
/* Grows with each change of shares or rules: adapters cache decisions against it. */
uint64_t dfs_runtime_epoch(const struct dfs_runtime *rt);

struct dfs_workers *dfs_runtime_workers(struct dfs_runtime *rt);
/* The folder for what must outlive the server and belongs to no store; locked against other
 * servers.  Adapters keep files of their own names there.  Valid until the next reload. */
const char *dfs_runtime_state_dir(const struct dfs_runtime *rt);
/* Event loops that an adapter shall start (server.threads). */
unsigned dfs_runtime_loops(const struct dfs_runtime *rt);

/* Bring the gauges among the counters (base/counter.h) up to date. */
void dfs_runtime_metrics(struct dfs_runtime *rt);

#endif
