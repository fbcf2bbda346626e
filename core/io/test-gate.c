/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <dittofs/metadata_store.h>

#include "base/clock.h"
#include "io/gate.h"

/* A store whose sync blocks until the test lets it go. */
struct disk {
	sem_t entered, go;
	_Atomic unsigned rounds;
	_Atomic uint64_t last_seq;
	_Atomic uint32_t last_level;
	_Atomic uint64_t extra; /* the sync reaches this much further than asked */
	_Atomic int status;
	_Atomic unsigned away;         /* so many syncs find nobody there */
	_Atomic uint32_t out_of_reach; /* this level and those above; 0: none */
	struct dfs_gate *spare;        /* failures lose nothing */
	bool held;
};

static enum dfs_status
disk_sync(void *arg, uint64_t seq, uint32_t level, uint64_t *durable)
{
	struct disk *d = arg;

	d->rounds++;
	d->last_seq = seq;
	d->last_level = level;
	if (d->held) {
		sem_post(&d->entered);
		sem_wait(&d->go);
	}
	if (d->out_of_reach && level >= d->out_of_reach)
		return DFS_DELAY;
	if (d->away) {
		d->away--;
		return DFS_DELAY;
	}
	if (d->spare)
		dfs_gate_spare(d->spare);
	*durable = seq + d->extra;
	return (enum dfs_status)d->status;
}

static struct disk *
disk_new(bool held)
{
	struct disk *d = g_new0(struct disk, 1);

	d->held = held;
	sem_init(&d->entered, 0, 0);
	sem_init(&d->go, 0, 0);
	return d;
}

struct waiter {
	struct dfs_gate_waiter w;
	sem_t done;
	enum dfs_status status;
};

static void
waiter_done(struct dfs_gate_waiter *w, enum dfs_status status)
{
	struct waiter *self = (struct waiter *)w;

	self->status = status;
	sem_post(&self->done);
}

static void
waiter_queue(struct dfs_gate *gate, struct waiter *w, uint64_t seq, uint32_t level)
{
	sem_init(&w->done, 0, 0);
	w->w.done = waiter_done;
	w->w.seq = seq;
	w->w.level = level;
	dfs_gate_wait(gate, &w->w);
}

static int64_t
soon(void)
{
	return dfs_clock_mono() + 60 * DFS_SECOND;
}

static void
test_sync_answers_waiter(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter w;

	waiter_queue(gate, &w, 7, DFS_SYNC_POWER);
	sem_wait(&w.done);
	g_assert_cmpint(w.status, ==, DFS_OK);
	g_assert_cmpuint(d->last_seq, ==, 7);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_one_round_for_all_that_gathered(void)
{
	struct disk *d = disk_new(true);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter w[33];

	waiter_queue(gate, &w[0], 1, DFS_SYNC_POWER);
	sem_wait(&d->entered);
	for (unsigned i = 1; i < 33; i++)
		waiter_queue(gate, &w[i], 100 - i, DFS_SYNC_POWER);
	sem_post(&d->go);
	sem_wait(&d->entered);
	sem_post(&d->go);
	for (unsigned i = 0; i < 33; i++)
		sem_wait(&w[i].done);
	g_assert_cmpuint(d->rounds, ==, 2);
	g_assert_cmpuint(d->last_seq, ==, 99);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_no_sync_for_what_is_durable(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	d->extra = 50;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 10, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	g_assert_true(dfs_gate_passed(gate, 60, DFS_SYNC_POWER));
	g_assert_false(dfs_gate_passed(gate, 61, DFS_SYNC_POWER));
	g_assert_cmpint(dfs_gate_wait_sync(gate, 60, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	g_assert_cmpuint(d->rounds, ==, 1);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_weak_sync_leaves_strong_level_open(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	g_assert_cmpint(dfs_gate_wait_sync(gate, 5, DFS_SYNC_PROCESS, soon()), ==, DFS_OK);
	g_assert_true(dfs_gate_passed(gate, 5, DFS_SYNC_PROCESS));
	g_assert_false(dfs_gate_passed(gate, 5, DFS_SYNC_POWER));
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_strong_sync_covers_weak_level(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	g_assert_cmpint(dfs_gate_wait_sync(gate, 5, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	g_assert_true(dfs_gate_passed(gate, 5, DFS_SYNC_PROCESS));
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_round_takes_highest_level(void)
{
	struct disk *d = disk_new(true);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter a, b, c;

	waiter_queue(gate, &a, 1, DFS_SYNC_PROCESS);
	sem_wait(&d->entered);
	waiter_queue(gate, &b, 9, DFS_SYNC_PROCESS);
	waiter_queue(gate, &c, 4, DFS_SYNC_POWER);
	sem_post(&d->go);
	sem_wait(&d->entered);
	g_assert_cmpuint(d->last_seq, ==, 9);
	g_assert_cmpuint(d->last_level, ==, DFS_SYNC_POWER);
	sem_post(&d->go);
	sem_wait(&a.done);
	sem_wait(&b.done);
	sem_wait(&c.done);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_failure_is_sticky(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	d->status = DFS_IO;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 2, DFS_SYNC_POWER, soon()), ==, DFS_IO);
	d->status = DFS_OK; /* a second sync that succeeds proves nothing */
	g_assert_cmpint(dfs_gate_wait_sync(gate, 3, DFS_SYNC_POWER, soon()), ==, DFS_IO);
	g_assert_cmpuint(d->rounds, ==, 2);
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	dfs_gate_free(gate);
	g_free(d);
}

/* A database that is being restarted: nothing has failed, and nobody is told anything yet. */
static void
test_waiters_outlast_a_store_that_is_away(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	d->away = 3;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	g_assert_cmpuint(d->rounds, ==, 4);
	g_assert_cmpint(dfs_gate_wait_sync(gate, 2, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	dfs_gate_free(gate);
	g_free(d);
}

static bool
is_done_soon(struct waiter *w)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 60;
	return sem_timedwait(&w->done, &ts) == 0;
}

/* A synchronous standby that is away, for instance. */
static void
test_lower_level_does_not_wait_for_a_higher_one(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter power, process;

	d->out_of_reach = DFS_SYNC_POWER;
	waiter_queue(gate, &power, 1, DFS_SYNC_POWER);
	while (d->rounds == 0)
		g_usleep(100);
	waiter_queue(gate, &process, 2, DFS_SYNC_PROCESS);
	g_assert_true(is_done_soon(&process));
	g_assert_cmpint(process.status, ==, DFS_OK);
	g_assert_cmpint(sem_trywait(&power.done), ==, -1);
	d->out_of_reach = 0;
	g_assert_true(is_done_soon(&power));
	g_assert_cmpint(power.status, ==, DFS_OK);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_end_does_not_wait_for_a_store_that_is_away(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter w;

	d->away = UINT_MAX;
	waiter_queue(gate, &w, 1, DFS_SYNC_POWER);
	dfs_gate_free(gate);
	g_assert_cmpint(sem_trywait(&w.done), ==, 0);
	g_assert_cmpint(w.status, ==, DFS_DELAY);
	g_free(d);
}

static void
test_owner_that_can_tries_again(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	dfs_gate_retry(gate);
	d->status = DFS_IO;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_IO);
	g_assert_false(dfs_gate_passed(gate, 1, DFS_SYNC_POWER));
	d->status = DFS_OK;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	g_assert_cmpuint(d->rounds, ==, 2);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_failure_that_lost_nothing_is_its_rounds_alone(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	d->spare = gate;
	d->status = DFS_NOSPC;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_NOSPC);
	d->status = DFS_OK;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	/* The next one that does not say so counts. */
	d->spare = NULL;
	d->status = DFS_IO;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 2, DFS_SYNC_POWER, soon()), ==, DFS_IO);
	d->status = DFS_OK;
	g_assert_cmpint(dfs_gate_wait_sync(gate, 2, DFS_SYNC_POWER, soon()), ==, DFS_IO);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_blocking_wait_ends_at_deadline(void)
{
	struct disk *d = disk_new(true);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);

	g_assert_cmpint(dfs_gate_wait_sync(gate, 1, DFS_SYNC_POWER, dfs_clock_mono()), ==,
			DFS_TIMEDOUT);
	sem_post(&d->go);
	dfs_gate_free(gate);
	g_free(d);
}

static void
test_free_runs_what_waits(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	struct waiter w[8];

	for (unsigned i = 0; i < 8; i++)
		waiter_queue(gate, &w[i], i + 1, DFS_SYNC_POWER);
	dfs_gate_free(gate);
	for (unsigned i = 0; i < 8; i++) {
		g_assert_cmpint(sem_trywait(&w[i].done), ==, 0);
		g_assert_cmpint(w[i].status, ==, DFS_OK);
	}
	g_free(d);
}

static void *
many_main(void *arg)
{
	struct dfs_gate *gate = arg;

	for (uint64_t i = 1; i <= 500; i++)
		g_assert_cmpint(dfs_gate_wait_sync(gate, i, DFS_SYNC_POWER, soon()), ==, DFS_OK);
	return NULL;
}

static void
test_many_threads(void)
{
	struct disk *d = disk_new(false);
	struct dfs_gate *gate = dfs_gate_new("t", disk_sync, d);
	pthread_t t[8];

	for (unsigned i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, many_main, gate);
	for (unsigned i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	g_assert_cmpuint(d->rounds, <=, 500);
	dfs_gate_free(gate);
	g_free(d);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gate/sync-answers-waiter", test_sync_answers_waiter);
	g_test_add_func("/gate/one-round-for-all-that-gathered",
			test_one_round_for_all_that_gathered);
	g_test_add_func("/gate/no-sync-for-what-is-durable", test_no_sync_for_what_is_durable);
	g_test_add_func("/gate/weak-sync-leaves-strong-level-open",
			test_weak_sync_leaves_strong_level_open);
	g_test_add_func("/gate/strong-sync-covers-weak-level", test_strong_sync_covers_weak_level);
	g_test_add_func("/gate/round-takes-highest-level", test_round_takes_highest_level);
	g_test_add_func("/gate/failure-is-sticky", test_failure_is_sticky);
	g_test_add_func("/gate/lower-level-does-not-wait-for-a-higher-one",
			test_lower_level_does_not_wait_for_a_higher_one);
	g_test_add_func("/gate/waiters-outlast-a-store-that-is-away",
			test_waiters_outlast_a_store_that_is_away);
	g_test_add_func("/gate/end-does-not-wait-for-a-store-that-is-away",
			test_end_does_not_wait_for_a_store_that_is_away);
	g_test_add_func("/gate/owner-that-can-tries-again", test_owner_that_can_tries_again);
	g_test_add_func("/gate/failure-that-lost-nothing-is-its-rounds-alone",
			test_failure_that_lost_nothing_is_its_rounds_alone);
	g_test_add_func("/gate/blocking-wait-ends-at-deadline",
			test_blocking_wait_ends_at_deadline);
	g_test_add_func("/gate/free-runs-what-waits", test_free_runs_what_waits);
	g_test_add_func("/gate/many-threads", test_many_threads);
	return g_test_run();
}
