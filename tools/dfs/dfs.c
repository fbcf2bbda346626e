/* SPDX-License-Identifier: MIT
 *
 * dfs: the server program.  Loads and checks one configuration file, runs the runtime, and turns
 * signals into life cycle: SIGTERM and SIGINT drain and stop, SIGHUP reloads, SIGUSR1 writes the
 * counters to the log.
 *
 * Exit status: 0 stopped on request, 1 could not start or stop cleanly, 2 bad configuration or
 * usage (nothing was opened).
 */
#include "config.h"

#include <errno.h>
#include <glib.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "config/config.h"
#include "plugin/registry.h"
#include "runtime/check.h"
#include "runtime/runtime.h"
#include "tools/dfs/ready.h"

enum { EXIT_CONFIG = 2 };

static char *config_path;
static char *log_level;
static char *log_format;
static char *ready_file;
static char **plugin_dirs;
static char **take_over;
static gboolean check_only;
static gboolean check_quotas;
static gboolean show_version;

static const GOptionEntry entries[] = {
	{"config", 'c', 0, G_OPTION_ARG_FILENAME, &config_path, "Configuration file", "FILE"},
	{"check-config", 0, 0, G_OPTION_ARG_NONE, &check_only,
	 "Check the configuration file and exit: 0 good, 2 bad", NULL},
	{"check-quotas", 0, 0, G_OPTION_ARG_NONE, &check_quotas,
	 "Count what shares with quotas use and compare with what their stores keep: 0 equal, 1 "
	 "not",
	 NULL},
	{"log-level", 0, 0, G_OPTION_ARG_STRING, &log_level,
	 "error, warn, info or debug; overrides the file", "LEVEL"},
	{"log-format", 0, 0, G_OPTION_ARG_STRING, &log_format, "text or json; overrides the file",
	 "FORMAT"},
	{"plugin-dir", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &plugin_dirs,
	 "Look for plugins here instead (repeatable)", "FOLDER"},
	{"ready-file", 0, 0, G_OPTION_ARG_FILENAME, &ready_file,
	 "Create this file, with the process id in it, when the server is ready", "FILE"},
	{"take-over", 0, 0, G_OPTION_ARG_STRING_ARRAY, &take_over,
	 "Take the share from the server that has it, which is gone for good (repeatable)",
	 "SHARE"},
	{"version", 0, 0, G_OPTION_ARG_NONE, &show_version, "Print the version and exit", NULL},
	G_OPTION_ENTRY_NULL,
};

/* Index of text in a NULL-terminated list, -1 when it is not there. */
static int
choose(const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

/* What the command line says wins over the file. */
static bool
setup_log(const struct dfs_config *config)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	static const char *const formats[] = {"text", "json", NULL};
	int level = config ? (int)config->server.log_level : DFS_LOG_INFO;
	int format = config ? (int)config->server.log_format : DFS_LOG_TEXT;

	if (log_level && (level = choose(log_level, levels)) < 0) {
		fprintf(stderr, "dfs: --log-level=%s: use error, warn, info or debug\n", log_level);
		return false;
	}
	if (log_format && (format = choose(log_format, formats)) < 0) {
		fprintf(stderr, "dfs: --log-format=%s: use text or json\n", log_format);
		return false;
	}
	dfs_log_setup((enum dfs_log_level)level, (enum dfs_log_format)format);
	return true;
}

static void
log_counter(void *arg, const char *name, int64_t value)
{
	(void)arg;
	dfs_log(DFS_LOG_INFO, "counter %s %" G_GINT64_FORMAT, name, value);
}

static void
reload(struct dfs_runtime *rt, struct dfs_registry *registry)
{
	g_autofree char *error = NULL;
	struct dfs_config *config = NULL;

	dfs_ready_notify("RELOADING=1");
	if (dfs_config_load(config_path, registry, &config, &error) &&
	    dfs_runtime_reload(rt, config, &error)) {
		setup_log(config);
		dfs_log(DFS_LOG_INFO, "reloaded %s", config_path);
	} else {
		dfs_log(DFS_LOG_ERROR, "%s; nothing has changed", error);
		dfs_config_free(config);
	}
	dfs_ready_notify("READY=1");
}

/* Until a signal asks to stop. */
static void
serve(struct dfs_runtime *rt, struct dfs_registry *registry, const sigset_t *signals)
{
	for (;;) {
		int sig = sigwaitinfo(signals, NULL);
		switch (sig) {
		case SIGHUP:
			reload(rt, registry);
			break;
		case SIGUSR1:
			dfs_runtime_metrics(rt);
			dfs_counter_each(log_counter, NULL);
			break;
		case SIGTERM:
		case SIGINT:
			dfs_log(DFS_LOG_INFO, "stopping on %s", strsignal(sig));
			return;
		default:
			if (sig < 0 && errno != EINTR)
				return;
		}
	}
}

/* While stores open, which may wait for a database.  Nobody has been served, and every start is made for
 * what a crash in the one before it leaves. */
static void *
wait_for_end(void *arg)
{
	sigset_t ending;
	int sig;

	(void)arg;
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	do
		sig = sigwaitinfo(&ending, NULL);
	while (sig < 0 && errno == EINTR);
	if (sig > 0) {
		/* It has been taken, and must not be lost. */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		dfs_log(DFS_LOG_INFO, "stopped on %s before all was open", strsignal(sig));
		_exit(EXIT_SUCCESS);
	}
	return NULL;
}

static bool
open_all(struct dfs_runtime *rt, char **error)
{
	pthread_t waiter;
	bool waits = pthread_create(&waiter, NULL, wait_for_end, NULL) == 0;
	bool good = dfs_runtime_open(rt, (const char *const *)take_over, error);

	if (waits) {
		pthread_cancel(waiter);
		pthread_join(waiter, NULL);
	}
	return good;
}

static int
run(struct dfs_registry *registry, struct dfs_config *config)
{
	g_autofree char *error = NULL;
	struct dfs_runtime *rt;
	sigset_t signals;
	int64_t drain = (int64_t)config->server.drain;
	bool good;

	/* Blocked before any thread starts, so that only sigwaitinfo sees them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	rt = dfs_runtime_new(config);
	good = open_all(rt, &error) && dfs_runtime_start(rt, &error);
	if (good) {
		dfs_log(DFS_LOG_INFO, "ready");
		if (!dfs_ready_announce(ready_file, &error))
			dfs_log(DFS_LOG_WARN, "%s", error);
		serve(rt, registry, &signals);
		dfs_ready_notify("STOPPING=1");
	} else {
		dfs_log(DFS_LOG_ERROR, "%s", error);
	}
	if (!dfs_runtime_free(rt, dfs_clock_mono() + (good ? drain : 0))) {
		dfs_log(DFS_LOG_ERROR, "stopped, but not everything came to an end; see above");
		/* Threads may still use whatever exit() would take down. */
		_exit(EXIT_FAILURE);
	}
	if (!good)
		return EXIT_FAILURE;
	dfs_log(DFS_LOG_INFO, "stopped");
	return EXIT_SUCCESS;
}

/* What the options ask for makes sense together and with this file. */
static bool
check_options(const struct dfs_config *config)
{
	if (check_quotas && (check_only || take_over)) {
		fprintf(stderr, "dfs: --check-quotas and %s do not go together\n",
			check_only ? "--check-config" : "--take-over");
		return false;
	}
	for (unsigned i = 0; take_over && take_over[i]; i++)
		if (!dfs_config_find_share(config, take_over[i])) {
			fprintf(stderr, "dfs: --take-over=%s: %s declares no share of that name\n",
				take_over[i], config->path);
			return false;
		}
	return true;
}

static int
compare_usage(const struct dfs_config *config)
{
	g_autofree char *error = NULL;
	bool sound;

	if (!dfs_check_quotas(config, &sound, &error)) {
		fprintf(stderr, "dfs: %s\n", error);
		return EXIT_FAILURE;
	}
	return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GError) gerror = NULL;
	g_autofree char *error = NULL;
	struct dfs_registry *registry;
	struct dfs_config *config;
	int status;

	setlocale(LC_ALL, "");
	g_option_context_set_summary(context, "A network file server made of plugins.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &gerror)) {
		fprintf(stderr, "dfs: %s (see dfs --help)\n", gerror->message);
		return EXIT_CONFIG;
	}
	if (show_version) {
		printf("dfs (%s) %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 1 || !config_path) {
		fprintf(stderr,
			argc > 1 ? "dfs: unexpected argument %s (see dfs --help)\n"
				 : "dfs: a configuration file is needed: -c FILE\n",
			argc > 1 ? argv[1] : "");
		return EXIT_CONFIG;
	}
	if (!setup_log(NULL))
		return EXIT_CONFIG;

	registry = dfs_registry_new((const char *const *)plugin_dirs);
	if (!dfs_config_load(config_path, registry, &config, &error)) {
		fprintf(stderr, "dfs: %s\n", error);
		dfs_registry_free(registry);
		return EXIT_CONFIG;
	}
	setup_log(config);
	if (!check_options(config)) {
		dfs_config_free(config);
		status = EXIT_CONFIG;
	} else if (check_only) {
		printf("%s: good\n", config_path);
		dfs_config_free(config);
		status = EXIT_SUCCESS;
	} else if (check_quotas) {
		status = compare_usage(config);
		dfs_config_free(config);
	} else {
		status = run(registry, config);
	}
	dfs_registry_free(registry);
	return status;
}
