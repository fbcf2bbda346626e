/* SPDX-License-Identifier: MIT
 *
 * hammer: threads that change a metadata store all the time while somebody else ends its database's
 * sessions, kills, stops and starts it.
 *
 *   hammer --status FILE --stop FILE KEY=VALUE...
 *
 * Each thread numbers its transactions.  Number i is: the state says i, entry i is there, entry
 * i-WINDOW is not, the thread's sum of usage is i.  What was answered OK must be so at each later look, what was
 * answered AGAIN or DELAY must not have happened; any other answer is a failure.  Half of the threads
 * look before they write, in the same transaction, and all raise one common number now and then.
 * FILE of --status is rewritten all the time: "commits delays syncs".  When FILE of --stop is there,
 * the threads end, all is synced, and a second instance must find what the first one left.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin/options.h"
#include "plugin/registry.h"

#define THREADS 8
#define WINDOW 5
#define SHARE 1
#define COMMON_EVERY 4

static const struct dfs_metadata_ops *ops;
static _Atomic unsigned failures, commits, delays, syncs;
static _Atomic bool stop;
static __thread char fail_text[512];

struct worker {
	void *inst;
	unsigned index;
	uint64_t done;   /* number of the last transaction that was answered OK */
	uint64_t common; /* how often the common number was raised */
};

__attribute__((format(printf, 1, 2))) static void
failed(const char *fmt, ...)
{
	static __thread unsigned told;
	va_list ap;

	atomic_fetch_add(&failures, 1);
	if (told++ > 5)
		return;
	va_start(ap, fmt);
	fputs("# ", stdout);
	vprintf(fmt, ap);
	printf(" (%s)\n", fail_text);
	va_end(ap);
	fflush(stdout);
}

/* ---- the host ---- */

static void
host_log(void *ctx, enum dfs_log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("# log %d: %s\n", (int)level, text);
	fflush(stdout);
}

static enum dfs_status
host_fail(void *ctx, enum dfs_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof(fail_text), fmt, ap);
	va_end(ap);
	return status;
}

static void
host_count(void *ctx, const char *name, int64_t delta)
{
}

static const struct dfs_host host = {
	.size = sizeof(host), .log = host_log, .fail = host_fail, .count = host_count};

/* ---- transactions ---- */

static void
key_of(char key[16], unsigned index)
{
	g_snprintf(key, 16, "t%u", index);
}

static enum dfs_status
get_number(void *inst, struct dfs_txn *txn, const char *key, uint64_t *v)
{
	uint32_t len = sizeof(*v);
	enum dfs_status st = ops->get_state(inst, txn, SHARE, key, (uint32_t)strlen(key), v, &len);

	if (st == DFS_NOENT) {
		*v = 0;
		return DFS_OK;
	}
	return st;
}

struct listing {
	uint64_t first, n;
};

static int
see(void *arg, const struct dfs_dirent_record *rec)
{
	struct listing *l = arg;

	if (!l->n)
		l->first = rec->cookie - 64;
	l->n++;
	return 1;
}

static int
see_sum(void *arg, const struct dfs_usage_record *rec)
{
	*(struct dfs_usage_record *)arg = *rec;
	return 0;
}

/* Is the thread's part of the store as after transaction i? */
static enum dfs_status
look(void *inst, struct dfs_txn *txn, unsigned index, uint64_t i)
{
	struct dfs_usage_record sum = {0};
	struct listing l = {0};
	enum dfs_status st;
	char key[16];
	uint64_t v;

	key_of(key, index);
	st = get_number(inst, txn, key, &v);
	if (st == DFS_OK)
		st = ops->scan_dirents(inst, txn, SHARE, index + 10, 0, see, &l);
	if (st == DFS_OK)
		st = ops->scan_usage(inst, txn, SHARE, DFS_USAGE_USER, index, see_sum, &sum);
	if (st != DFS_OK)
		return st;
	if (sum.id != index)
		sum.bytes = 0;
	if (v != i || l.n != MIN(i, WINDOW) || (l.n && l.first != i - l.n + 1) ||
	    sum.bytes != (int64_t)i)
		failed("thread %u: after transaction %u the state is %u, with %u entries from %u "
		       "on, "
		       "and the sum %d",
		       index, (unsigned)i, (unsigned)v, (unsigned)l.n, (unsigned)l.first,
		       (int)sum.bytes);
	return DFS_OK;
}

static enum dfs_status
change(const struct worker *w, struct dfs_txn *txn, uint64_t i, bool common)
{
	struct dfs_usage_record add = {
		.size = sizeof(add), .kind = DFS_USAGE_USER, .id = w->index, .bytes = 1};
	struct dfs_dirent_record rec = {.size = sizeof(rec),
					.type = DFS_TYPE_REG,
					.cookie = 64 + i,
					.fileid = i,
					.name = "name",
					.name_len = 4};
	uint64_t dir = w->index + 10, v;
	enum dfs_status st;
	char key[16];

	key_of(key, w->index);
	st = ops->put_state(w->inst, txn, SHARE, key, (uint32_t)strlen(key), &i, sizeof(i));
	if (st == DFS_OK)
		st = ops->put_dirent(w->inst, txn, SHARE, dir, &rec);
	if (st == DFS_OK && i > WINDOW)
		st = ops->del_dirent(w->inst, txn, SHARE, dir, 64 + i - WINDOW);
	if (st == DFS_OK)
		st = ops->add_usage(w->inst, txn, SHARE, &add);
	if (st != DFS_OK || !common)
		return st;
	st = get_number(w->inst, txn, "common", &v);
	v++;
	if (st == DFS_OK)
		st = ops->put_state(w->inst, txn, SHARE, "common", 6, &v, sizeof(v));
	return st;
}

static void
count(enum dfs_status st, const char *what)
{
	if (st == DFS_DELAY) {
		atomic_fetch_add(&delays, 1);
		/* "Come again later". */
		g_usleep(2000);
	} else if (st != DFS_OK && st != DFS_AGAIN)
		failed("%s answers %d", what, (int)st);
}

static void
turn(struct worker *w)
{
	bool common = w->done % COMMON_EVERY == 0;
	struct dfs_txn *txn;
	enum dfs_status st = ops->begin(w->inst, DFS_TXN_WRITE, &txn);

	if (st != DFS_OK) {
		count(st, "begin");
		return;
	}
	if (w->index % 2)
		st = look(w->inst, txn, w->index, w->done);
	if (st == DFS_OK)
		st = change(w, txn, w->done + 1, common);
	if (st == DFS_OK)
		st = ops->commit(w->inst, txn, NULL);
	else
		ops->abort(w->inst, txn);
	count(st, "a transaction");
	if (st != DFS_OK)
		return;
	w->done++;
	w->common += common;
	atomic_fetch_add(&commits, 1);
}

static enum dfs_status
check(void *inst, unsigned index, uint64_t done)
{
	struct dfs_txn *txn;
	enum dfs_status st = ops->begin(inst, DFS_TXN_READ, &txn);

	if (st == DFS_OK) {
		st = look(inst, txn, index, done);
		ops->abort(inst, txn);
	}
	return st;
}

static void *
run_worker(void *arg)
{
	struct worker *w = arg;

	while (!stop) {
		turn(w);
		count(check(w->inst, w->index, w->done), "a look");
	}
	return NULL;
}

static void *
run_sync(void *arg)
{
	while (!stop) {
		enum dfs_status st = ops->sync(arg, UINT64_MAX, DFS_SYNC_POWER);

		count(st, "sync");
		syncs += st == DFS_OK;
		/* Some of the commits shall be unsynced at any moment. */
		g_usleep(30000);
	}
	return NULL;
}

/* ---- the program ---- */

static void *
open_store(const struct dfs_plugin_entry *p, char **settings)
{
	struct dfs_diag diag = {{0}};
	struct dfs_options o;
	char *error = NULL;
	void *inst = NULL;
	bool good = true;

	dfs_options_init(&o, p->desc.config, p->desc.config_size, "/tmp");
	for (; good && *settings; settings++) {
		g_auto(GStrv) pair = g_strsplit(*settings, "=", 2);

		good = dfs_options_set(&o, pair[0], pair[1], &error);
	}
	good = good && dfs_options_finish(&o, &error);
	if (!good || ops->create(&host, o.values, &inst, &diag) != DFS_OK)
		failed("the store does not open: %s", error ? error : diag.text);
	dfs_options_clear(&o);
	return inst;
}

/* Whoever reads it wants what is so now: nothing here waits for a disk. */
static void
tell(const char *path)
{
	g_autofree char *next = g_strconcat(path, ".next", NULL);
	FILE *f = fopen(next, "w");

	if (!f)
		return;
	fprintf(f, "%u %u %u\n", commits, delays, syncs);
	fclose(f);
	rename(next, path);
}

/* At the end nobody disturbs the database any more: what is put off is asked for again, as long as it may take. */
#define LAST_SECONDS 60

static bool
again(enum dfs_status st, int64_t began)
{
	if ((st != DFS_DELAY && st != DFS_AGAIN) ||
	    g_get_monotonic_time() - began > LAST_SECONDS * G_USEC_PER_SEC)
		return false;
	g_usleep(20000);
	return true;
}

static void
check_all(void *inst, const struct worker *workers)
{
	int64_t began = g_get_monotonic_time();
	uint64_t want = 0, common = 0;
	struct dfs_txn *txn;
	enum dfs_status st;

	for (unsigned i = 0; i < THREADS; i++) {
		do
			st = check(inst, i, workers[i].done);
		while (again(st, began));
		if (st != DFS_OK)
			failed("the last look answers %d", (int)st);
		want += workers[i].common;
	}
	do {
		st = ops->begin(inst, DFS_TXN_READ, &txn);
		if (st == DFS_OK) {
			st = get_number(inst, txn, "common", &common);
			ops->abort(inst, txn);
		}
	} while (again(st, began));
	if (st != DFS_OK || common != want)
		failed("the common number is %u, not %u", (unsigned)common, (unsigned)want);
}

int
main(int argc, char **argv)
{
	static const char *const no_dirs[] = {NULL};
	g_autofree char *plugin =
		g_build_filename(g_getenv("DFS_PLUGIN_PATH"), "metadata_postgres.so", NULL);
	struct dfs_registry *registry = dfs_registry_new(no_dirs);
	const struct dfs_plugin_entry *p;
	struct worker workers[THREADS];
	pthread_t threads[THREADS + 1];
	char *error = NULL;
	void *inst, *second;
	enum dfs_status st;
	int64_t began;

	if (argc < 5 || strcmp(argv[1], "--status") || strcmp(argv[3], "--stop"))
		return 2;
	p = dfs_registry_load(registry, plugin, &error);
	if (!p) {
		fprintf(stderr, "%s\n", error);
		return 2;
	}
	ops = &p->ops.metadata;
	inst = open_store(p, argv + 5);
	if (!inst)
		return 1;
	pthread_create(&threads[THREADS], NULL, run_sync, inst);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.inst = inst, .index = i};
		pthread_create(&threads[i], NULL, run_worker, &workers[i]);
	}
	while (access(argv[4], F_OK) != 0) {
		tell(argv[2]);
		g_usleep(20000);
	}
	stop = true;
	for (unsigned i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	began = g_get_monotonic_time();
	do
		st = ops->sync(inst, UINT64_MAX, DFS_SYNC_POWER);
	while (again(st, began));
	if (st != DFS_OK)
		failed("the last sync answers %d", (int)st);
	check_all(inst, workers);
	second = open_store(p, argv + 5);
	if (second) {
		check_all(second, workers);
		ops->destroy(second);
	}
	ops->destroy(inst);
	printf("# %u commits, %u delays, %u syncs\n", commits, delays, syncs);
	dfs_registry_free(registry);
	return failures ? 1 : 0;
}
