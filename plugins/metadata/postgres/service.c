/* SPDX-License-Identifier: MIT
 *
 * Sync, statistics and health, and the sentences for what fails.
 */
#include "row.h"
#include "store.h"

#define STATS_AGE INT64_C(5000000000)   /* 5 s */
#define STATS_WAIT INT64_C(1000000000)  /* 1 s */
#define TELL_EVERY INT64_C(60000000000) /* 60 s, between two sentences in the log */
#define HEALTH_WAIT INT64_C(4000000000) /* 4 s: the contract says 5 */

/* The client learns a number only; whoever runs the server learns what to mend, now and then. */
static void
tell(struct store *s, const struct session *c)
{
	int64_t now = clock_ns(), last = atomic_load(&s->told_at);

	if ((last && now - last < TELL_EVERY) ||
	    !atomic_compare_exchange_strong(&s->told_at, &last, now))
		return;
	s->host->log(
		s->host->ctx, DFS_LOG_ERROR,
		"%s: the database refuses: %s (SQLSTATE %s); requests that need it fail or are "
		"put off until that is mended",
		s->schema, c->error, c->sqlstate);
}

enum dfs_status
store_explain(struct store *s, const struct session *c, enum dfs_status st)
{
	if (st == DFS_OK || st == DFS_AGAIN)
		return st;
	if (st == REFUSED || st == DFS_NOSPC || st == DFS_IO || st == DFS_CORRUPT)
		tell(s, c);
	return s->host->fail(s->host->ctx, st, "%s: %s", s->schema, c->error);
}

enum dfs_status
store_refuse(struct store *s, enum dfs_status st, const char *what)
{
	return s->host->fail(s->host->ctx, st, "%s is outside of what a store keeps", what);
}

/* One statement by itself, repeated on another session while the connection is what fails. */
static enum dfs_status
ask_alone(struct store *s, enum statement stmt, int64_t deadline, PGresult **res)
{
	enum dfs_status st;
	struct session *c;

	do {
		st = pool_take(&s->pool, deadline, &c);
		if (st != DFS_OK)
			return st;
		st = session_send(c, stmt, NULL);
		if (st == DFS_OK)
			st = session_answer(c, deadline, res);
		store_explain(s, c, st);
		pool_give(&s->pool, c);
		if (st == REFUSED)
			return DFS_DELAY;
	} while ((st == LOST || st == DFS_AGAIN) && clock_ns() < deadline);
	return st;
}

bool
store_is_syncing(struct store *s)
{
	return atomic_load_explicit(&s->syncing, memory_order_relaxed) == (uintptr_t)pthread_self();
}

static enum dfs_status
refuse_failed(struct store *s)
{
	return s->host->fail(s->host->ctx, DFS_IO, "%s: the store has failed", s->schema);
}

/* The commits are in the database already, so they outlive this process.  The power's loss is another
 * matter: one commit that waits for the disk takes all before it along. */
enum dfs_status
store_sync(void *inst, uint64_t seq, uint32_t level)
{
	struct store *s = inst;
	uint64_t acked = journal_acked(&s->journal);
	PGresult *res;
	enum dfs_status st;

	if (atomic_load(&s->failed))
		return refuse_failed(s);
	if (journal_is_durable(&s->journal, acked < seq ? acked : seq)) {
		if (level >= DFS_SYNC_POWER)
			atomic_store_explicit(&s->syncing, (uintptr_t)pthread_self(),
					      memory_order_relaxed);
		return DFS_OK;
	}
	if (level < DFS_SYNC_POWER && !pool_away(&s->pool))
		return DFS_OK;
	atomic_store_explicit(&s->syncing, (uintptr_t)pthread_self(), memory_order_relaxed);
	st = ask_alone(s, S_SYNC, clock_ns() + (int64_t)s->request_timeout, &res);
	/* A commit that fails has lost nothing: all that waits for it is still in the journal. */
	if (st != DFS_OK)
		return atomic_load(&s->failed) ? DFS_IO : DFS_DELAY;
	PQclear(res);
	/* Perhaps this was the database that has lost commits, which is known before it is asked. */
	if (atomic_load(&s->failed))
		return refuse_failed(s);
	journal_durable(&s->journal, acked);
	return DFS_OK;
}

enum dfs_status
store_stats(void *inst, struct dfs_metadata_stats *stats)
{
	struct store *s = inst;
	int64_t now = clock_ns(), at = atomic_load(&s->stats_at);
	PGresult *res;

	/* One asks, the others take what is there. */
	if ((!at || now - at > STATS_AGE) && !pool_away(&s->pool) &&
	    atomic_compare_exchange_strong(&s->stats_at, &at, now) &&
	    ask_alone(s, S_STATS, now + STATS_WAIT, &res) == DFS_OK) {
		int64_t n = PQntuples(res) ? (int64_t)get_be64(PQgetvalue(res, 0, 0)) : 0;

		atomic_store(&s->inodes, n > 0 ? (uint64_t)n : 0);
		PQclear(res);
	}
	/* How much room the database's disk has is not for us to know. */
	stats->bytes_used = stats->bytes_free = 0;
	stats->inodes = atomic_load(&s->inodes);
	return DFS_OK;
}

enum dfs_status
store_health(void *inst)
{
	struct store *s = inst;
	PGresult *res;
	enum dfs_status st;

	if (atomic_load(&s->failed))
		return refuse_failed(s);
	st = ask_alone(s, S_PING, clock_ns() + HEALTH_WAIT, &res);
	if (st == DFS_OK)
		PQclear(res);
	return st;
}
