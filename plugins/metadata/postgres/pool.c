/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlstate.h"
#include "store.h"

#define BACKOFF_FIRST INT64_C(20000000)  /* 20 ms */
#define BACKOFF_MAX INT64_C(1000000000)  /* 1 s */
#define TELL_EVERY INT64_C(30000000000)  /* between two sentences in the log */
#define REOPEN_TURN INT64_C(30000000000) /* one attempt of pool_reopen */

bool
pool_init(struct pool *p, struct store *s, unsigned n)
{
	assert(n <= SESSIONS_MAX);
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->mu, NULL);
	cond_init(&p->changed);
	p->chance = (uint64_t)clock_ns() | 1;
	p->sessions = calloc(n, sizeof(*p->sessions));
	if (!p->sessions)
		return false;
	p->n = n;
	while (n--) {
		p->sessions[n].s = s;
		p->sessions[n].slot = n;
		p->sessions[n].next = p->unmade;
		p->unmade = &p->sessions[n];
	}
	return true;
}

void
pool_free(struct pool *p)
{
	for (unsigned i = 0; i < p->n; i++)
		session_drop(&p->sessions[i]);
	free(p->sessions);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->mu);
}

/* The slot of one without a connection, or whose connection ends here. */
static void
unmake_locked(struct pool *p, struct session *c)
{
	session_drop(c);
	c->next = p->unmade;
	p->unmade = c;
}

/* The next attempt is between half of the interval and all of it away. */
static void
failed_locked(struct pool *p, const struct session *c, bool cut_off)
{
	int64_t now = clock_ns(), wait = BACKOFF_MAX;

	if (!p->told && (!p->told_at || now - p->told_at > TELL_EVERY)) {
		c->s->host->log(c->s->host->ctx, DFS_LOG_WARN,
				"%s: the database does not serve: %s", c->s->schema, c->error);
		p->told = true;
		p->told_at = now;
	}
	if (p->failures < 6)
		wait = BACKOFF_FIRST << p->failures;
	p->failures++;
	p->chance = p->chance * UINT64_C(6364136223846793005) + 1442695040888963407;
	p->next_try = now + wait / 2 + (int64_t)(p->chance >> 33) % (wait / 2);
	/* That there was no time left says less than what an earlier attempt was told. */
	if (!p->away_since || !cut_off)
		snprintf(p->error, sizeof(p->error), "%s", c->error);
	if (!p->away_since)
		p->away_since = now;
}

/* Sessions to a database that is not the one any more would lie there until somebody takes them. */
static void
drop_past_locked(struct pool *p)
{
	for (struct session **at = &p->idle; *at;) {
		struct session *c = *at;

		if (!timeline_is_past(c)) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		unmake_locked(p, c);
	}
}

/* Opens c, with the mutex given up meanwhile. */
static enum dfs_status
open_locked(struct pool *p, struct session *c, int64_t deadline)
{
	enum dfs_status st;

	p->trying = true;
	pthread_mutex_unlock(&p->mu);
	st = session_open(c, deadline);
	if (st != DFS_OK)
		session_drop(c);
	pthread_mutex_lock(&p->mu);
	p->trying = false;
	if (st == DFS_OK) {
		drop_past_locked(p);
		c->fresh = true;
		p->away_since = 0;
	} else {
		failed_locked(p, c, clock_ns() >= deadline);
	}
	pthread_cond_broadcast(&p->changed);
	return st;
}

/* May this thread try to open a session now? */
static bool
my_turn_locked(const struct pool *p)
{
	return !p->failures || (!p->trying && clock_ns() >= p->next_try);
}

enum dfs_status
pool_take(struct pool *p, int64_t deadline, struct session **out)
{
	struct store *s = p->sessions[0].s;
	struct session *c = NULL;
	char error[sizeof(p->error)];

	pthread_mutex_lock(&p->mu);
	for (;;) {
		int64_t now = clock_ns(), until = deadline;

		if (p->idle && !p->starved) {
			c = p->idle;
			p->idle = c->next;
			if (session_alive(c))
				break;
			unmake_locked(p, c);
			continue;
		}
		if (now >= deadline || (p->away_since && !my_turn_locked(p) &&
					now - p->away_since > (int64_t)s->request_timeout)) {
			snprintf(error, sizeof(error), "%s",
				 p->away_since ? p->error : "all sessions are busy");
			pthread_mutex_unlock(&p->mu);
			return s->host->fail(s->host->ctx, DFS_DELAY, "%s: %s", s->schema, error);
		}
		if (p->unmade && !p->starved && my_turn_locked(p)) {
			c = p->unmade;
			p->unmade = c->next;
			if (open_locked(p, c, deadline) == DFS_OK)
				break;
			unmake_locked(p, c);
			continue;
		}
		if (p->failures && p->unmade && !p->starved && !p->trying && p->next_try < until)
			until = p->next_try;
		cond_until(&p->changed, &p->mu, until);
	}
	pthread_mutex_unlock(&p->mu);
	*out = c;
	return DFS_OK;
}

/* One that was opened has served. */
static void
served_locked(struct pool *p, const struct session *c)
{
	if (p->told)
		c->s->host->log(c->s->host->ctx, DFS_LOG_INFO, "%s: the database serves again",
				c->s->schema);
	p->told = false;
	p->failures = 0;
}

static void
close_idle_locked(struct pool *p)
{
	struct session *c = p->idle;

	if (!c)
		return;
	p->idle = c->next;
	unmake_locked(p, c);
}

void
pool_give(struct pool *p, struct session *c)
{
	bool everybody;

	pthread_mutex_lock(&p->mu);
	/* Whoever waits to open one has his turn then, too. */
	everybody = p->failures > 0;
	if (c->fresh && c->proven) {
		served_locked(p, c);
		c->fresh = false;
	}
	if (c->pg) {
		/* It may still refuse further ones. */
		p->away_since = 0;
		c->next = p->idle;
		p->idle = c;
		if (p->starved)
			close_idle_locked(p);
	} else {
		/* One that went before it served is no better than one that did not come to be. */
		if (!c->proven)
			failed_locked(p, c, false);
		unmake_locked(p, c);
	}
	if (everybody)
		pthread_cond_broadcast(&p->changed);
	else
		pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->mu);
}

void
pool_reopen(struct pool *p, struct session *c)
{
	bool starved = false;

	pthread_mutex_lock(&p->mu);
	for (;;) {
		int64_t now = clock_ns();

		if (my_turn_locked(p)) {
			if (open_locked(p, c, now + REOPEN_TURN) == DFS_OK)
				break;
			p->starved -= starved;
			starved = !strcmp(c->sqlstate, SQLSTATE_TOO_MANY_CONNECTIONS);
			p->starved += starved;
			if (starved)
				close_idle_locked(p);
			continue;
		}
		cond_until(&p->changed, &p->mu, p->trying ? now + BACKOFF_MAX : p->next_try);
	}
	p->starved -= starved;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mu);
}

bool
pool_away(struct pool *p)
{
	bool away;

	pthread_mutex_lock(&p->mu);
	away = p->away_since != 0;
	pthread_mutex_unlock(&p->mu);
	return away;
}
