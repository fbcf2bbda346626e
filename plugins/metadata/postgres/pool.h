/* SPDX-License-Identifier: MIT
 *
 * The sessions: at most so many, opened when they are needed by who needs them.  Who has to know what
 * became of a commit needs the commit's own: when the database grants no further one, others are closed
 * for it.
 *
 * While the database does not answer, one thread at a time tries, at growing, jittered intervals; the
 * others wait for it until their deadlines, or, once it has been away for longer than a request
 * waits, are told so at once.
 */
#ifndef POSTGRES_POOL_H
#define POSTGRES_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <dittofs/status.h>

struct session;
struct store;

struct pool {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	struct session *sessions; /* all of them */
	unsigned n;
	struct session *idle;   /* guarded by mu: connected ones, the last used first */
	struct session *unmade; /* guarded by mu: not connected */
	bool trying;            /* guarded by mu: while it is away, a thread tries to connect */
	unsigned failures;      /* guarded by mu: in a row */
	unsigned starved; /* guarded by mu: threads of pool_reopen that were refused a connection */
	int64_t away_since; /* guarded by mu: monotonic ns, 0: the database serves */
	int64_t told_at;    /* guarded by mu: when the log said that it is away; 0: never */
	bool told;          /* guarded by mu: and has not taken it back */
	int64_t next_try;   /* guarded by mu */
	uint64_t chance;    /* guarded by mu: jitter */
	char error[400];    /* guarded by mu: why it is away */
};

/* n: up to SESSIONS_MAX.  False: no memory. */
bool pool_init(struct pool *p, struct store *s, unsigned n);
void pool_free(struct pool *p);

/* A session that is open, as far as is known.  DFS_DELAY: none by the deadline, fail() said why. */
enum dfs_status pool_take(struct pool *p, int64_t deadline, struct session **c);
/* Given back open or dropped. */
void pool_give(struct pool *p, struct session *c);
/* Open c, which the caller owns and which was lost, however long it takes: see txn.c. */
void pool_reopen(struct pool *p, struct session *c);
bool pool_away(struct pool *p);

#endif
