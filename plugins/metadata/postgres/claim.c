/* SPDX-License-Identifier: MIT
 *
 * A new session takes over its slot.
 *
 * Every transaction writes its number into the row of its session's slot.  Commits are asynchronous, so
 * a crash of the database can take the last ones away, always an end of its log.  The sessions end with
 * it, and each new one comes through here before it serves: it compares what the rows hold with what was
 * acknowledged, and applies what is missing, in one transaction, in order, with the rows set as they
 * were.  Then it takes its own slot with a number above all others; a transaction that a predecessor of the
 * session still runs cannot commit any more.  A sync follows, by itself (see make_settings), so that all
 * before it is durable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"
#include "store.h"

struct claim {
	struct session *c;
	int64_t deadline;
	uint64_t row[SESSIONS_MAX];   /* what the database holds */
	uint64_t acked[SESSIONS_MAX]; /* the highest that is missing there; 0: none */
	unsigned lost;
};

static enum dfs_status
ask(struct claim *k, const char *sql, const struct params *p, PGresult **res)
{
	return session_ask(k->c, sql, p, k->deadline, res);
}

static enum dfs_status
run(struct claim *k, const char *sql, const struct params *p)
{
	PGresult *res = NULL;
	enum dfs_status st = ask(k, sql, p, &res);

	PQclear(res);
	return st;
}

/* A session that had the slot may still be there, with its row locked. */
static enum dfs_status
end_backend(struct claim *k, int backend)
{
	struct params p = {0};

	param_int4(&p, (uint32_t)backend);
	param_bytes(&p, k->c->s->tag, (int32_t)strlen(k->c->s->tag));
	return run(k,
		   "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int4"
		   " AND application_name = $2::text AND pid <> pg_backend_pid()",
		   &p);
}

static enum dfs_status
read_rows(struct claim *k)
{
	struct params p = {0}, own = {0};
	PGresult *res = NULL;
	enum dfs_status st;

	param_bytes(&own, k->c->s->instance, UUID_BYTES);
	param_int4(&own, k->c->slot);
	st = run(k,
		 "SELECT 1 FROM commit_slots WHERE instance = $1::uuid AND slot = $2::int4 FOR "
		 "UPDATE",
		 &own);
	if (st != DFS_OK)
		return st;
	param_bytes(&p, k->c->s->instance, UUID_BYTES);
	st = ask(k, "SELECT slot::int4, number::int8 FROM commit_slots WHERE instance = $1::uuid",
		 &p, &res);
	for (int i = 0; st == DFS_OK && i < PQntuples(res); i++) {
		uint32_t slot = get_be32(PQgetvalue(res, i, 0));

		if (slot < SESSIONS_MAX)
			k->row[slot] = get_be64(PQgetvalue(res, i, 1));
	}
	PQclear(res);
	return st;
}

static bool
is_lost(const struct claim *k, const struct entry *e)
{
	return e->number > k->row[e->slot];
}

/* Whether another server has taken over a share that e writes: it may not be applied then. */
static enum dfs_status
fenced(struct claim *k, const struct entry *e, bool *out)
{
	*out = false;
	for (uint32_t i = 0; i < e->ws->n_fences; i++) {
		struct params p = {0};
		PGresult *res = NULL;
		enum dfs_status st;

		param_int8(&p, e->ws->fences[i].share);
		param_int8(&p, e->ws->fences[i].epoch);
		st = ask(k, "SELECT 1 FROM shares WHERE id = $1::int8 AND epoch = $2::int8", &p,
			 &res);
		if (st != DFS_OK)
			return st;
		if (PQntuples(res) == 0)
			*out = true;
		PQclear(res);
	}
	return DFS_OK;
}

static enum dfs_status
apply(struct claim *k, const struct entry *e)
{
	enum dfs_status st = apply_send(k->c, e->ws, true);

	if (st == DFS_OK)
		st = session_sync(k->c);
	return st == DFS_OK ? session_finish(k->c, k->deadline) : st;
}

static enum dfs_status
restore(struct claim *k)
{
	struct store *s = k->c->s;
	enum dfs_status st = DFS_OK;

	for (struct entry *e = NULL; st == DFS_OK && (e = journal_next_acked(&s->journal, e));) {
		int64_t later;
		bool barred;

		if (!is_lost(k, e))
			continue;
		st = session_prepare_writes(k->c, k->deadline);
		if (st == DFS_OK)
			st = fenced(k, e, &barred);
		if (st == DFS_OK && barred)
			s->host->log(
				s->host->ctx, DFS_LOG_ERROR,
				"%s: a change that a crash of the database took away cannot be "
				"made again: another server has taken the share over",
				s->schema);
		else if (st == DFS_OK)
			st = apply(k, e);
		k->lost++;
		/* There may be so many that only what stands still is out of time. */
		later = clock_ns() + (int64_t)s->request_timeout;
		if (later > k->deadline)
			k->deadline = later;
		if (e->number > k->acked[e->slot])
			k->acked[e->slot] = e->number;
	}
	for (unsigned i = 0; st == DFS_OK && k->lost && i < s->pool.n; i++) {
		struct params p = {0};

		/* One's own gets a higher number below. */
		if (!k->acked[i] || i == k->c->slot)
			continue;
		param_bytes(&p, s->instance, UUID_BYTES);
		param_int4(&p, i);
		param_int8(&p, k->acked[i]);
		st = run(k, s->statements.text[S_SLOT], &p);
	}
	return st;
}

/* A commit that was on the disk is not taken away by a crash: this is another database. */
static enum dfs_status
check_durable(struct claim *k)
{
	struct store *s = k->c->s;

	for (unsigned i = 0; i < s->pool.n; i++) {
		if (k->row[i] >= journal_slot(&s->journal, i, 0))
			continue;
		atomic_store(&s->failed, true);
		snprintf(k->c->error, sizeof(k->c->error),
			 "the database has lost commits that it had confirmed as durable");
		s->host->log(s->host->ctx, DFS_LOG_ERROR,
			     "%s: %s; the store takes no changes until it is opened anew",
			     s->schema, k->c->error);
		return DFS_IO;
	}
	return DFS_OK;
}

static enum dfs_status
claim(struct claim *k, uint64_t number)
{
	struct session *c = k->c;
	struct params p = {0};
	enum dfs_status st;

	st = run(k, c->s->statements.text[S_BEGIN], NULL);
	if (st == DFS_OK)
		st = read_rows(k);
	/* What is missing may build on what is missing for good. */
	if (st == DFS_OK && !atomic_load(&c->s->failed)) {
		st = check_durable(k);
		if (st == DFS_OK)
			st = restore(k);
	}
	param_bytes(&p, c->s->instance, UUID_BYTES);
	param_int4(&p, c->slot);
	param_int8(&p, number);
	if (st == DFS_OK)
		st = run(k, c->s->statements.text[S_SLOT], &p);
	if (st == DFS_OK) {
		/* Not the number of a claim whose own answer was lost: that says nothing of the commit
		 * before. */
		if (!c->claiming || k->row[c->slot] < c->claiming)
			c->claimed = k->row[c->slot];
		if (!c->claiming)
			c->claiming = number;
		st = run(k, c->s->statements.text[S_COMMIT], NULL);
		return st == DFS_OK ? run(k, c->s->statements.text[S_SYNC], NULL) : st;
	}
	if (c->pg)
		run(k, c->s->statements.text[S_ROLLBACK], NULL);
	return st;
}

/* False: another session's claim was not over by the deadline; it may wait for the database for longer than
 * we may. */
static bool
begin_claiming(struct store *s, int64_t deadline)
{
	bool begun;

	pthread_mutex_lock(&s->claim_mu);
	while (s->claiming && cond_until(&s->claim_over, &s->claim_mu, deadline))
		;
	begun = !s->claiming;
	s->claiming = true;
	pthread_mutex_unlock(&s->claim_mu);
	return begun;
}

static void
end_claiming(struct store *s)
{
	pthread_mutex_lock(&s->claim_mu);
	s->claiming = false;
	pthread_cond_signal(&s->claim_over);
	pthread_mutex_unlock(&s->claim_mu);
}

/* Look for what is lost and make it again, as often as somebody else commits meanwhile. */
static enum dfs_status
claim_until(struct claim *k)
{
	struct store *s = k->c->s;
	uint64_t acked, number;
	enum dfs_status st;

	do {
		memset(k->row, 0, sizeof(k->row));
		memset(k->acked, 0, sizeof(k->acked));
		k->lost = 0;
		/* What is acknowledged from here on is in the database as it is now. */
		acked = journal_acked(&s->journal);
		number = journal_number(&s->journal);
		st = claim(k, number);
	} while (st == DFS_AGAIN && k->c->pg && clock_ns() < k->deadline);
	if (st == DFS_OK)
		k->c->claiming = 0;
	if (st == DFS_OK && !atomic_load(&s->failed)) {
		journal_durable(&s->journal, acked);
		journal_slot(&s->journal, k->c->slot, number);
	}
	return st;
}

static enum dfs_status
claim_slot(struct session *c, int64_t deadline)
{
	struct store *s = c->s;
	struct claim k = {.c = c, .deadline = deadline};
	enum dfs_status st;

	if (!begin_claiming(s, deadline))
		return session_abandon(c, "the database does not answer in time");
	st = timeline_adopt(c);
	/* A commit may have been answered before the crash and its thread not know it yet. */
	if (st == DFS_OK &&
	    journal_answered(&s->journal, journal_sent(&s->journal), deadline) != DFS_OK)
		st = session_abandon(c, "commits under way are not answered in time");
	if (st == DFS_OK) {
		journal_pin(&s->journal, true);
		st = claim_until(&k);
		journal_pin(&s->journal, false);
	}
	end_claiming(s);
	if (st == DFS_OK && k.lost)
		s->host->log(
			s->host->ctx, DFS_LOG_WARN,
			"%s: the database had lost %u commits in a crash; they were made again",
			s->schema, k.lost);
	return st == DFS_AGAIN ? LOST : st;
}

enum dfs_status
session_open(struct session *c, int64_t deadline)
{
	struct claim k = {.c = c, .deadline = deadline};
	enum dfs_status st;

	/* Each that was tried counts until one has the slot; the first may be in doubt. */
	if (c->backend && c->n_before < PREDECESSORS_MAX)
		c->before[c->n_before++] = c->backend;
	else if (c->backend)
		c->before[PREDECESSORS_MAX - 1] = c->backend;
	c->backend = 0;
	c->proven = false;
	st = session_connect(c, deadline);
	if (st != DFS_OK)
		return st;
	st = session_prepare(c, deadline);
	for (unsigned i = 0; st == DFS_OK && i < c->n_before; i++)
		st = end_backend(&k, c->before[i]);
	if (st == DFS_OK)
		st = claim_slot(c, deadline);
	if (st == DFS_OK)
		c->n_before = 0;
	c->proven = false;
	/* It may be a primary whose standby has left it, and the standby the one to ask. */
	atomic_store(&c->s->hosts.first, st == DFS_OK ? c->at : (c->at + 1) % c->s->hosts.n);
	return st;
}

void
slots_clean(struct session *c, bool own, int64_t deadline)
{
	struct claim k = {.c = c, .deadline = deadline};
	struct params p = {0};

	param_bytes(&p, c->s->instance, UUID_BYTES);
	/* Of an instance that has not committed for a season and is not connected.  One that is alive and
	 * had nothing to do would take its missing rows for durable commits that were lost. */
	run(&k,
	    own ? "DELETE FROM commit_slots WHERE instance = $1::uuid"
		: "DELETE FROM commit_slots c WHERE instance <> $1::uuid AND NOT EXISTS"
		  " (SELECT 1 FROM commit_slots o WHERE o.instance = c.instance AND"
		  " o.touched >= now() - interval '90 days') AND NOT EXISTS"
		  " (SELECT 1 FROM pg_stat_activity a WHERE a.application_name ="
		  " 'dittofs ' || left(c.instance::text, 8))",
	    &p);
}
