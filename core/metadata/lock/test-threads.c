/* SPDX-License-Identifier: MIT
 *
 * Threads on the same files: exclusive locks exclude, nothing is lost, everything ends.
 * Meant for ThreadSanitizer as well.
 */
#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "metadata/lock/test-bed.h"

enum { THREADS = 4, FILES = 3, STEPS = 3000 };

struct blocking {
	struct dfs_lock_wait wait;
	enum dfs_status status;
	sem_t ended;
};

struct shared {
	struct bed bed;
	unsigned inside[FILES]; /* guarded by the file's lock on byte 0 */
	_Atomic uint64_t granted, waited;
};

struct thread {
	struct shared *s;
	unsigned id;
	GRand *rand;
	pthread_t t;
};

static void
ended(struct dfs_lock_wait *wait, enum dfs_status status)
{
	struct blocking *b = (struct blocking *)wait;

	b->status = status;
	sem_post(&b->ended);
}

/* Lock as a process would that waits. */
static enum dfs_status
lock(struct shared *s, struct dfs_lock_owner *owner, uint64_t file,
     const struct dfs_lock_range *range)
{
	struct blocking b = {.wait.done = ended};
	struct dfs_lock_done done;
	enum dfs_status status;

	sem_init(&b.ended, 0, 0);
	dfs_lock_done_init(&done);
	status = dfs_locks_lock(s->bed.locks, owner, file, range, &b.wait, NULL, &done);
	dfs_lock_done_run(s->bed.locks, &done);
	if (status == DFS_BUSY) {
		s->waited++;
		while (sem_wait(&b.ended) != 0)
			;
		status = b.status;
	}
	sem_destroy(&b.ended);
	return status;
}

static void
unlock(struct shared *s, struct dfs_lock_owner *owner, uint64_t file,
       const struct dfs_lock_range *range)
{
	struct dfs_lock_done done;

	dfs_lock_done_init(&done);
	assert_status(dfs_locks_unlock(s->bed.locks, owner, file, range, &done), DFS_OK);
	dfs_lock_done_run(s->bed.locks, &done);
}

/* One lock at a time: never a deadlock, and whoever is inside is alone. */
static void *
take_turns(void *arg)
{
	static const struct dfs_lock_range first = {0, 0, true};
	struct thread *t = arg;
	char who[16];

	g_snprintf(who, sizeof who, "c%u/x", t->id);
	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_lock_owner *owner = bed_owner(&t->s->bed, who);
		uint64_t file = (uint64_t)g_rand_int_range(t->rand, 0, FILES);
		struct dfs_lock_range more = {1, (uint64_t)g_rand_int_range(t->rand, 2, 9), false};

		assert_status(lock(t->s, owner, file, &first), DFS_OK);
		g_assert_cmpuint(t->s->inside[file]++, ==, 0);
		assert_status(lock(t->s, owner, file, &more), DFS_OK);
		g_assert_cmpuint(t->s->inside[file]--, ==, 1);
		unlock(t->s, owner, file, &first);
		unlock(t->s, owner, file, &more);
		dfs_lock_owner_put(t->s->bed.locks, owner);
		t->s->granted++;
	}
	return NULL;
}

/* Two at a time in any order: deadlocks are refused, and nobody hangs. */
static void *
cross(void *arg)
{
	static const struct dfs_lock_range range = {0, 9, true};
	struct thread *t = arg;
	char who[16];

	g_snprintf(who, sizeof who, "c%u/x", t->id);
	for (unsigned i = 0; i < STEPS; i++) {
		struct dfs_lock_owner *owner = bed_owner(&t->s->bed, who);
		uint64_t a = (uint64_t)g_rand_int_range(t->rand, 0, FILES);
		uint64_t b = (uint64_t)g_rand_int_range(t->rand, 0, FILES);
		enum dfs_status status;

		assert_status(lock(t->s, owner, a, &range), DFS_OK);
		status = lock(t->s, owner, b, &range);
		g_assert_true(status == DFS_OK || status == DFS_DEADLOCK);
		unlock(t->s, owner, a, &range);
		unlock(t->s, owner, b, &range);
		dfs_lock_owner_put(t->s->bed.locks, owner);
		t->s->granted++;
	}
	return NULL;
}

/* Everything at once, clients that go away among it. */
static void *
churn(void *arg)
{
	struct thread *t = arg;
	struct bed *bed = &t->s->bed;
	char who[16], client[8];

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t file = (uint64_t)g_rand_int_range(t->rand, 0, FILES);
		uint64_t start = (uint64_t)g_rand_int_range(t->rand, 0, 100);
		struct dfs_lock_conflict conflict;
		struct dfs_lock_done done;
		struct dfs_lock_range range = {start, start + 20, g_rand_boolean(t->rand)};
		struct dfs_lock_owner *owner;

		g_snprintf(client, sizeof client, "c%d", g_rand_int_range(t->rand, 0, 3));
		g_snprintf(who, sizeof who, "%s/%d", client, g_rand_int_range(t->rand, 0, 3));
		owner = bed_owner(bed, who);
		dfs_lock_done_init(&done);
		switch (g_rand_int_range(t->rand, 0, 7)) {
		case 0:
		case 1:
			dfs_locks_lock(bed->locks, owner, file, &range, NULL, &conflict, &done);
			break;
		case 2:
			dfs_locks_unlock(bed->locks, owner, file, &range, &done);
			break;
		case 3:
			dfs_locks_share(bed->locks, owner, file, DFS_SHARE_READ, 0, &done);
			break;
		case 4:
			dfs_locks_unshare(bed->locks, owner, file, &done);
			break;
		case 5:
			dfs_locks_test(bed->locks, owner, file, &range, &conflict);
			break;
		default:
			if (i % 8 == 0)
				bed_drop_client(bed, client);
		}
		dfs_lock_done_run(bed->locks, &done);
		dfs_lock_owner_put(bed->locks, owner);
	}
	return NULL;
}

static void
in_threads(struct shared *s, void *(*body)(void *))
{
	struct thread t[THREADS];

	memset(s, 0, sizeof *s);
	bed_open(&s->bed);
	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct thread){.s = s, .id = i, .rand = g_rand_new_with_seed(i + 1)};
		pthread_create(&t[i].t, NULL, body, &t[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].t, NULL);
		g_rand_free(t[i].rand);
	}
}

static void
exclusive_excludes(void)
{
	struct shared s;

	in_threads(&s, take_turns);
	g_assert_cmpuint(s.granted, ==, THREADS * STEPS);
	g_assert_cmpuint(dfs_locks_held(s.bed.locks), ==, 0);
	bed_close(&s.bed);
}

static void
deadlocks_do_not_hang(void)
{
	struct shared s;

	in_threads(&s, cross);
	g_assert_cmpuint(s.granted, ==, THREADS * STEPS);
	g_assert_cmpuint(dfs_locks_held(s.bed.locks), ==, 0);
	bed_close(&s.bed);
}

static void
counts_stay_right(void)
{
	struct shared s;
	char client[8];

	in_threads(&s, churn);
	for (unsigned i = 0; i < 3; i++) {
		g_snprintf(client, sizeof client, "c%u", i);
		bed_drop_client(&s.bed, client);
	}
	g_assert_cmpuint(dfs_locks_held(s.bed.locks), ==, 0);
	for (uint64_t file = 0; file < FILES; file++)
		g_assert_false(dfs_locks_has_file(s.bed.locks, file));
	bed_close(&s.bed);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/threads/exclusive-excludes", exclusive_excludes);
	g_test_add_func("/threads/deadlocks-do-not-hang", deadlocks_do_not_hang);
	g_test_add_func("/threads/counts-stay-right", counts_stay_right);
	return g_test_run();
}
