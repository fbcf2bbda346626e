/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/cond.h"
#include "payload/offload/metrics.h"
#include "payload/offload/offload.h"
#include "payload/store.h"

#define THREADS_MAX (2 * DFS_WINDOW_CEILING)
#define PROBES_MAX 8 /* may run while all slots hang */
#define LANE_QUEUE 4096

static uint64_t
draw_locked(struct dfs_offload *o)
{
	/* xorshift64* (Vigna, 2014): jitter wants no more. */
	o->random ^= o->random >> 12;
	o->random ^= o->random << 25;
	o->random ^= o->random >> 27;
	return o->random * UINT64_C(0x2545f4914f6cdd1d);
}

struct dfs_offload *
dfs_offload_new(struct dfs_block_store *store, unsigned threads)
{
	struct dfs_offload *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	if (threads == 0 || threads > THREADS_MAX)
		threads = THREADS_MAX;
	o->store = store;
	o->times = (struct dfs_offload_times){.demand = 20 * DFS_SECOND,
					      .upload = 60 * DFS_SECOND,
					      .prefetch = 60 * DFS_SECOND,
					      .slow = DFS_SECOND};
	o->random = (uint64_t)dfs_clock_real() | 1;
	pthread_mutex_init(&o->mu, NULL);
	dfs_cond_init(&o->empty);
	dfs_queue_init(&o->queue, threads);
	dfs_window_init(&o->window[DFS_DOWN], threads);
	dfs_window_init(&o->window[DFS_UP], threads);
	dfs_retry_init(&o->retries);
	o->workers = dfs_workers_new(threads + PROBES_MAX);
	o->lane = dfs_lane_new(o->workers, threads + PROBES_MAX, LANE_QUEUE);
	return o;
}

void
dfs_offload_watch(struct dfs_offload *o, double (*level)(void *arg), void *arg)
{
	pthread_mutex_lock(&o->mu);
	o->watchers++;
	o->queue.level = level;
	o->queue.level_arg = arg;
	pthread_mutex_unlock(&o->mu);
}

void
dfs_offload_unwatch(struct dfs_offload *o)
{
	pthread_mutex_lock(&o->mu);
	if (--o->watchers == 0)
		o->queue.level = NULL;
	pthread_mutex_unlock(&o->mu);
}

void
dfs_offload_get_state(struct dfs_offload *o, struct dfs_offload_state *state)
{
	pthread_mutex_lock(&o->mu);
	*state = (struct dfs_offload_state){.breaker = o->breaker.state,
					    .breaker_since = o->breaker.since,
					    .breaker_why = o->breaker.why};
	for (int dir = 0; dir < 2; dir++) {
		state->window[dir] = o->window[dir].size;
		state->running[dir] = o->queue.running[dir];
	}
	memcpy(state->queued, o->queue.queued, sizeof state->queued);
	pthread_mutex_unlock(&o->mu);
}

void
dfs_offload_show_locked(struct dfs_offload *o)
{
	const struct dfs_offload_metrics *m = dfs_offload_metrics();

	for (int dir = 0; dir < 2; dir++) {
		o->queue.size[dir] = o->window[dir].size;
		dfs_counter_add(m->window[dir],
				(int64_t)o->window[dir].size - o->shown_window[dir]);
		o->shown_window[dir] = o->window[dir].size;
	}
	dfs_counter_add(m->breaker_state, (int64_t)o->breaker.state - (int64_t)o->shown_state);
	o->shown_state = o->breaker.state;
}

void
dfs_offload_lock(struct dfs_offload *o)
{
	pthread_mutex_lock(&o->mu);
}

void
dfs_offload_unlock(struct dfs_offload *o)
{
	struct dfs_transfer *dead = o->dead, *next;

	o->dead = NULL;
	pthread_mutex_unlock(&o->mu);
	for (; dead; dead = next) {
		next = dead->next_dead;
		pthread_cond_destroy(&dead->ended_cond);
		free(dead->text);
		dead->free(dead);
		dfs_offload_leave(o);
	}
}

void
dfs_offload_enter(struct dfs_offload *o)
{
	pthread_mutex_lock(&o->mu);
	o->transfers++;
	pthread_mutex_unlock(&o->mu);
}

void
dfs_offload_leave(struct dfs_offload *o)
{
	pthread_mutex_lock(&o->mu);
	if (--o->transfers == 0)
		pthread_cond_broadcast(&o->empty);
	pthread_mutex_unlock(&o->mu);
}

int64_t
dfs_offload_deadline(const struct dfs_offload *o, const struct dfs_ctx *ctx)
{
	int64_t own = dfs_clock_mono() + o->times.demand;

	return ctx && ctx->deadline && ctx->deadline < own ? ctx->deadline : own;
}

void
dfs_offload_good(struct dfs_offload *o, bool retried)
{
	dfs_offload_lock(o);
	dfs_retry_give(&o->retries, retried);
	dfs_offload_unlock(o);
}

struct dfs_content_id
dfs_offload_flow(const char *key)
{
	struct dfs_content_id id;
	uint64_t words[2] = {UINT64_C(0xcbf29ce484222325), strlen(key)};

	for (const char *p = key; *p; p++)
		words[0] = (words[0] ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	memcpy(id.bytes, words, sizeof id.bytes);
	return id;
}

/* Nanoseconds to pause before another try; -1: none. */
static int64_t
pause_before(struct dfs_offload *o, enum dfs_status status, unsigned tries, int64_t deadline)
{
	const struct dfs_offload_metrics *m = dfs_offload_metrics();
	int64_t pause = -1, now = dfs_clock_mono();

	if (!dfs_retry_transient(status) || tries >= DFS_OFFLOAD_TRIES)
		return -1;
	dfs_offload_lock(o);
	if (dfs_breaker_would(&o->breaker, now))
		pause = dfs_retry_pause(tries, draw_locked(o));
	if (pause >= 0 && now + pause >= deadline)
		pause = -1;
	if (pause >= 0 && !dfs_retry_take(&o->retries, status)) {
		dfs_counter_add(m->retry_denied, 1);
		pause = -1;
	}
	dfs_offload_unlock(o);
	if (pause >= 0)
		dfs_counter_add(status == DFS_TIMEDOUT ? m->retry_timeout
				: status == DFS_IO     ? m->retry_error
						       : m->retry_busy,
				1);
	return pause;
}

bool
dfs_offload_again(struct dfs_offload *o, enum dfs_status status, unsigned tries, int64_t deadline)
{
	int64_t pause = pause_before(o, status, tries, deadline);
	struct timespec ts = {pause / DFS_SECOND, pause % DFS_SECOND};

	if (pause < 0)
		return false;
	while (pause > 0 && nanosleep(&ts, &ts) != 0)
		;
	return true;
}

bool
dfs_offload_drain(struct dfs_offload *o, int64_t deadline)
{
	bool gone;

	pthread_mutex_lock(&o->mu);
	while (o->transfers > 0 && dfs_cond_until(&o->empty, &o->mu, deadline))
		;
	gone = o->transfers == 0;
	pthread_mutex_unlock(&o->mu);
	return gone;
}

bool
dfs_offload_free(struct dfs_offload *o, int64_t deadline)
{
	bool gone;

	if (!o)
		return true;
	dfs_offload_lock(o);
	o->stop = true;
	dfs_transfer_withdraw_all_locked(o, DFS_SHUTDOWN, "the block store is being closed");
	dfs_offload_unlock(o);
	gone = dfs_offload_drain(o, deadline);
	pthread_mutex_lock(&o->mu);
	o->window[DFS_DOWN].size = o->window[DFS_UP].size = 0;
	o->breaker.state = DFS_BREAKER_CLOSED;
	dfs_offload_show_locked(o);
	pthread_mutex_unlock(&o->mu);
	if (!gone)
		return false;
	dfs_lane_free(o->lane);
	dfs_workers_free(o->workers);
	pthread_cond_destroy(&o->empty);
	pthread_mutex_destroy(&o->mu);
	free(o);
	return true;
}
