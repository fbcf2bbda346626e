/* SPDX-License-Identifier: MIT
 *
 * The thread that moves the bytes of all transfers of an instance.
 *
 * Transfers wait in a queue until one of the connections is free; the thread alone touches
 * libcurl's multi handle and the transfers that run.  Locks: mu.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* How long the thread sleeps beside running transfers: limits are kept this exactly. */
#define TICK_MS 100
#define IDLE_MS 60000

struct engine {
	struct engine_options options;
	char *proxy, *ca_file;
	CURLM *multi;
	pthread_t thread;
	uint32_t running;                     /* the thread's */
	struct transfer *active;              /* the thread's; list through next */
	pthread_mutex_t mu;                   /* also of each transfer's `done` */
	struct transfer *queue, **queue_tail; /* guarded by mu */
	bool stopped;                         /* guarded by mu */
	bool over;                            /* guarded by mu; the thread shall end */
};

static void
finish(struct engine *e, struct transfer *t)
{
	pthread_mutex_lock(&e->mu);
	t->done = true;
	pthread_cond_signal(&t->ended);
	pthread_mutex_unlock(&e->mu);
}

/* The transfer is no longer in the multi handle's care. */
static void
drop(struct engine *e, struct transfer *t)
{
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	e->running--;
	curl_multi_remove_handle(e->multi, t->easy);
	finish(e, t);
}

static void
start(struct engine *e, struct transfer *t)
{
	CURLMcode rc;

	t->next = e->active;
	t->prev = &e->active;
	if (t->next)
		t->next->prev = &t->next;
	e->active = t;
	e->running++;
	rc = curl_multi_add_handle(e->multi, t->easy);
	if (rc != CURLM_OK) {
		t->ending = rc == CURLM_OUT_OF_MEMORY ? END_NOMEM : END_FAILED;
		snprintf(t->why, sizeof t->why, "%s", curl_multi_strerror(rc));
		drop(e, t);
	}
}

/* What waits is started as far as connections go.  False: the thread shall end. */
static bool
admit(struct engine *e, bool *stopped)
{
	bool over;

	pthread_mutex_lock(&e->mu);
	while (e->queue && !e->stopped && e->running < e->options.max_connections) {
		struct transfer *t = e->queue;

		e->queue = t->next;
		if (!e->queue)
			e->queue_tail = &e->queue;
		pthread_mutex_unlock(&e->mu);
		start(e, t);
		pthread_mutex_lock(&e->mu);
	}
	*stopped = e->stopped;
	over = e->over;
	pthread_mutex_unlock(&e->mu);
	return !over;
}

static void
reap(struct engine *e)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(e->multi, &left))) {
		struct transfer *t;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		transfer_conclude(t, msg->data.result);
		drop(e, t);
	}
}

static void
watch(struct engine *e, bool stopped)
{
	uint64_t now = monotonic_ns();
	struct transfer *next;

	for (struct transfer *t = e->active; t; t = next) {
		next = t->next;
		if (stopped) {
			t->ending = END_STOPPED;
			snprintf(t->why, sizeof t->why, "the store is being closed");
			drop(e, t);
		} else if (!watch_check(t, now)) {
			t->ending = END_TIMED_OUT;
			drop(e, t);
		}
	}
}

/* Ends transfers that waited for a connection until they had no time left, or until the end.
 * Whether others still wait. */
static bool
expire_queue(struct engine *e)
{
	uint64_t now = monotonic_ns();
	struct transfer **at = &e->queue, *t;
	bool waiting;

	pthread_mutex_lock(&e->mu);
	while ((t = *at)) {
		if (!e->stopped && now < t->deadline) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->ending = e->stopped ? END_STOPPED : END_TIMED_OUT;
		snprintf(t->why, sizeof t->why, "%s",
			 e->stopped ? "the store is being closed" : "no connection was free");
		t->done = true;
		pthread_cond_signal(&t->ended);
	}
	e->queue_tail = at;
	waiting = e->queue != NULL;
	pthread_mutex_unlock(&e->mu);
	return waiting;
}

static void *
run(void *arg)
{
	struct engine *e = arg;
	bool stopped = false;

	while (admit(e, &stopped)) {
		int n, wait = IDLE_MS;

		curl_multi_perform(e->multi, &n);
		reap(e);
		watch(e, stopped);
		if (expire_queue(e) && e->running < e->options.max_connections)
			wait = 0;
		else if (e->running > 0)
			wait = TICK_MS;
		curl_multi_poll(e->multi, NULL, 0, wait, NULL);
	}
	return NULL;
}

void
engine_run(struct engine *e, struct transfer *t)
{
	bool queued;

	if (!transfer_prepare(t, &e->options)) {
		t->ending = END_NOMEM;
		snprintf(t->why, sizeof t->why, "out of memory");
		curl_easy_cleanup(t->easy);
		return;
	}
	t->deadline = monotonic_ns() + t->limits.total;
	pthread_cond_init(&t->ended, NULL);
	t->done = false;
	t->next = NULL;
	pthread_mutex_lock(&e->mu);
	queued = !e->stopped;
	if (queued) {
		*e->queue_tail = t;
		e->queue_tail = &t->next;
	} else {
		t->ending = END_STOPPED;
		snprintf(t->why, sizeof t->why, "the store is being closed");
	}
	pthread_mutex_unlock(&e->mu);
	if (queued) {
		curl_multi_wakeup(e->multi);
		pthread_mutex_lock(&e->mu);
		while (!t->done)
			pthread_cond_wait(&t->ended, &e->mu);
		pthread_mutex_unlock(&e->mu);
	}
	pthread_cond_destroy(&t->ended);
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
}

static void
init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool
start_thread(struct engine *e)
{
	sigset_t all, old;
	int rc;

	/* Signals are the server's business; a broken pipe, which TLS could meet, is nobody's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&e->thread, NULL, run, e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0;
}

static void
release(struct engine *e)
{
	curl_multi_cleanup(e->multi);
	pthread_mutex_destroy(&e->mu);
	free(e->proxy);
	free(e->ca_file);
	free(e);
}

struct engine *
engine_new(const struct engine_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct engine *e;

	pthread_once(&once, init_curl);
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	pthread_mutex_init(&e->mu, NULL);
	e->queue_tail = &e->queue;
	e->options = *options;
	e->options.proxy = e->proxy = strdup(options->proxy);
	e->options.ca_file = e->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
	e->multi = curl_multi_init();
	if (!e->multi || !e->proxy || (options->ca_file && !e->ca_file)) {
		release(e);
		return NULL;
	}
	curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, (long)options->max_connections);
	if (!start_thread(e)) {
		release(e);
		return NULL;
	}
	return e;
}

void
engine_stop(struct engine *e)
{
	pthread_mutex_lock(&e->mu);
	e->stopped = true;
	pthread_mutex_unlock(&e->mu);
	curl_multi_wakeup(e->multi);
}

void
engine_free(struct engine *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->mu);
	e->stopped = e->over = true;
	pthread_mutex_unlock(&e->mu);
	curl_multi_wakeup(e->multi);
	pthread_join(e->thread, NULL);
	release(e);
}
