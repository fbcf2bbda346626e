/* SPDX-License-Identifier: MIT
 *
 * bench-s3 ENDPOINT get|put THREADS SIZE SECONDS: what the S3 store moves, and at what cost.
 *
 * Against `faultd --latency 20` it measures this side alone: a remote of known speed.  Bucket
 * "bucket", keys ak/sk.  Each thread reads or puts whole objects of SIZE bytes; CPU is this
 * process's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/s3/fixture.h"

static struct {
	const struct dfs_block_ops *ops;
	void *inst;
	unsigned char *data;
	uint64_t size;
	gint64 end;
	bool put;
	_Atomic uint64_t requests, total_us;
} bench;

static void
must(enum dfs_status st)
{
	if (st != DFS_OK) {
		fprintf(stderr, "%s\n", fix_text());
		exit(1);
	}
}

static gpointer
run(gpointer number)
{
	g_autofree unsigned char *data = g_malloc(bench.size);
	struct dfs_span span = {bench.data, bench.size, NULL};
	char key[64];

	for (unsigned i = 0; g_get_monotonic_time() < bench.end; i++) {
		struct fix_landing l = {data, 0, bench.size};
		struct dfs_sink sink = {&l, NULL, fix_space};
		gint64 begun = g_get_monotonic_time();

		if (bench.put) {
			snprintf(key, sizeof key, "put/%d/%u", GPOINTER_TO_INT(number), i % 8);
			must(bench.ops->put(bench.inst, key, &span, 1, 0));
		} else {
			must(bench.ops->get(bench.inst, "object", 0, bench.size, &sink, 0));
		}
		bench.total_us += (uint64_t)(g_get_monotonic_time() - begun);
		bench.requests++;
	}
	return NULL;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
	struct s3_config config;
	g_autoptr(GPtrArray) threads = g_ptr_array_new();
	struct dfs_diag diag;
	double cpu, seconds;
	gint64 begun;

	if (argc != 6) {
		fprintf(stderr, "bench-s3 ENDPOINT get|put THREADS SIZE SECONDS\n");
		return 2;
	}
	config = fix_config(argv[1]);
	config.conditional_put = NO;
	config.max_connections = MAX_CONNECTIONS;
	bench.put = strcmp(argv[2], "put") == 0;
	bench.size = strtoull(argv[4], NULL, 10);
	bench.data = fix_bytes(0, bench.size);
	bench.ops = block_s3_LTX_dfs_plugin.ops;
	if (bench.ops->create(&fix_host, &config, &bench.inst, &diag) != DFS_OK) {
		fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	struct dfs_span span = {bench.data, bench.size, NULL};
	must(bench.ops->put(bench.inst, "object", &span, 1, 0));
	begun = g_get_monotonic_time();
	bench.end = begun + strtoll(argv[5], NULL, 10) * G_USEC_PER_SEC;
	cpu = cpu_seconds();
	for (int i = 0; i < atoi(argv[3]); i++)
		g_ptr_array_add(threads, g_thread_new("bench", run, GINT_TO_POINTER(i)));
	for (unsigned i = 0; i < threads->len; i++)
		g_thread_join(threads->pdata[i]);
	seconds = (double)(g_get_monotonic_time() - begun) / 1e6;
	cpu = cpu_seconds() - cpu;
	double bytes = (double)bench.requests * (double)bench.size;
	printf("%s %s threads, %s bytes: %.0f requests/s, %.0f MB/s, %.1f ms each, "
	       "%.0f us CPU per request, %.0f us CPU per MB\n",
	       argv[2], argv[3], argv[4], (double)bench.requests / seconds, bytes / seconds / 1e6,
	       (double)bench.total_us / (double)bench.requests / 1e3,
	       cpu * 1e6 / (double)bench.requests, cpu * 1e12 / bytes);
	bench.ops->destroy(bench.inst);
	return 0;
}
