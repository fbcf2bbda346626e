/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "config.h"
#include "options.h"
#include "pattern.h"
#include "workload.h"

/* What GOption stores before it is checked and becomes struct options. */
static struct {
	char *export_path, *folder, *run, *pattern, *file_size, *block, *commit_every;
	char **pids;
	gboolean keep, prepared, json, histogram, reserved_port, serve_echo, list, version;
} raw;

static void G_GNUC_NORETURN G_GNUC_PRINTF(1, 2) usage(const char *fmt, ...)
{
	va_list ap;

	fputs("dfs-bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static int64_t
size_of(const char *option, const char *text, int64_t otherwise, int64_t min, int64_t max)
{
	int64_t v = otherwise;

	if (text && !options_size(text, &v))
		usage("--%s: \"%s\" is no size", option, text);
	if (v < min || v > max || v % 4 != 0)
		usage("--%s: from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
		      " bytes, a multiple of 4",
		      option, min, max);
	return v;
}

static void
range(const char *option, double v, double min, double max)
{
	if (!(v >= min && v <= max))
		usage("--%s: from %g to %g", option, min, max);
}

static void
check_name(const char *option, const char *name)
{
	if (strlen(name) > 255 || strchr(name, '/') || !*name)
		usage("--%s: a name without a slash, at most 255 bytes", option);
}

static void
set_defaults(struct options *o)
{
	memset(o, 0, sizeof *o);
	memset(&raw, 0, sizeof raw);
	o->connections = 4;
	o->depth = 16;
	o->threads = 1;
	o->seconds = 5;
	o->warmup = 0.2;
	o->timeout = 30;
	o->entries = 10000;
	o->folders = 1;
	o->dir_bytes = 65536;
	o->verify = 32;
	o->server_pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
}

static void
parse_context(struct options *o, int argc, char **argv)
{
	/* clang-format off */
	const GOptionEntry entries[] = {
		{"port", 'p', 0, G_OPTION_ARG_INT, &o->port, "TCP port of NFS, and of MOUNT if it answers there (default: ask the portmapper, else 2049)", "PORT"},
		{"mount-port", 0, 0, G_OPTION_ARG_INT, &o->mount_port, "TCP port of MOUNT", "PORT"},
		{"export", 'e', 0, G_OPTION_ARG_STRING, &raw.export_path, "what to mount (default: the first that the server lists)", "PATH"},
		{"folder", 0, 0, G_OPTION_ARG_STRING, &raw.folder, "folder in the export to work in (default: dfs-bench)", "NAME"},
		{"run", 0, 0, G_OPTION_ARG_STRING, &raw.run, "folder of the run in that one (default: one of its own)", "NAME"},
		{"prepared", 0, 0, G_OPTION_ARG_NONE, &raw.prepared, "the files with data, the names of readdirplus are there, from a run with --keep; needs --run", NULL},
		{"keep", 'k', 0, G_OPTION_ARG_NONE, &raw.keep, "remove nothing afterwards", NULL},
		{"uid", 0, 0, G_OPTION_ARG_INT, &o->uid, "user of the AUTH_SYS credentials (default: 0)", "N"},
		{"gid", 0, 0, G_OPTION_ARG_INT, &o->gid, "group of the AUTH_SYS credentials (default: 0)", "N"},
		{"reserved-port", 0, 0, G_OPTION_ARG_NONE, &raw.reserved_port, "connect from ports below 1024", NULL},
		{"connections", 'c', 0, G_OPTION_ARG_INT, &o->connections, "TCP connections (default: 4)", "N"},
		{"depth", 'd', 0, G_OPTION_ARG_INT, &o->depth, "requests in flight on each (default: 16)", "N"},
		{"threads", 't', 0, G_OPTION_ARG_INT, &o->threads, "threads that share the connections (default: 1)", "N"},
		{"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &o->seconds, "measured time of a workload (default: 5; 0: until --ops)", "S"},
		{"ops", 'n', 0, G_OPTION_ARG_INT64, &o->ops, "at most so many operations", "N"},
		{"warmup", 0, 0, G_OPTION_ARG_DOUBLE, &o->warmup, "time before the measured one (default: 0.2)", "S"},
		{"timeout", 0, 0, G_OPTION_ARG_DOUBLE, &o->timeout, "longest wait for a reply (default: 30)", "S"},
		{"files", 0, 0, G_OPTION_ARG_INT, &o->files, "files to prepare (default: 1000 empty ones; one with data per connection)", "N"},
		{"file-size", 0, 0, G_OPTION_ARG_STRING, &raw.file_size, "size of a file with data (default: 64M)", "SIZE"},
		{"block", 0, 0, G_OPTION_ARG_STRING, &raw.block, "block of the workloads read and write (default: 1M)", "SIZE"},
		{"commit-every", 0, 0, G_OPTION_ARG_STRING, &raw.commit_every, "COMMIT a file after so many unstable bytes (default: 64M)", "SIZE"},
		{"pattern", 0, 0, G_OPTION_ARG_STRING, &raw.pattern, "order of the blocks: sequential, random or auto (default)", "ORDER"},
		{"entries", 0, 0, G_OPTION_ARG_INT, &o->entries, "names in the folder of readdirplus (default: 10000)", "N"},
		{"folders", 0, 0, G_OPTION_ARG_INT, &o->folders, "folders that share what create, smallfile and mkdir make (default: 1)", "N"},
		{"dir-bytes", 0, 0, G_OPTION_ARG_INT, &o->dir_bytes, "largest READDIRPLUS reply (default: 65536)", "N"},
		{"verify", 0, 0, G_OPTION_ARG_INT, &o->verify, "compare the data of 1 READ in N (default: 32; 0: none)", "N"},
		{"seed", 0, 0, G_OPTION_ARG_INT64, &o->seed, "of the random choices (default: 0)", "N"},
		{"server-pid", 0, 0, G_OPTION_ARG_STRING_ARRAY, &raw.pids, "report the CPU time of this process; may be repeated", "PID"},
		{"json", 'j', 0, G_OPTION_ARG_NONE, &raw.json, "one JSON object a line", NULL},
		{"histogram", 0, 0, G_OPTION_ARG_NONE, &raw.histogram, "all buckets of the latencies too", NULL},
		{"list", 'l', 0, G_OPTION_ARG_NONE, &raw.list, "list the workloads", NULL},
		{"idle", 0, 0, G_OPTION_ARG_INT, &o->idle, "hold N idle connections for --seconds; with --server-pid tell the memory of each", "N"},
		{"serve-echo", 0, 0, G_OPTION_ARG_NONE, &raw.serve_echo, "be the server that does nothing: the limit of TCP for the same messages", NULL},
		{"bind", 0, 0, G_OPTION_ARG_STRING, &o->bind, "address that --serve-echo listens on (default: 127.0.0.1)", "ADDRESS"},
		{"limit", 0, 0, G_OPTION_ARG_STRING, &o->limit, "measure the machine instead: memcpy, fdatasync, ...; \"help\" lists them", "NAME,..."},
		{"limit-dir", 0, 0, G_OPTION_ARG_FILENAME, &o->limit_dir, "folder for the files of --limit (default: .)", "DIR"},
		{"version", 'V', 0, G_OPTION_ARG_NONE, &raw.version, "print the version", NULL},
		{NULL},
	};
	/* clang-format on */
	g_autoptr(GOptionContext) ctx = g_option_context_new("HOST[:PATH] WORKLOAD...");
	g_autoptr(GError) error = NULL;

	g_option_context_set_summary(ctx, "Measure an NFSv3 server with raw pipelined RPC.");
	g_option_context_add_main_entries(ctx, entries, NULL);
	if (!g_option_context_parse(ctx, &argc, &argv, &error))
		usage("%s", error->message);
	if (raw.version) {
		printf("dfs-bench %s\n", PACKAGE_VERSION);
		exit(0);
	}
	if (argc > 1)
		o->host = g_strdup(argv[1]);
	o->workloads = g_strdupv(argv + MIN(argc, 2));
}

static void
check_ranges(const struct options *o)
{
	range("port", o->port, 0, 65535);
	range("mount-port", o->mount_port, 0, 65535);
	range("uid", o->uid, 0, INT32_MAX);
	range("gid", o->gid, 0, INT32_MAX);
	range("connections", o->connections, 1, 60000);
	range("depth", o->depth, 1, 4096);
	range("threads", o->threads, 1, o->limit ? 64 : MIN(o->connections, 64));
	range("seconds", o->seconds, 0, 1e6);
	range("warmup", o->warmup, 0, 1e6);
	range("timeout", o->timeout, 0.001, 1e6);
	range("ops", (double)o->ops, 0, 99999999);
	range("files", o->files, 0, 10000000);
	range("entries", o->entries, 1, 99999999);
	range("folders", o->folders, 1, 10000);
	range("dir-bytes", o->dir_bytes, 512, 4 << 20);
	range("verify", o->verify, 0, INT32_MAX);
	range("idle", o->idle, 0, 60000);
	if ((uint64_t)o->connections * (unsigned)o->depth > 1u << 20)
		usage("more than 1048576 requests in flight");
	if (o->seconds == 0 && o->ops == 0 && !o->limit && !o->serve_echo && !o->idle)
		usage("--seconds 0 needs --ops");
	check_name("folder", o->folder);
	if (o->run)
		check_name("run", o->run);
	if (o->prepared && !o->run)
		usage("--prepared needs --run: where the files are");
}

static void
check_target(struct options *o)
{
	if (o->serve_echo || o->limit || o->list)
		return;
	if (!o->host)
		usage("which host?  See dfs-bench --help");
	char *colon = strstr(o->host, ":/");
	if (colon) {
		if (!o->export_path)
			o->export_path = g_strdup(colon + 1);
		*colon = 0;
	}
	if (o->idle)
		return;
	if (!o->workloads[0])
		usage("which workload?  See dfs-bench --list");
	for (char **w = o->workloads; *w; w++) {
		if (!strcmp(*w, "connect") && !o->workloads[1])
			continue;
		if (!workload_find(*w))
			usage("there is no workload \"%s\" here; see dfs-bench --list", *w);
	}
}

void
options_parse(struct options *o, int argc, char **argv)
{
	set_defaults(o);
	parse_context(o, argc, argv);
	o->export_path = raw.export_path;
	o->folder = raw.folder ? raw.folder : g_strdup("dfs-bench");
	o->run = raw.run;
	o->prepared = raw.prepared;
	o->keep = raw.keep;
	o->json = raw.json;
	o->histogram = raw.histogram;
	o->reserved_port = raw.reserved_port;
	o->serve_echo = raw.serve_echo;
	o->list = raw.list;
	if (!o->bind)
		o->bind = g_strdup("127.0.0.1");
	if (!o->limit_dir)
		o->limit_dir = g_strdup(".");
	o->file_size = size_of("file-size", raw.file_size, 64 << 20, 4096, INT64_C(1) << 40);
	o->block = size_of("block", raw.block, 1 << 20, 4, (int64_t)PATTERN_BLOCK_MAX);
	o->commit_every = size_of("commit-every", raw.commit_every, 64 << 20, 4, INT64_MAX / 8);
	if (!raw.pattern || !strcmp(raw.pattern, "auto"))
		o->pattern = PATTERN_AUTO;
	else if (!strcmp(raw.pattern, "sequential"))
		o->pattern = PATTERN_SEQUENTIAL;
	else if (!strcmp(raw.pattern, "random"))
		o->pattern = PATTERN_RANDOM;
	else
		usage("--pattern: sequential, random or auto");
	for (char **p = raw.pids; p && *p; p++) {
		pid_t pid = (pid_t)g_ascii_strtoll(*p, NULL, 10);
		if (pid <= 0)
			usage("--server-pid: \"%s\" is no process number", *p);
		g_array_append_val(o->server_pids, pid);
	}
	g_strfreev(raw.pids);
	g_free(raw.pattern);
	g_free(raw.file_size);
	g_free(raw.block);
	g_free(raw.commit_every);
	check_ranges(o);
	check_target(o);
}

void
options_free(struct options *o)
{
	g_free(o->host);
	g_free(o->export_path);
	g_free(o->folder);
	g_free(o->run);
	g_free(o->bind);
	g_free(o->limit);
	g_free(o->limit_dir);
	g_strfreev(o->workloads);
	g_array_free(o->server_pids, TRUE);
}
