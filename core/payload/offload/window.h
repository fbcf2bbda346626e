/* SPDX-License-Identifier: MIT
 *
 * How many calls a store is given at once in one direction: found by goodput, not by latency
 * alone, because what a busy store answers late may still be more in all.
 *
 * Time is cut into rounds of about two calls a slot.  A round that used every slot and moved over
 * 10% more than the best before it makes the window half as large again; one that did not is past the
 * knee, and the window goes back a step and stays.  Errors that mean "too much", and a latency that
 * doubled for less goodput, take 30% off.  A round in which slots were free says nothing: the
 * callers were the limit.  Times are monotonic ns.  No locks: the owner has one.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_WINDOW_H
#define DFS_PAYLOAD_OFFLOAD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

#define DFS_WINDOW_FLOOR 4
#define DFS_WINDOW_FIRST 16
#define DFS_WINDOW_CEILING 64

struct dfs_window {
	unsigned size; /* slots, floor .. ceiling */
	unsigned floor, ceiling;
	unsigned before; /* size before the last growth, 0: it did not come by growth */
	double best;     /* goodput (bytes a ns) at the best size so far */
	double latency;  /* mean of the round that set best, ns */
	int64_t shrunk_at;

	/* The round under way. */
	int64_t began; /* 0: none */
	uint64_t bytes;
	int64_t latencies;
	unsigned calls;
	bool full; /* all slots were used at some time */
};

/* ceiling: at most so many slots, whatever the goodput; small ones lower the floor. */
void dfs_window_init(struct dfs_window *w, unsigned ceiling);
/* A call went out and `running` are out now. */
void dfs_window_begin(struct dfs_window *w, unsigned running, int64_t now);
/* The call that began at `began` ended. */
void dfs_window_end(struct dfs_window *w, enum dfs_status status, uint64_t bytes, int64_t began,
		    int64_t now);

#endif
