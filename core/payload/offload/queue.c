/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "payload/key.h"
#include "payload/offload/queue.h"

#define LEVEL_SHARE 0.5 /* uploads get a quarter of the slots */
#define LEVEL_EQUAL 0.9 /* and half of them */

/* A file with entries queued or running. */
struct dfs_flow {
	struct dfs_flow *next; /* in its place of the table */
	struct dfs_content_id content;
	unsigned running[2];
	unsigned n; /* entries */
	struct {
		struct dfs_entry *head, *tail;   /* by age */
		struct dfs_flow *before, *after; /* in the class's ring while head */
	} of[DFS_ENTRY_CLASSES];
};

void
dfs_queue_init(struct dfs_queue *q, unsigned total)
{
	memset(q, 0, sizeof *q);
	q->per_file[DFS_DOWN] = q->per_file[DFS_UP] = DFS_QUEUE_PER_FILE;
	q->total = q->size[DFS_DOWN] = q->size[DFS_UP] = total;
}

static struct dfs_flow **
place(struct dfs_queue *q, const struct dfs_content_id *content)
{
	return &q->table[dfs_content_hash(content) % (sizeof q->table / sizeof q->table[0])];
}

static struct dfs_flow *
flow_get(struct dfs_queue *q, const struct dfs_content_id *content)
{
	struct dfs_flow **at = place(q, content), *flow;

	for (flow = *at; flow; flow = flow->next)
		if (memcmp(&flow->content, content, sizeof *content) == 0)
			return flow;
	flow = calloc(1, sizeof *flow);
	if (!flow)
		return NULL;
	flow->content = *content;
	flow->next = *at;
	*at = flow;
	return flow;
}

static void
flow_release(struct dfs_queue *q, struct dfs_flow *flow)
{
	struct dfs_flow **at = place(q, &flow->content);

	if (--flow->n > 0)
		return;
	while (*at != flow)
		at = &(*at)->next;
	*at = flow->next;
	free(flow);
}

/* In at the end of the class's ring: before the one whose turn it is. */
static void
ring_add(struct dfs_queue *q, struct dfs_flow *flow, enum dfs_entry_class class)
{
	struct dfs_flow *first = q->ring[class];

	if (!first) {
		q->ring[class] = flow->of[class].before = flow->of[class].after = flow;
		return;
	}
	flow->of[class].after = first;
	flow->of[class].before = first->of[class].before;
	first->of[class].before->of[class].after = flow;
	first->of[class].before = flow;
}

static void
ring_del(struct dfs_queue *q, struct dfs_flow *flow, enum dfs_entry_class class)
{
	if (q->ring[class] == flow)
		q->ring[class] = flow->of[class].after == flow ? NULL : flow->of[class].after;
	flow->of[class].before->of[class].after = flow->of[class].after;
	flow->of[class].after->of[class].before = flow->of[class].before;
}

/* Into both lists of its class by age: at the end, but for one that changes its class. */
static void
list_add(struct dfs_queue *q, struct dfs_entry *e)
{
	struct dfs_flow *flow = e->flow;
	enum dfs_entry_class class = e->class;
	struct dfs_entry *after;

	for (after = q->newest[class]; after && after->queued_at > e->queued_at;)
		after = after->age_prev;
	e->age_prev = after;
	e->age_next = after ? after->age_next : q->oldest[class];
	*(e->age_next ? &e->age_next->age_prev : &q->newest[class]) = e;
	*(after ? &after->age_next : &q->oldest[class]) = e;

	if (!flow->of[class].head)
		ring_add(q, flow, class);
	for (after = flow->of[class].tail; after && after->queued_at > e->queued_at;)
		after = after->flow_prev;
	e->flow_prev = after;
	e->flow_next = after ? after->flow_next : flow->of[class].head;
	*(e->flow_next ? &e->flow_next->flow_prev : &flow->of[class].tail) = e;
	*(after ? &after->flow_next : &flow->of[class].head) = e;
	q->queued[class]++;
}

static void
list_del(struct dfs_queue *q, struct dfs_entry *e)
{
	struct dfs_flow *flow = e->flow;
	enum dfs_entry_class class = e->class;

	*(e->age_prev ? &e->age_prev->age_next : &q->oldest[class]) = e->age_next;
	*(e->age_next ? &e->age_next->age_prev : &q->newest[class]) = e->age_prev;
	*(e->flow_prev ? &e->flow_prev->flow_next : &flow->of[class].head) = e->flow_next;
	*(e->flow_next ? &e->flow_next->flow_prev : &flow->of[class].tail) = e->flow_prev;
	if (!flow->of[class].head)
		ring_del(q, flow, class);
	q->queued[class]--;
}

bool
dfs_queue_push(struct dfs_queue *q, struct dfs_entry *e, const struct dfs_content_id *content,
	       int64_t now)
{
	e->flow = flow_get(q, content);
	if (!e->flow)
		return false;
	e->flow->n++;
	e->queued_at = now;
	e->running = false;
	list_add(q, e);
	return true;
}

void
dfs_queue_start(struct dfs_queue *q, struct dfs_entry *e)
{
	enum dfs_direction dir = dfs_entry_direction(e->class);
	struct dfs_flow *flow = e->flow;

	/* The turn passes to the file behind, so that those who may not run now do not bring the same
	 * one to the front again and again. */
	q->ring[e->class] = flow->of[e->class].after;
	list_del(q, e);
	e->running = true;
	flow->running[dir]++;
	q->running[dir]++;
}

void
dfs_queue_done(struct dfs_queue *q, struct dfs_entry *e)
{
	enum dfs_direction dir = dfs_entry_direction(e->class);

	e->running = false;
	e->flow->running[dir]--;
	q->running[dir]--;
	flow_release(q, e->flow);
	e->flow = NULL;
}

void
dfs_queue_remove(struct dfs_queue *q, struct dfs_entry *e)
{
	list_del(q, e);
	flow_release(q, e->flow);
	e->flow = NULL;
}

void
dfs_queue_raise(struct dfs_queue *q, struct dfs_entry *e, enum dfs_entry_class class)
{
	if (class >= e->class)
		return;
	if (e->running) {
		/* The direction is the same: a prefetch, or a put. */
		e->class = class;
		return;
	}
	list_del(q, e);
	e->class = class;
	list_add(q, e);
}

static bool
may_run(const struct dfs_queue *q, const struct dfs_entry *e)
{
	enum dfs_direction dir = dfs_entry_direction(e->class);

	unsigned per_file = e->per_file ? e->per_file : q->per_file[dir];

	return q->running[dir] < q->size[dir] &&
	       (e->free_running || e->flow->running[dir] < per_file);
}

/* The class's next entry, by turns. */
static struct dfs_entry *
next_of(const struct dfs_queue *q, enum dfs_entry_class class)
{
	enum dfs_direction dir = dfs_entry_direction(class);
	struct dfs_flow *flow = q->ring[class];

	if (!flow || q->running[dir] >= q->size[dir])
		return NULL;
	do {
		if (may_run(q, flow->of[class].head))
			return flow->of[class].head;
		flow = flow->of[class].after;
	} while (flow != q->ring[class]);
	return NULL;
}

static struct dfs_entry *
overdue(const struct dfs_queue *q, int64_t now)
{
	struct dfs_entry *found = NULL;

	for (int class = 0; class < DFS_ENTRY_CLASSES; class ++) {
		struct dfs_entry *e = q->oldest[class];

		if (e && now - e->queued_at >= DFS_QUEUE_OVERDUE && may_run(q, e) &&
		    (!found || e->queued_at < found->queued_at))
			found = e;
	}
	return found;
}

/* Slots that uploads get before reads. */
static unsigned
upload_share(const struct dfs_queue *q)
{
	double level = q->level ? q->level(q->level_arg) : 0;

	return level >= LEVEL_EQUAL  ? (q->total + 1) / 2
	       : level > LEVEL_SHARE ? (q->total + 3) / 4
				     : 0;
}

struct dfs_entry *
dfs_queue_pop(struct dfs_queue *q, int64_t now)
{
	struct dfs_entry *e;
	bool uploads_first;

	if (q->running[DFS_DOWN] + q->running[DFS_UP] >= q->total)
		return NULL;
	e = overdue(q, now);
	uploads_first = !e && q->running[DFS_UP] < upload_share(q);
	for (int class = 0; class < DFS_ENTRY_CLASSES && !e && uploads_first; class ++)
		if (dfs_entry_direction(class) == DFS_UP)
			e = next_of(q, class);
	for (int class = 0; class < DFS_ENTRY_CLASSES && !e; class ++)
		e = next_of(q, class);
	if (e)
		dfs_queue_start(q, e);
	return e;
}
