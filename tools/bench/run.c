/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/resource.h>

#include "conn.h"
#include "pattern.h"
#include "procstat.h"
#include "report.h"
#include "run.h"
#include "session.h"
#include "workload.h"

static double
own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool
server_cpu(struct bench *b, double *seconds)
{
	int missing;

	if (b->opt->server_pids->len == 0)
		return false;
	if (procstat_cpu(b->opt->server_pids, seconds, &missing))
		return true;
	engine_fatal(b, "no process %d", missing);
	return false;
}

static void
collect(struct bench *b, struct result *r)
{
	struct tally t = engine_tally(b);
	uint64_t *to = (uint64_t *)&r->tally, *from = (uint64_t *)&t;

	for (unsigned i = 0; i < sizeof t / sizeof *to; i++)
		to[i] += from[i];
	for (unsigned i = 0; i < b->n_threads; i++)
		hist_merge(&r->commit_hist, &b->threads[i].commit_hist);
}

static uint64_t
bound(const struct options *o, const struct workload *w)
{
	return o->ops ? (uint64_t)o->ops : (w->flags & W_BOUNDED) ? w->ops : 0;
}

/* The measured phase, and what still belongs to its time. */
static bool
measure(struct bench *b, const struct workload *w, struct result *r)
{
	const struct phase ph = {.name = w->name,
				 .next = w->next,
				 .done = w->done,
				 .limit = bound(b->opt, w),
				 .seconds = b->opt->seconds};
	double cpu = 0, own = own_cpu();
	struct tally tail = {0};

	r->have_server_cpu = server_cpu(b, &cpu);
	uint64_t start = engine_now();
	bool ok = engine_run(b, &ph);
	if (w->flags & W_BOUNDED)
		b->made = MIN(atomic_load(&b->next), ph.limit);
	collect(b, r);
	for (unsigned i = 0; i < b->n_threads; i++)
		hist_merge(&r->hist, &b->threads[i].hist);
	if (ok && w->finish) {
		ok = w->finish(b);
		tail = engine_tally(b);
		r->tally.commits += tail.commits;
		r->tally.errors += tail.errors;
	}
	r->seconds = (double)(engine_now() - start) / (double)SECOND;
	if (r->have_server_cpu && server_cpu(b, &r->server_cpu))
		r->server_cpu -= cpu;
	r->client_cpu = own_cpu() - own;
	return ok;
}

static bool
warm_up(struct bench *b, const struct workload *w)
{
	const struct phase ph = {
		.name = "warm up", .next = w->next, .done = w->done, .seconds = b->opt->warmup};

	if (b->opt->warmup <= 0 || b->opt->ops || (w->flags & W_BOUNDED))
		return true;
	return engine_run(b, &ph);
}

/* A phase outside the measured time failed, or had errors. */
static void
note_phase(struct bench *b, struct result *r)
{
	struct tally t = engine_tally(b);

	r->tally.errors += t.errors;
	r->tally.verified += t.verified;
}

static bool
run_one(struct bench *b, const struct workload *w)
{
	const struct options *o = b->opt;
	g_autofree struct result *r = g_new0(struct result, 1);
	bool folder = w->prepare != NULL, ok = !folder || session_make_folder(b);

	r->workload = w->name;
	r->flags = w->flags;
	r->connections = o->connections;
	r->depth = o->depth;
	r->threads = o->threads;
	if (ok && w->prepare) {
		ok = w->prepare(b, w);
		note_phase(b, r);
	}
	ok = ok && warm_up(b, w) && measure(b, w, r);
	if (ok && w->check) {
		ok = w->check(b, w);
		note_phase(b, r);
	}
	if (ok && folder && !o->keep) {
		ok = w->clean(b, w) && session_remove_folder(b);
		if (!ok && !b->error)
			engine_fatal(b, "%s: cannot remove the folder of the run", w->name);
	}
	r->error = b->error;
	if (r->seconds > 0)
		report_print(r, o);
	if (b->error)
		fprintf(stderr, "dfs-bench: %s: %s\n", w->name, b->error);
	ok = ok && r->tally.errors == 0;
	g_clear_pointer(&b->error, g_free);
	return ok;
}

int
run_workloads(const struct options *o)
{
	struct bench b = {.opt = o, .mu = PTHREAD_MUTEX_INITIALIZER};
	bool ok = true;

	pattern_init();
	conn_raise_limit();
	if (!session_open(&b) || !engine_open(&b)) {
		fprintf(stderr, "dfs-bench: %s\n", b.error);
		ok = false;
	}
	for (char **name = o->workloads; ok && *name; name++)
		ok = run_one(&b, workload_find(*name)) && ok && !atomic_load(&b.abort);
	engine_close(&b);
	session_close(&b);
	g_free(b.error);
	return ok ? 0 : 1;
}
