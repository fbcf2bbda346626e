/* SPDX-License-Identifier: MIT
 *
 * The background thread: keeps segments ready, so that no append waits for one to be made, and
 * sees that what nobody asks for is written and synced soon, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dittofs/metadata_store.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/container.h"
#include "base/log.h"
#include "payload/wal/log.h"

#define SPARES 2
#define NICENESS 10
#define RETRY (5 * DFS_SECOND) /* after a disk without room */

static void
push_done(struct dfs_gate_waiter *w, enum dfs_status status)
{
	struct dfs_wal *wal = DFS_CONTAINER_OF(w, struct dfs_wal, push);

	pthread_mutex_lock(&wal->mu);
	wal->pushed = false;
	pthread_mutex_unlock(&wal->mu);
}

static void
tick_done(struct dfs_gate_waiter *w, enum dfs_status status)
{
	struct dfs_wal *wal = DFS_CONTAINER_OF(w, struct dfs_wal, tick);

	pthread_mutex_lock(&wal->mu);
	wal->ticked = false;
	pthread_mutex_unlock(&wal->mu);
}

void
wal_push_locked(struct dfs_wal *wal)
{
	if (wal->idle)
		wal_background_wake_locked(wal);
	if (wal->pushed || wal->queue_cost < wal->push_bytes)
		return;
	wal->pushed = true;
	wal->push.done = push_done;
	wal->push.seq = dfs_wal_last(wal);
	wal->push.level = DFS_SYNC_PROCESS;
	dfs_gate_wait(wal->gate, &wal->push);
}

static void
tick_locked(struct dfs_wal *wal)
{
	uint64_t last = dfs_wal_last(wal);

	wal->next_tick = dfs_clock_mono() + WAL_SYNC_NS;
	if (wal->ticked || wal->durable >= last || atomic_load(&wal->failed))
		return;
	wal->ticked = true;
	wal->tick.done = tick_done;
	wal->tick.seq = last;
	wal->tick.level = DFS_SYNC_POWER;
	dfs_gate_wait(wal->gate, &wal->tick);
}

void
wal_background_wake_locked(struct dfs_wal *wal)
{
	wal->idle = false;
	pthread_cond_signal(&wal->background_cond);
}

/* A segment to be made; NULL: enough are free, or there may be no more. */
static struct wal_segment *
wanted_locked(struct dfs_wal *wal)
{
	if (wal->n_free >= SPARES || atomic_load(&wal->failed) || dfs_clock_mono() < wal->retry)
		return NULL;
	for (uint32_t i = 0; i < wal->n_max; i++)
		if (wal->segments[i].state == WAL_ABSENT)
			return &wal->segments[i];
	return NULL;
}

/* Between two pieces of a long write; the clock runs meanwhile, too.  Writers who fill a good part of
 * a segment while one is made need the disk for themselves. */
static enum wal_haste
haste(struct dfs_wal *wal)
{
	enum wal_haste how;

	pthread_mutex_lock(&wal->mu);
	how = wal->stop ? WAL_STOP
	      : wal->n_free == 0 || wal->bytes - wal->making_since > wal->segment_size / 8
		      ? WAL_HURRY
		      : WAL_CALM;
	if (dfs_clock_mono() >= wal->next_tick)
		tick_locked(wal);
	pthread_mutex_unlock(&wal->mu);
	return how;
}

static void
make_locked(struct dfs_wal *wal, struct wal_segment *seg)
{
	int r;

	seg->state = WAL_PREPARING;
	wal->making_since = wal->bytes;
	pthread_mutex_unlock(&wal->mu);
	r = wal_segment_make(wal, seg, haste);
	pthread_mutex_lock(&wal->mu);
	if (r == 0) {
		seg->state = WAL_FREE;
		wal->n_files++;
		wal->n_free++;
		wal->full = false;
		wal_room_update_locked(wal);
		return;
	}
	seg->state = WAL_ABSENT;
	if (r == -EINTR)
		return;
	wal->retry = dfs_clock_mono() + RETRY;
	if (!wal->full)
		dfs_log(DFS_LOG_WARN,
			"wal %s: no further segment (%s): the log stays at %u of %u segments and "
			"slows writers down when these are full",
			wal->path, strerror(-r), wal->n_files, wal->n_max);
	wal->full = true;
}

static void *
background_main(void *arg)
{
	struct dfs_wal *wal = arg;
	struct wal_segment *seg;

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
	pthread_mutex_lock(&wal->mu);
	wal->next_tick = dfs_clock_mono() + WAL_SYNC_NS;
	while (!wal->stop) {
		if ((seg = wanted_locked(wal))) {
			make_locked(wal, seg);
		} else if (wal->durable >= dfs_wal_last(wal) && !wal->full) {
			wal->idle = true;
			while (wal->idle && !wal->stop)
				pthread_cond_wait(&wal->background_cond, &wal->mu);
			wal->next_tick = dfs_clock_mono() + WAL_SYNC_NS;
		} else if (!dfs_cond_until(&wal->background_cond, &wal->mu, wal->next_tick)) {
			tick_locked(wal);
		}
	}
	pthread_mutex_unlock(&wal->mu);
	return NULL;
}

void
wal_background_start(struct dfs_wal *wal)
{
	if (pthread_create(&wal->background, NULL, background_main, wal) != 0)
		abort();
	pthread_setname_np(wal->background, "wal background");
	wal->background_runs = true;
}

void
wal_background_stop(struct dfs_wal *wal)
{
	if (!wal->background_runs)
		return;
	pthread_mutex_lock(&wal->mu);
	wal->stop = true;
	pthread_cond_signal(&wal->background_cond);
	pthread_mutex_unlock(&wal->mu);
	pthread_join(wal->background, NULL);
	wal->background_runs = false;
}
