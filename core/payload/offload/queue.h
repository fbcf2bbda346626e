/* SPDX-License-Identifier: MIT
 *
 * What waits for a block store, and what goes next.
 *
 * An entry has a class (its priority) and a flow, the file that it belongs to.  Classes are served
 * strictly in order; inside one the files that have entries take turns, and a file's entries go by
 * age.  A file holds a few slots of a direction at most.  Uploads rank below reads until unwritten
 * data piles up: from half of the limit on they get a quarter of the slots, from nine tenths on
 * half of them.  What has waited for 10 s goes first, whatever its class.
 *
 * No locks and no clock: the owner has both.  Entries are the caller's memory.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_QUEUE_H
#define DFS_PAYLOAD_OFFLOAD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/metadata_store.h>

#include "base/clock.h"

enum dfs_entry_class {
	DFS_DEMAND_GET = 0,   /* somebody waits for the bytes */
	DFS_FINALIZE_PUT = 1, /* somebody waits until it is stored */
	DFS_PREFETCH_GET = 2, /* somebody may ask for the bytes */
	DFS_COMPLETE_PUT = 3, /* a block that is written to its end */
	DFS_AGED_PUT = 4,     /* unwritten for too long */
	DFS_COMPACT = 5,      /* erasing, merging */
	DFS_ENTRY_CLASSES = 6,
};

enum dfs_direction { DFS_DOWN = 0, DFS_UP = 1 };

#define DFS_QUEUE_PER_FILE 4
#define DFS_QUEUE_OVERDUE (10 * DFS_SECOND)

struct dfs_flow;

struct dfs_entry {
	struct dfs_flow *flow; /* NULL: neither queued nor running */
	struct dfs_entry *flow_prev, *flow_next;
	struct dfs_entry *age_prev, *age_next;
	int64_t queued_at; /* monotonic ns */
	enum dfs_entry_class class;
	bool running;
	bool free_running; /* the file's limit does not apply */
	unsigned per_file; /* instead of the queue's limit; 0: that */
};

struct dfs_queue {
	unsigned per_file[2]; /* slots of a file, by direction */
	unsigned size[2];     /* slots by direction: the windows */
	unsigned total;       /* slots in all */
	/* How full of unwritten data, 0 to 1; NULL: 0. */
	double (*level)(void *arg);
	void *level_arg;

	unsigned running[2], queued[DFS_ENTRY_CLASSES];
	struct dfs_flow *ring[DFS_ENTRY_CLASSES]; /* the file whose turn it is */
	struct dfs_entry *oldest[DFS_ENTRY_CLASSES], *newest[DFS_ENTRY_CLASSES];
	struct dfs_flow *table[256];
};

static inline enum dfs_direction dfs_entry_direction(enum dfs_entry_class class)
{
	return class == DFS_DEMAND_GET || class == DFS_PREFETCH_GET ? DFS_DOWN : DFS_UP;
}

void dfs_queue_init(struct dfs_queue *q, unsigned total);
/* e->class and e->free_running are set.  False: no memory. */
bool dfs_queue_push(struct dfs_queue *q, struct dfs_entry *e, const struct dfs_content_id *content,
		    int64_t now);
/* The next entry to run, which is running from here on; NULL: none may. */
struct dfs_entry *dfs_queue_pop(struct dfs_queue *q, int64_t now);
/* Run an entry at once, whatever the limits.  It is queued. */
void dfs_queue_start(struct dfs_queue *q, struct dfs_entry *e);
/* The entry has run. */
void dfs_queue_done(struct dfs_queue *q, struct dfs_entry *e);
/* Take a queued entry back. */
void dfs_queue_remove(struct dfs_queue *q, struct dfs_entry *e);
/* Somebody waits for it now: a better class, as old as it is.  Queued or running. */
void dfs_queue_raise(struct dfs_queue *q, struct dfs_entry *e, enum dfs_entry_class class);

#endif
