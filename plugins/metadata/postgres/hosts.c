/* SPDX-License-Identifier: MIT
 *
 * The hosts that the store may connect to.
 *
 * libpq goes through a list of hosts by itself, but not past one that does not answer when nobody
 * blocks in it, nor past one that refuses the login; a primary that hangs or is fenced off would keep the
 * store from the one that was promoted.  So each gets a connection attempt of its own, in turn, the
 * last good one first.  A list with empty places is left to libpq.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

static const char *const host_keys[HOST_KEYS] = {"host", "hostaddr", "port"};

static unsigned
places(const char *list)
{
	unsigned n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* A copy of place i of a list; of the only one, if it has one. */
static char *
place(const char *list, unsigned i)
{
	if (places(list) == 1)
		i = 0;
	for (; i; i--)
		list = strchr(list, ',') + 1;
	return strndup(list, strcspn(list, ","));
}

static bool
has_gaps(const char *list)
{
	return !*list || *list == ',' || strstr(list, ",,") || list[strlen(list) - 1] == ',';
}

bool
hosts_agree(const char *hosts, const char *ports)
{
	return !hosts || !ports || places(ports) == 1 || places(ports) == places(hosts);
}

/* What libpq makes of options, environment and service file: an impossible parameter keeps it from
 * connecting. */
static PQconninfoOption *
effective(struct store *s)
{
	const char *keywords[PAIRS_MAX + 2] = {NULL}, *values[PAIRS_MAX + 2] = {NULL};
	PQconninfoOption *found = NULL;
	unsigned n = 0;
	PGconn *pg;

	for (; s->keywords[n]; n++) {
		keywords[n] = s->keywords[n];
		values[n] = s->values[n];
	}
	keywords[n] = "target_session_attrs";
	values[n] = "none";
	pg = PQconnectStartParams(keywords, values, 1);
	if (pg)
		found = PQconninfo(pg);
	PQfinish(pg);
	return found;
}

static bool
split(struct hosts *h, const char *const lists[HOST_KEYS])
{
	const char *main = lists[1] ? lists[1] : lists[0];
	unsigned n = main ? places(main) : 1;

	for (unsigned k = 0; k < HOST_KEYS; k++)
		if (lists[k] && (has_gaps(lists[k]) ||
				 (places(lists[k]) != n && (k != 2 || places(lists[k]) != 1))))
			n = 1;
	h->n = n;
	if (n == 1)
		return true;
	h->places = calloc(n, sizeof(*h->places));
	for (unsigned i = 0; h->places && i < n; i++)
		for (unsigned k = 0; k < HOST_KEYS; k++)
			if (lists[k] && !(h->places[i][k] = place(lists[k], i)))
				return false;
	return h->places != NULL;
}

bool
hosts_make(struct store *s)
{
	PQconninfoOption *found = effective(s);
	const char *lists[HOST_KEYS] = {NULL};
	bool done;

	if (!found)
		return false;
	for (PQconninfoOption *o = found; o->keyword; o++)
		for (unsigned k = 0; k < HOST_KEYS; k++)
			if (!strcmp(o->keyword, host_keys[k]) && o->val && o->val[0])
				lists[k] = o->val;
	done = split(&s->hosts, lists);
	PQconninfoFree(found);
	return done;
}

void
hosts_free(struct store *s)
{
	for (unsigned i = 0; s->hosts.places && i < s->hosts.n; i++)
		for (unsigned k = 0; k < HOST_KEYS; k++)
			free(s->hosts.places[i][k]);
	free(s->hosts.places);
}

PGconn *
hosts_connect(struct store *s, unsigned i)
{
	const char *keywords[PAIRS_MAX + HOST_KEYS + 1] = {NULL};
	const char *values[PAIRS_MAX + HOST_KEYS + 1] = {NULL};
	unsigned n = 0;

	for (; s->keywords[n]; n++) {
		keywords[n] = s->keywords[n];
		values[n] = s->values[n];
	}
	for (unsigned k = 0; s->hosts.places && k < HOST_KEYS; k++) {
		if (!s->hosts.places[i][k])
			continue;
		keywords[n] = host_keys[k];
		values[n++] = s->hosts.places[i][k];
	}
	return PQconnectStartParams(keywords, values, 1);
}
