/* SPDX-License-Identifier: MIT
 *
 * What a million held locks take, everything included: at most 150 bytes each.
 */
#include <stdio.h>

#include "metadata/lock/test-bed.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#else
#define INSTRUMENTED 0
#endif

enum { LOCKS = 1000000, EACH = 150 };

/* Private memory of the process, in bytes. */
static uint64_t
private_memory(void)
{
	g_autofree char *text = NULL;
	const char *line;

	g_assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
	line = strstr(text, "RssAnon:");
	g_assert_nonnull(line);
	return g_ascii_strtoull(line + 8, NULL, 10) * 1024;
}

/* `files` files, in each as many ranges as make up a million, of owners that hold so many. */
static void
measure(unsigned files, unsigned locks_of_owner)
{
	unsigned in_file = LOCKS / files;
	uint64_t before, each;
	struct bed bed;

	bed_open(&bed);
	bed.domain.max_locks = bed.domain.max_client_locks = LOCKS;
	before = private_memory();
	for (unsigned i = 0; i < LOCKS; i++) {
		char who[40];

		/* Such as a Linux client's: its name, and a number and a name. */
		g_snprintf(who, sizeof who, "client-%03u/....%07u@client", i / locks_of_owner % 100,
			   i / locks_of_owner);
		assert_status(bed_lock(&bed, who, i / in_file + 100, (uint64_t)(i % in_file) * 10,
				       (uint64_t)(i % in_file) * 10 + 4, i % 2),
			      DFS_OK);
	}
	each = (private_memory() - before) / LOCKS;
	g_test_message("%u locks in %u files, %u of an owner: %" G_GUINT64_FORMAT " bytes each",
		       LOCKS, files, locks_of_owner, each);
	g_assert_cmpuint(dfs_locks_held(bed.locks), ==, LOCKS);
	g_assert_cmpuint(each, <=, EACH);
	bed_close(&bed);
}

/* In a process of its own: what a pool has it keeps. */
static void
alone(const char *path)
{
	if (INSTRUMENTED) {
		g_test_skip("an instrumented build's memory says nothing");
		return;
	}
	g_test_trap_subprocess(path, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
	g_test_trap_assert_passed();
}

static void
many_in_a_file(void)
{
	if (g_test_subprocess())
		measure(1, 1000);
	else
		alone("/memory/many-in-a-file");
}

static void
some_in_each_file(void)
{
	if (g_test_subprocess())
		measure(100000, 1000);
	else
		alone("/memory/some-in-each-file");
}

static void
one_in_each_file(void)
{
	if (g_test_subprocess())
		measure(LOCKS, 1000);
	else
		alone("/memory/one-in-each-file");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/memory/many-in-a-file", many_in_a_file);
	g_test_add_func("/memory/some-in-each-file", some_in_each_file);
	g_test_add_func("/memory/one-in-each-file", one_in_each_file);
	return g_test_run();
}
