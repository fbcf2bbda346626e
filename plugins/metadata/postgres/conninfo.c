/* SPDX-License-Identifier: MIT
 *
 * From options to the connection's parameters and the session's settings.
 *
 * What no option sets is libpq's business: its environment variables, service and password files.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

const char *const sslmodes[] = {"default", "disable",   "allow",       "prefer",
				"require", "verify-ca", "verify-full", NULL};

static enum dfs_status
refuse(struct dfs_diag *diag, const char *key, const char *text)
{
	snprintf(diag->key, sizeof(diag->key), "%s", key);
	snprintf(diag->text, sizeof(diag->text), "%s", text);
	return DFS_CONFIG;
}

static const char *
value_of(const PQconninfoOption *parsed, const char *key)
{
	while (parsed->keyword && strcmp(parsed->keyword, key) != 0)
		parsed++;
	return parsed->keyword && parsed->val ? parsed->val : "";
}

/* A URI with a password that holds one of the URI's own signs is taken apart at the wrong places, and
 * pieces of it would be told as a host or a port. */
static bool
misread(const PQconninfoOption *parsed)
{
	const char *port = value_of(parsed, "port");

	return strchr(value_of(parsed, "host"), '@') || port[strspn(port, "0123456789,")] ||
	       (strchr(value_of(parsed, "dbname"), '@') && !value_of(parsed, "user")[0]);
}

/* Whether a database that takes no changes would do. */
static bool
takes_followers(const PQconninfoOption *parsed)
{
	const char *attrs = value_of(parsed, "target_session_attrs");

	return *attrs && strcmp(attrs, "read-write") && strcmp(attrs, "primary");
}

enum dfs_status
conninfo_check(const struct postgres_config *cfg, struct dfs_diag *diag)
{
	if (cfg->conninfo) {
		PQconninfoOption *parsed = PQconninfoParse(cfg->conninfo, NULL);
		bool bad, follows;

		/* libpq's own sentence could hold a piece of a password. */
		if (!parsed)
			return refuse(diag, "conninfo",
				      "it is no connection string of PostgreSQL; psql tells what "
				      "is wrong with it");
		bad = misread(parsed);
		follows = takes_followers(parsed);
		PQconninfoFree(parsed);
		if (bad)
			return refuse(
				diag, "conninfo",
				"it has a port that is no number or a host with an @: in a URI, "
				"such signs of a password are written as %40, %2F and so on");
		if (follows)
			return refuse(diag, "conninfo",
				      "target_session_attrs is not read-write or primary");
	}
	if (!hosts_agree(cfg->host, cfg->port))
		return refuse(diag, "port", "one is needed, or one for each of the hosts");
	if (!cfg->schema || !cfg->schema[0])
		return refuse(diag, "schema", "a name is needed");
	if (!strncmp(cfg->schema, "pg_", 3) || !strcmp(cfg->schema, "information_schema"))
		return refuse(diag, "schema", "PostgreSQL keeps this name for itself");
	return DFS_OK;
}

__attribute__((format(printf, 3, 4))) static bool
pair(struct store *s, const char *key, const char *fmt, ...)
{
	unsigned n = 0;
	va_list ap;
	int rc;

	while (s->keywords[n])
		n++;
	if (n == PAIRS_MAX)
		return false;
	va_start(ap, fmt);
	rc = vasprintf(&s->values[n], fmt, ap);
	va_end(ap);
	if (rc < 0) {
		s->values[n] = NULL;
		return false;
	}
	s->keywords[n] = strdup(key);
	return s->keywords[n] != NULL;
}

static bool
given(struct store *s, const char *key, const char *value)
{
	return !value || !value[0] || pair(s, key, "%s", value);
}

/* "name", with the quotes in it doubled. */
static bool
quoted(const char *name, char *out, size_t size)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *name && n + 3 < size; name++) {
		if (*name == '"')
			out[n++] = '"';
		out[n++] = *name;
	}
	out[n++] = '"';
	out[n] = 0;
	return !*name;
}

static bool
make_settings(struct store *s)
{
	char schema[160];

	/* There is no statement_timeout, which would let a commit return that waits for a standby: who
	 * has waited long enough ends the connection.  Nor is there another limit that the role or the
	 * database may set for people.  Transactions say by themselves that they are serializable; a
	 * sync is not, because while it waits for a standby the database could forget nothing of those
	 * that have committed since, and soon would refuse each that reads. */
	return quoted(s->schema, schema, sizeof(schema)) &&
	       asprintf(&s->settings,
			"SET search_path = %s;"
			"SET application_name = '%s';"
			"SET synchronous_commit = off;"
			"SET default_transaction_isolation = 'read committed';"
			"SET default_transaction_deferrable = off;"
			"SET statement_timeout = 0;"
			"SET lock_timeout = 0;"
			"SET idle_session_timeout = 0;"
			"SET idle_in_transaction_session_timeout = 0;"
			"SET tcp_keepalives_idle = 10;"
			"SET tcp_keepalives_interval = 3;"
			"SET tcp_keepalives_count = 3;"
			"SET tcp_user_timeout = %lld;"
			"SET client_min_messages = error;" PLAN_SETTINGS,
			schema, s->tag, (long long)(s->request_timeout / 1000000)) >= 0;
}

bool
conninfo_make(struct store *s, const struct postgres_config *cfg)
{
	long long patience = (long long)(cfg->request_timeout / 1000000);

	s->keywords = calloc(PAIRS_MAX + 1, sizeof(*s->keywords));
	s->values = calloc(PAIRS_MAX + 1, sizeof(*s->values));
	s->schema = strdup(cfg->schema);
	if (!s->keywords || !s->values || !s->schema)
		return false;
	/* Defaults come first, because later ones win. */
	return make_settings(s) && pair(s, "target_session_attrs", "read-write") &&
	       pair(s, "client_encoding", "UTF8") && pair(s, "keepalives_idle", "10") &&
	       pair(s, "keepalives_interval", "3") && pair(s, "keepalives_count", "3") &&
	       pair(s, "tcp_user_timeout", "%lld", patience) &&
	       /* libpq takes the first dbname alone for a connection string. */
	       pair(s, "dbname", "%s", cfg->conninfo ? cfg->conninfo : "") &&
	       given(s, "host", cfg->host) && given(s, "port", cfg->port) &&
	       given(s, "dbname", cfg->dbname) && given(s, "user", cfg->user) &&
	       given(s, "password", cfg->password) && given(s, "passfile", cfg->passfile) &&
	       given(s, "sslmode", cfg->sslmode ? sslmodes[cfg->sslmode] : NULL) &&
	       given(s, "sslrootcert", cfg->sslrootcert) && given(s, "sslcert", cfg->sslcert) &&
	       given(s, "sslkey", cfg->sslkey) && hosts_make(s);
}

void
conninfo_free(struct store *s)
{
	hosts_free(s);
	for (unsigned i = 0; s->keywords && i < PAIRS_MAX; i++)
		free(s->keywords[i]);
	for (unsigned i = 0; s->values && i < PAIRS_MAX; i++) {
		if (s->values[i])
			explicit_bzero(s->values[i], strlen(s->values[i]));
		free(s->values[i]);
	}
	free(s->keywords);
	free(s->values);
	free(s->settings);
	free(s->schema);
}
