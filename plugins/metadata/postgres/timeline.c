/* SPDX-License-Identifier: MIT
 *
 * Which of several databases is the one that counts.
 *
 * A standby that is promoted begins a new timeline, and the database that it followed may live on beside
 * it.  The higher timeline has the word: a claim makes it the store's (timeline_adopt), and no session on
 * a lower one is opened or believed any more.  What such a session is answered after that counts as lost,
 * so a commit is acknowledged either before the claim looks for what is missing, or not at all.
 *
 * A database of another origin has numbers of its own; whether it has what it should, the slots tell.
 */
#include <stdio.h>
#include <string.h>

#include "store.h"

static bool
is_older(const struct timeline *t, const struct session *c)
{
	return c->line && c->system == t->system && c->line < t->line;
}

static enum dfs_status
older(struct session *c)
{
	return session_abandon(c,
			       "the database is on timeline %u, and another one that was promoted "
			       "later has been met",
			       c->line);
}

enum dfs_status
timeline_read(struct session *c, int64_t deadline)
{
	struct timeline *t = &c->s->timeline;
	unsigned long long system = 0;
	unsigned line = 0;
	char text[64];
	enum dfs_status st;
	bool old;

	/* Systems that are like PostgreSQL may not know these: then nobody asks about timelines. */
	st = session_value(
		c,
		"SELECT system_identifier || ' ' ||"
		" left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()",
		deadline, text, sizeof(text));
	if (st != DFS_OK && st != REFUSED && st != DFS_IO) {
		session_drop(c);
		return LOST;
	}
	if (st != DFS_OK || sscanf(text, "%llu %x", &system, &line) != 2)
		system = line = 0;
	c->system = system;
	c->line = line;
	c->era = 0;
	pthread_mutex_lock(&t->mu);
	old = is_older(t, c);
	pthread_mutex_unlock(&t->mu);
	return old ? older(c) : DFS_OK;
}

enum dfs_status
timeline_adopt(struct session *c)
{
	struct timeline *t = &c->s->timeline;
	bool old, changed;

	pthread_mutex_lock(&t->mu);
	old = is_older(t, c);
	changed = !old && c->line && (c->system != t->system || c->line != t->line);
	if (changed) {
		t->system = c->system;
		t->line = c->line;
		atomic_fetch_add(&t->era, 1);
	}
	c->era = atomic_load(&t->era);
	changed = changed && c->era > 1;
	pthread_mutex_unlock(&t->mu);
	if (changed)
		c->s->host->log(c->s->host->ctx, DFS_LOG_WARN,
				"%s: the database is another one now, on timeline %u", c->s->schema,
				c->line);
	return old ? older(c) : DFS_OK;
}

bool
timeline_is_past(const struct session *c)
{
	return c->era && c->era != atomic_load(&c->s->timeline.era);
}
