/* SPDX-License-Identifier: MIT
 *
 * What only this store promises: its folder, its modes, which files a sync covers, what a failing
 * disk does.  The store's sources are compiled in with the system calls of fake.h in between.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plugins/block/filesystem/store.h"

/* The real ones, under the names that the macros of fake.h hide. */
#undef fdatasync
#undef fsync
#undef syncfs
#undef syscall
#undef writev
int fdatasync(int fd);
int fsync(int fd);
int syncfs(int fd);
long syscall(long number, ...);
ssize_t writev(int fd, const struct iovec *iov, int n);

extern const struct dfs_plugin block_filesystem_LTX_dfs_plugin;

/* ---- system calls ---- */

static int fail_write, fail_sync; /* errno values; 0: work */
static size_t write_at_most = SIZE_MAX;
static gboolean no_openat2;
static GPtrArray *synced; /* paths, in order */

static int
note(int fd, int (*real)(int))
{
	g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);

	if (synced)
		g_ptr_array_add(synced, g_file_read_link(link, NULL));
	if (fail_sync) {
		errno = fail_sync;
		return -1;
	}
	return real(fd);
}

int
fake_fdatasync(int fd)
{
	return note(fd, fdatasync);
}

int
fake_fsync(int fd)
{
	return note(fd, fsync);
}

int
fake_syncfs(int fd)
{
	if (synced)
		g_ptr_array_add(synced, g_strdup("syncfs"));
	errno = fail_sync;
	return fail_sync ? -1 : syncfs(fd);
}

ssize_t
fake_writev(int fd, const struct iovec *iov, int n)
{
	if (fail_write) {
		errno = fail_write;
		return -1;
	}
	if (write_at_most == SIZE_MAX)
		return writev(fd, iov, n);
	return write(fd, iov->iov_base, MIN(iov->iov_len, write_at_most));
}

long
fake_syscall(long number, ...)
{
	long arg[4];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (no_openat2) {
		errno = ENOSYS;
		return -1;
	}
	return syscall(number, arg[0], arg[1], arg[2], arg[3]);
}

/* ---- host ---- */

static char fail_text[512];

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof fail_text, fmt, ap);
	va_end(ap);
	return status;
}

static const struct dfs_host host = {.size = sizeof host, .log = host_log, .fail = host_fail};

/* ---- fixture ---- */

struct fix {
	const struct dfs_block_ops *ops;
	char *top, *path; /* a temporary folder; the store's, in it */
	struct filesystem_config config;
	struct dfs_diag diag;
	void *inst;
};

static void
setup(struct fix *f, gconstpointer unused)
{
	memset(f, 0, sizeof *f);
	f->ops = block_filesystem_LTX_dfs_plugin.ops;
	f->top = g_dir_make_tmp("test-filesystem-XXXXXX", NULL);
	f->path = g_build_filename(f->top, "blocks", NULL);
	f->config = (struct filesystem_config){f->path, 1, 0700, 0600};
	umask(022);
}

static enum dfs_status
open_store(struct fix *f)
{
	memset(&f->diag, 0, sizeof f->diag);
	return f->ops->create(&host, &f->config, &f->inst, &f->diag);
}

static void
close_store(struct fix *f)
{
	if (f->inst)
		f->ops->destroy(f->inst);
	f->inst = NULL;
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		if (g_file_test(sub, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(sub, G_FILE_TEST_IS_SYMLINK))
			remove_tree(sub);
		else
			g_unlink(sub);
	}
	g_rmdir(path);
}

static void
teardown(struct fix *f, gconstpointer unused)
{
	close_store(f);
	fail_write = fail_sync = 0;
	write_at_most = SIZE_MAX;
	no_openat2 = FALSE;
	g_clear_pointer(&synced, g_ptr_array_unref);
	remove_tree(f->top);
	g_free(f->top);
	g_free(f->path);
}

static enum dfs_status
put(struct fix *f, const char *key, const char *text)
{
	struct dfs_span span = {text, strlen(text), NULL};

	return f->ops->put(f->inst, key, &span, 1, 0);
}

static void *
space(void *ctx, uint64_t *len)
{
	*len = 4096;
	return ctx;
}

static enum dfs_status
get(struct fix *f, const char *key, uint64_t len, char *out)
{
	struct dfs_sink sink = {out, NULL, space};

	return f->ops->get(f->inst, key, 0, len, &sink, 0);
}

static unsigned
mode_of(struct fix *f, const char *name)
{
	g_autofree char *path = g_build_filename(f->path, name, NULL);
	struct stat st;

	g_assert_cmpint(lstat(path, &st), ==, 0);
	return st.st_mode & 07777;
}

static gboolean
exists(struct fix *f, const char *name)
{
	g_autofree char *path = g_build_filename(f->path, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS) || g_file_test(path, G_FILE_TEST_IS_SYMLINK);
}

static void
write_file(struct fix *f, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(f->path, name, NULL);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static unsigned
count_entries(struct fix *f, const char *name)
{
	g_autofree char *path = g_build_filename(f->path, name, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;

	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

#define OK(x) g_assert_cmpint((x), ==, DFS_OK)

/* ---- the folder ---- */

static void
test_foreign(struct fix *f, gconstpointer unused)
{
	g_mkdir(f->path, 0700);
	write_file(f, "letter.txt", "dear");
	g_assert_cmpint(open_store(f), ==, DFS_CONFIG);
	g_assert_nonnull(strstr(f->diag.text, "no block store"));
	g_assert_cmpstr(f->diag.key, ==, "path");
	g_assert_cmpuint(count_entries(f, "."), ==, 1);
}

static void
test_lost_found(struct fix *f, gconstpointer unused)
{
	g_mkdir(f->path, 0700);
	g_autofree char *lost = g_build_filename(f->path, "lost+found", NULL);
	g_mkdir(lost, 0700);
	OK(open_store(f));
}

static void
test_no_create(struct fix *f, gconstpointer unused)
{
	f->config.create_dir = 0;
	g_assert_cmpint(open_store(f), ==, DFS_CONFIG);
	g_assert_false(g_file_test(f->path, G_FILE_TEST_EXISTS));
}

static void
test_create_parents(struct fix *f, gconstpointer unused)
{
	g_autofree char *deep = g_build_filename(f->top, "a/b/c", NULL);

	f->config.path = deep;
	OK(open_store(f));
	OK(put(f, "x", "y"));
}

static void
test_not_a_folder(struct fix *f, gconstpointer unused)
{
	g_assert_true(g_file_set_contents(f->path, "x", 1, NULL));
	g_assert_cmpint(open_store(f), ==, DFS_CONFIG);
}

static void
test_version(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	close_store(f);
	write_file(f, MARKER, "dittofs-block-filesystem 2\n");
	g_assert_cmpint(open_store(f), ==, DFS_VERSION);
	g_assert_nonnull(strstr(f->diag.text, "filesystem 2"));
	write_file(f, MARKER, "something else\n");
	g_assert_cmpint(open_store(f), ==, DFS_VERSION);
}

static void
test_cut_marker(struct fix *f, gconstpointer unused)
{
	g_mkdir(f->path, 0700);
	write_file(f, MARKER, "");
	OK(open_store(f));
	OK(put(f, "x", "y"));
	close_store(f);
	write_file(f, MARKER, "");
	g_assert_cmpint(open_store(f), ==, DFS_CORRUPT);
}

static void
test_busy(struct fix *f, gconstpointer unused)
{
	void *first;

	OK(open_store(f));
	first = f->inst;
	g_assert_cmpint(open_store(f), ==, DFS_BUSY);
	f->inst = first;
	OK(put(f, "x", "y"));
	close_store(f);
	OK(open_store(f));
}

static void
test_temp_cleared(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	close_store(f);
	write_file(f, TEMP "/0", "half an obj");
	write_file(f, TEMP "/probe-1", "pro");
	OK(open_store(f));
	g_assert_cmpuint(count_entries(f, TEMP), ==, 0);
}

static void
test_tidy(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	OK(put(f, "a/b/c/d", "1"));
	OK(put(f, "a/b/e", "2"));
	OK(f->ops->health(f->inst));
	g_assert_cmpuint(count_entries(f, TEMP), ==, 0);
	OK(f->ops->erase(f->inst, "a/b/c/d", 0));
	g_assert_false(exists(f, "a/b/c"));
	g_assert_true(exists(f, "a/b/e"));
	OK(f->ops->erase_prefix(f->inst, "a/b/"));
	g_assert_false(exists(f, "a"));
	g_assert_cmpuint(count_entries(f, "."), ==, 2);
}

static void
test_modes(struct fix *f, gconstpointer unused)
{
	f->config.dir_mode = 0775;
	f->config.file_mode = 0664;
	umask(077);
	OK(open_store(f));
	OK(put(f, "a/b/c", "1"));
	g_assert_cmpuint(mode_of(f, "a"), ==, 0775);
	g_assert_cmpuint(mode_of(f, "a/b"), ==, 0775);
	g_assert_cmpuint(mode_of(f, "a/b/c"), ==, 0664);
	g_assert_cmpuint(mode_of(f, "."), ==, 0775);
}

static void
test_useless_modes(struct fix *f, gconstpointer unused)
{
	f->config.dir_mode = 0600;
	g_assert_cmpint(f->ops->validate(&f->config, &f->diag), ==, DFS_CONFIG);
	g_assert_cmpstr(f->diag.key, ==, "dir_mode");
	f->config.dir_mode = 0700;
	f->config.file_mode = 0400;
	g_assert_cmpint(f->ops->validate(&f->config, &f->diag), ==, DFS_CONFIG);
	g_assert_cmpstr(f->diag.key, ==, "file_mode");
}

/* ---- links ---- */

static void
test_links(struct fix *f, gconstpointer openat2_missing)
{
	g_autofree char *outside = g_build_filename(f->top, "outside", NULL);
	g_autofree char *secret = g_build_filename(outside, "secret", NULL);
	g_autofree char *folder = g_build_filename(f->path, "link", NULL);
	g_autofree char *file = g_build_filename(f->path, "file", NULL);
	char out[4096];
	uint64_t length;

	no_openat2 = openat2_missing != NULL;
	OK(open_store(f));
	g_mkdir(outside, 0700);
	g_assert_true(g_file_set_contents(secret, "secret", -1, NULL));
	g_assert_cmpint(symlink(outside, folder), ==, 0);
	g_assert_cmpint(symlink(secret, file), ==, 0);
	g_assert_cmpint(get(f, "link/secret", 6, out), !=, DFS_OK);
	g_assert_cmpint(get(f, "file", 6, out), !=, DFS_OK);
	g_assert_cmpint(f->ops->head(f->inst, "file", &length, 0), !=, DFS_OK);
	g_assert_cmpint(put(f, "link/new", "x"), !=, DFS_OK);
	f->ops->erase(f->inst, "link/secret", 0);
	f->ops->erase_prefix(f->inst, "link/");
	/* A put takes the link's place and does not write through it. */
	OK(put(f, "file", "mine"));
	g_assert_false(g_file_test(file, G_FILE_TEST_IS_SYMLINK));
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents(secret, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "secret");
	g_autoptr(GDir) dir = g_dir_open(outside, 0, NULL);
	g_assert_cmpstr(g_dir_read_name(dir), ==, "secret");
	g_assert_null(g_dir_read_name(dir));
}

static void
test_no_openat2(struct fix *f, gconstpointer unused)
{
	char out[4096];

	no_openat2 = TRUE;
	OK(open_store(f));
	OK(put(f, "a/b/c", "text"));
	OK(get(f, "a/b/c", 4, out));
	g_assert_cmpmem(out, 4, "text", 4);
	g_assert_cmpint(get(f, "a/x/c", 4, out), ==, DFS_NOENT);
	OK(f->ops->erase(f->inst, "a/b/c", 0));
	g_assert_false(exists(f, "a"));
}

/* ---- sync ---- */

static gboolean
was_synced(struct fix *f, const char *name)
{
	g_autofree char *path = name[0] ? g_build_filename(f->path, name, NULL) : g_strdup(f->path);

	return g_ptr_array_find_with_equal_func(synced, path, g_str_equal, NULL);
}

static void
test_sync_covers(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	synced = g_ptr_array_new_with_free_func(g_free);
	OK(put(f, "a/b/c", "1"));
	OK(f->ops->sync(f->inst));
	g_assert_true(was_synced(f, "a/b/c"));
	g_assert_true(was_synced(f, "a/b"));
	g_assert_true(was_synced(f, "a"));
	g_assert_true(was_synced(f, ""));
	g_assert_cmpuint(synced->len, ==, 4);
}

static void
test_sync_once(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	OK(put(f, "a/b/c", "1"));
	OK(f->ops->sync(f->inst));
	synced = g_ptr_array_new_with_free_func(g_free);
	OK(f->ops->sync(f->inst));
	g_assert_cmpuint(synced->len, ==, 0);
	OK(put(f, "a/b/d", "1"));
	OK(put(f, "a/b/e", "1"));
	OK(f->ops->sync(f->inst));
	g_assert_true(was_synced(f, "a/b/d"));
	g_assert_true(was_synced(f, "a/b/e"));
	g_assert_true(was_synced(f, "a/b"));
	g_assert_cmpuint(synced->len, ==, 3);
}

static void
test_sync_erase(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	OK(put(f, "a/b/c", "1"));
	OK(put(f, "a/d", "1"));
	OK(f->ops->sync(f->inst));
	synced = g_ptr_array_new_with_free_func(g_free);
	OK(f->ops->erase(f->inst, "a/b/c", 0));
	OK(f->ops->sync(f->inst));
	/* a/b is gone: its removal is a change of a. */
	g_assert_true(was_synced(f, "a"));
}

static void
test_sync_group(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	synced = g_ptr_array_new_with_free_func(g_free);
	for (int i = 0; i < 3000; i++) {
		g_autofree char *key = g_strdup_printf("%d/x", i);

		OK(put(f, key, "1"));
	}
	OK(f->ops->sync(f->inst));
	/* Either way nothing is left out. */
	if (synced->len == 1)
		g_assert_cmpstr(synced->pdata[0], ==, "syncfs");
	else
		g_assert_cmpuint(synced->len, ==, 6001);
}

static void
test_sticky(struct fix *f, gconstpointer unused)
{
	char out[4096];

	OK(open_store(f));
	OK(put(f, "a", "1"));
	fail_sync = EIO;
	g_assert_cmpint(f->ops->sync(f->inst), ==, DFS_IO);
	fail_sync = 0;
	g_assert_cmpint(f->ops->sync(f->inst), ==, DFS_IO);
	g_assert_cmpint(put(f, "b", "1"), ==, DFS_IO);
	g_assert_cmpint(f->ops->health(f->inst), ==, DFS_IO);
	OK(get(f, "a", 1, out));
	close_store(f);
	OK(open_store(f));
	OK(put(f, "b", "1"));
	OK(f->ops->sync(f->inst));
}

/* ---- errors ---- */

static void
check_write_error(struct fix *f, int error, enum dfs_status want)
{
	fail_write = error;
	fail_text[0] = '\0';
	g_assert_cmpint(put(f, "a/b", "1"), ==, want);
	g_assert_nonnull(strstr(fail_text, "a/b"));
	g_assert_cmpuint(count_entries(f, TEMP), ==, 0);
	g_assert_false(exists(f, "a"));
	fail_write = 0;
}

static void
test_write_errors(struct fix *f, gconstpointer unused)
{
	OK(open_store(f));
	check_write_error(f, ENOSPC, DFS_NOSPC);
	check_write_error(f, EDQUOT, DFS_NOSPC);
	check_write_error(f, EROFS, DFS_ROFS);
	check_write_error(f, EIO, DFS_IO);
	OK(put(f, "a/b", "1"));
}

static void
test_short_writes(struct fix *f, gconstpointer unused)
{
	struct dfs_span spans[3] = {{"hello ", 6, NULL}, {"", 0, NULL}, {"world", 5, NULL}};
	char out[4096];

	OK(open_store(f));
	for (write_at_most = 1; write_at_most < 8; write_at_most++) {
		OK(f->ops->put(f->inst, "x", spans, 3, 0));
		OK(get(f, "x", 11, out));
		g_assert_cmpmem(out, 11, "hello world", 11);
	}
}

static void
test_foreign_files(struct fix *f, gconstpointer unused)
{
	g_autofree char *fifo = g_build_filename(f->path, "fifo", NULL);
	char out[4096];

	OK(open_store(f));
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	g_assert_cmpint(get(f, "fifo", 1, out), ==, DFS_NOENT);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define T(name, fn) g_test_add("/block/filesystem/" name, struct fix, NULL, setup, fn, teardown)
	T("folder/one with foreign files is refused and left alone", test_foreign);
	T("folder/a fresh file system counts as empty", test_lost_found);
	T("folder/is not made when create_dir is false", test_no_create);
	T("folder/is made with its parents", test_create_parents);
	T("folder/a file in its place is refused", test_not_a_folder);
	T("folder/another format is refused", test_version);
	T("folder/a marker cut short is completed only in an empty folder", test_cut_marker);
	T("folder/a second store on it is refused as busy", test_busy);
	T("folder/half-written files are removed at open", test_temp_cleared);
	T("folder/emptied folders and temporary files do not stay", test_tidy);
	T("modes/are exact under any umask", test_modes);
	T("modes/that lock the server out are refused", test_useless_modes);
	T("links/are not followed", test_links);
	g_test_add("/block/filesystem/links/are not followed without openat2", struct fix, "",
		   setup, test_links, teardown);
	T("links/everything works without openat2", test_no_openat2);
	T("sync/covers the object and every folder made for it", test_sync_covers);
	T("sync/writes a folder once and nothing twice", test_sync_once);
	T("sync/covers the removal of folders", test_sync_erase);
	T("sync/covers a group larger than its lists", test_sync_group);
	T("sync/a failure is sticky until the store is opened anew", test_sticky);
	T("errors/of writing have their status, a sentence, and leave nothing", test_write_errors);
	T("errors/short writes are continued", test_short_writes);
	T("errors/a FIFO in the folder is no object", test_foreign_files);
	return g_test_run();
}
