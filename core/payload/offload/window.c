/* SPDX-License-Identifier: MIT */
#include "payload/offload/window.h"

#define ROUND_CALLS 2 /* a slot */
#define BETTER 1.1
#define GROW(n) ((n) + ((n) + 1) / 2)
#define SHRINK(n) ((n)*7 / 10)
#define LATE 2.0

static unsigned
clamp(const struct dfs_window *w, unsigned n)
{
	return n < w->floor ? w->floor : n > w->ceiling ? w->ceiling : n;
}

void
dfs_window_init(struct dfs_window *w, unsigned ceiling)
{
	*w = (struct dfs_window){.ceiling = ceiling ? ceiling : 1};
	if (w->ceiling > DFS_WINDOW_CEILING)
		w->ceiling = DFS_WINDOW_CEILING;
	w->floor = w->ceiling < DFS_WINDOW_FLOOR ? w->ceiling : DFS_WINDOW_FLOOR;
	w->size = clamp(w, DFS_WINDOW_FIRST);
}

static void
round_reset(struct dfs_window *w, int64_t now)
{
	w->began = now;
	w->bytes = 0;
	w->latencies = 0;
	w->calls = 0;
	w->full = false;
}

void
dfs_window_begin(struct dfs_window *w, unsigned running, int64_t now)
{
	/* A pause between calls is nobody's goodput. */
	if (w->began == 0 || (running <= 1 && w->calls > 0 && !w->full))
		round_reset(w, now);
	if (running >= w->size)
		w->full = true;
}

static void
shrink(struct dfs_window *w, int64_t now)
{
	w->size = clamp(w, SHRINK(w->size));
	w->before = 0;
	w->best = 0;
	w->shrunk_at = now;
	round_reset(w, now);
}

/* The round was full: what its goodput says. */
static void
judge(struct dfs_window *w, double goodput, double latency, int64_t now)
{
	if (w->best > 0 && latency > LATE * w->latency && goodput < w->best) {
		shrink(w, now);
		w->latency = latency;
		return;
	}
	if (goodput > BETTER * w->best) {
		unsigned grown = clamp(w, GROW(w->size));

		w->best = goodput;
		w->latency = latency;
		w->before = grown > w->size ? w->size : 0;
		w->size = grown;
	} else if (w->before) {
		w->size = w->before;
		w->before = 0;
	}
}

void
dfs_window_end(struct dfs_window *w, enum dfs_status status, uint64_t bytes, int64_t began,
	       int64_t now)
{
	if (status == DFS_DELAY || status == DFS_BUSY || status == DFS_TIMEDOUT) {
		/* Once for all calls that were out together. */
		if (began > w->shrunk_at || w->shrunk_at == 0)
			shrink(w, now);
		return;
	}
	if (status != DFS_OK || bytes == 0 || w->began == 0)
		return;
	w->bytes += bytes;
	w->latencies += now - began;
	w->calls++;
	if (w->calls < ROUND_CALLS * w->size || now <= w->began)
		return;
	if (w->full)
		judge(w, (double)w->bytes / (double)(now - w->began),
		      (double)w->latencies / w->calls, now);
	round_reset(w, now);
}
