/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/replace.h"

static char *path;
static int folder;

/* What the calls below were to do, and what was done. */
static size_t piece;       /* bytes that a write takes at most; 0: as many as there are */
static unsigned interrupt; /* so many writes are interrupted first */
static int fail_write;     /* errno of a write to come */
static int fail_sync;      /* errno of the syncs */
static GString *steps;

/* In the place of the C library's, for the library too. */
ssize_t
write(int fd, const void *bytes, size_t len)
{
	if (interrupt > 0) {
		interrupt--;
		errno = EINTR;
		return -1;
	}
	if (fail_write) {
		errno = fail_write;
		return -1;
	}
	return syscall(SYS_write, fd, bytes, piece && len > piece ? piece : len);
}

int
fsync(int fd)
{
	struct stat st;

	g_assert_cmpint(fstat(fd, &st), ==, 0);
	g_string_append(steps, S_ISDIR(st.st_mode) ? "folder " : "file ");
	if (fail_sync) {
		errno = fail_sync;
		return -1;
	}
	return 0;
}

int
renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	g_string_append(steps, "rename ");
	return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

static void
assert_holds(const char *name, const char *want)
{
	g_autofree char *file = g_build_filename(path, name, NULL);
	g_autofree char *text = NULL;
	gboolean there = g_file_get_contents(file, &text, NULL, NULL);

	g_assert_cmpstr(there ? text : NULL, ==, want);
}

static bool
replace(const char *text)
{
	return dfs_file_replace(folder, "note", text, strlen(text));
}

static void
the_file_holds_the_new_bytes(void)
{
	struct stat st;

	g_assert_true(replace("a longer text"));
	assert_holds("note", "a longer text");
	g_assert_true(replace("short"));
	assert_holds("note", "short");
	assert_holds("note.new", NULL);
	g_assert_cmpint(fstatat(folder, "note", &st, 0), ==, 0);
	g_assert_cmpuint(st.st_mode & 0777, ==, 0600);
}

static void
it_is_synced_then_renamed_then_the_folder(void)
{
	g_assert_true(replace("text"));
	g_assert_cmpstr(steps->str, ==, "file rename folder ");
}

static void
writes_in_pieces_and_interrupted_ones_go_on(void)
{
	piece = 3;
	interrupt = 2;
	g_assert_true(replace("eleven bytes"));
	assert_holds("note", "eleven bytes");
}

static void
a_failure_leaves_the_old_file(void)
{
	g_assert_true(replace("old"));
	fail_write = ENOSPC;
	g_assert_false(replace("new"));
	g_assert_cmpint(errno, ==, ENOSPC);
	fail_write = 0;
	fail_sync = EIO;
	g_assert_false(replace("new"));
	g_assert_cmpint(errno, ==, EIO);
	assert_holds("note", "old");
}

static void
what_a_crash_left_is_in_nobodys_way(void)
{
	g_autofree char *left = g_build_filename(path, "note.new", NULL);

	piece = 0;
	g_assert_true(g_file_set_contents(left, "half of something longer", -1, NULL));
	g_assert_true(replace("whole"));
	assert_holds("note", "whole");
}

static void
a_link_is_not_followed(void)
{
	g_assert_cmpint(symlinkat("elsewhere", folder, "note.new"), ==, 0);
	g_assert_false(replace("text"));
	g_assert_cmpint(errno, ==, ELOOP);
	assert_holds("elsewhere", NULL);
}

static void
a_name_has_a_limit(void)
{
	char name[DFS_REPLACE_NAME_MAX + 2];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	g_assert_false(dfs_file_replace(folder, name, "x", 1));
	g_assert_cmpint(errno, ==, ENAMETOOLONG);
	name[sizeof name - 2] = '\0';
	g_assert_true(dfs_file_replace(folder, name, "x", 1));
	assert_holds(name, "x");
}

static void
in_a_folder(gconstpointer fn)
{
	const char *name;
	GDir *dir;

	path = g_dir_make_tmp("dfs-replace-XXXXXX", NULL);
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(folder, >=, 0);
	steps = g_string_new(NULL);
	((void (*)(void))(uintptr_t)fn)();
	piece = 0;
	interrupt = 0;
	fail_write = fail_sync = 0;
	dir = g_dir_open(path, 0, NULL);
	while ((name = g_dir_read_name(dir)))
		unlinkat(folder, name, 0);
	g_dir_close(dir);
	close(folder);
	g_rmdir(path);
	g_free(path);
	g_string_free(steps, TRUE);
}

static void
add(const char *name, void (*fn)(void))
{
	g_test_add_data_func(name, (gconstpointer)(uintptr_t)fn, in_a_folder);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("/replace/the-file-holds-the-new-bytes", the_file_holds_the_new_bytes);
	add("/replace/it-is-synced-then-renamed-then-the-folder",
	    it_is_synced_then_renamed_then_the_folder);
	add("/replace/writes-in-pieces-and-interrupted-ones-go-on",
	    writes_in_pieces_and_interrupted_ones_go_on);
	add("/replace/a-failure-leaves-the-old-file", a_failure_leaves_the_old_file);
	add("/replace/what-a-crash-left-is-in-nobodys-way", what_a_crash_left_is_in_nobodys_way);
	add("/replace/a-link-is-not-followed", a_link_is_not_followed);
	add("/replace/a-name-has-a-limit", a_name_has_a_limit);
	return g_test_run();
}
