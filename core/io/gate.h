/* SPDX-License-Identifier: MIT
 *
 * A gate tells how far a sequence of changes is durable, and lets hundreds of replies wait for
 * one sync without a thread each (group commit, after DeWitt et al. 1984).
 *
 * One gate and one thread for each metadata store and each block store.  The owner's sync function
 * runs on the gate's thread; while it runs, new waiters gather for the next round.
 * A failed sync fails the waiters of that round and every later one, until the gate is replaced, unless
 * its owner can try again (dfs_gate_retry, dfs_gate_spare).  One that answers DFS_DELAY has failed nothing:
 * what it was to make durable is out of reach for now, its waiters go on waiting, and it is called again.
 */
#ifndef DFS_IO_GATE_H
#define DFS_IO_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

struct dfs_gate;

struct dfs_gate_waiter {
	/* Called once, on the gate's thread, when durable (DFS_OK) or failed.  Must not block. */
	void (*done)(struct dfs_gate_waiter *w, enum dfs_status status);
	uint64_t seq;
	uint32_t level;
	struct dfs_gate_waiter *next;
};

/* Make everything up to seq durable at level and set *durable to the position reached (>= seq).
 * level: the highest that any waiter of the round asks for.  DFS_DELAY, after having waited some time
 * for it: not reachable yet. */
typedef enum dfs_status (*dfs_gate_sync_fn)(void *arg, uint64_t seq, uint32_t level,
					    uint64_t *durable);

/* name: for logs and the thread's name, borrowed. */
struct dfs_gate *dfs_gate_new(const char *name, dfs_gate_sync_fn sync, void *arg);
/* A failed sync fails its round only; the next one tries again.  For an owner that writes all of its
 * state anew each time, so that what an earlier round left behind does not matter.  Before the
 * first waiter. */
void dfs_gate_retry(struct dfs_gate *gate);
/* For the sync function, of the call that it is in: it fails before anything was lost, and has said so
 * itself.  Its round alone is told. */
void dfs_gate_spare(struct dfs_gate *gate);
/* Runs what waits, once, then ends the thread. */
void dfs_gate_free(struct dfs_gate *gate);

/* True when seq is durable at level already (no lock taken). */
bool dfs_gate_passed(const struct dfs_gate *gate, uint64_t seq, uint32_t level);
/* Queue w (its seq, level and done set by the caller; memory stays the caller's until done). */
void dfs_gate_wait(struct dfs_gate *gate, struct dfs_gate_waiter *w);
/* Block until durable (DFS_OK), failed (the sync's status) or the deadline (monotonic ns):
 * DFS_TIMEDOUT.  DFS_NOMEM: not asked. */
enum dfs_status dfs_gate_wait_sync(struct dfs_gate *gate, uint64_t seq, uint32_t level,
				   int64_t deadline);

#endif
