/* SPDX-License-Identifier: MIT
 *
 * A child puts, erases and syncs, tells through a pipe what is durable, and is killed in the
 * middle. Object i has contents i and a length that follows from i, so that whoever reopens the
 * store can tell a whole object from a torn one by its key alone.
 */
#include "tools/conform/block/block.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define GROUP 5 /* puts between two syncs */

/* What is put first after a sync is large: that is where most kills fall. */
static uint64_t
length_of(uint64_t i)
{
	return i % GROUP == 1 ? 3000000 + i : 1 + i * 37 % 9000;
}

static char *
crash_key(uint64_t i)
{
	return g_strdup_printf("crash/%u/%u", (unsigned)(i % 17), (unsigned)i);
}

/* Puts 0, 1, 2, ...; erases i/2 for every odd i that is no multiple of 3; after each sync writes
 * the number of operations that it covers.  arg: the first number. */
static int
run_writer(struct conform *c, const char *dir, const char *arg, int fd)
{
	struct box b = {.c = c, .ops = &c->plugin->ops.block, .dir = (char *)dir};
	unsigned char *data = g_malloc(DFS_OBJECT_MAX);
	uint64_t i = g_ascii_strtoull(arg, NULL, 10);

	if (conform_open(c, dir, &b.inst) != DFS_OK)
		return 1;
	fill_bytes(data, length_of(i), i);
	for (;; i++) {
		g_autofree char *key = crash_key(i);
		struct dfs_span span = {data, length_of(i), NULL};

		if (b.ops->put(b.inst, key, &span, 1, 0) != DFS_OK)
			return 2;
		if (i % 2 == 1 && i % 3 != 0) {
			g_autofree char *old = crash_key(i / 2);

			if (b.ops->erase(b.inst, old, 0) != DFS_OK)
				return 3;
		}
		/* Before the acknowledgement, so that after it the put is what takes the time. */
		fill_bytes(data, length_of(i + 1), i + 1);
		if (i % GROUP == 0) {
			uint64_t done = i + 1;

			if (b.ops->sync(b.inst) != DFS_OK)
				return 4;
			if (write(fd, &done, sizeof(done)) != sizeof(done))
				return 5;
		}
	}
}

const struct conform_role crash_roles[] = {{"writer", run_writer}, {NULL}};

/* Whether an operation before `done` has erased object i. */
static bool
erased_by(uint64_t i, uint64_t done)
{
	/* By operation 2i or 2i+1, whichever is odd. */
	uint64_t op = 2 * i + 1;

	return op % 3 != 0 && op < done;
}

struct survey {
	struct box *b;
	uint64_t seen;
};

static int
check_whole(void *arg, const char *key, uint64_t length)
{
	struct survey *s = arg;
	const char *slash = strrchr(key, '/');
	uint64_t i = g_ascii_strtoull(slash + 1, NULL, 10);

	expect_object(s->b, key, i, length_of(i));
	s->seen++;
	return 1;
}

/* One life of a writer; returns the operations known to be durable. */
static uint64_t
live_and_die(struct conform *c, const char *dir, uint64_t from, uint64_t *rnd)
{
	g_autofree char *arg = g_strdup_printf("%" G_GUINT64_FORMAT, from);
	uint64_t done = from, wanted = 1 + conform_random(rnd) % 6, got;
	int fd, status;
	pid_t pid = conform_spawn(c, "writer", dir, arg, &fd);

	/* So many acknowledgements, then a random number of turns further into the next group. */
	while (wanted-- > 0 && read(fd, &got, sizeof(got)) == sizeof(got))
		done = got;
	for (volatile uint64_t spin = conform_random(rnd) % 2000000; spin > 0; spin--)
		;
	kill(pid, SIGKILL);
	while (read(fd, &got, sizeof(got)) == sizeof(got))
		done = got;
	close(fd);
	waitpid(pid, &status, 0);
	CHECK(c, WIFSIGNALED(status), "the writer ended by itself, status %d", WEXITSTATUS(status));
	return done;
}

static void
test_kill(struct conform *c)
{
	g_autofree char *dir = NULL;
	uint64_t rnd = c->seed, done = 0;

	if (is_volatile(c) || !is_isolated(c)) {
		conform_skip(c, is_volatile(c) ? "the store is volatile"
					       : "the store lives elsewhere");
		return;
	}
	dir = conform_dir(c);
	for (int round = 0; round < ROUNDS; round++) {
		struct box b = {.c = c, .ops = &c->plugin->ops.block, .dir = dir};
		struct survey s = {.b = &b};

		done = live_and_die(c, dir, done, &rnd);
		if (!box_reopen(&b))
			return;
		for (uint64_t i = 0; i < done; i++) {
			g_autofree char *key = crash_key(i);
			uint64_t length;

			if (erased_by(i, done))
				EXPECT(c, b.ops->head(b.inst, key, &length, 0), DFS_NOENT);
			else if (!erased_by(i, UINT64_MAX))
				EXPECT(c, b.ops->head(b.inst, key, &length, 0), DFS_OK);
		}
		EXPECT(c, b.ops->list(b.inst, "", "", check_whole, &s), DFS_OK);
		EXPECT(c, b.ops->health(b.inst), DFS_OK);
		conform_close(c, b.inst);
	}
	CHECK(c, done > 0, "no writer came to its first sync");
}

const struct conform_test crash_tests[] = {
	{"crash", "after SIGKILL what was synced is there and everything else is whole or absent",
	 test_kill},
	{NULL}};
