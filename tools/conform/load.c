/* SPDX-License-Identifier: MIT
 *
 * The frame of the conformance programs: see load.h.
 */
#include "tools/conform/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

static struct conform *self; /* the host table's context; one per process */
static __thread char fail_text[512];
static char running[256]; /* the test's name, for the alarm */
static unsigned folders;

/* ---- the host table ---- */

struct host_buf {
	struct dfs_buf buf;
	_Atomic unsigned refs;
	unsigned char bytes[];
};

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (opt_verbose)
		tap_remark("log %d: %s", (int)level, text);
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof(fail_text), fmt, ap);
	va_end(ap);
	if (opt_verbose)
		tap_remark("fail %s: %s", dfs_status_name(status), fail_text);
	return status;
}

static struct dfs_buf *
host_buf_alloc(void *ctx, uint32_t len)
{
	struct host_buf *b;

	if (len < 1 || len > DFS_OBJECT_MAX) {
		self->host_misuse++;
		return NULL;
	}
	b = g_malloc(sizeof(*b) + len);
	b->refs = 1;
	b->buf.data = b->bytes;
	b->buf.len = len;
	self->buffers++;
	self->buffer_bytes += len;
	return &b->buf;
}

static void
host_buf_ref(void *ctx, struct dfs_buf *buf)
{
	((struct host_buf *)buf)->refs++;
}

static void
host_buf_unref(void *ctx, struct dfs_buf *buf)
{
	struct host_buf *b = (struct host_buf *)buf;

	if (--b->refs == 0) {
		self->buffers--;
		self->buffer_bytes -= buf->len;
		g_free(b);
	}
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (n == 0 || n > 63 || name[n] || !g_ascii_islower(name[0]))
		self->host_misuse++;
}

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
			     dfs_status_name(status), dfs_status_name(want), fail_text);
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

const char *
conform_fail_text(void)
{
	return fail_text;
}

void
conform_fail_clear(void)
{
	fail_text[0] = 0;
}

/* ---- instances ---- */

char *
conform_dir(struct conform *c)
{
	char *dir = g_strdup_printf("%s/%u", c->scratch, ++folders);

	if (mkdir(dir, 0700) < 0)
		tap_bail("cannot make the folder %s: %s", dir, strerror(errno));
	return dir;
}

/* A value for the instance in dir: {folder} is a word that is dir's alone. */
static char *
value_for(const char *dir, const char *value)
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, dir, -1);
	g_autofree char *word = g_strdup_printf("f%.16s", sum);
	g_auto(GStrv) parts = g_strsplit(value, "{folder}", -1);

	return g_strjoinv(word, parts);
}

static bool
set_pair(struct dfs_options *o, const char *dir, const char *pair, char **error)
{
	const char *eq = strchr(pair, '=');
	g_autofree char *key = NULL, *value = NULL;

	if (!eq) {
		*error = g_strdup_printf("--set wants KEY=VALUE, not '%s'", pair);
		return false;
	}
	key = g_strndup(pair, eq - pair);
	value = value_for(dir, eq + 1);
	return dfs_options_set(o, key, value, error);
}

static bool
fill_options(const char *dir, struct dfs_options *o, const char *over_key, const char *over_text,
	     char **error)
{
	const struct dfs_config_item *item;

	for (item = o->table; item && item->type != DFS_CONFIG_END; item++)
		if ((item->flags & DFS_CONFIG_REQUIRED) && item->type == DFS_CONFIG_PATH &&
		    !dfs_options_set(o, item->key, item->key, error))
			return false;
	for (char **p = opt_set; p && *p; p++)
		if (!set_pair(o, dir, *p, error))
			return false;
	if (over_key && !dfs_options_set(o, over_key, over_text, error))
		return false;
	return dfs_options_finish(o, error);
}

enum dfs_status
conform_open_set(struct conform *c, const char *dir, const char *key, const char *text, void **inst)
{
	const struct dfs_plugin_entry *p = c->plugin;
	bool metadata = p->desc.kind == DFS_KIND_METADATA;
	struct dfs_options o;
	char *error = NULL;
	enum dfs_status st = DFS_OK;

	memset(&c->diag, 0, sizeof(c->diag));
	fail_text[0] = 0;
	*inst = NULL;
	dfs_options_init(&o, p->desc.config, p->desc.config_size, dir);
	if (!fill_options(dir, &o, key, text, &error)) {
		g_strlcpy(c->diag.text, error, sizeof(c->diag.text));
		g_free(error);
		st = DFS_CONFIG;
	} else if (metadata ? p->ops.metadata.validate != NULL : p->ops.block.validate != NULL) {
		st = metadata ? p->ops.metadata.validate(o.values, &c->diag)
			      : p->ops.block.validate(o.values, &c->diag);
	}
	if (st == DFS_OK)
		st = metadata ? p->ops.metadata.create(&c->host, o.values, inst, &c->diag)
			      : p->ops.block.create(&c->host, o.values, inst, &c->diag);
	dfs_options_clear(&o);
	return st;
}

enum dfs_status
conform_open(struct conform *c, const char *dir, void **inst)
{
	enum dfs_status st = conform_open_set(c, dir, NULL, NULL, inst);

	if (st != DFS_OK && opt_verbose)
		tap_remark("create: %s: %s", dfs_status_name(st), c->diag.text);
	return st;
}

void
conform_close(struct conform *c, void *inst)
{
	if (!inst)
		return;
	if (c->plugin->desc.kind == DFS_KIND_METADATA)
		c->plugin->ops.metadata.destroy(inst);
	else
		c->plugin->ops.block.destroy(inst);
}

/* ---- children ---- */

pid_t
conform_spawn(struct conform *c, const char *role, const char *dir, const char *arg, int *fd)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autofree char *child = NULL, *seed = g_strdup_printf("%u", c->seed),
			*repeat = g_strdup_printf("%u", c->repeat);
	int ends[2] = {-1, -1};
	pid_t pid;

	if (fd && pipe2(ends, O_CLOEXEC) < 0)
		tap_bail("pipe: %s", strerror(errno));
	/* A new program, not only a fork: a library under the plugin may have threads that a fork
	 * would lose while its globals remember them. */
	child = g_strdup_printf("%s\n%s\n%s\n%d", role, dir, arg ? arg : "", fd ? 3 : -1);
	g_ptr_array_add(argv, (char *)"dfs-conform");
	g_ptr_array_add(argv, (char *)"--plugin");
	g_ptr_array_add(argv, opt_plugin);
	for (char **p = opt_set; p && *p; p++) {
		g_ptr_array_add(argv, (char *)"--set");
		g_ptr_array_add(argv, *p);
	}
	g_ptr_array_add(argv, (char *)"--seed");
	g_ptr_array_add(argv, seed);
	g_ptr_array_add(argv, (char *)"--repeat");
	g_ptr_array_add(argv, repeat);
	g_ptr_array_add(argv, (char *)"--child");
	g_ptr_array_add(argv, child);
	g_ptr_array_add(argv, NULL);
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd && dup2(ends[1], 3) < 0)
			_exit(126);
		if (fd && ends[1] == 3)
			fcntl(3, F_SETFD, 0);
		execv("/proc/self/exe", (char **)argv->pdata);
		_exit(127);
	}
	if (fd) {
		close(ends[1]);
		*fd = ends[0];
	}
	return pid;
}

static int
run_child(struct conform *c, const struct conform_role *roles)
{
	g_auto(GStrv) part = g_strsplit(opt_child, "\n", 4);

	if (g_strv_length(part) == 4)
		for (; roles && roles->name; roles++)
			if (!strcmp(roles->name, part[0]))
				return roles->run(c, part[1], part[2], atoi(part[3]));
	return 125;
}

/* ---- the program ---- */

unsigned
conform_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and d itself */
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
	fail_text[0] = 0;
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

static void
set_host(struct conform *c)
{
	c->host = (struct dfs_host){
		.size = sizeof(struct dfs_host),
		.minor = DFS_HOST_MINOR,
		.ctx = c,
		.log = host_log,
		.fail = host_fail,
		.buf_alloc = host_buf_alloc,
		.buf_ref = host_buf_ref,
		.buf_unref = host_buf_unref,
		.count = host_count,
	};
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
	self = &c;
	set_host(&c);
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
	path = opt_plugin;
	opt_plugin = g_canonicalize_filename(path, NULL);
	registry = dfs_registry_new(no_dirs);
	c.plugin = dfs_registry_load(registry, opt_plugin, &error);
	if (!c.plugin)
		tap_bail("%s", error);
	if (c.plugin->desc.kind != kind)
		tap_bail("%s is not a %s store", opt_plugin, dfs_plugin_kind_name(kind));
	signal(SIGPIPE, SIG_IGN);
	if (opt_child) {
		status = run_child(&c, roles);
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
