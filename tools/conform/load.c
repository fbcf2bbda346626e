/* SPDX-License-Identifier: MIT
 *
 * The command line, the tests one after another, and their checks: see load.h.
 */
#include "tools/conform/frame.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/conform/tap.h"

static char *opt_plugin, **opt_set, **opt_only, *opt_scratch, *opt_child;
static gboolean opt_list, opt_keep, opt_verbose;
static int opt_seed, opt_repeat;

static const GOptionEntry entries[] = {
	{"plugin", 'p', 0, G_OPTION_ARG_FILENAME, &opt_plugin, "the plugin file to test", "PATH"},
	{"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &opt_set,
	 "set an option of the plugin (repeatable)", "KEY=VALUE"},
	{"list", 'l', 0, G_OPTION_ARG_NONE, &opt_list, "list the tests and end", NULL},
	{"only", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &opt_only,
	 "run one group, or one test as GROUP/NAME (repeatable)", "GROUP"},
	{"scratch", 0, 0, G_OPTION_ARG_FILENAME, &opt_scratch, "folder for temporary files", "DIR"},
	{"keep", 'k', 0, G_OPTION_ARG_NONE, &opt_keep, "keep the temporary files", NULL},
	{"seed", 0, 0, G_OPTION_ARG_INT, &opt_seed, "seed of the random choices", "NUMBER"},
	{"repeat", 0, 0, G_OPTION_ARG_INT, &opt_repeat,
	 "run a test anew, so often at most, when the store answers AGAIN with nobody else about",
	 "TIMES"},
	{"verbose", 'v', 0, G_OPTION_ARG_NONE, &opt_verbose, "print the plugin's log lines", NULL},
	{"child", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &opt_child, "", ""},
	{NULL}};

static char running[256]; /* the test's name, for the alarm */

/* ---- checks ---- */

bool
conform_check(struct conform *c, bool cond, const char *file, int line, const char *expr,
	      const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (cond)
		return true;
	if (c->is_void)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A loop that fails at each turn shall not fill the terminal. */
	if (c->failures++ < 20)
		tap_remark("%s:%d: %s%s%s", file, line, expr, text[1] ? ":" : "",
			   text[1] ? text : "");
	return false;
}

bool
conform_expect(struct conform *c, enum dfs_status status, enum dfs_status want, const char *file,
	       int line, const char *expr)
{
	if (status == want)
		return true;
	if (conform_anew(c, status))
		c->is_void = true;
	return conform_check(c, false, file, line, expr, " answers %s, not %s; \"%s\"",
			     dfs_status_name(status), dfs_status_name(want), conform_fail_text());
}

bool
conform_anew(const struct conform *c, enum dfs_status status)
{
	return c->repeat && status == DFS_AGAIN;
}

void
conform_skip(struct conform *c, const char *reason)
{
	c->skip = reason;
}

/* ---- the program ---- */

unsigned
conform_count_entries(const char *folder)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* "." and ".." */
}

unsigned
conform_count_fds(void)
{
	unsigned n = conform_count_entries("/proc/self/fd");

	return n ? n - 1 : 0; /* without the one that reads it */
}

uint64_t
conform_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	remove(path);
	return 0;
}

static void
hung(int sig)
{
	static const char text[] = "\nBail out! a test hangs: ";

	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 ||
	    write(STDOUT_FILENO, running, strlen(running)) < 0 || write(STDOUT_FILENO, "\n", 1) < 0)
		_exit(3);
	_exit(2);
}

/* Is it what t is called, or its group? */
static bool
names(const char *only, const struct conform_test *t)
{
	g_autofree char *full = g_strdup_printf("%s/%s", t->group, t->name);

	return !strcmp(only, t->group) || !strcmp(only, full);
}

static bool
selected(const struct conform_test *t)
{
	for (char **only = opt_only; only && *only; only++)
		if (names(*only, t))
			return true;
	return !opt_only;
}

/* All of --only are names of tests. */
static void
check_only(const struct conform_test *const *tables)
{
	for (char **only = opt_only; only && *only; only++) {
		bool found = false;

		for (unsigned i = 0; tables[i] && !found; i++)
			for (const struct conform_test *t = tables[i]; t->group && !found; t++)
				found = names(*only, t);
		if (!found)
			tap_bail("no test is named %s", *only);
	}
}

static void
run_once(struct conform *c, const struct conform_test *t)
{
	c->skip = NULL;
	c->failures = 0;
	c->is_void = false;
	conform_fail_clear();
	alarm(CONFORM_TEST_SECONDS);
	t->run(c);
	alarm(0);
	if (c->host_misuse != 0) {
		c->is_void = false; /* whatever the store was told, this is a failure */
		CHECK(c, false, "the host table was called with wrong arguments");
	}
	c->host_misuse = 0;
}

/* What failed before the store answered AGAIN has failed. */
static void
run_test(struct conform *c, const struct conform_test *t)
{
	unsigned repeats = 0;

	snprintf(running, sizeof(running), "%s: %s", t->group, t->name);
	for (run_once(c, t); c->is_void && !c->failures && repeats < c->repeat; repeats++)
		run_once(c, t);
	if (c->is_void && !c->failures) {
		c->is_void = false;
		CHECK(c, false, "it was void %u times", repeats + 1);
	} else if (repeats) {
		tap_remark("after %u void runs:", repeats);
	}
	tap_result(c->failures == 0, t->group, t->name, c->failures ? NULL : c->skip);
}

static void
run_table(struct conform *c, const struct conform_test *t)
{
	for (; t->group; t++) {
		if (!selected(t))
			continue;
		if (opt_list)
			printf("%s/%s\n", t->group, t->name);
		else
			run_test(c, t);
	}
}

int
conform_main(int argc, char **argv, enum dfs_plugin_kind kind,
	     const struct conform_test *const *tables, const struct conform_role *roles)
{
	static const char *const no_dirs[] = {NULL};
	g_autoptr(GOptionContext) options = g_option_context_new("- test a store plugin");
	g_autoptr(GError) gerror = NULL;
	g_autofree char *scratch = NULL, *error = NULL, *path = NULL;
	struct dfs_registry *registry;
	struct conform c = {.buffers = 0};
	int status;

	g_option_context_add_main_entries(options, entries, NULL);
	if (!g_option_context_parse(options, &argc, &argv, &gerror) || argc > 1) {
		fprintf(stderr, "%s\n", gerror ? gerror->message : "too many arguments");
		return 2;
	}
	conform_host_init(&c);
	c.set = opt_set;
	c.verbose = opt_verbose;
	c.seed = opt_seed ? (unsigned)opt_seed : (unsigned)g_random_int() >> 1 | 1;
	if (opt_repeat < 0 || opt_repeat > 1000) {
		fprintf(stderr, "--repeat is outside of 0 to 1000\n");
		return 2;
	}
	c.repeat = (unsigned)opt_repeat;
	check_only(tables);
	if (opt_list) {
		for (; *tables; tables++)
			run_table(&c, *tables);
		return 0;
	}
	if (!opt_plugin) {
		fprintf(stderr, "--plugin is missing; --help tells more\n");
		return 2;
	}
	c.plugin_path = path = g_canonicalize_filename(opt_plugin, NULL);
	registry = dfs_registry_new(no_dirs);
	c.plugin = dfs_registry_load(registry, path, &error);
	if (!c.plugin)
		tap_bail("%s", error);
	if (c.plugin->desc.kind != kind)
		tap_bail("%s is not a %s store", path, dfs_plugin_kind_name(kind));
	signal(SIGPIPE, SIG_IGN);
	if (opt_child) {
		status = conform_child(&c, roles, opt_child);
		dfs_registry_free(registry);
		return status;
	}
	scratch = g_build_filename(opt_scratch ? opt_scratch : g_get_tmp_dir(),
				   "dfs-conform-XXXXXX", NULL);
	if (!g_mkdtemp(scratch))
		tap_bail("cannot make a folder in %s: %s",
			 opt_scratch ? opt_scratch : g_get_tmp_dir(), strerror(errno));
	c.scratch = scratch;
	signal(SIGALRM, hung);
	tap_remark("plugin %s %s, seed %u", c.plugin->desc.name, c.plugin->desc.version, c.seed);
	for (; *tables; tables++)
		run_table(&c, *tables);
	if (opt_keep)
		tap_remark("files are in %s", scratch);
	else
		nftw(scratch, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	status = tap_end();
	dfs_registry_free(registry);
	return status;
}
