/* SPDX-License-Identifier: MIT */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "row.h"
#include "sqlstate.h"
#include "store.h"

#define PRODUCT "dittofs metadata"

static enum dfs_status
say(struct session *c, enum dfs_status st, struct dfs_diag *diag, const char *text)
{
	bool denied = !text && !strcmp(c->sqlstate, SQLSTATE_DENIED);

	snprintf(diag->text, sizeof(diag->text), "schema %.64s: %.300s%s", c->s->schema,
		 text ? text : c->error,
		 denied ? "; the role needs the right to make the schema (CREATE on the database), "
			  "or a schema of its own"
			: "");
	return denied ? DFS_CONFIG : st;
}

/* One number that a query answers; -1: none. */
static enum dfs_status
ask_number(struct session *c, const char *sql, int64_t deadline, long *number)
{
	PGresult *res = NULL;
	struct params p = {0};
	enum dfs_status st;

	*number = -1;
	param_bytes(&p, c->s->schema, (int32_t)strlen(c->s->schema));
	st = session_ask(c, sql, strstr(sql, "$1") ? &p : NULL, deadline, &res);
	if (st != DFS_OK)
		return st;
	if (PQntuples(res) == 1 && !PQgetisnull(res, 0, 0)) {
		struct row row;

		row_of_result(&row, res, 0);
		*number = (long)row_int(&row, 0);
	}
	PQclear(res);
	return DFS_OK;
}

static enum dfs_status
run(struct session *c, const char *sql, int64_t deadline)
{
	PGresult *res = NULL;
	enum dfs_status st = session_ask(c, sql, NULL, deadline, &res);

	PQclear(res);
	return st;
}

/* Several statements: pipelines take one at a time. */
static enum dfs_status
run_script(struct session *c, const char *sql, int64_t deadline)
{
	enum dfs_status st;

	if (!PQexitPipelineMode(c->pg))
		return DFS_IO;
	st = session_script(c, sql, deadline);
	if (c->pg && !PQenterPipelineMode(c->pg))
		return DFS_IO;
	return st;
}

/* What version the schema has, when it is not a number of ours. */
enum { ABSENT = -1, EMPTY = 0, CLOSED = -2, FOREIGN = -3 };

static enum dfs_status
read_version(struct session *c, int64_t deadline, long *version)
{
	long usable, relations, product;
	enum dfs_status st;

	st = ask_number(c,
			"SELECT has_schema_privilege(oid, 'USAGE')::integer FROM pg_namespace"
			" WHERE nspname = $1::name",
			deadline, &usable);
	*version = usable < 0 ? ABSENT : usable ? EMPTY : CLOSED;
	if (st != DFS_OK || usable <= 0)
		return st;
	st = ask_number(
		c,
		"SELECT count(*) FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace"
		" WHERE n.nspname = $1::name",
		deadline, &relations);
	if (st != DFS_OK || !relations)
		return st;
	st = ask_number(c,
			"SELECT count(*) FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid"
			" JOIN pg_namespace n ON n.oid = k.relnamespace WHERE n.nspname = $1::name"
			" AND k.relname = 'schema_version' AND a.attname IN ('product', 'version')",
			deadline, &product);
	if (st != DFS_OK)
		return st;
	*version = FOREIGN;
	if (product != 2)
		return DFS_OK;
	st = ask_number(
		c, "SELECT max(version)::int8 FROM schema_version WHERE product = '" PRODUCT "'",
		deadline, version);
	if (st == DFS_OK && *version < 0)
		*version = FOREIGN;
	return st;
}

/* A schema that is there is not asked for again, IF NOT EXISTS or not: that needs the same right. */
static enum dfs_status
create_schema(struct session *c, int64_t deadline)
{
	char *name = PQescapeIdentifier(c->pg, c->s->schema, strlen(c->s->schema));
	char *sql = NULL;
	enum dfs_status st = DFS_NOMEM;

	if (name && asprintf(&sql, "CREATE SCHEMA %s", name) >= 0)
		st = run(c, sql, deadline);
	PQfreemem(name);
	free(sql);
	return st;
}

static enum dfs_status
create(struct session *c, bool absent, int64_t deadline)
{
	enum dfs_status st = absent ? create_schema(c, deadline) : DFS_OK;

	if (st != DFS_OK)
		return st;
	return run_script(c,
			  "CREATE TABLE schema_version (version integer PRIMARY KEY,"
			  " product text NOT NULL, applied timestamptz NOT NULL DEFAULT now());"
			  "COMMENT ON TABLE schema_version IS 'DittoFS: which changes of the schema"
			  " have been made'",
			  deadline);
}

static enum dfs_status
migrate(struct session *c, int64_t deadline, struct dfs_diag *diag)
{
	char text[160];
	long version;
	enum dfs_status st = read_version(c, deadline, &version);

	if (st != DFS_OK)
		return say(c, st, diag, NULL);
	if (version == FOREIGN)
		return say(c, DFS_VERSION, diag, "it holds something else");
	if (version == CLOSED)
		return say(c, DFS_CONFIG, diag,
			   "it is there, but the role may not use it: let the role own it");
	if (version > (long)n_migrations) {
		snprintf(text, sizeof(text),
			 "it has version %ld; this program knows versions up to %u", version,
			 n_migrations);
		return say(c, DFS_VERSION, diag, text);
	}
	if (version == ABSENT || version == EMPTY)
		st = create(c, version == ABSENT, deadline);
	for (unsigned i = version > 0 ? (unsigned)version : 0; st == DFS_OK && i < n_migrations;
	     i++) {
		st = run_script(c, migrations[i], deadline);
		snprintf(text, sizeof(text),
			 "INSERT INTO schema_version (version, product) VALUES (%u, '" PRODUCT "')",
			 i + 1);
		if (st == DFS_OK)
			st = run(c, text, deadline);
	}
	return st == DFS_OK ? st : say(c, st, diag, NULL);
}

enum dfs_status
schema_open(struct session *c, int64_t deadline, struct dfs_diag *diag)
{
	struct params p = {0};
	PGresult *res = NULL;
	enum dfs_status st, end;

	if (!PQenterPipelineMode(c->pg))
		return say(c, DFS_IO, diag, "the connection cannot be used");
	st = run(c, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", deadline);
	if (st == DFS_OK)
		st = run(c, "SELECT set_config('synchronous_commit', 'on', true)", deadline);
	param_bytes(&p, c->s->schema, (int32_t)strlen(c->s->schema));
	/* Those who open it at the same time come one after the other. */
	if (st == DFS_OK)
		st = session_ask(
			c,
			"SELECT pg_advisory_xact_lock(hashtextextended('dittofs ' || $1::text, 0))",
			&p, deadline, &res);
	PQclear(res);
	st = st == DFS_OK ? migrate(c, deadline, diag) : say(c, st, diag, NULL);
	if (c->pg) {
		end = run(c, st == DFS_OK ? "COMMIT" : "ROLLBACK", deadline);
		if (st == DFS_OK && end != DFS_OK)
			st = say(c, end, diag, NULL);
	}
	if (c->pg && !PQexitPipelineMode(c->pg))
		st = say(c, DFS_IO, diag, "the connection cannot be used");
	return st;
}
