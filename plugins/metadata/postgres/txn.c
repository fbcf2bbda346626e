/* SPDX-License-Identifier: MIT */
#include "txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "sqlstate.h"

#define BLIND_TRIES 8

static int64_t
deadline_of(const struct store *s)
{
	return clock_ns() + (int64_t)s->request_timeout;
}

static enum dfs_status
refuse_changes(struct store *s)
{
	return s->host->fail(s->host->ctx, DFS_IO,
			     "%s: the database has lost durable commits; the store takes no "
			     "changes until it is opened anew",
			     s->schema);
}

enum dfs_status
txn_begin(void *inst, uint32_t mode, struct dfs_txn **out)
{
	struct store *s = inst;
	bool write = (mode & ~DFS_NONBLOCK) == DFS_TXN_WRITE;
	struct dfs_txn *txn;

	if (write && atomic_load(&s->failed))
		return refuse_changes(s);
	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return DFS_NOMEM;
	txn->s = s;
	txn->write = write;
	*out = txn;
	return DFS_OK;
}

/* The transaction has no effect in the database, and its session is free. */
static void
leave(struct dfs_txn *txn)
{
	if (!txn->c)
		return;
	if (txn->c->pg && txn->open && session_send(txn->c, S_ROLLBACK, NULL) == DFS_OK)
		session_forget(txn->c);
	/* So that the answer lies there when the session is used again. */
	if (txn->c->pg)
		PQflush(txn->c->pg);
	pool_give(&txn->s->pool, txn->c);
	txn->c = NULL;
	txn->open = false;
}

static void
txn_free(struct dfs_txn *txn)
{
	leave(txn);
	journal_release(&txn->s->journal, &txn->holder);
	writeset_free(txn->ws);
	PQclear(txn->listing);
	free(txn);
}

void
txn_abort(void *inst, struct dfs_txn *txn)
{
	txn_free(txn);
}

/* ---- asking ---- */

static enum dfs_status
take_session(struct dfs_txn *txn, int64_t deadline)
{
	return txn->c ? DFS_OK : pool_take(&txn->s->pool, deadline, &txn->c);
}

static enum dfs_status
send_begin(struct dfs_txn *txn)
{
	enum dfs_status st = DFS_OK;

	if (!txn->open)
		st = session_send(txn->c, txn->write ? S_BEGIN : S_BEGIN_READ, NULL);
	txn->open = true;
	return st;
}

/* What to do when the database did not do what it was asked: DFS_DELAY: nothing has come of it, so ask
 * again on another session. */
static enum dfs_status
give_up(struct dfs_txn *txn, enum dfs_status st, int64_t deadline)
{
	struct session *c = txn->c;

	store_explain(txn->s, c, st);
	leave(txn);
	if (txn->ws)
		writeset_mark(txn->ws, false);
	journal_release(&txn->s->journal, &txn->holder);
	if (st == LOST && !txn->has_read)
		return DFS_DELAY;
	if (st == REFUSED)
		return txn->failed = DFS_DELAY;
	/* What was read belongs to a transaction that is no more.  The core makes another at once, and again: not
	 * when this one has waited for as long as a request may. */
	if (st == LOST || st == DFS_AGAIN)
		st = clock_ns() < deadline ? DFS_AGAIN : DFS_DELAY;
	return txn->failed = st;
}

static enum dfs_status
ask_once(struct dfs_txn *txn, enum statement stmt, const struct params *p, bool flush,
	 int64_t deadline, PGresult **res)
{
	struct session *c = txn->c;
	enum dfs_status st = flush ? session_prepare_writes(c, deadline) : DFS_OK;

	if (st == DFS_OK)
		st = send_begin(txn);
	if (st == DFS_OK && flush)
		st = apply_send(c, txn->ws, false);
	if (st == DFS_OK)
		st = session_send(c, stmt, p);
	/* All but the last are changes. */
	return st == DFS_OK ? session_answer(c, deadline, res) : st;
}

enum dfs_status
txn_ask(struct dfs_txn *txn, enum statement stmt, const struct params *p, bool flush,
	PGresult **res)
{
	int64_t deadline = deadline_of(txn->s);
	enum dfs_status st;

	flush = flush && txn->ws && writeset_unsent(txn->ws);
	do {
		if (txn->failed)
			return txn->failed;
		st = take_session(txn, deadline);
		if (st == DFS_OK && flush)
			st = journal_hold(&txn->s->journal, &txn->holder, txn->ws,
					  txn->ws->n_clears > 0, deadline);
		if (st != DFS_OK)
			return txn->failed = st;
		st = ask_once(txn, stmt, p, flush, deadline, res);
		if (st != DFS_OK)
			st = give_up(txn, st, deadline);
	} while (st == DFS_DELAY && clock_ns() < deadline);
	if (st != DFS_OK)
		return txn->failed = st;
	if (flush)
		writeset_mark(txn->ws, true);
	txn->has_read = true;
	txn->reads.all |= stmt < S_GET;
	if (txn->write)
		txn->read_after = journal_sent(&txn->s->journal);
	return DFS_OK;
}

/* ---- rows ---- */

enum dfs_status
row_of_record(struct store *s, struct row *row, const PGresult *res, int i, enum kind kind,
	      unsigned at)
{
	row_of_result(row, res, i);
	if (row_fits(row, &kinds[kind], at))
		return DFS_OK;
	return s->host->fail(s->host->ctx, DFS_CORRUPT, "%s: a row of the table %s is damaged",
			     s->schema, kinds[kind].table);
}

enum dfs_status
txn_first(struct dfs_txn *txn, PGresult *res, enum kind kind, row_fn fn, void *arg)
{
	enum dfs_status st = DFS_NOENT;
	struct row row;

	if (PQntuples(res) > 0)
		st = row_of_record(txn->s, &row, res, 0, kind, 0);
	if (st == DFS_OK)
		fn(arg, &row);
	PQclear(res);
	return st;
}

void
txn_key(struct writeset *ws, enum kind kind, enum ws_op op, const struct params *p)
{
	writeset_begin(ws, kind, op);
	for (int i = 0; i < p->n; i++)
		writeset_bytes(ws, p->values[i], (uint32_t)p->lengths[i]);
}

struct writeset *
txn_writes(struct dfs_txn *txn, enum dfs_status *st)
{
	*st = txn->failed;
	if (!*st && !txn->write)
		*st = store_refuse(txn->s, DFS_INVAL, "a change in a transaction that reads");
	if (*st)
		return NULL;
	if (!txn->ws && !(txn->ws = calloc(1, sizeof(*txn->ws))))
		*st = DFS_NOMEM;
	return txn->ws;
}

enum dfs_status
txn_wrote(struct dfs_txn *txn, bool done)
{
	return done ? DFS_OK
		    : store_refuse(txn->s, DFS_NOSPC, "a transaction of more than 256 MiB");
}

enum dfs_status
txn_del(struct dfs_txn *txn, enum kind kind, const struct params *p)
{
	enum dfs_status st;
	struct writeset *ws = txn_writes(txn, &st);

	if (!ws)
		return st;
	txn_key(ws, kind, WS_DEL, p);
	return txn_wrote(txn, writeset_end(ws));
}

enum dfs_status
txn_get(struct dfs_txn *txn, enum kind kind, const struct params *p, row_fn fn, void *arg)
{
	const struct ws_record *r = NULL;
	enum dfs_status st = DFS_NOENT;
	PGresult *res = NULL;
	struct row row;

	if (txn->failed)
		return txn->failed;
	if (txn->write && txn_writes(txn, &st) == NULL)
		return st;
	if (txn->ws) {
		txn_key(txn->ws, kind, WS_DEL, p);
		r = writeset_find(txn->ws);
	}
	if (r) {
		if (r->op == WS_DEL)
			return DFS_NOENT;
		row_split(&row, txn->ws->bytes + r->at, kinds[kind].n_columns);
		fn(arg, &row);
		return DFS_OK;
	}
	if (txn->write && txn->reads.n < READS_MAX)
		txn->reads.keys[txn->reads.n++] = txn->ws->asked;
	else
		txn->reads.all = true;
	st = txn_ask(txn, S_GET + kind, p, false, &res);
	return st == DFS_OK ? txn_first(txn, res, kind, fn, arg) : st;
}

/* ---- commit ---- */

/* Everything that the commit needs, in one piece. */
static enum dfs_status
send_commit(struct dfs_txn *txn, const struct entry *e, bool durable)
{
	struct session *c = txn->c;
	struct writeset *ws = e->ws;
	struct params slot = {0};
	enum dfs_status st = send_begin(txn);

	if (st == DFS_OK && durable)
		st = session_send(c, S_DURABLE, NULL);
	for (uint32_t i = 0; st == DFS_OK && i < ws->n_fences; i++) {
		struct params p = {0};

		param_int8(&p, ws->fences[i].share);
		param_int8(&p, ws->fences[i].epoch);
		st = session_send(c, S_FENCE, &p);
	}
	if (st == DFS_OK)
		st = apply_send(c, ws, false);
	param_bytes(&slot, txn->s->instance, UUID_BYTES);
	param_int4(&slot, c->slot);
	param_int8(&slot, e->number);
	if (st == DFS_OK)
		st = session_send(c, S_SLOT, &slot);
	if (st == DFS_OK)
		st = session_send(c, S_COMMIT, NULL);
	return st == DFS_OK ? session_sync(c) : st;
}

static enum dfs_status
try_commit(struct dfs_txn *txn, struct entry *e, bool durable, int64_t deadline)
{
	struct session *c = txn->c;
	enum dfs_status st = send_commit(txn, e, durable);

	if (st == DFS_OK)
		st = session_finish(c, deadline);
	if (st == DFS_OK)
		txn->open = false;
	if (st == DFS_IO && !strcmp(c->sqlstate, FENCE_FAILS))
		st = DFS_FENCED;
	/* Only who took the session for dead can have taken its slot over. */
	if (st == DFS_IO && !strcmp(c->sqlstate, SLOT_FAILS))
		st = DFS_AGAIN;
	return st;
}

/* The connection went while the commit was under way.  Its row tells, however long that takes: no answer
 * would be right before. */
static bool
took_effect(struct dfs_txn *txn, struct entry *e)
{
	txn->open = false;
	/* It was the database's word that ended the session: it takes no changes any more. */
	if (!strcmp(txn->c->sqlstate, SQLSTATE_READ_ONLY))
		return false;
	journal_lose(&txn->s->journal, e);
	pool_reopen(&txn->s->pool, txn->c);
	return txn->c->claimed >= e->number;
}

/* The entry has the write set as long as it lives. */
static enum dfs_status
commit_once(struct dfs_txn *txn, struct entry *e, int64_t deadline, uint64_t *seq)
{
	struct journal *j = &txn->s->journal;
	/* The thread that syncs commits in order to sync: its commit may as well wait for the disk. */
	bool durable = journal_full(j) || store_is_syncing(txn->s);
	enum dfs_status st = session_prepare_writes(txn->c, deadline);

	/* Nothing has been sent. */
	if (st != DFS_OK)
		return st;
	e->ws = txn->ws;
	e->slot = txn->c->slot;
	e->holder = txn->holder.id;
	journal_send(j, e, durable);
	st = try_commit(txn, e, durable, deadline);
	if (!txn->c->pg) {
		st = took_effect(txn, e) ? DFS_OK : LOST;
		snprintf(txn->c->error, sizeof(txn->c->error),
			 "the connection ended before the commit took effect");
	}
	if (st != DFS_OK) {
		journal_void(j, e);
		e->ws = NULL;
		return st;
	}
	txn->ws = NULL;
	*seq = journal_ack(j, e);
	if (durable)
		journal_durable(j, *seq);
	return DFS_OK;
}

static enum dfs_status
commit_writes(struct dfs_txn *txn, uint64_t *seq)
{
	struct store *s = txn->s;
	int64_t deadline = deadline_of(s);
	struct entry *e = calloc(1, sizeof(*e));
	enum dfs_status st;
	unsigned tries = 0;

	if (!e)
		return DFS_NOMEM;
	if (!fence_fill(s, txn->ws)) {
		free(e);
		return DFS_NOMEM;
	}
	do {
		/* First the session: who holds keys has one, and so comes to an end. */
		st = take_session(txn, deadline);
		if (st == DFS_OK)
			st = journal_hold(&s->journal, &txn->holder, txn->ws, txn->ws->n_clears > 0,
					  deadline);
		/* Nobody may know of this one before what it has seen is certain. */
		if (st == DFS_OK && txn->has_read)
			st = journal_settled(&s->journal, txn->read_after, &txn->reads, deadline);
		/* A session to the database that has lost commits is opened after this is known. */
		if (st == DFS_OK && atomic_load(&s->failed))
			st = refuse_changes(s);
		if (st != DFS_OK)
			break;
		st = commit_once(txn, e, deadline, seq);
		if (st == DFS_OK)
			return DFS_OK;
		if (st == DFS_FENCED) {
			s->host->fail(s->host->ctx, st,
				      "%s: another server has taken the share over", s->schema);
			break;
		}
		st = give_up(txn, st, deadline);
		/* Without a read there is nothing that the core would have to look at anew. */
		if (st == DFS_AGAIN && !txn->has_read) {
			txn->failed = DFS_OK;
			st = DFS_DELAY;
			tries++;
		}
	} while (st == DFS_DELAY && !txn->failed && tries < BLIND_TRIES && clock_ns() < deadline);
	free(e);
	return tries == BLIND_TRIES ? DFS_AGAIN : st;
}

enum dfs_status
txn_commit(void *inst, struct dfs_txn *txn, uint64_t *seq)
{
	struct store *s = inst;
	enum dfs_status st = txn->failed;
	uint64_t committed = 0;

	if (st == DFS_OK && !writeset_empty(txn->ws))
		st = commit_writes(txn, &committed);
	else
		committed = journal_acked(&s->journal);
	if (st == DFS_OK && seq)
		*seq = committed;
	txn_free(txn);
	return st;
}
