/* SPDX-License-Identifier: MIT
 *
 * The chain of places for keys, and the one that was chosen: see credentials.h.
 *
 * Keys that end are fetched again by the first request that finds them near their end; one thread
 * fetches at a time, and the others go on with the old ones as long as these are valid.  Locks:
 * mu, which is not held while fetching.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credentials.h"

/* Seconds.  Keys are renewed so long before they end, and a place is not asked again sooner. */
#define RENEW_BEFORE 300
#define ASK_AGAIN 10

enum place { CONFIG, ENVIRONMENT, SHARED_FILE, CONTAINER, INSTANCE, PLACES };

struct chain {
	const struct dfs_host *host;
	struct engine *engine;
	char *file, *profile; /* may be NULL */
	enum place place;
	pthread_mutex_t mu;
	pthread_cond_t fetched;
	struct credentials *current; /* guarded by mu; NULL: none yet */
	bool fetching;               /* guarded by mu */
	uint64_t not_before;         /* guarded by mu; monotonic ns of the next attempt */
	struct text why;             /* guarded by mu; of the last failure */
};

static enum found
fetch(struct chain *c, enum place place, const struct credentials_config *config,
      struct credentials **out, struct text *why)
{
	switch (place) {
	case CONFIG:
		return config ? credentials_from_config(config, out, why) : ABSENT;
	case ENVIRONMENT:
		return credentials_from_env(out, why);
	case SHARED_FILE:
		return credentials_from_file(c->file, c->profile, out, why);
	case CONTAINER:
		return credentials_from_container(c->engine, out, why);
	case INSTANCE:
		return credentials_from_instance(c->engine, out, why);
	default:
		return ABSENT;
	}
}

static bool
copy_names(struct chain *c, const struct credentials_config *config)
{
	c->file = config->file ? strdup(config->file) : NULL;
	c->profile = config->profile ? strdup(config->profile) : NULL;
	return (c->file || !config->file) && (c->profile || !config->profile);
}

/* The first place that is set up. */
static enum found
choose(struct chain *c, const struct credentials_config *config, struct text *why)
{
	enum found found = ABSENT;

	for (int place = CONFIG; place < PLACES; place++) {
		TEXT_AUTO reason = {0};

		found = fetch(c, place, config, &c->current, &reason);
		c->place = place;
		if (reason.len > 0)
			text_format(why, "%s%s", why->len ? "; " : "", reason.data);
		if (found != ABSENT)
			break;
	}
	if (found == ABSENT && why->len == 0)
		text_put(why, "neither configuration, environment, credentials file, container "
			      "nor instance has any");
	return found;
}

struct chain *
chain_new(const struct dfs_host *host, struct engine *e, const struct credentials_config *config,
	  struct text *why)
{
	struct chain *c = calloc(1, sizeof *c);
	enum found found;

	if (!c) {
		text_put(why, "out of memory");
		return NULL;
	}
	c->host = host;
	c->engine = e;
	pthread_mutex_init(&c->mu, NULL);
	pthread_cond_init(&c->fetched, NULL);
	found = copy_names(c, config) ? choose(c, config, why) : ABSENT;
	if (found == FOUND)
		return c;
	if (found == LATER) {
		host->log(host->ctx, DFS_LOG_WARN, "s3: no keys yet, which is tried again: %s",
			  text_string(why));
		return c;
	}
	chain_free(c);
	return NULL;
}

void
chain_free(struct chain *c)
{
	if (!c)
		return;
	credentials_unref(c->current);
	free(c->file);
	free(c->profile);
	text_clear(&c->why);
	pthread_cond_destroy(&c->fetched);
	pthread_mutex_destroy(&c->mu);
	free(c);
}

static bool
ends_within(const struct credentials *c, int64_t seconds)
{
	return c->expires != 0 && time(NULL) + seconds >= c->expires;
}

/* Let go of mu, fetch, take it again. */
static void
renew_locked(struct chain *c)
{
	struct credentials *fresh = NULL;
	struct text why = {0};
	enum found found;

	c->fetching = true;
	pthread_mutex_unlock(&c->mu);
	found = fetch(c, c->place, NULL, &fresh, &why);
	if (found != FOUND)
		c->host->log(c->host->ctx, DFS_LOG_WARN, "s3: keys are not renewed: %s",
			     text_string(&why));
	pthread_mutex_lock(&c->mu);
	c->fetching = false;
	c->not_before = monotonic_ns() + ASK_AGAIN * UINT64_C(1000000000);
	if (found == FOUND) {
		credentials_unref(c->current);
		c->current = fresh;
		text_clear(&why);
	} else {
		text_clear(&c->why);
		c->why = why;
	}
	pthread_cond_broadcast(&c->fetched);
}

/* Whether the place should be asked for others than the current keys. */
static bool
wants_fresh_locked(const struct chain *c, const struct credentials *refused)
{
	if (c->place == CONFIG || monotonic_ns() < c->not_before)
		return false;
	return !c->current || c->current == refused || ends_within(c->current, RENEW_BEFORE);
}

struct credentials *
chain_get(struct chain *c, const struct credentials *refused, struct text *why)
{
	struct credentials *got;

	pthread_mutex_lock(&c->mu);
	while (c->fetching && (!c->current || c->current == refused || ends_within(c->current, 0)))
		pthread_cond_wait(&c->fetched, &c->mu);
	if (!c->fetching && wants_fresh_locked(c, refused))
		renew_locked(c);
	got = c->current;
	if (got && !ends_within(got, 0))
		got->refs++;
	else
		got = NULL;
	if (!got)
		text_put(why, c->why.len ? c->why.data : "there are none at the moment");
	pthread_mutex_unlock(&c->mu);
	return got;
}
