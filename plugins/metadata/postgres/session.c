/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "row.h"
#include "sqlstate.h"
#include "store.h"

/* ---- failures ---- */

void
session_note(struct session *c, const char *message)
{
	size_t n = strcspn(message, "\n");

	snprintf(c->error, sizeof(c->error), "%.*s", (int)n, message);
	for (char *p = c->error; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

enum dfs_status
session_lost(struct session *c)
{
	if (!c->pg)
		return LOST; /* said when it went */
	session_note(c,
		     PQerrorMessage(c->pg)[0] ? PQerrorMessage(c->pg) : "the connection has ended");
	session_drop(c);
	return LOST;
}

void
session_drop(struct session *c)
{
	if (c->pg)
		PQfinish(c->pg);
	c->pg = NULL;
	c->asked = c->skip = 0;
}

enum dfs_status
session_abandon(struct session *c, const char *fmt, ...)
{
	va_list ap;

	session_drop(c);
	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return LOST;
}

/* ---- waiting ---- */

enum dfs_status
session_wait(struct session *c, short events, int64_t deadline)
{
	struct pollfd fd = {.fd = PQsocket(c->pg), .events = events};

	if (fd.fd < 0)
		return session_lost(c);
	for (;;) {
		int64_t left = deadline - clock_ns();
		int n;

		if (left <= 0)
			return session_abandon(c, "the database does not answer in time");
		n = poll(&fd, 1, left > INT64_C(60000000000) ? 60000 : (int)(left / 1000000) + 1);
		if (n > 0)
			return DFS_OK;
		if (n < 0 && errno != EINTR)
			return session_lost(c);
	}
}

/* The next result of any sort, NULL between those of two statements. */
static enum dfs_status
next_result(struct session *c, int64_t deadline, PGresult **res)
{
	while (PQisBusy(c->pg)) {
		int unsent = PQflush(c->pg);
		enum dfs_status st;

		/* A failed flush may have an answer to read that says why. */
		st = session_wait(c, unsent == 1 ? POLLIN | POLLOUT : POLLIN, deadline);
		if (st != DFS_OK)
			return st;
		if (!PQconsumeInput(c->pg))
			return session_lost(c);
	}
	*res = PQgetResult(c->pg);
	return DFS_OK;
}

bool
session_alive(struct session *c)
{
	struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};

	if (c->skip && !timeline_is_past(c))
		return true; /* an answer is on its way */
	for (unsigned i = 0; i < 3 && !timeline_is_past(c); i++) {
		if (poll(&fd, 1, 0) == 0)
			return true;
		if (!PQconsumeInput(c->pg))
			break;
	}
	session_lost(c);
	return false;
}

/* ---- batches ---- */

static const int all_binary[PARAMS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
					   1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

enum dfs_status
session_send(struct session *c, enum statement stmt, const struct params *p)
{
	if (!PQsendQueryPrepared(c->pg, c->s->statements.name[stmt], p ? p->n : 0,
				 p ? p->values : NULL, p ? p->lengths : NULL, p ? all_binary : NULL,
				 1))
		return session_lost(c);
	c->asked++;
	return DFS_OK;
}

static enum dfs_status
send_text(struct session *c, const char *text, const struct params *p)
{
	if (!PQsendQueryParams(c->pg, text, p ? p->n : 0, NULL, p ? p->values : NULL,
			       p ? p->lengths : NULL, p ? all_binary : NULL, 1))
		return session_lost(c);
	c->asked++;
	return DFS_OK;
}

enum dfs_status
session_sync(struct session *c)
{
	if (!PQpipelineSync(c->pg))
		return session_lost(c);
	return DFS_OK;
}

void
session_forget(struct session *c)
{
	if (!PQpipelineSync(c->pg)) {
		session_lost(c);
		return;
	}
	c->asked = 0;
	c->skip++;
}

/* Past the answers of batches that were forgotten. */
static enum dfs_status
skip_forgotten(struct session *c, int64_t deadline)
{
	while (c->skip) {
		PGresult *res;
		enum dfs_status st = next_result(c, deadline, &res);

		if (st != DFS_OK)
			return st;
		if (res && PQresultStatus(res) == PGRES_PIPELINE_SYNC)
			c->skip--;
		/* libpq answers NULL for ever when nothing is to come. */
		if (!res && PQstatus(c->pg) != CONNECTION_OK)
			return session_lost(c);
		PQclear(res);
	}
	return DFS_OK;
}

static enum dfs_status
failed(struct session *c, PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	enum dfs_status st;

	snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state ? state : "");
	session_note(c, text ? text : PQresultErrorMessage(res));
	st = state ? sqlstate_status(state) : LOST;
	if (severity && (!strcmp(severity, "FATAL") || !strcmp(severity, "PANIC")))
		st = LOST;
	PQclear(res);
	if (st == LOST)
		session_drop(c);
	return st;
}

enum dfs_status
session_next(struct session *c, int64_t deadline, PGresult **res)
{
	enum dfs_status st = skip_forgotten(c, deadline);
	PGresult *got = NULL, *end;

	if (st == DFS_OK)
		st = next_result(c, deadline, &got);
	if (st != DFS_OK)
		return st;
	if (!got)
		return session_lost(c);
	c->asked--;
	switch (PQresultStatus(got)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		break;
	case PGRES_PIPELINE_ABORTED:
		PQclear(got);
		got = NULL;
		break;
	default:
		st = failed(c, got);
		got = NULL;
		if (st == LOST)
			return st;
	}
	/* The end of this statement's results. */
	enum dfs_status end_st = next_result(c, deadline, &end);

	if (end_st != DFS_OK) {
		PQclear(got);
		return end_st;
	}
	PQclear(end);
	if (st != DFS_OK)
		return st;
	*res = got;
	return got ? DFS_OK : DFS_AGAIN;
}

enum dfs_status
session_finish(struct session *c, int64_t deadline)
{
	enum dfs_status first = DFS_OK, st;
	PGresult *res;

	while (c->asked) {
		st = session_next(c, deadline, &res);
		if (st == DFS_OK)
			PQclear(res);
		else if (first == DFS_OK)
			first = st;
		if (!c->pg)
			return LOST;
	}
	st = skip_forgotten(c, deadline);
	if (st == DFS_OK)
		st = next_result(c, deadline, &res);
	if (st != DFS_OK)
		return st;
	if (!res || PQresultStatus(res) != PGRES_PIPELINE_SYNC) {
		PQclear(res);
		return session_lost(c);
	}
	PQclear(res);
	if (timeline_is_past(c))
		return session_abandon(c, "another database has taken over");
	c->proven = true;
	return first;
}

enum dfs_status
session_answer(struct session *c, int64_t deadline, PGresult **res)
{
	enum dfs_status st = session_sync(c), end;

	while (st == DFS_OK && c->asked > 1) {
		st = session_next(c, deadline, res);
		if (st == DFS_OK)
			PQclear(*res);
	}
	if (st == DFS_OK)
		st = session_next(c, deadline, res);
	if (!c->pg)
		return st;
	end = session_finish(c, deadline);
	if (st == DFS_OK && end != DFS_OK) {
		PQclear(*res);
		*res = NULL;
		st = end;
	}
	return st;
}

enum dfs_status
session_ask(struct session *c, const char *text, const struct params *p, int64_t deadline,
	    PGresult **res)
{
	enum dfs_status st = send_text(c, text, p);

	return st == DFS_OK ? session_answer(c, deadline, res) : st;
}

void
row_of_result(struct row *row, const PGresult *res, int i)
{
	int n = PQnfields(res);

	for (int k = 0; k < n; k++) {
		row->bytes[k] = (const unsigned char *)PQgetvalue(res, i, k);
		row->len[k] = PQgetisnull(res, i, k) ? -1 : PQgetlength(res, i, k);
	}
}

/* text, if it is wanted: the value of an answer of one row. */
static enum dfs_status
run_plain(struct session *c, const char *sql, int64_t deadline, char *text, size_t size)
{
	enum dfs_status first = DFS_OK;

	if (!PQsendQuery(c->pg, sql))
		return session_lost(c);
	for (;;) {
		PGresult *res;
		enum dfs_status st = next_result(c, deadline, &res);

		if (st != DFS_OK)
			return st;
		if (!res)
			return first;
		if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
			st = failed(c, res);
			if (!c->pg)
				return LOST;
			if (first == DFS_OK)
				first = st;
			continue;
		}
		if (text && PQntuples(res) == 1)
			snprintf(text, size, "%s", PQgetvalue(res, 0, 0));
		PQclear(res);
	}
}

enum dfs_status
session_script(struct session *c, const char *sql, int64_t deadline)
{
	return run_plain(c, sql, deadline, NULL, 0);
}

enum dfs_status
session_value(struct session *c, const char *sql, int64_t deadline, char *text, size_t size)
{
	text[0] = 0;
	return run_plain(c, sql, deadline, text, size);
}
