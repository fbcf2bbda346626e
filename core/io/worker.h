/* SPDX-License-Identifier: MIT
 *
 * Worker threads for what may block, and lanes that bound how many of them one store can hold.
 *
 * Threads start on demand up to a limit and leave after 10 s idle.  A lane belongs to a store:
 * tasks of a lane start in order, at most `width` at once, so a hung store stalls its own shares
 * only.  Each lane's queue is bounded; a full one refuses.
 */
#ifndef DFS_IO_WORKER_H
#define DFS_IO_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct dfs_workers;
struct dfs_lane;

struct dfs_task {
	void (*run)(struct dfs_task *task); /* on a worker; owns the task's memory from here on */
	struct dfs_task *next;
	int64_t queued_at; /* monotonic ns, set by dfs_lane_submit */
};

/* max_threads 0: four per processor, at least 16, at most 256.  A lane of which nothing runs gets a
 * thread beyond that. */
struct dfs_workers *dfs_workers_new(unsigned max_threads);
/* Every lane is empty and freed; joins the threads. */
void dfs_workers_free(struct dfs_workers *w);

/* width 0: half of the workers, at least 2.  width 1: serial. */
struct dfs_lane *dfs_lane_new(struct dfs_workers *w, unsigned width, unsigned max_queued);
/* Waits until the lane is empty, until deadline (monotonic ns).  False: it is not. */
bool dfs_lane_wait(struct dfs_lane *lane, int64_t deadline);
/* Waits likewise, however long.  NULL is allowed. */
void dfs_lane_free(struct dfs_lane *lane);
/* False when the queue is full (the task was not taken). */
bool dfs_lane_submit(struct dfs_lane *lane, struct dfs_task *task);
/* The same, but a full queue is waited for; false: deadline (monotonic ns). */
bool dfs_lane_submit_until(struct dfs_lane *lane, struct dfs_task *task, int64_t deadline);

#endif
