/* SPDX-License-Identifier: MIT
 *
 * The circuit breaker of a store: after five failures in a row nobody waits for it any more; one
 * call at a time, every 5 s and less and less often, finds out whether it is back.
 *
 * A store that refuses us (credentials, bucket) opens it at once: to ask again and again changes
 * nothing and gets accounts locked.  Times are monotonic ns.  No locks: the owner has one.
 */
#ifndef DFS_PAYLOAD_OFFLOAD_BREAKER_H
#define DFS_PAYLOAD_OFFLOAD_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

#include "base/clock.h"

#define DFS_BREAKER_FAILURES 5
#define DFS_BREAKER_PROBE_FIRST (5 * DFS_SECOND)
#define DFS_BREAKER_PROBE_MAX (60 * DFS_SECOND)

/* The numbers are those of the metric dp_breaker_state. */
enum dfs_breaker_state {
	DFS_BREAKER_CLOSED = 0,  /* calls pass */
	DFS_BREAKER_PROBING = 1, /* one is under way */
	DFS_BREAKER_OPEN = 2,    /* none passes until next_probe */
};

enum dfs_breaker_pass { DFS_BREAKER_REFUSE, DFS_BREAKER_PASS, DFS_BREAKER_PROBE };

struct dfs_breaker {
	enum dfs_breaker_state state;
	enum dfs_status why;  /* the failure that opened it */
	unsigned failures;    /* in a row */
	int64_t since;        /* in which it is not closed, or closed again; 0: never open */
	int64_t pause;        /* between probes, now */
	int64_t next_probe;   /* OPEN */
	int64_t probe_called; /* PROBING */
};

/* All zero is a closed one. */

/* May a call go out?  PROBE: it is the one that finds out; its result is noted as such. */
enum dfs_breaker_pass dfs_breaker_ask(struct dfs_breaker *breaker, int64_t now);
/* Whether ask() would let one through. */
bool dfs_breaker_would(const struct dfs_breaker *breaker, int64_t now);
/* A call's result.  True: the breaker has opened or closed by it (state tells). */
bool dfs_breaker_note(struct dfs_breaker *breaker, enum dfs_status status, bool probe, int64_t now);
/* Whether status says that the store will have nothing to do with us. */
bool dfs_breaker_refusal(enum dfs_status status);

#endif
