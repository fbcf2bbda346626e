/* SPDX-License-Identifier: MIT
 *
 * Cold sequential reads and flushes of one file on a store that answers every call after a while and
 * then at once, beside the same GETs made straight at it, sixteen at a time: what prefetch reaches of
 * what the store gives.  And what the offloader costs on the filesystem store, where nothing is
 * slow.  Not installed; run it from the build tree.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "payload/offload/offload.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)
#define BLOCK (4u * MIB)
#define STREAMS 16

static unsigned blocks = 256; /* 1 GiB: the first call's latency is a twentieth of it */

static double
rate(int64_t began)
{
	return (double)blocks * 4 / ((double)(dfs_clock_mono() - began) / 1e9);
}

static struct dfs_file *
make_file(struct rig *rig)
{
	struct dfs_file *file = rig_file(rig, 1, 0, 0);
	unsigned char *data = g_malloc0(MIB);
	struct dfs_ctx ctx = rig_ctx();
	int64_t began;

	for (uint64_t i = 0; i < 4 * blocks; i++) {
		memset(data, (int)i, MIB);
		if (rig_write(file, i * MIB, i * MIB, data, MIB, true) != DFS_OK)
			g_error("write");
	}
	g_free(data);
	began = dfs_clock_mono();
	if (dfs_file_flush(&ctx, file, DFS_FLUSH_ALL) != DFS_OK)
		g_error("flush");
	printf("%-52s %8.0f MiB/s\n", "flush of one file", rate(began));
	return file;
}

/* Versions are known to nobody: take the keys that are there. */
static char **keys;
static unsigned n_keys;

static int
note_key(void *arg, const char *key, uint64_t length)
{
	keys[n_keys++] = g_strdup(key);
	return n_keys < blocks;
}

struct stream {
	struct rig *rig;
	unsigned first;
};

struct sink {
	unsigned char *p;
};

static void *
space(void *ctx, uint64_t *len)
{
	*len = BLOCK;
	return ((struct sink *)ctx)->p;
}

static int
give(void *ctx, struct dfs_buf *buf, const void *data, uint64_t len)
{
	return 1;
}

static gpointer
get_stream(gpointer arg)
{
	struct stream *s = arg;
	struct sink to = {g_malloc(BLOCK)};
	struct dfs_sink sink = {&to, give, space};

	for (unsigned i = s->first; i < n_keys; i += STREAMS)
		if (dfs_block_get_direct(s->rig->blocks, NULL, keys[i], 0, BLOCK, &sink) != DFS_OK)
			g_error("get");
	g_free(to.p);
	return NULL;
}

static void
bench_gets(struct rig *rig)
{
	struct stream streams[STREAMS];
	GThread *threads[STREAMS];
	int64_t began;

	keys = g_new0(char *, blocks);
	rig->blocks->ops.list(rig->blocks->inst, "", "", note_key, NULL);
	began = dfs_clock_mono();
	for (unsigned i = 0; i < STREAMS; i++) {
		streams[i] = (struct stream){rig, i};
		threads[i] = g_thread_new("get", get_stream, &streams[i]);
	}
	for (unsigned i = 0; i < STREAMS; i++)
		g_thread_join(threads[i]);
	printf("%-52s %8.0f MiB/s\n", "16 streams of GETs at the store", rate(began));
}

static void
bench_cold(struct rig *rig, struct dfs_file *file, uint32_t len)
{
	uint64_t length = (uint64_t)blocks * BLOCK;
	char what[64];
	int64_t began;

	if (rig->blocks->offload)
		dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 60 * DFS_SECOND);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	began = dfs_clock_mono();
	for (uint64_t at = 0; at < length; at += len) {
		struct dfs_ctx loop = {.nonblock = true}, ctx = rig_ctx();
		struct dfs_read r;
		enum dfs_status st = dfs_file_read(&loop, file, length, at, len, &r);

		if (st == DFS_AGAIN)
			st = dfs_file_read(&ctx, file, length, at, len, &r);
		if (st != DFS_OK)
			g_error("read: %d", st);
		dfs_read_release(&r);
	}
	snprintf(what, sizeof what, "cold sequential read, %u KiB at a time", len / 1024);
	printf("%-52s %8.0f MiB/s\n", what, rate(began));
}

static void
bench_random(struct rig *rig, struct dfs_file *file)
{
	uint64_t length = (uint64_t)blocks * BLOCK, n = 4000;
	int64_t began;

	if (rig->blocks->offload)
		dfs_offload_drain(rig->blocks->offload, dfs_clock_mono() + 60 * DFS_SECOND);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	began = dfs_clock_mono();
	for (uint64_t i = 0; i < n; i++) {
		struct dfs_ctx ctx = rig_ctx();
		struct dfs_read r;

		if (dfs_file_read(&ctx, file, length, (i * 7919 * 65536 + 8192) % length, 4096,
				  &r) != DFS_OK)
			g_error("read");
		dfs_read_release(&r);
	}
	printf("%-52s %8.1f us\n", "cold random read of 4 KiB",
	       (double)(dfs_clock_mono() - began) / 1e3 / (double)n);
}

static void
bench(const char *store, int64_t latency, bool direct)
{
	struct rig *rig = rig_new(store, 4ull << 30, DFS_DURABILITY_POWER);
	struct dfs_offload *offload = rig->blocks->offload;
	struct dfs_file *file;

	printf("%s, %.0f ms%s\n", store, (double)latency / 1e6, direct ? ", no offloader" : "");
	rig_install_double(rig);
	if (direct)
		rig->blocks->offload = NULL;
	rig_double.latency = latency;
	file = make_file(rig);
	for (int round = 0; round < 3; round++) {
		bench_cold(rig, file, MIB);
		bench_cold(rig, file, 128 << 10);
		if (latency)
			bench_gets(rig);
		n_keys = 0;
	}
	if (!latency)
		bench_random(rig, file);
	dfs_file_discard(file);
	dfs_file_free(file);
	rig->blocks->offload = offload;
	rig_free(rig);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		blocks = (unsigned)atoi(argv[1]);
	bench("remote", 20 * DFS_SECOND / 1000, false);
	bench("filesystem", 0, true);
	bench("filesystem", 0, false);
	return 0;
}
