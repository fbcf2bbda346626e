/* SPDX-License-Identifier: MIT */
#include "payload/offload/breaker.h"
#include "payload/offload/retry.h"

bool
dfs_breaker_refusal(enum dfs_status status)
{
	return status == DFS_ACCESS || status == DFS_PERM || status == DFS_CONFIG;
}

/* A probe that never answered is one that failed. */
static bool
probe_lost(const struct dfs_breaker *b, int64_t now)
{
	return b->state == DFS_BREAKER_PROBING && now - b->probe_called >= DFS_BREAKER_PROBE_MAX;
}

bool
dfs_breaker_would(const struct dfs_breaker *b, int64_t now)
{
	return b->state == DFS_BREAKER_CLOSED ||
	       (b->state == DFS_BREAKER_OPEN && now >= b->next_probe) || probe_lost(b, now);
}

enum dfs_breaker_pass
dfs_breaker_ask(struct dfs_breaker *b, int64_t now)
{
	if (b->state == DFS_BREAKER_CLOSED)
		return DFS_BREAKER_PASS;
	if (!dfs_breaker_would(b, now))
		return DFS_BREAKER_REFUSE;
	b->state = DFS_BREAKER_PROBING;
	b->probe_called = now;
	return DFS_BREAKER_PROBE;
}

static void
open_at(struct dfs_breaker *b, enum dfs_status why, int64_t pause, int64_t now)
{
	if (b->state == DFS_BREAKER_CLOSED)
		b->since = now;
	b->state = DFS_BREAKER_OPEN;
	b->why = why;
	b->pause = pause > DFS_BREAKER_PROBE_MAX ? DFS_BREAKER_PROBE_MAX : pause;
	b->next_probe = now + b->pause;
}

bool
dfs_breaker_note(struct dfs_breaker *b, enum dfs_status status, bool probe, int64_t now)
{
	bool refusal = dfs_breaker_refusal(status), closed = b->state == DFS_BREAKER_CLOSED;

	if (!refusal && !dfs_retry_transient(status)) {
		/* It answers, whatever it says. */
		b->failures = 0;
		if (closed)
			return false;
		b->state = DFS_BREAKER_CLOSED;
		b->since = now;
		return true;
	}
	b->failures++;
	if (closed) {
		if (!refusal && b->failures < DFS_BREAKER_FAILURES)
			return false;
		open_at(b, status, DFS_BREAKER_PROBE_FIRST, now);
		return true;
	}
	/* Calls that were out when it opened say nothing new. */
	if (probe && b->state == DFS_BREAKER_PROBING)
		open_at(b, status, 2 * b->pause, now);
	return false;
}
