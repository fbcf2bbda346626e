/* SPDX-License-Identifier: MIT
 *
 * A simulated loss of power on the LevelDB store.
 *
 * A child (the crash writer of dfs-conform-metadata) commits and syncs at both levels by chance,
 * over a write buffer so small that LevelDB changes logs all the time, and is killed.  A copy of
 * its folder keeps of each file what an fsync had covered, and no file whose name was never
 * synced; other copies also keep such names, and of each file some of the rest.  Each copy must
 * open, hold a prefix of the commits, and hold all that was acknowledged as surviving a loss of
 * power.  Of a log, which is written over zeros, they keep each page as it was at the last sync or
 * as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 16
enum { POWER = 2, MIXED = 3 }; /* levels, as the crash writer takes them */
#define CUTS 4 /* copies of each round; the first keeps nothing that was not synced */

struct report {
	guint64 committed, synced;
};

static char *conform, *plugin, *shim, *top;

static pid_t
start_child(const char *role, const char *buffer, const char *journal, int fd)
{
	char *argv[] = {conform,        (char *)"--plugin",
			plugin,         (char *)"--set",
			(char *)buffer, (char *)"--seed",
			NULL,           (char *)"--child",
			(char *)role,   NULL};
	g_autofree char *seed = g_strdup_printf("%d", g_test_rand_int_range(1, G_MAXINT));
	pid_t pid;

	argv[6] = seed;
	pid = fork();
	g_assert_cmpint(pid, >=, 0);
	if (pid == 0) {
		if (journal) {
			g_setenv("POWERLOSS_JOURNAL", journal, TRUE);
			g_setenv("LD_PRELOAD", shim, TRUE);
		}
		if (fd >= 0 && dup2(fd, 3) < 0)
			_exit(126);
		execv(conform, argv);
		_exit(127);
	}
	return pid;
}

static int
wait_child(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Let the child run for so many reports, kill it, and answer its last one. */
static struct report
write_and_kill(const char *dir, const char *buffer, unsigned level, const char *journal,
	       unsigned reports)
{
	g_autofree char *role = g_strdup_printf("writer\n%s\n0 0 %d %u\n3", dir,
						g_test_rand_int_range(1, 30), level);
	struct report report = {0}, r;
	int ends[2], status;
	pid_t pid;

	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	pid = start_child(role, buffer, journal, ends[1]);
	close(ends[1]);
	for (unsigned n = 0; read(ends[0], &r, sizeof(r)) == sizeof(r); n++) {
		report = r;
		if (n == reports)
			kill(pid, SIGKILL);
	}
	close(ends[0]);
	status = wait_child(pid);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
	return report;
}

/* "INODE PATH" -> size, and PATH -> anything. */
static void
read_journal(const char *journal, GHashTable *sizes, GHashTable *names)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(journal, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (char **l = lines; *l; l++) {
		g_auto(GStrv) w = g_strsplit(*l, " ", 4);

		if (g_strv_length(w) == 4 && w[0][0] == 'F') {
			/* CURRENT is written under another name; its inode tells. */
			g_hash_table_replace(sizes, g_strdup_printf("%s %s", w[1], w[3]),
					     g_strdup(w[2]));
			g_hash_table_replace(sizes, g_strdup(w[1]), g_strdup(w[2]));
			g_hash_table_add(names, g_strdup(w[3]));
		} else if (w[0] && w[0][0] == 'N') {
			g_hash_table_add(names, g_strdup(w[1]));
		}
	}
}

#define PAGE 4096u

/* What is left of a log: `synced` is durable, `now` was written since. */
static char *
torn(const char *synced, gsize n_synced, const char *now, gsize n_now, bool more, gsize *len)
{
	gsize shorter = MIN(n_synced, n_now);
	char *text = g_malloc(MAX(n_synced, n_now) + 1);

	memcpy(text, synced, n_synced);
	*len = n_synced;
	if (!more)
		return text;
	for (gsize at = 0; at < shorter; at += PAGE)
		if (g_test_rand_int() & 1)
			memcpy(text + at, now + at, MIN(PAGE, shorter - at));
	/* A file grows by bytes that are on the disk; a cut that was not synced may be undone. */
	if (n_now > n_synced) {
		*len += (gsize)g_test_rand_int_range(0, (gint32)(n_now - n_synced + 1));
		memcpy(text + n_synced, now + n_synced, *len - n_synced);
	} else if (g_test_rand_int() & 1) {
		*len = n_now;
	}
	return text;
}

static void
copy_cut(const char *from, const char *to, const char *journal, const char *name, GHashTable *sizes,
	 GHashTable *names, bool more)
{
	g_autofree char *a = g_build_filename(from, name, NULL),
			*b = g_build_filename(to, name, NULL);
	g_autofree char *key = NULL, *text = NULL, *kept = NULL, *synced = NULL;
	gboolean current = g_str_equal(name, "CURRENT");
	const char *size;
	gsize len, n_synced, keep = 0;
	struct stat st;

	g_assert_cmpint(stat(a, &st), ==, 0);
	if (!current && !more && !g_hash_table_contains(names, a))
		return;
	key = current ? g_strdup_printf("%lu", (unsigned long)st.st_ino)
		      : g_strdup_printf("%lu %s", (unsigned long)st.st_ino, a);
	size = g_hash_table_lookup(sizes, key);
	if (size)
		keep = strtoull(size, NULL, 10);
	g_assert_true(g_file_get_contents(a, &text, &len, NULL));
	kept = g_strdup_printf("%s.%s", journal, name);
	if (g_str_has_suffix(name, ".log") && g_file_get_contents(kept, &synced, &n_synced, NULL)) {
		g_autofree char *left = torn(synced, n_synced, text, len, more, &len);

		g_assert_true(g_file_set_contents(b, left, (gssize)len, NULL));
		return;
	}
	keep = MIN(keep, len);
	if (more && keep < len)
		keep += g_test_rand_int_range(0, (gint32)(len - keep + 1));
	g_assert_true(g_file_set_contents(b, text, (gssize)keep, NULL));
}

static void
cut_folder(const char *from, const char *to, const char *journal, bool more)
{
	g_autoptr(GHashTable) sizes =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GDir) d = g_dir_open(from, 0, NULL);
	const char *name;

	read_journal(journal, sizes, names);
	g_assert_nonnull(d);
	g_assert_cmpint(g_mkdir_with_parents(to, 0700), ==, 0);
	while ((name = g_dir_read_name(d)))
		copy_cut(from, to, journal, name, sizes, names, more);
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *sub = g_build_filename(path, name, NULL);

		remove_tree(sub);
	}
	g_remove(path);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static void
skip_power_loss(void)
{
	g_test_skip("the preloaded recorder cannot come before the sanitizer's runtime");
}
#endif

static void G_GNUC_UNUSED
test_power_loss(void)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		g_autofree char *dir = g_strdup_printf("%s/%u", top, round);
		g_autofree char *journal = g_strdup_printf("%s/%u.journal", top, round);
		g_autofree char *store = g_build_filename(dir, "path", NULL);
		const char *buffer = round & 1 ? "write_buffer_size=512K" : "write_buffer_size=64K";
		struct report report;

		g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
		report = write_and_kill(dir, buffer, round & 2 ? POWER : MIXED, journal,
					g_test_rand_int_range(300, 4000));
		for (unsigned cut = 0; cut < CUTS; cut++) {
			g_autofree char *copy = g_strdup_printf("%s/%u.%u", top, round, cut);
			g_autofree char *copied = g_build_filename(copy, "path", NULL);
			g_autofree char *role = g_strdup_printf(
				"check\n%s\n%" G_GUINT64_FORMAT "\n-1", copy, report.synced);

			cut_folder(store, copied, journal, cut > 0);
			g_assert_cmpint(wait_child(start_child(role, buffer, NULL, -1)), ==, 0);
			remove_tree(copy);
		}
		remove_tree(dir);
	}
}

int
main(int argc, char **argv)
{
	const char *build = g_getenv("DFS_BUILDDIR");
	int status;

	g_test_init(&argc, &argv, NULL);
	if (!build) {
		g_printerr("DFS_BUILDDIR is not set\n");
		return 1;
	}
	conform = g_build_filename(build, "tools/conform/dfs-conform-metadata", NULL);
	plugin = g_build_filename(build, ".plugins/metadata_leveldb.so", NULL);
	shim = g_build_filename(build, "plugins/metadata/leveldb/.libs/powerloss_shim.so", NULL);
	top = g_dir_make_tmp("dfs-powerloss-XXXXXX", NULL);
	g_assert_nonnull(top);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	g_test_add_func("/leveldb/power-loss", skip_power_loss);
#else
	g_test_add_func("/leveldb/a loss of power leaves a prefix with all that was synced for it",
			test_power_loss);
#endif
	status = g_test_run();
	remove_tree(top);
	g_free(conform);
	g_free(plugin);
	g_free(shim);
	g_free(top);
	return status;
}
