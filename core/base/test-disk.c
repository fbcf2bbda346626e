/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/disk.h"

static char *path;
static int folder;

/* What was synced last. */
static struct stat synced;

/* In the place of the C library's, for the library too. */
int
fsync(int fd)
{
	g_assert_cmpint(fstat(fd, &synced), ==, 0);
	return (int)syscall(SYS_fsync, fd);
}

static int
make_file(const char *name)
{
	int fd = dfs_disk.open(NULL, folder, name, O_RDWR | O_CREAT);

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void
errors_are_negative_errno(void)
{
	struct iovec iov = {NULL, 0};

	g_assert_cmpint(dfs_disk.open(NULL, folder, "absent", O_RDWR), ==, -ENOENT);
	g_assert_cmpint(dfs_disk.unlink(NULL, folder, "absent"), ==, -ENOENT);
	g_assert_cmpint(dfs_disk.open_folder(NULL, "/dev/null/x", true), ==, -ENOTDIR);
	g_assert_cmpint(dfs_disk.preadv(NULL, -1, &iov, 1, 0), ==, -EBADF);
}

static void
what_is_written_reads_back(void)
{
	int fd = make_file("data");
	char out[12] = {0};
	struct iovec w[2] = {{"hello ", 6}, {"disk", 5}}, r = {out, sizeof out};

	g_assert_cmpint(dfs_disk.pwritev(NULL, fd, w, 2, 100), ==, 11);
	g_assert_cmpint(dfs_disk.size(NULL, fd), ==, 111);
	g_assert_cmpint(dfs_disk.preadv(NULL, fd, &r, 1, 100), ==, 11);
	g_assert_cmpstr(out, ==, "hello disk");
	g_assert_cmpint(dfs_disk.datasync(NULL, fd), ==, 0);
	g_assert_cmpint(dfs_disk.sync_folder(NULL, folder), ==, 0);
	dfs_disk.close(NULL, fd);
	g_assert_cmpint(dfs_disk.unlink(NULL, folder, "data"), ==, 0);
}

static void
a_made_folder_is_durable_in_its_parent(void)
{
	g_autofree char *below = g_build_filename(path, "folder", NULL);
	struct stat parent;

	g_assert_cmpint(fstat(folder, &parent), ==, 0);
	/* The second time it is there, but who says that it is synced? */
	for (int i = 0; i < 2; i++) {
		int fd = dfs_disk.open_folder(NULL, below, true);

		g_assert_cmpint(fd, >=, 0);
		g_assert_cmpuint(synced.st_ino, ==, parent.st_ino);
		g_assert_cmpuint(synced.st_dev, ==, parent.st_dev);
		memset(&synced, 0, sizeof synced);
		dfs_disk.close(NULL, fd);
	}
	g_rmdir(below);
}

static void
lock_excludes_a_second_holder(void)
{
	int a = make_file("LOCK"), b = make_file("LOCK");

	g_assert_cmpint(dfs_disk.lock(NULL, a), ==, 0);
	g_assert_cmpint(dfs_disk.lock(NULL, b), ==, -EAGAIN);
	dfs_disk.close(NULL, a);
	g_assert_cmpint(dfs_disk.lock(NULL, b), ==, 0);
	dfs_disk.close(NULL, b);
	dfs_disk.unlink(NULL, folder, "LOCK");
}

static int
count(void *arg, const char *name)
{
	g_assert_true(g_str_has_prefix(name, "seg-"));
	return ++*(int *)arg < 2;
}

static void
list_visits_the_prefix_until_told_to_stop(void)
{
	static const char *const names[] = {"seg-1", "seg-2", "seg-3", "other"};
	int n = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		dfs_disk.close(NULL, make_file(names[i]));
	g_assert_cmpint(dfs_disk.list(NULL, folder, "seg-", count, &n), ==, 0);
	g_assert_cmpint(n, ==, 2);
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		dfs_disk.unlink(NULL, folder, names[i]);
}

static void
map_shares_with_the_file(void)
{
	int fd = make_file("map");
	char out[4] = {0};
	struct iovec r = {out, 4};
	void *map;

	g_assert_cmpint(dfs_disk.allocate(NULL, fd, 65536), ==, 0);
	g_assert_cmpint(dfs_disk.map(NULL, fd, 65536, &map), ==, 0);
	memcpy((char *)map + 5000, "abc", 4);
	g_assert_cmpint(dfs_disk.sync_map(NULL, map, 5000, 4), ==, 0);
	g_assert_cmpint(dfs_disk.preadv(NULL, fd, &r, 1, 5000), ==, 4);
	g_assert_cmpstr(out, ==, "abc");
	g_assert_cmpint(dfs_disk.unmap(NULL, map, 65536), ==, 0);
	dfs_disk.close(NULL, fd);
	dfs_disk.unlink(NULL, folder, "map");
}

int
main(int argc, char **argv)
{
	int r;

	g_test_init(&argc, &argv, NULL);
	path = g_dir_make_tmp("dfs-disk-XXXXXX", NULL);
	folder = dfs_disk.open_folder(NULL, path, false);
	g_test_add_func("/disk/errors-are-negative-errno", errors_are_negative_errno);
	g_test_add_func("/disk/what-is-written-reads-back", what_is_written_reads_back);
	g_test_add_func("/disk/a-made-folder-is-durable-in-its-parent",
			a_made_folder_is_durable_in_its_parent);
	g_test_add_func("/disk/lock-excludes-a-second-holder", lock_excludes_a_second_holder);
	g_test_add_func("/disk/list-visits-the-prefix-until-told-to-stop",
			list_visits_the_prefix_until_told_to_stop);
	g_test_add_func("/disk/map-shares-with-the-file", map_shares_with_the_file);
	r = g_test_run();
	dfs_disk.close(NULL, folder);
	g_rmdir(path);
	g_free(path);
	return r;
}
