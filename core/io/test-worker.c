/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "io/worker.h"

struct job {
	struct dfs_task task;
	sem_t *started, *go; /* NULL: does not wait */
	_Atomic unsigned *count;
	unsigned *order, id; /* order[i]: the id that ran as i-th */
};

static void
job_run(struct dfs_task *task)
{
	struct job *job = (struct job *)task;

	if (job->started)
		sem_post(job->started);
	if (job->go)
		sem_wait(job->go);
	unsigned i = atomic_fetch_add(job->count, 1);
	if (job->order)
		job->order[i] = job->id;
}

static void
test_task_runs(void)
{
	struct dfs_workers *w = dfs_workers_new(4);
	struct dfs_lane *lane = dfs_lane_new(w, 0, 16);
	_Atomic unsigned count = 0;
	struct job job = {.task.run = job_run, .count = &count};

	g_assert_true(dfs_lane_submit(lane, &job.task));
	dfs_lane_free(lane);
	g_assert_cmpuint(count, ==, 1);
	dfs_workers_free(w);
}

static void
test_width_bounds_concurrency(void)
{
	struct dfs_workers *w = dfs_workers_new(8);
	struct dfs_lane *lane = dfs_lane_new(w, 2, 16);
	_Atomic unsigned count = 0;
	sem_t started, go;
	struct job job[5];
	int value;

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < 5; i++) {
		job[i] = (struct job){
			.task.run = job_run, .count = &count, .started = &started, .go = &go};
		g_assert_true(dfs_lane_submit(lane, &job[i].task));
	}
	sem_wait(&started);
	sem_wait(&started);
	/* Another lane's task gets through, and by then a third start would have shown. */
	struct dfs_lane *other = dfs_lane_new(w, 0, 16);
	struct job probe = {.task.run = job_run, .count = &count};
	g_assert_true(dfs_lane_submit(other, &probe.task));
	dfs_lane_free(other);
	sem_getvalue(&started, &value);
	g_assert_cmpint(value, ==, 0);
	for (unsigned i = 0; i < 5; i++)
		sem_post(&go);
	dfs_lane_free(lane);
	g_assert_cmpuint(count, ==, 6);
	dfs_workers_free(w);
}

static void
test_serial_lane_keeps_order(void)
{
	struct dfs_workers *w = dfs_workers_new(8);
	struct dfs_lane *lane = dfs_lane_new(w, 1, 200);
	_Atomic unsigned count = 0;
	unsigned order[200];
	struct job job[200];

	for (unsigned i = 0; i < 200; i++) {
		job[i] =
			(struct job){.task.run = job_run, .count = &count, .order = order, .id = i};
		g_assert_true(dfs_lane_submit(lane, &job[i].task));
	}
	dfs_lane_free(lane);
	for (unsigned i = 0; i < 200; i++)
		g_assert_cmpuint(order[i], ==, i);
	dfs_workers_free(w);
}

static void
test_full_queue_refuses(void)
{
	struct dfs_workers *w = dfs_workers_new(2);
	struct dfs_lane *lane = dfs_lane_new(w, 1, 2);
	_Atomic unsigned count = 0;
	sem_t started, go;
	struct job job[4];

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < 4; i++)
		job[i] = (struct job){
			.task.run = job_run, .count = &count, .started = &started, .go = &go};
	g_assert_true(dfs_lane_submit(lane, &job[0].task));
	sem_wait(&started);
	g_assert_true(dfs_lane_submit(lane, &job[1].task));
	g_assert_true(dfs_lane_submit(lane, &job[2].task));
	g_assert_false(dfs_lane_submit(lane, &job[3].task));
	for (unsigned i = 0; i < 3; i++)
		sem_post(&go);
	dfs_lane_free(lane);
	g_assert_cmpuint(count, ==, 3);
	dfs_workers_free(w);
}

static void
test_full_queue_is_waited_for(void)
{
	struct dfs_workers *w = dfs_workers_new(2);
	struct dfs_lane *lane = dfs_lane_new(w, 1, 1);
	_Atomic unsigned count = 0;
	sem_t started, go;
	struct job job[3];

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		job[i] = (struct job){
			.task.run = job_run, .count = &count, .started = &started, .go = &go};
	g_assert_true(dfs_lane_submit(lane, &job[0].task));
	sem_wait(&started);
	g_assert_true(dfs_lane_submit_until(lane, &job[1].task, 0));
	g_assert_false(
		dfs_lane_submit_until(lane, &job[2].task, dfs_clock_mono() + DFS_SECOND / 100));
	/* job[1] starts sooner or later, and leaves room. */
	sem_post(&go);
	g_assert_true(dfs_lane_submit_until(lane, &job[2].task, INT64_MAX));
	sem_post(&go);
	sem_post(&go);
	dfs_lane_free(lane);
	g_assert_cmpuint(count, ==, 3);
	dfs_workers_free(w);
}

static void
test_hung_lane_stalls_itself_only(void)
{
	struct dfs_workers *w = dfs_workers_new(4);
	struct dfs_lane *hung = dfs_lane_new(w, 2, 64);
	struct dfs_lane *well = dfs_lane_new(w, 2, 64);
	_Atomic unsigned stuck = 0, count = 0;
	sem_t started, go;
	struct job a[8], b[32];

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < 8; i++) {
		a[i] = (struct job){
			.task.run = job_run, .count = &stuck, .started = &started, .go = &go};
		g_assert_true(dfs_lane_submit(hung, &a[i].task));
	}
	sem_wait(&started);
	sem_wait(&started);
	for (unsigned i = 0; i < 32; i++) {
		b[i] = (struct job){.task.run = job_run, .count = &count};
		g_assert_true(dfs_lane_submit(well, &b[i].task));
	}
	dfs_lane_free(well);
	g_assert_cmpuint(count, ==, 32);
	g_assert_cmpuint(stuck, ==, 0);
	for (unsigned i = 0; i < 8; i++)
		sem_post(&go);
	dfs_lane_free(hung);
	dfs_workers_free(w);
}

struct producer {
	struct dfs_lane *lane;
	_Atomic unsigned *count;
	struct job jobs[1000];
};

static void *
producer_main(void *arg)
{
	struct producer *p = arg;

	for (unsigned i = 0; i < 1000; i++) {
		p->jobs[i] = (struct job){.task.run = job_run, .count = p->count};
		g_assert_true(dfs_lane_submit(p->lane, &p->jobs[i].task));
	}
	return NULL;
}

static void
test_many_producers_and_lanes(void)
{
	struct dfs_workers *w = dfs_workers_new(6);
	struct dfs_lane *lanes[3];
	struct producer *p = g_new0(struct producer, 6);
	_Atomic unsigned count = 0;
	pthread_t t[6];

	for (unsigned i = 0; i < 3; i++)
		lanes[i] = dfs_lane_new(w, i + 1, 4000);
	for (unsigned i = 0; i < 6; i++) {
		p[i].lane = lanes[i % 3];
		p[i].count = &count;
		pthread_create(&t[i], NULL, producer_main, &p[i]);
	}
	for (unsigned i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < 3; i++)
		dfs_lane_free(lanes[i]);
	g_assert_cmpuint(count, ==, 6000);
	dfs_workers_free(w);
	g_free(p);
}

/* Every thread is taken; each other lane still gets one, and only one. */
static void
test_lane_without_a_thread_gets_one(void)
{
	struct dfs_workers *w = dfs_workers_new(2);
	struct dfs_lane *hung = dfs_lane_new(w, 2, 16), *other = dfs_lane_new(w, 2, 16);
	_Atomic unsigned count = 0;
	sem_t started, go;
	struct job job[3], probe[2];

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		job[i] = (struct job){
			.task.run = job_run, .count = &count, .started = &started, .go = &go};
		g_assert_true(dfs_lane_submit(hung, &job[i].task));
	}
	sem_wait(&started);
	sem_wait(&started);
	for (unsigned i = 0; i < 2; i++) {
		probe[i] = (struct job){.task.run = job_run, .count = &count};
		g_assert_true(dfs_lane_submit(other, &probe[i].task));
	}
	dfs_lane_free(other);
	g_assert_cmpuint(count, ==, 2);
	g_assert_cmpint(sem_trywait(&started), ==, -1);
	for (unsigned i = 0; i < 3; i++)
		sem_post(&go);
	dfs_lane_free(hung);
	g_assert_cmpuint(count, ==, 5);
	dfs_workers_free(w);
}

static void
test_wait_for_a_lane_ends_at_its_deadline(void)
{
	struct dfs_workers *w = dfs_workers_new(2);
	struct dfs_lane *lane = dfs_lane_new(w, 1, 16);
	_Atomic unsigned count = 0;
	sem_t started, go;
	struct job job[2];

	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	g_assert_true(dfs_lane_wait(lane, 0));
	for (unsigned i = 0; i < 2; i++) {
		job[i] = (struct job){
			.task.run = job_run, .count = &count, .started = &started, .go = &go};
		g_assert_true(dfs_lane_submit(lane, &job[i].task));
	}
	sem_wait(&started);
	g_assert_false(dfs_lane_wait(lane, 0));
	sem_post(&go);
	sem_post(&go);
	g_assert_true(dfs_lane_wait(lane, dfs_clock_mono() + 60 * DFS_SECOND));
	g_assert_cmpuint(count, ==, 2);
	dfs_lane_free(lane);
	dfs_workers_free(w);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/worker/task-runs", test_task_runs);
	g_test_add_func("/worker/width-bounds-concurrency", test_width_bounds_concurrency);
	g_test_add_func("/worker/serial-lane-keeps-order", test_serial_lane_keeps_order);
	g_test_add_func("/worker/full-queue-refuses", test_full_queue_refuses);
	g_test_add_func("/worker/full-queue-is-waited-for", test_full_queue_is_waited_for);
	g_test_add_func("/worker/hung-lane-stalls-itself-only", test_hung_lane_stalls_itself_only);
	g_test_add_func("/worker/lane-without-a-thread-gets-one",
			test_lane_without_a_thread_gets_one);
	g_test_add_func("/worker/wait-for-a-lane-ends-at-its-deadline",
			test_wait_for_a_lane_ends_at_its_deadline);
	g_test_add_func("/worker/many-producers-and-lanes", test_many_producers_and_lanes);
	return g_test_run();
}
