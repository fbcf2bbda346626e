/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "payload/offload/readahead.h"

#define BLOCK DFS_READAHEAD_WINDOW
/* A client's reads arrive in some disorder. */
#define SLACK (2u << 20)

static uint64_t
block_end(uint64_t offset)
{
	return (offset + BLOCK - 1) / BLOCK * BLOCK;
}

/* The session that the read belongs to. */
static struct dfs_readahead_session *
find(struct dfs_readahead *ra, uint64_t offset, uint32_t len)
{
	for (uint32_t i = 0; i < ra->n; i++) {
		struct dfs_readahead_session *s = &ra->sessions[i];

		if (s->window == 0 ? offset == s->next
				   : offset + len + SLACK >= s->next && offset <= s->next + SLACK)
			return s;
	}
	return NULL;
}

/* A place for a reader: a free one, that of one who is not believed, the one used longest ago. */
static struct dfs_readahead_session *
new_session(struct dfs_readahead *ra)
{
	struct dfs_readahead_session *s = &ra->sessions[0];

	if (ra->n < DFS_READAHEAD_SESSIONS)
		return &ra->sessions[ra->n++];
	for (uint32_t i = 1; i < ra->n; i++) {
		struct dfs_readahead_session *t = &ra->sessions[i];

		if ((t->window == 0) != (s->window == 0) ? t->window == 0 : t->used < s->used)
			s = t;
	}
	return s;
}

static uint32_t
bounded(uint32_t window, const struct dfs_readahead_hints *hints)
{
	if (window > DFS_READAHEAD_WINDOW_MAX)
		window = DFS_READAHEAD_WINDOW_MAX;
	if (window > hints->window_max)
		window = hints->window_max;
	return window < DFS_READAHEAD_WINDOW ? DFS_READAHEAD_WINDOW : window;
}

static void
adapt(struct dfs_readahead_session *s, const struct dfs_readahead_hints *hints)
{
	uint64_t step = s->next / DFS_READAHEAD_FIRST;

	if (hints->pressed || hints->wasted != s->wasted)
		s->window /= 2;
	else if (step > s->reached && s->next <= s->begun)
		s->window *= 2;
	s->reached = step;
	s->wasted = hints->wasted;
	s->window = bounded(s->window, hints);
}

/* Whole blocks that the window reaches into; of a reader that has just begun the rest of its block. */
static void
look_ahead(struct dfs_readahead_session *s, bool begins, const struct dfs_readahead_hints *hints)
{
	uint64_t to = block_end(s->next + (begins ? 0 : s->window));

	if (to > hints->length)
		to = hints->length;
	if (s->begun < s->next)
		s->begun = s->next;
	if (to > s->ahead)
		s->ahead = to;
	if (s->ahead < s->begun)
		s->ahead = s->begun;
}

bool
dfs_readahead_note(struct dfs_readahead *ra, uint64_t offset, uint32_t len,
		   const struct dfs_readahead_hints *hints)
{
	struct dfs_readahead_session *s;
	bool begins;

	if (hints->window_max < DFS_READAHEAD_WINDOW)
		return false;
	s = find(ra, offset, len);
	if (!s) {
		s = new_session(ra);
		memset(s, 0, sizeof *s);
		s->next = offset + len;
		s->used = ++ra->clock;
		if (offset != 0)
			return false;
	} else if (s->next < offset + len) {
		s->next = offset + len;
	}
	s->used = ++ra->clock;
	begins = s->window == 0;
	if (begins) {
		/* What it waits for now comes first, and alone. */
		s->begun = offset + (len > DFS_READAHEAD_FIRST ? len : DFS_READAHEAD_FIRST);
		s->window = DFS_READAHEAD_WINDOW;
		s->reached = s->next / DFS_READAHEAD_FIRST;
		s->wasted = hints->wasted;
	} else {
		adapt(s, hints);
	}
	look_ahead(s, begins, hints);
	return true;
}

struct dfs_readahead_session *
dfs_readahead_todo(struct dfs_readahead *ra)
{
	for (uint32_t i = 0; i < ra->n; i++)
		if (ra->sessions[i].begun < ra->sessions[i].ahead)
			return &ra->sessions[i];
	return NULL;
}
