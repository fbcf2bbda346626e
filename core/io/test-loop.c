/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/clock.h"
#include "io/loop.h"

struct note {
	struct dfs_post post;
	unsigned id, *order, *count;
};

static void
note_run(struct dfs_post *post)
{
	struct note *note = (struct note *)post;

	note->order[(*note->count)++] = note->id;
}

static void
test_posts_run_in_order(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	unsigned order[100], count = 0;
	struct note notes[100];

	for (unsigned i = 0; i < 100; i++) {
		notes[i] = (struct note){{note_run, NULL}, i, order, &count};
		dfs_loop_post(loop, &notes[i].post);
	}
	dfs_loop_turn(loop, 0);
	g_assert_cmpuint(count, ==, 100);
	for (unsigned i = 0; i < 100; i++)
		g_assert_cmpuint(order[i], ==, i);
	dfs_loop_free(loop);
}

struct poster {
	struct dfs_loop *loop;
	_Atomic unsigned *count;
	sem_t *all;
	pthread_t thread;
};

#define POSTERS 4u
#define POSTS 20000u

struct counted {
	struct dfs_post post;
	struct poster *by;
};

static void
counted_run(struct dfs_post *post)
{
	struct counted *c = (struct counted *)post;

	if (atomic_fetch_add(c->by->count, 1) + 1 == POSTERS * POSTS)
		sem_post(c->by->all);
	free(c);
}

static void *
poster_main(void *arg)
{
	struct poster *p = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		struct counted *c = malloc(sizeof *c);
		*c = (struct counted){{counted_run, NULL}, p};
		dfs_loop_post(p->loop, &c->post);
	}
	return NULL;
}

static void
test_no_post_is_lost(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct poster p[POSTERS];
	_Atomic unsigned count = 0;
	sem_t all;

	sem_init(&all, 0, 0);
	g_assert_true(dfs_loop_start(loop));
	for (unsigned i = 0; i < POSTERS; i++) {
		p[i] = (struct poster){.loop = loop, .count = &count, .all = &all};
		pthread_create(&p[i].thread, NULL, poster_main, &p[i]);
	}
	sem_wait(&all); /* a lost wake-up would hang here */
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(p[i].thread, NULL);
	dfs_loop_stop(loop);
	g_assert_cmpuint(count, ==, POSTERS * POSTS);
	dfs_loop_free(loop);
}

struct alarm {
	struct dfs_timer timer;
	struct dfs_loop *loop;
	struct alarm *cancels;
	unsigned fired;
	int64_t at;
};

static void
alarm_fire(struct dfs_timer *timer)
{
	struct alarm *a = (struct alarm *)timer;

	a->fired++;
	a->at = a->loop->now;
	if (a->cancels)
		dfs_timer_cancel(a->loop, &a->cancels->timer);
}

static void
test_timer_is_never_early(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct alarm a[8];

	for (unsigned i = 0; i < 8; i++) {
		a[i] = (struct alarm){.timer.fire = alarm_fire, .loop = loop};
		dfs_timer_set(loop, &a[i].timer, loop->now + (int64_t)i * DFS_SECOND / 20 + 1);
	}
	for (unsigned i = 0; i < 8; i++) {
		int64_t due = a[i].timer.due;
		while (!a[i].fired)
			dfs_loop_turn(loop, -1);
		g_assert_cmpint(a[i].at, >=, due);
		g_assert_cmpuint(a[i].fired, ==, 1);
	}
	dfs_loop_free(loop);
}

static void
test_timer_cancelled_by_its_neighbour(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct alarm a = {.timer.fire = alarm_fire, .loop = loop}, b = a;

	a.cancels = &b;
	b.cancels = &a;
	dfs_timer_set(loop, &a.timer, loop->now + 1);
	dfs_timer_set(loop, &b.timer, loop->now + 1);
	while (a.fired + b.fired == 0)
		dfs_loop_turn(loop, -1);
	g_assert_cmpuint(a.fired + b.fired, ==, 1);
	g_assert_cmpint(a.timer.due + b.timer.due, ==, 0);
	dfs_loop_free(loop);
}

static void
test_timer_beyond_the_wheel_waits(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct alarm a = {.timer.fire = alarm_fire, .loop = loop};

	/* The same slot as the next tick, one round later. */
	dfs_timer_set(loop, &a.timer,
		      loop->now + ((INT64_C(1) << DFS_WHEEL_SHIFT) * DFS_WHEEL_SLOTS));
	for (unsigned i = 0; i < 4; i++)
		dfs_loop_turn(loop, 70);
	g_assert_cmpuint(a.fired, ==, 0);
	g_assert_cmpint(a.timer.due, !=, 0);
	dfs_timer_cancel(loop, &a.timer);
	for (unsigned i = 0; i < DFS_WHEEL_SLOTS / 64; i++)
		g_assert_cmpuint(loop->wheel_map[i], ==, 0);
	dfs_loop_free(loop);
}

struct job {
	struct dfs_job job;
	struct dfs_loop *loop;
	unsigned runs;
	bool again;
};

static void
job_run(struct dfs_job *j)
{
	struct job *job = (struct job *)j;

	job->runs++;
	if (job->again)
		dfs_loop_again(job->loop, &job->job);
}

static void
test_job_that_comes_again_runs_once_a_turn(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct job job = {.job.run = job_run, .loop = loop, .again = true};

	dfs_loop_again(loop, &job.job);
	dfs_loop_again(loop, &job.job);
	for (unsigned i = 1; i <= 5; i++) {
		dfs_loop_turn(loop, -1); /* does not sleep: a job waits */
		g_assert_cmpuint(job.runs, ==, i);
	}
	job.again = false;
	dfs_loop_turn(loop, -1);
	dfs_loop_free(loop);
}

static void
test_chunks_come_back_last_in_first_out(void)
{
	struct dfs_loop *loop = dfs_loop_new("test");
	struct dfs_buf *a = dfs_loop_chunk_take(loop), *b = dfs_loop_chunk_take(loop);

	dfs_loop_chunk_give(loop, a);
	dfs_loop_chunk_give(loop, b);
	g_assert_true(dfs_loop_chunk_take(loop) == b);
	g_assert_true(dfs_loop_chunk_take(loop) == a);
	dfs_loop_chunk_give(loop, a);
	dfs_loop_chunk_give(loop, b);
	dfs_loop_free(loop);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/loop/posts-run-in-order", test_posts_run_in_order);
	g_test_add_func("/loop/no-post-is-lost", test_no_post_is_lost);
	g_test_add_func("/loop/timer-is-never-early", test_timer_is_never_early);
	g_test_add_func("/loop/timer-cancelled-by-its-neighbour",
			test_timer_cancelled_by_its_neighbour);
	g_test_add_func("/loop/timer-beyond-the-wheel-waits", test_timer_beyond_the_wheel_waits);
	g_test_add_func("/loop/job-that-comes-again-runs-once-a-turn",
			test_job_that_comes_again_runs_once_a_turn);
	g_test_add_func("/loop/chunks-come-back-last-in-first-out",
			test_chunks_come_back_last_in_first_out);
	return g_test_run();
}
