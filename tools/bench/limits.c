/* SPDX-License-Identifier: MIT
 *
 * What memory and the disk can do by themselves, for the column beside a server's figures.  Each
 * thread has a file of its own in --limit-dir, removed from the folder as soon as it is open; the
 * names that "create" makes are removed at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "report.h"
#include "run.h"
#include "workload.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define FILE_BYTES (256 * MIB)
#define COPY_BYTES (256 * MIB)
#define CREATE_MAX 1000000

struct limit;

struct worker {
	const struct options *o;
	const struct limit *limit;
	unsigned id;
	int fd, dir;
	uint8_t *from, *to;
	uint64_t at, t_stop, made;
	struct hist hist;
	const char *failed;
	int err;
};

struct limit {
	const char *name, *what;
	uint64_t bytes;  /* of an operation */
	uint64_t memory; /* both areas; 0: one operation's bytes */
	bool file;
	int flags;
	bool (*op)(struct worker *w);
};

static bool
op_memcpy(struct worker *w)
{
	uint64_t n = w->limit->bytes;

	memcpy(w->to + w->at, w->from + w->at, n);
	__asm__ volatile("" : : "r"(w->to) : "memory");
	w->at = (w->at + n) % w->limit->memory;
	return true;
}

static uint64_t
next_offset(struct worker *w)
{
	uint64_t at = w->at;

	w->at = (at + w->limit->bytes) % FILE_BYTES;
	return at;
}

static bool
op_pread(struct worker *w)
{
	return pread(w->fd, w->to, w->limit->bytes, (off_t)next_offset(w)) ==
	       (ssize_t)w->limit->bytes;
}

static bool
op_pwrite(struct worker *w)
{
	return pwrite(w->fd, w->from, w->limit->bytes, (off_t)next_offset(w)) ==
	       (ssize_t)w->limit->bytes;
}

static bool
op_sync(struct worker *w)
{
	return op_pwrite(w) && fdatasync(w->fd) == 0;
}

/* What a COMMIT each 64 MiB costs at least. */
static bool
op_commit(struct worker *w)
{
	for (uint64_t i = 0; i < w->limit->bytes; i += MIB)
		if (pwrite(w->fd, w->from, MIB, (off_t)(w->at + i)) != (ssize_t)MIB)
			return false;
	w->at = (w->at + w->limit->bytes) % FILE_BYTES;
	return fdatasync(w->fd) == 0;
}

static void
made_name(const struct worker *w, uint64_t i, char name[40])
{
	snprintf(name, 40, "dfs-bench-%d-%u-%08u", (int)getpid(), w->id, (unsigned)i);
}

static bool
op_create(struct worker *w)
{
	char name[40];

	made_name(w, w->made, name);
	int fd = openat(w->dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	w->made++;
	bool ok =
		w->limit->bytes == 0 ||
		(write(fd, w->from, w->limit->bytes) == (ssize_t)w->limit->bytes && fsync(fd) == 0);
	close(fd);
	if (w->made >= CREATE_MAX)
		w->t_stop = 0;
	return ok;
}

/* clang-format off */
static const struct limit limits[] = {
	{"memcpy", "copy 1 MiB, memory to memory", MIB, COPY_BYTES, false, 0, op_memcpy},
	{"memcpy-64k", "copy 64 KiB within the cache", 64 * KIB, 64 * KIB, false, 0, op_memcpy},
	{"pread-4k", "pread of 4 KiB from the page cache", 4 * KIB, 0, true, 0, op_pread},
	{"pread-1m", "pread of 1 MiB from the page cache", MIB, 0, true, 0, op_pread},
	{"pwrite-4k", "pwrite of 4 KiB to the page cache", 4 * KIB, 0, true, 0, op_pwrite},
	{"pwrite-1m", "pwrite of 1 MiB to the page cache", MIB, 0, true, 0, op_pwrite},
	{"fdatasync", "pwrite of 4 KiB and fdatasync", 4 * KIB, 0, true, 0, op_sync},
	{"direct", "O_DIRECT pwrite of 4 KiB", 4 * KIB, 0, true, O_DIRECT, op_pwrite},
	{"direct-fdatasync", "O_DIRECT pwrite of 4 KiB and fdatasync", 4 * KIB, 0, true, O_DIRECT, op_sync},
	{"direct-1m", "O_DIRECT pwrite of 1 MiB", MIB, 0, true, O_DIRECT, op_pwrite},
	{"commit", "64 pwrites of 1 MiB and fdatasync", 64 * MIB, 0, true, 0, op_commit},
	{"create", "open(O_CREAT) and close", 0, 0, false, 0, op_create},
	{"create-fsync", "open(O_CREAT), write of 4 KiB, fsync, close", 4 * KIB, 0, false, 0, op_create},
};
/* clang-format on */

static void
give_up(struct worker *w, const char *what)
{
	w->failed = what;
	w->err = errno;
}

static void
open_file(struct worker *w)
{
	g_autofree char *path = g_strdup_printf("%s/dfs-bench-XXXXXX", w->o->limit_dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0) {
		give_up(w, "creating a file");
		return;
	}
	for (uint64_t at = 0; at < FILE_BYTES; at += MIB)
		if (pwrite(fd, w->from, MIB, (off_t)at) != (ssize_t)MIB)
			give_up(w, "filling a file");
	fsync(fd);
	w->fd = open(path, O_RDWR | O_CLOEXEC | w->limit->flags);
	if (w->fd < 0)
		give_up(w, "opening the file");
	unlink(path);
	close(fd);
}

static void
prepare(struct worker *w)
{
	uint64_t memory = MAX(w->limit->memory, MIB);

	w->fd = -1;
	w->dir = open(w->o->limit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->from = aligned_alloc(4096, memory);
	w->to = aligned_alloc(4096, memory);
	if (w->dir < 0 || !w->from || !w->to) {
		give_up(w, w->o->limit_dir);
		return;
	}
	memset(w->from, 0x5a, memory);
	memset(w->to, 0xa5, memory);
	if (w->limit->file)
		open_file(w);
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	w->t_stop = engine_now() + (uint64_t)(w->o->seconds * (double)SECOND);
	for (uint64_t now = engine_now(), then; now < w->t_stop; now = then) {
		if (!w->limit->op(w)) {
			give_up(w, w->limit->name);
			break;
		}
		then = engine_now();
		hist_add(&w->hist, then - now);
	}
	return NULL;
}

static void
clean(struct worker *w)
{
	char name[40];

	for (uint64_t i = 0; i < w->made; i++) {
		made_name(w, i, name);
		unlinkat(w->dir, name, 0);
	}
	if (w->fd >= 0)
		close(w->fd);
	if (w->dir >= 0)
		close(w->dir);
	free(w->from);
	free(w->to);
}

static double
own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool
run_limit(const struct options *o, const struct limit *limit)
{
	unsigned n = (unsigned)o->threads, started = 0;
	g_autofree struct worker *w = g_new0(struct worker, n);
	g_autofree pthread_t *ids = g_new(pthread_t, n);
	g_autofree struct result *r = g_new0(struct result, 1);
	g_autofree char *name = g_strdup_printf("limit:%s", limit->name);
	const char *failed = NULL;
	int err = 0;

	*r = (struct result){.workload = name,
			     .flags = limit->bytes ? W_BYTES : 0,
			     .connections = o->threads,
			     .depth = 1,
			     .threads = o->threads};
	for (unsigned i = 0; i < n; i++) {
		w[i].o = o;
		w[i].limit = limit;
		w[i].id = i;
		prepare(&w[i]);
		failed = failed ? failed : w[i].failed;
		err = err ? err : w[i].err;
	}
	uint64_t start = engine_now();
	double cpu = own_cpu();
	while (!failed && started < n &&
	       pthread_create(&ids[started], NULL, work, &w[started]) == 0)
		started++;
	for (unsigned i = 0; i < started; i++) {
		pthread_join(ids[i], NULL);
		hist_merge(&r->hist, &w[i].hist);
		failed = failed ? failed : w[i].failed;
		err = err ? err : w[i].err;
	}
	r->seconds = (double)(engine_now() - start) / (double)SECOND;
	r->client_cpu = own_cpu() - cpu;
	r->tally.ops = r->hist.count;
	r->tally.bytes = r->hist.count * limit->bytes;
	for (unsigned i = 0; i < n; i++)
		clean(&w[i]);
	if (failed)
		fprintf(stderr, "dfs-bench: limit: %s: %s\n", failed, g_strerror(err));
	else
		report_print(r, o);
	return !failed;
}

int
run_limits(const struct options *o)
{
	g_auto(GStrv) names = g_strsplit(o->limit, ",", -1);
	bool ok = true;

	if (!strcmp(o->limit, "help")) {
		for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++)
			printf("%-17s %s\n", limits[i].name, limits[i].what);
		return 0;
	}
	for (char **name = names; *name; name++) {
		unsigned i = 0;
		while (i < G_N_ELEMENTS(limits) && strcmp(limits[i].name, *name) != 0)
			i++;
		if (i == G_N_ELEMENTS(limits)) {
			fprintf(stderr, "dfs-bench: there is no limit \"%s\"; see --limit help\n",
				*name);
			return 2;
		}
		ok = run_limit(o, &limits[i]) && ok;
	}
	return ok ? 0 : 1;
}
