/* SPDX-License-Identifier: MIT */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define PRODUCT "dittofs metadata"

static enum dfs_status
say(struct session *c, enum dfs_status st, struct dfs_diag *diag, const char *text)
{
	snprintf(diag->text, sizeof(diag->text), "schema %.64s: %.400s", c->s->schema,
		 text ? text : c->error);
	return st;
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
		struct {
			int64_t v;
		} n = {0};
		const unsigned char *b = (const unsigned char *)PQgetvalue(res, 0, 0);

		for (int i = 0; i < PQgetlength(res, 0, 0); i++)
			n.v = n.v << 8 | b[i];
		*number = (long)n.v;
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

/* The version that the schema has: 0, empty; -1, it is another's. */
static enum dfs_status
read_version(struct session *c, int64_t deadline, long *version)
{
	long exists, relations, product;
	enum dfs_status st;

	*version = 0;
	st = ask_number(c, "SELECT count(*) FROM pg_namespace WHERE nspname = $1::name", deadline,
			&exists);
	if (st != DFS_OK || !exists)
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
	*version = -1;
	if (product != 2)
		return DFS_OK;
	return ask_number(c,
			  "SELECT max(version) FROM schema_version WHERE product = '" PRODUCT "'",
			  deadline, version);
}

static enum dfs_status
create(struct session *c, int64_t deadline)
{
	char *name = PQescapeIdentifier(c->pg, c->s->schema, strlen(c->s->schema));
	char *sql = NULL;
	enum dfs_status st = DFS_NOMEM;

	if (name &&
	    asprintf(&sql,
		     "CREATE SCHEMA IF NOT EXISTS %s;"
		     "CREATE TABLE schema_version (version integer PRIMARY KEY,"
		     " product text NOT NULL, applied timestamptz NOT NULL DEFAULT now());"
		     "COMMENT ON TABLE schema_version IS 'DittoFS: which changes of the schema"
		     " have been made'",
		     name) >= 0)
		st = run_script(c, sql, deadline);
	PQfreemem(name);
	free(sql);
	return st;
}

static enum dfs_status
migrate(struct session *c, int64_t deadline, struct dfs_diag *diag)
{
	char text[160];
	long version;
	enum dfs_status st = read_version(c, deadline, &version);

	if (st != DFS_OK)
		return say(c, st, diag, NULL);
	if (version < 0)
		return say(c, DFS_VERSION, diag, "it holds something else");
	if (version > (long)n_migrations) {
		snprintf(text, sizeof(text),
			 "it has version %ld; this program knows versions up to %u", version,
			 n_migrations);
		return say(c, DFS_VERSION, diag, text);
	}
	if (version == 0)
		st = create(c, deadline);
	for (unsigned i = (unsigned)version; st == DFS_OK && i < n_migrations; i++) {
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
