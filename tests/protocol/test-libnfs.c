/* SPDX-License-Identifier: MIT
 *
 * A functional pass with libnfs against a running server.
 *
 *   DFS_TEST_PORT    port of NFS and MOUNT on 127.0.0.1
 *   DFS_TEST_EXPORT  path of the share, /export when unset; its rule squashes nobody
 *
 * Without a port the tests are skipped.  Each test has a folder and a connection of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <nfsc/libnfs.h>

static const char *port, *export_path;
static struct nfs_context *nfs;
static char *top; /* the test's folder, as a path in the share */

static struct nfs_context *
try_connect(const char *path, int *status)
{
	struct nfs_context *ctx = nfs_init_context();
	g_autofree char *url = g_strdup_printf(
		"nfs://127.0.0.1%s/?nfsport=%s&mountport=%s&version=3", path, port, port);
	struct nfs_url *parsed = nfs_parse_url_dir(ctx, url);

	g_assert_nonnull(parsed);
	nfs_set_timeout(ctx, 30000);
	*status = nfs_mount(ctx, parsed->server, parsed->path);
	nfs_destroy_url(parsed);
	return ctx;
}

static struct nfs_context *
connect_to(const char *path)
{
	int status;
	struct nfs_context *ctx = try_connect(path, &status);

	if (status != 0)
		g_error("mount %s: %s", path, nfs_get_error(ctx));
	return ctx;
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		int status_ = (call);                                                              \
		if (status_ < 0)                                                                   \
			g_error("%s:%d: " #call ": %s: %s", __FILE__, __LINE__,                    \
				g_strerror(-status_), nfs_get_error(nfs));                         \
	} while (0)
#define FAILS(call, error) g_assert_cmpint((call), ==, -(error))

/* A path in the test's folder; it lives until the test ends. */
static GPtrArray *paths;

static const char *
at(const char *name)
{
	char *path = g_strdup_printf("%s/%s", top, name);

	g_ptr_array_add(paths, path);
	return path;
}

static void
set_up(void)
{
	static int n;

	paths = g_ptr_array_new_with_free_func(g_free);
	nfs = connect_to(export_path);
	nfs_umask(nfs, 0);
	top = g_strdup_printf("/libnfs-%d-%d", (int)getpid(), n++);
	OK(nfs_mkdir2(nfs, top, 0755));
}

static void
remove_tree(const char *path)
{
	struct nfsdir *dir;
	struct nfsdirent *e;

	OK(nfs_opendir(nfs, path, &dir));
	while ((e = nfs_readdir(nfs, dir))) {
		g_autofree char *child = g_strdup_printf("%s/%s", path, e->name);
		if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
			continue;
		if (S_ISDIR(e->mode))
			remove_tree(child);
		else
			OK(nfs_unlink(nfs, child));
	}
	nfs_closedir(nfs, dir);
	OK(nfs_rmdir(nfs, path));
}

static void
tear_down(void)
{
	remove_tree(top);
	nfs_umount(nfs);
	nfs_destroy_context(nfs);
	g_ptr_array_unref(paths);
	g_free(top);
}

static void
put(const char *name, const void *data, size_t len)
{
	struct nfsfh *fh;
	size_t done = 0;

	OK(nfs_creat(nfs, at(name), 0644, &fh));
	while (done < len) {
		int n = nfs_pwrite(nfs, fh, done, len - done, (const char *)data + done);
		OK(n);
		done += (size_t)n;
	}
	OK(nfs_close(nfs, fh));
}

/* Read all of a file, *len bytes. */
static unsigned char *
get(const char *name, size_t *len)
{
	struct nfs_stat_64 st;
	struct nfsfh *fh;
	unsigned char *data;
	size_t done = 0;

	OK(nfs_open(nfs, at(name), O_RDONLY, &fh));
	OK(nfs_fstat64(nfs, fh, &st));
	data = g_malloc(st.nfs_size + 1);
	while (done < st.nfs_size) {
		int n = nfs_pread(nfs, fh, done, st.nfs_size - done, data + done);
		OK(n);
		g_assert_cmpint(n, >, 0);
		done += (size_t)n;
	}
	OK(nfs_close(nfs, fh));
	*len = done;
	return data;
}

static struct nfs_stat_64
stat_of(const char *name)
{
	struct nfs_stat_64 st;

	OK(nfs_lstat64(nfs, at(name), &st));
	return st;
}

static void
test_small_file(void)
{
	g_autofree unsigned char *data = NULL;
	size_t len;

	put("f", "hello", 5);
	data = get("f", &len);
	g_assert_cmpmem(data, len, "hello", 5);
}

static void
test_empty_file(void)
{
	put("f", "", 0);
	g_assert_cmpuint(stat_of("f").nfs_size, ==, 0);
}

/* More than a block and a chunk of requests. */
static void
test_large_file(void)
{
	size_t size = (20 << 20) + 12345, len;
	g_autofree unsigned char *data = g_malloc(size);
	g_autofree unsigned char *back = NULL;

	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 31 + (i >> 12));
	put("f", data, size);
	back = get("f", &len);
	g_assert_cmpuint(len, ==, size);
	g_assert_true(memcmp(back, data, size) == 0);
}

static void
test_other_connection_sees_it(void)
{
	struct nfs_context *other = connect_to(export_path);
	struct nfs_stat_64 st;

	put("f", "hello", 5);
	OK(nfs_stat64(other, at("f"), &st));
	g_assert_cmpuint(st.nfs_size, ==, 5);
	nfs_destroy_context(other);
}

static void
test_fsync(void)
{
	struct nfsfh *fh;

	OK(nfs_creat(nfs, at("f"), 0644, &fh));
	OK(nfs_pwrite(nfs, fh, 0, 5, "hello"));
	OK(nfs_fsync(nfs, fh));
	OK(nfs_close(nfs, fh));
}

static void
test_append(void)
{
	struct nfsfh *fh;
	g_autofree unsigned char *data = NULL;
	size_t len;

	put("f", "hello", 5);
	OK(nfs_open(nfs, at("f"), O_WRONLY | O_APPEND, &fh));
	OK(nfs_write(nfs, fh, 6, " world"));
	OK(nfs_close(nfs, fh));
	data = get("f", &len);
	g_assert_cmpmem(data, len, "hello world", 11);
}

static void
test_read_past_the_end(void)
{
	struct nfsfh *fh;
	char buf[10];

	put("f", "hello", 5);
	OK(nfs_open(nfs, at("f"), O_RDONLY, &fh));
	g_assert_cmpint(nfs_pread(nfs, fh, 3, 10, buf), ==, 2);
	g_assert_cmpint(nfs_pread(nfs, fh, 5, 10, buf), ==, 0);
	g_assert_cmpint(nfs_pread(nfs, fh, 500, 10, buf), ==, 0);
	OK(nfs_close(nfs, fh));
}

static void
test_sparse_file(void)
{
	struct nfsfh *fh;
	struct nfs_stat_64 st;
	char buf[4096];

	OK(nfs_creat(nfs, at("f"), 0644, &fh));
	OK(nfs_pwrite(nfs, fh, UINT64_C(5) << 30, 1, "x"));
	g_assert_cmpint(nfs_pread(nfs, fh, 1 << 20, sizeof buf, buf), ==, sizeof buf);
	for (unsigned i = 0; i < sizeof buf; i++)
		g_assert_cmpint(buf[i], ==, 0);
	OK(nfs_fsync(nfs, fh));
	OK(nfs_close(nfs, fh));
	st = stat_of("f");
	g_assert_cmpuint(st.nfs_size, ==, (UINT64_C(5) << 30) + 1);
	g_assert_cmpuint(st.nfs_used, <, 64 << 20);
}

static void
test_truncate(void)
{
	g_autofree unsigned char *data = NULL;
	size_t len;

	put("f", "hello world", 11);
	OK(nfs_truncate(nfs, at("f"), 5));
	OK(nfs_truncate(nfs, at("f"), 8));
	data = get("f", &len);
	g_assert_cmpmem(data, len, "hello\0\0\0", 8);
}

static void
test_open_truncates(void)
{
	struct nfsfh *fh;

	put("f", "hello", 5);
	OK(nfs_open(nfs, at("f"), O_WRONLY | O_TRUNC, &fh));
	OK(nfs_close(nfs, fh));
	g_assert_cmpuint(stat_of("f").nfs_size, ==, 0);
}

static void
test_exclusive_open(void)
{
	struct nfsfh *fh;

	OK(nfs_open2(nfs, at("f"), O_WRONLY | O_CREAT | O_EXCL, 0600, &fh));
	OK(nfs_close(nfs, fh));
	FAILS(nfs_open2(nfs, at("f"), O_WRONLY | O_CREAT | O_EXCL, 0600, &fh), EEXIST);
}

static void
test_rename(void)
{
	put("f", "hello", 5);
	put("g", "", 0);
	OK(nfs_mkdir(nfs, at("d")));
	OK(nfs_rename(nfs, at("f"), at("d/h")));
	FAILS(nfs_access(nfs, at("f"), R_OK), ENOENT);
	g_assert_cmpuint(stat_of("d/h").nfs_size, ==, 5);
	OK(nfs_rename(nfs, at("d/h"), at("g")));
	g_assert_cmpuint(stat_of("g").nfs_size, ==, 5);
}

static void
test_rename_refusals(void)
{
	OK(nfs_mkdir(nfs, at("d")));
	OK(nfs_mkdir(nfs, at("full")));
	put("full/f", "", 0);
	put("f", "", 0);
	FAILS(nfs_rename(nfs, at("d"), at("f")), ENOTDIR);
	g_assert_cmpint(nfs_rename(nfs, at("d"), at("full")), <, 0);
	g_assert_cmpint(nfs_rename(nfs, at("f"), at("d")), <, 0);
	FAILS(nfs_rename(nfs, at("full"), at("full/sub")), EINVAL);
	FAILS(nfs_rename(nfs, at("none"), at("x")), ENOENT);
}

static void
test_hard_link(void)
{
	put("f", "hello", 5);
	OK(nfs_link(nfs, at("f"), at("g")));
	g_assert_cmpuint(stat_of("f").nfs_nlink, ==, 2);
	g_assert_cmpuint(stat_of("f").nfs_ino, ==, stat_of("g").nfs_ino);
	OK(nfs_unlink(nfs, at("f")));
	g_assert_cmpuint(stat_of("g").nfs_nlink, ==, 1);
}

static void
test_symlink(void)
{
	char text[256];
	struct nfs_stat_64 st;

	put("f", "hello", 5);
	OK(nfs_symlink(nfs, "f", at("l")));
	OK(nfs_readlink(nfs, at("l"), text, sizeof text));
	g_assert_cmpstr(text, ==, "f");
	g_assert_true(S_ISLNK(stat_of("l").nfs_mode));
	OK(nfs_stat64(nfs, at("l"), &st));
	g_assert_cmpuint(st.nfs_size, ==, 5);
}

static void
test_fifo(void)
{
	OK(nfs_mknod(nfs, at("p"), S_IFIFO | 0600, 0));
	g_assert_true(S_ISFIFO(stat_of("p").nfs_mode));
}

static void
test_directories(void)
{
	OK(nfs_mkdir(nfs, at("d")));
	OK(nfs_mkdir(nfs, at("d/e")));
	g_assert_true(S_ISDIR(stat_of("d").nfs_mode));
	g_assert_cmpuint(stat_of("d").nfs_nlink, ==, 3);
	FAILS(nfs_mkdir(nfs, at("d")), EEXIST);
	g_assert_cmpint(nfs_rmdir(nfs, at("d")), <, 0);
	OK(nfs_rmdir(nfs, at("d/e")));
	OK(nfs_rmdir(nfs, at("d")));
	FAILS(nfs_rmdir(nfs, at("d")), ENOENT);
}

static void
test_refusals(void)
{
	struct nfsfh *fh;
	g_autofree char *longer = g_strnfill(256, 'n');

	put("f", "", 0);
	FAILS(nfs_open(nfs, at("none"), O_RDONLY, &fh), ENOENT);
	FAILS(nfs_open(nfs, at("f/x"), O_RDONLY, &fh), ENOTDIR);
	FAILS(nfs_rmdir(nfs, at("f")), ENOTDIR);
	FAILS(nfs_unlink(nfs, at("none")), ENOENT);
	FAILS(nfs_mkdir(nfs, at(longer)), ENAMETOOLONG);
}

static void
test_modes_and_owners(void)
{
	put("f", "", 0);
	OK(nfs_chmod(nfs, at("f"), 04751));
	g_assert_cmpuint(stat_of("f").nfs_mode & 07777, ==, 04751);
	OK(nfs_chown(nfs, at("f"), 1234, 4321));
	g_assert_cmpuint(stat_of("f").nfs_uid, ==, 1234);
	g_assert_cmpuint(stat_of("f").nfs_gid, ==, 4321);
}

static void
test_times(void)
{
	struct timeval times[2] = {{1000000, 250000}, {2000000, 750000}};
	struct nfs_stat_64 st;

	put("f", "", 0);
	OK(nfs_utimes(nfs, at("f"), times));
	st = stat_of("f");
	g_assert_cmpuint(st.nfs_atime, ==, 1000000);
	g_assert_cmpuint(st.nfs_mtime, ==, 2000000);
	g_assert_cmpuint(st.nfs_mtime_nsec, ==, 750000000);
}

static void
test_writing_moves_mtime(void)
{
	struct timeval times[2] = {{1000, 0}, {1000, 0}};
	struct nfsfh *fh;

	put("f", "", 0);
	OK(nfs_utimes(nfs, at("f"), times));
	OK(nfs_open(nfs, at("f"), O_WRONLY, &fh));
	OK(nfs_pwrite(nfs, fh, 0, 1, "x"));
	OK(nfs_close(nfs, fh));
	g_assert_cmpuint(stat_of("f").nfs_mtime, >, 1000);
}

static void
test_other_users_are_held_back(void)
{
	struct nfs_context *other = connect_to(export_path);
	struct nfsfh *fh;

	nfs_set_uid(other, 1000);
	nfs_set_gid(other, 1000);
	put("f", "secret", 6);
	OK(nfs_chmod(nfs, at("f"), 0600));
	g_assert_cmpint(nfs_open(other, at("f"), O_RDONLY, &fh), <, 0);
	FAILS(nfs_unlink(other, at("f")), EACCES);
	FAILS(nfs_mkdir(other, at("d")), EACCES);
	FAILS(nfs_chmod(other, at("f"), 0777), EPERM);
	OK(nfs_chmod(nfs, at("f"), 0604));
	OK(nfs_open(other, at("f"), O_RDONLY, &fh));
	OK(nfs_close(other, fh));
	nfs_destroy_context(other);
}

static void
test_odd_names(void)
{
	static const char *const names[] = {" ",        "a b",  "\xc3\xa9", "e\xcc\x81",
					    "\xff\xfe", "..x",  "...",      "-rf",
					    "*?[",      "a\nb", "CON",      "A"};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		put(names[i], names[i], strlen(names[i]));
	put("a", "", 0); /* beside "A" */
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t len;
		g_autofree unsigned char *data = get(names[i], &len);
		g_assert_cmpmem(data, len, names[i], strlen(names[i]));
	}
}

static void
test_large_directory(void)
{
	g_autofree char *seen = g_malloc0(3000);
	struct nfsdir *dir;
	struct nfsdirent *e;
	unsigned n = 0;

	for (unsigned i = 0; i < 3000; i++) {
		g_autofree char *name = g_strdup_printf("file-with-a-longer-name-%u", i);
		struct nfsfh *fh;
		OK(nfs_creat(nfs, at(name), 0644, &fh));
		OK(nfs_close(nfs, fh));
	}
	OK(nfs_opendir(nfs, top, &dir));
	while ((e = nfs_readdir(nfs, dir))) {
		if (e->name[0] == '.')
			continue;
		char *mark = &seen[atoi(e->name + 24)];
		g_assert_cmpint(*mark, ==, 0);
		*mark = 1;
		g_assert_true(S_ISREG(e->mode));
		n++;
	}
	nfs_closedir(nfs, dir);
	g_assert_cmpuint(n, ==, 3000);
}

static void
test_deep_tree(void)
{
	GString *path = g_string_new("d");

	for (unsigned i = 0; i < 40; i++) {
		OK(nfs_mkdir(nfs, at(path->str)));
		g_string_append(path, "/d");
	}
	put(path->str, "deep", 4);
	g_assert_cmpuint(stat_of(path->str).nfs_size, ==, 4);
	g_string_free(path, TRUE);
}

static void
test_subdirectory_mount(void)
{
	struct nfs_context *sub;
	struct nfs_stat_64 st;
	g_autofree char *path = NULL;

	OK(nfs_mkdir(nfs, at("d")));
	put("d/f", "hello", 5);
	path = g_strdup_printf("%s%s", export_path, at("d"));
	sub = connect_to(path);
	OK(nfs_stat64(sub, "/f", &st));
	g_assert_cmpuint(st.nfs_size, ==, 5);
	nfs_destroy_context(sub);
}

static void
test_unknown_export_is_refused(void)
{
	int status;
	struct nfs_context *ctx = try_connect("/there/is/no/such/export", &status);

	g_assert_cmpint(status, <, 0);
	g_assert_nonnull(strstr(nfs_get_error(ctx), "MNT3ERR_NOENT"));
	nfs_destroy_context(ctx);
}

static void
test_file_is_no_export(void)
{
	int status;
	g_autofree char *path = NULL;
	struct nfs_context *ctx;

	put("f", "", 0);
	path = g_strdup_printf("%s%s", export_path, at("f"));
	ctx = try_connect(path, &status);
	g_assert_cmpint(status, <, 0);
	g_assert_nonnull(strstr(nfs_get_error(ctx), "MNT3ERR_NOTDIR"));
	nfs_destroy_context(ctx);
}

static void
test_removed_file_is_stale(void)
{
	struct nfsfh *fh;
	char c;

	put("f", "hello", 5);
	OK(nfs_open(nfs, at("f"), O_RDONLY, &fh));
	OK(nfs_unlink(nfs, at("f")));
	g_assert_cmpint(nfs_pread(nfs, fh, 0, 1, &c), <, 0);
	nfs_close(nfs, fh);
}

static void
test_space(void)
{
	struct nfs_statvfs_64 st;

	OK(nfs_statvfs64(nfs, "/", &st));
	g_assert_cmpuint(st.f_blocks, >, 0);
	g_assert_cmpuint(st.f_bavail, <=, st.f_blocks);
}

static void
test_transfer_sizes(void)
{
	g_assert_cmpuint(nfs_get_readmax(nfs), ==, 1 << 20);
	g_assert_cmpuint(nfs_get_writemax(nfs), ==, 1 << 20);
}

struct writer {
	pthread_t thread;
	unsigned id;
};

#define WRITERS 4
#define ROUNDS 100

/* Own files in a common folder, and own stripes of a common file. */
static void *
write_along(void *arg)
{
	struct writer *w = arg;
	struct nfs_context *own = connect_to(export_path);
	g_autofree char *common = g_strdup_printf("%s/common", top);
	struct nfsfh *fh, *mine;
	char stripe[5000];

	memset(stripe, 'A' + (int)w->id, sizeof stripe);
	OK(nfs_open(own, common, O_WRONLY, &fh));
	for (unsigned i = 0; i < ROUNDS; i++) {
		g_autofree char *name = g_strdup_printf("%s/%u-%u", top, w->id, i);
		g_autofree char *renamed = g_strdup_printf("%s/r%u-%u", top, w->id, i);
		uint64_t offset = ((uint64_t)i * WRITERS + w->id) * sizeof stripe;

		g_assert_cmpint(nfs_pwrite(own, fh, offset, sizeof stripe, stripe), ==,
				sizeof stripe);
		OK(nfs_creat(own, name, 0644, &mine));
		OK(nfs_close(own, mine));
		OK(nfs_rename(own, name, renamed));
		if (i % 2)
			OK(nfs_unlink(own, renamed));
	}
	OK(nfs_close(own, fh));
	nfs_destroy_context(own);
	return NULL;
}

static void
test_concurrent_writers(void)
{
	struct writer writers[WRITERS];
	g_autofree unsigned char *data = NULL;
	struct nfsdir *dir;
	size_t len;
	unsigned n = 0;

	put("common", "", 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i].id = i;
		pthread_create(&writers[i].thread, NULL, write_along, &writers[i]);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	data = get("common", &len);
	g_assert_cmpuint(len, ==, (size_t)WRITERS * ROUNDS * 5000);
	for (size_t i = 0; i < len; i++)
		g_assert_cmpuint(data[i], ==, 'A' + i / 5000 % WRITERS);
	OK(nfs_opendir(nfs, top, &dir));
	while (nfs_readdir(nfs, dir))
		n++;
	nfs_closedir(nfs, dir);
	g_assert_cmpuint(n, ==, 3 + WRITERS * ROUNDS / 2);
}

static void
skip(void)
{
	g_test_skip("DFS_TEST_PORT names no server");
}

static void
add(const char *name, void (*fn)(void))
{
	g_autofree char *path = g_strconcat("/libnfs/", name, NULL);

	if (port)
		g_test_add_vtable(path, 0, NULL, (GTestFixtureFunc)(void (*)(void))set_up,
				  (GTestFixtureFunc)fn,
				  (GTestFixtureFunc)(void (*)(void))tear_down);
	else
		g_test_add_func(path, skip);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	port = g_getenv("DFS_TEST_PORT");
	export_path = g_getenv("DFS_TEST_EXPORT") ?: "/export";
	add("small-file", test_small_file);
	add("empty-file", test_empty_file);
	add("large-file", test_large_file);
	add("other-connection-sees-it", test_other_connection_sees_it);
	add("fsync", test_fsync);
	add("append", test_append);
	add("read-past-the-end", test_read_past_the_end);
	add("sparse-file", test_sparse_file);
	add("truncate", test_truncate);
	add("open-truncates", test_open_truncates);
	add("exclusive-open", test_exclusive_open);
	add("rename", test_rename);
	add("rename-refusals", test_rename_refusals);
	add("hard-link", test_hard_link);
	add("symlink", test_symlink);
	add("fifo", test_fifo);
	add("directories", test_directories);
	add("refusals", test_refusals);
	add("modes-and-owners", test_modes_and_owners);
	add("times", test_times);
	add("writing-moves-mtime", test_writing_moves_mtime);
	add("other-users-are-held-back", test_other_users_are_held_back);
	add("odd-names", test_odd_names);
	add("large-directory", test_large_directory);
	add("deep-tree", test_deep_tree);
	add("subdirectory-mount", test_subdirectory_mount);
	add("unknown-export-is-refused", test_unknown_export_is_refused);
	add("file-is-no-export", test_file_is_no_export);
	add("removed-file-is-stale", test_removed_file_is_stale);
	add("space", test_space);
	add("transfer-sizes", test_transfer_sizes);
	add("concurrent-writers", test_concurrent_writers);
	return g_test_run();
}
