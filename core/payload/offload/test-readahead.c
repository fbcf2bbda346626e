/* SPDX-License-Identifier: MIT
 *
 * Who is a sequential reader, and how far ahead is looked for one.
 */
#include <glib.h>
#include <string.h>

#include "payload/offload/readahead.h"

#define MIB (1u << 20)

static struct dfs_readahead ra;
static struct dfs_readahead_hints hints;

static void
fresh(void)
{
	memset(&ra, 0, sizeof ra);
	hints = (struct dfs_readahead_hints){.length = 1024ull * MIB, .window_max = UINT32_MAX};
}

static bool
note(uint64_t offset, uint32_t len)
{
	return dfs_readahead_note(&ra, offset, len, &hints);
}

/* All that is to do, done; answers the bytes. */
static uint64_t
work(void)
{
	struct dfs_readahead_session *s;
	uint64_t bytes = 0;

	while ((s = dfs_readahead_todo(&ra)) != NULL) {
		bytes += s->ahead - s->begun;
		s->begun = s->ahead;
	}
	return bytes;
}

static void
a_read_at_the_beginning_gets_the_rest_of_its_block(void)
{
	fresh();
	g_assert_true(note(0, 128 << 10));
	g_assert_cmpuint(ra.sessions[0].begun, ==, MIB);
	g_assert_cmpuint(ra.sessions[0].ahead, ==, 4 * MIB);
}

static void
elsewhere_it_takes_two_reads(void)
{
	fresh();
	g_assert_false(note(100 * MIB, MIB));
	g_assert_cmpuint(work(), ==, 0);
	g_assert_true(note(101 * MIB, MIB));
	g_assert_cmpuint(work(), >, 0);
}

static void
random_reads_get_nothing(void)
{
	GRand *rand = g_rand_new_with_seed(7);

	fresh();
	for (int i = 0; i < 10000; i++)
		g_assert_false(
			note((1 + (uint64_t)g_rand_int_range(rand, 0, 1 << 18)) * 4096 - 512, 512));
	g_assert_cmpuint(work(), ==, 0);
	g_rand_free(rand);
}

static void
the_window_doubles_with_each_mebibyte_that_was_brought(void)
{
	static const uint32_t want[] = {4, 8, 16, 32, 64, 64, 64};

	fresh();
	for (uint64_t at = 0; at < G_N_ELEMENTS(want); at++) {
		g_assert_true(note(at * MIB, MIB));
		work();
		g_assert_cmpuint(ra.sessions[0].window, ==, want[at] * MIB);
	}
}

static void
reads_that_outrun_it_do_not_widen_it(void)
{
	fresh();
	for (uint64_t at = 0; at < 100; at++) {
		g_assert_true(note(at * MIB, MIB));
		g_assert_cmpuint(ra.sessions[0].window, ==, 4 * MIB);
	}
}

/* What a reader has, at a read that hits the cache as well. */
static void
every_read_moves_the_window_on(void)
{
	uint64_t ahead = 0;

	fresh();
	for (uint64_t at = 0; at < 128 * MIB; at += 64 << 10) {
		g_assert_true(note(at, 64 << 10));
		work();
		g_assert_cmpuint(ra.sessions[0].ahead, >=, ahead);
		ahead = ra.sessions[0].ahead;
		g_assert_cmpuint(ahead, <, at + (64 << 10) + 68 * MIB);
	}
	g_assert_cmpuint(ahead, >=, 128 * MIB + 60 * MIB);
}

static void
nothing_is_asked_for_twice(void)
{
	uint64_t bytes = 0;

	fresh();
	for (uint64_t at = 0; at < hints.length; at += MIB) {
		g_assert_true(note(at, MIB));
		bytes += work();
	}
	g_assert_cmpuint(bytes, ==, hints.length - MIB);
}

static void
waste_halves_it_once(void)
{
	fresh();
	for (uint64_t at = 0; at < 40 * MIB; at += MIB) {
		note(at, MIB);
		work();
	}
	g_assert_cmpuint(ra.sessions[0].window, ==, 64 * MIB);
	hints.wasted++;
	note(40 * MIB, 4096);
	g_assert_cmpuint(ra.sessions[0].window, ==, 32 * MIB);
	note(40 * MIB + 4096, 4096);
	g_assert_cmpuint(ra.sessions[0].window, ==, 32 * MIB);
}

static void
memory_pressure_brings_it_down_to_a_block(void)
{
	fresh();
	for (uint64_t at = 0; at < 40 * MIB; at += MIB) {
		note(at, MIB);
		work();
	}
	hints.pressed = true;
	for (uint64_t at = 40 * MIB; at < 60 * MIB; at += MIB)
		note(at, MIB);
	g_assert_cmpuint(ra.sessions[0].window, ==, 4 * MIB);
}

static void
it_keeps_to_the_bound(void)
{
	fresh();
	hints.window_max = 20 * MIB;
	for (uint64_t at = 0; at < 100 * MIB; at += MIB) {
		note(at, MIB);
		work();
	}
	g_assert_cmpuint(ra.sessions[0].window, ==, 20 * MIB);
	fresh();
	hints.window_max = 3 * MIB;
	g_assert_false(note(0, MIB));
	g_assert_cmpuint(work(), ==, 0);
}

static void
the_end_of_the_file_is_the_end(void)
{
	fresh();
	hints.length = 5 * MIB + 100;
	note(0, MIB);
	note(MIB, MIB);
	note(2 * MIB, MIB);
	note(3 * MIB, MIB);
	note(4 * MIB, MIB);
	g_assert_cmpuint(ra.sessions[0].ahead, ==, hints.length);
	g_assert_true(note(5 * MIB, 100));
	g_assert_cmpuint(ra.sessions[0].ahead, ==, hints.length);
}

static void
four_readers_are_told_apart(void)
{
	fresh();
	for (uint64_t at = 0; at < 20; at++)
		for (uint64_t reader = 0; reader < 4; reader++) {
			bool believed = note((reader * 200 + at) * MIB, MIB);

			g_assert_true(believed || at == 0);
			work();
		}
	g_assert_cmpuint(ra.n, ==, 4);
	for (int i = 0; i < 4; i++)
		g_assert_cmpuint(ra.sessions[i].window, >=, 32 * MIB);
}

static void
random_reads_beside_them_do_not_drive_readers_out(void)
{
	fresh();
	note(0, MIB);
	for (uint64_t i = 1; i < 100; i++) {
		note(((i * 37) % 800 + 200) * MIB, 4096);
		g_assert_true(note(i * MIB, MIB));
		work();
	}
}

static void
some_disorder_is_no_matter(void)
{
	fresh();
	note(0, MIB);
	for (uint64_t at = 1; at < 40; at += 2) {
		g_assert_true(note((at + 1) * MIB, MIB));
		g_assert_true(note(at * MIB, MIB));
		work();
	}
	g_assert_cmpuint(ra.n, ==, 1);
	g_assert_cmpuint(ra.sessions[0].window, ==, 64 * MIB);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add_func("/payload/offload/readahead/" name, fn)
	T("a-read-at-the-beginning-gets-the-rest-of-its-block",
	  a_read_at_the_beginning_gets_the_rest_of_its_block);
	T("elsewhere-it-takes-two-reads", elsewhere_it_takes_two_reads);
	T("random-reads-get-nothing", random_reads_get_nothing);
	T("the-window-doubles-with-each-mebibyte-that-was-brought",
	  the_window_doubles_with_each_mebibyte_that_was_brought);
	T("reads-that-outrun-it-do-not-widen-it", reads_that_outrun_it_do_not_widen_it);
	T("every-read-moves-the-window-on", every_read_moves_the_window_on);
	T("nothing-is-asked-for-twice", nothing_is_asked_for_twice);
	T("waste-halves-it-once", waste_halves_it_once);
	T("memory-pressure-brings-it-down-to-a-block", memory_pressure_brings_it_down_to_a_block);
	T("it-keeps-to-the-bound", it_keeps_to_the_bound);
	T("the-end-of-the-file-is-the-end", the_end_of_the_file_is_the_end);
	T("four-readers-are-told-apart", four_readers_are_told_apart);
	T("random-reads-beside-them-do-not-drive-readers-out",
	  random_reads_beside_them_do_not_drive_readers_out);
	T("some-disorder-is-no-matter", some_disorder_is_no_matter);
	return g_test_run();
}
