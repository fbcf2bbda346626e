/* SPDX-License-Identifier: MIT
 *
 * From a session without a connection to one that can be asked: the hosts in turn, the settings, and the
 * statements.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "sqlstate.h"
#include "store.h"

/* The code in "FATAL:  28P01: password authentication failed", if there is one. */
static void
read_sqlstate(struct session *c, const char *message)
{
	const char *p = message;

	c->sqlstate[0] = 0;
	while ((p = strstr(p, ":  ")) != NULL) {
		p += 3;
		if (strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && p[5] == ':') {
			memcpy(c->sqlstate, p, 5);
			c->sqlstate[5] = 0;
			return;
		}
	}
}

/* The password file is the option's, the environment's or the one at home. */
static void
note_no_password(struct session *c)
{
	PQconninfoOption *options = PQconninfo(c->pg);
	const char *file = NULL;

	for (const PQconninfoOption *o = options; o && o->keyword; o++)
		if (!strcmp(o->keyword, "passfile"))
			file = o->val;
	snprintf(c->error, sizeof(c->error),
		 "no password is given: set password or passfile, PGPASSFILE or PGPASSWORD; the "
		 "password file "
		 "%.200s has to name this server and database, and nobody else may be able to read "
		 "it",
		 file ? file : "");
	PQconninfoFree(options);
}

/* Why there is no connection.  Each address that was tried has its line, and so has the password file that
 * a wrong password is from. */
static enum dfs_status
refused(struct session *c)
{
	const char *message = PQerrorMessage(c->pg), *line = message;
	bool asked = PQconnectionNeedsPassword(c->pg);

	read_sqlstate(c, message);
	session_note(c, message);
	while ((line = strchr(line, '\n')) && *++line) {
		size_t at = strlen(c->error);

		/* Of the server's source, which the verbose form tells, too. */
		if (strncmp(line, "LOCATION:", 9) != 0)
			snprintf(c->error + at, sizeof(c->error) - at, "; %.*s",
				 (int)strcspn(line, "\n"), line);
	}
	if (asked)
		note_no_password(c);
	session_drop(c);
	return asked || sqlstate_is_lasting(c->sqlstate) ? DFS_CONFIG : LOST;
}

static void
ignore_notice(void *arg, const PGresult *res)
{
}

static enum dfs_status
handshake(struct session *c, int64_t deadline)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;

	while (want != PGRES_POLLING_OK) {
		enum dfs_status st;

		if (want == PGRES_POLLING_FAILED)
			return refused(c);
		st = session_wait(c, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (st != DFS_OK)
			return st;
		want = PQconnectPoll(c->pg);
	}
	return DFS_OK;
}

static enum dfs_status
connect_one(struct session *c, int64_t deadline)
{
	struct store *s = c->s;
	int64_t latest = clock_ns() + (int64_t)s->connect_timeout;
	enum dfs_status st;

	if (latest < deadline)
		deadline = latest;
	c->sqlstate[0] = 0;
	c->pg = hosts_connect(s, c->at);
	if (!c->pg)
		return DFS_NOMEM;
	/* So that the text of a refusal holds its code, which libpq does not tell otherwise. */
	PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		return session_lost(c);
	st = handshake(c, deadline);
	if (st != DFS_OK)
		return st;
	if (PQserverVersion(c->pg) < 140000) {
		session_drop(c);
		snprintf(c->error, sizeof(c->error), "the server is older than PostgreSQL 14");
		return DFS_CONFIG;
	}
	PQsetErrorVerbosity(c->pg, PQERRORS_TERSE);
	PQsetnonblocking(c->pg, 1);
	c->backend = PQbackendPID(c->pg);
	st = session_script(c, s->settings, deadline);
	if (st == DFS_OK && PQserverVersion(c->pg) >= 170000)
		st = session_script(c, "SET transaction_timeout = 0", deadline);
	/* So that a statement does not outlive its connection; some systems cannot tell. */
	if (st == DFS_OK &&
	    session_script(c, "SET client_connection_check_interval = '2s'", deadline) == LOST)
		st = LOST;
	return st == DFS_OK ? timeline_read(c, deadline) : st;
}

enum dfs_status
session_connect(struct session *c, int64_t deadline)
{
	struct hosts *h = &c->s->hosts;
	unsigned first = atomic_load(&h->first), i = 0;
	char errors[sizeof(c->error)] = "";
	bool all_refuse = true, is_full = false;
	enum dfs_status st;
	int said = 0;

	do {
		c->at = (first + i) % h->n;
		st = connect_one(c, deadline);
		if (st == DFS_OK)
			return st;
		session_drop(c);
		all_refuse &= st == DFS_CONFIG;
		is_full |= !strcmp(c->sqlstate, SQLSTATE_TOO_MANY_CONNECTIONS);
		said += snprintf(errors + said, sizeof(errors) - (size_t)said, "%s%s",
				 said ? "; " : "", c->error);
		if (said >= (int)sizeof(errors))
			said = sizeof(errors) - 1;
	} while (++i < h->n && clock_ns() < deadline);
	/* Time is up at one that does not answer: the next attempt begins with the one after it. */
	atomic_store(&h->first, (first + i) % h->n);
	memcpy(c->error, errors, sizeof(errors));
	/* Whatever the others said: there a connection less of ours is one more for who needs it. */
	if (is_full)
		snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", SQLSTATE_TOO_MANY_CONNECTIONS);
	if (st == DFS_CONFIG && (!all_refuse || i < h->n))
		return LOST;
	return st;
}

static enum dfs_status
prepare(struct session *c, bool writes, int64_t deadline)
{
	struct statements *t = &c->s->statements;
	enum dfs_status st;

	for (unsigned i = 0; i < STATEMENTS; i++) {
		if (statement_writes(i) != writes)
			continue;
		if (!PQsendPrepare(c->pg, t->name[i], t->text[i], 0, NULL))
			return session_lost(c);
		c->asked++;
	}
	st = session_sync(c);
	return st == DFS_OK ? session_finish(c, deadline) : st;
}

enum dfs_status
session_prepare(struct session *c, int64_t deadline)
{
	c->writes = false;
	return PQenterPipelineMode(c->pg) ? prepare(c, false, deadline) : session_lost(c);
}

enum dfs_status
session_prepare_writes(struct session *c, int64_t deadline)
{
	enum dfs_status st = c->writes ? DFS_OK : prepare(c, true, deadline);

	c->writes = st == DFS_OK;
	/* Some of them may be: they cannot be prepared again. */
	if (st != DFS_OK)
		session_drop(c);
	return st;
}
