/* SPDX-License-Identifier: MIT */
#include "sqlstate.h"

#include <string.h>

#include "session.h"

struct meaning {
	const char *prefix;
	enum dfs_status status;
	bool lasting;
};

/* The first that fits counts: codes before their classes. */
static const struct meaning meanings[] = {
	{"08", LOST},                          /* connection exceptions */
	{"0A000", LOST},                       /* a plan whose table was altered */
	{"22003", DFS_INVAL, true},            /* a number out of range */
	{"22", DFS_IO, true},                  /* data exceptions: a setting that is none */
	{SQLSTATE_READ_ONLY, LOST},            /* it takes no changes: another one may */
	{"25P03", LOST},                       /* idle in a transaction for too long */
	{"28", DFS_IO, true},                  /* authentication */
	{"3D000", DFS_IO, true},               /* no such database */
	{"3F", REFUSED},                       /* no such schema */
	{"40001", DFS_AGAIN},                  /* not serializable */
	{"40003", LOST},                       /* whether it took effect is not known */
	{"40P01", DFS_AGAIN},                  /* deadlock */
	{"42", REFUSED, true},                 /* no right, no such table */
	{"53100", DFS_NOSPC},                  /* disk full */
	{"53200", DFS_AGAIN},                  /* out of memory */
	{SQLSTATE_TOO_MANY_CONNECTIONS, LOST}, /* others may end */
	{"53", REFUSED},                       /* other limits */
	{"55P03", DFS_AGAIN},                  /* a lock is not to be had */
	{"57014", DFS_AGAIN},                  /* cancelled */
	{"57P", LOST},                         /* it shuts down, starts or has crashed */
	{"XX001", DFS_CORRUPT},                /* data corrupted */
	{"XX002", DFS_CORRUPT},                /* index corrupted */
	{"", DFS_IO},
};

static const struct meaning *
meaning_of(const char *sqlstate)
{
	const struct meaning *m = meanings;

	while (strncmp(sqlstate, m->prefix, strlen(m->prefix)) != 0)
		m++;
	return m;
}

enum dfs_status
sqlstate_status(const char *sqlstate)
{
	return meaning_of(sqlstate)->status;
}

bool
sqlstate_is_lasting(const char *sqlstate)
{
	return meaning_of(sqlstate)->lasting;
}
