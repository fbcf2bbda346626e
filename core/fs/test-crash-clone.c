/* SPDX-License-Identifier: MIT
 *
 * Losses of power among clones, removals and truncations: no acknowledged byte is lost, and after each
 * of them references, dead objects and the block store agree.  DFS_TEST_SEED and DFS_TEST_CRASHES as in
 * test-crash.c.
 */
#include "base/counter.h"
#include "fs/test-crash.h"
#include "payload/payload.h"

#define UNIT 4096u

static uint32_t
aligned_offset(struct world *w, uint32_t most)
{
	uint32_t at = crash_random_offset(w) / UNIT * UNIT;

	return at > most ? most / UNIT * UNIT : at;
}

/* ack: wait for the reply. */
static void
step_clone(struct world *w, bool ack)
{
	struct file *src = crash_any_file(w), *dst = crash_any_file(w);
	struct dfs_ctx ctx = ctx_as(&w->f, 0, 0);
	uint32_t from = aligned_offset(w, src->length), to, len;
	struct dfs_wcc wcc;

	len = (1 + g_rand_int(w->rand) % (src->length / UNIT + 1)) * UNIT;
	if (g_rand_int_range(w->rand, 0, 3) == 0 || len > src->length - from)
		len = src->length - from;
	to = aligned_offset(w, CRASH_LENGTH_MAX - len);
	if (len == 0 || to + len > CRASH_LENGTH_MAX)
		return;
	/* A partial unit goes to the end only. */
	if (len % UNIT && to + len < dst->length)
		len = len / UNIT * UNIT;
	if (len == 0 || (src == dst && from < to + len && to < from + len))
		return;
	crash_note(src, "clone %u+%u to file %ld\n", from, len, (long)(dst - w->files));
	crash_note(dst, "clone to %u+%u of file %ld at %u%s\n", to, len, (long)(src - w->files),
		   from, ack ? "" : ", unacknowledged");
	assert_status(dfs_fs_clone(&ctx, &src->ref, from, &dst->ref, to, len, &wcc), DFS_OK);
	memmove(dst->now + to, src->now + from, len);
	dst->length = MAX(dst->length, to + len);
	if (!ack) {
		crash_remember(dst, (struct pending){.offset = to, .len = len, .clone = true});
		return;
	}
	g_assert_true(crash_acknowledged(&ctx));
	/* Both were written through before. */
	crash_settle(src);
	crash_settle(dst);
}

/* The same bytes at the same place of two files: a whole block. */
static void
step_twins(struct world *w)
{
	uint32_t at = (uint32_t)g_rand_int_range(w->rand, 0, 2) * (4u << 20);
	uint64_t stamp = ++w->stamps;

	for (int i = 0; i < 2; i++) {
		struct file *file = crash_any_file(w);

		for (uint32_t k = 0; k < 4; k++)
			crash_write(w, file, at + k * (1u << 20), 1u << 20, stamp, false);
	}
}

/* The name's next file is a new one. */
static void
step_remove(struct world *w)
{
	struct file *file = crash_any_file(w);
	char name[] = {(char)('a' + (file - w->files)), '\0'};

	crash_note(file, "removed\n");
	assert_status(remove_name(&w->f, w->f.root, name), DFS_OK);
	file->ref = make_file(&w->f, w->f.root, name, 0644);
	g_assert_true(crash_acknowledged(&w->f.ctx));
	memset(file->now, 0, CRASH_LENGTH_MAX);
	file->length = 0;
	crash_settle(file);
}

static void
recount(struct world *w)
{
	struct dfs_check_report r;

	assert_status(dfs_payload_check(w->f.share->payload, &r), DFS_OK);
	if (!dfs_check_sound(&r))
		g_error("seed %" G_GUINT64_FORMAT ", cycle %u: of %d references %d are counted "
			"wrong, %d have no record; %d dead objects live, %d objects are missing, "
			"%d too short",
			w->seed, w->cycle, (int)r.references, (int)r.wrong_refs,
			(int)r.missing_records, (int)r.live_dead, (int)r.missing_objects,
			(int)r.short_objects);
}

static void
run(unsigned n, bool dedup)
{
	struct world w = {.f.dedup = dedup};

	world_open(&w);
	while (w.cycle < n) {
		for (int i = g_rand_int_range(w.rand, 0, 40); i > 0; i--) {
			int what = g_rand_int_range(w.rand, 0, 100);

			if (dedup && what < 10)
				step_twins(&w);
			else if (what < 20)
				step_clone(&w, true);
			else if (what < 23)
				step_remove(&w);
			else
				world_step(&w);
		}
		recount(&w);
		if (g_rand_int_range(w.rand, 0, 3) == 0)
			step_clone(&w, false);
		world_crash(&w);
		recount(&w);
	}
	world_close(&w);
}

static void
references_hold(void)
{
	run(world_crashes(100), false);
}

static void
references_hold_with_twins(void)
{
	run(world_crashes(50), true);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/crash/references hold over clones, removals and losses of power",
			references_hold);
	g_test_add_func("/crash/references hold where equal blocks are one object",
			references_hold_with_twins);
	return g_test_run();
}
