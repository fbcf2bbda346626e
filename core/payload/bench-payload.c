/* SPDX-License-Identifier: MIT
 *
 * Nanoseconds of the payload service alone, on the stores in memory: what an adapter pays for a
 * cached read, a write, and a small file.  Not installed; run it from the build tree.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "payload/test-rig.h"

#define BIG (64u << 20)

static struct rig *rig;

/* The thread's own time: the machine may have other work. */
static int64_t
cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * DFS_SECOND + ts.tv_nsec;
}

static void
report(const char *what, int64_t begun, uint64_t n)
{
	printf("%-44s %10.1f ns\n", what, (double)(cpu() - begun) / (double)n);
}

static void
bench_read(struct dfs_file *file, uint32_t len, const char *what)
{
	struct dfs_ctx ctx = {.nonblock = true};
	struct dfs_read r;
	uint64_t n = len >= DFS_READ_MAX ? 400000 : 4000000;
	int64_t t = cpu();

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = i * 7919 * len % BIG;

		if (dfs_file_read(&ctx, file, BIG, at, len, &r) != DFS_OK)
			g_error("read");
		dfs_read_release(&r);
	}
	report(what, t, n);
}

static void
bench_write(struct dfs_file *file, uint32_t len, const char *what)
{
	struct dfs_ctx ctx = {.nonblock = true};
	uint64_t n = len >= DFS_WRITE_MAX ? 200000 : 2000000;
	struct dfs_write w;
	int64_t t = cpu();

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = i * 7919 * len % BIG;

		if (dfs_write_reserve(at, len, &w) != DFS_OK ||
		    dfs_file_prepare(&ctx, file, BIG, at, len) != DFS_OK)
			g_error("write");
		dfs_file_write(file, &(struct dfs_slice){.length = BIG}, &w);
	}
	report(what, t, n);
}

static void
bench_copy_in(struct dfs_file *file, uint32_t len, const char *what)
{
	static char data[DFS_PAGE_SIZE];
	struct dfs_ctx ctx = {.nonblock = true};
	uint64_t n = 2000000;
	int64_t t = cpu();

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = i * 7919 * len % BIG;

		if (dfs_file_prepare(&ctx, file, BIG, at, len) != DFS_OK)
			g_error("write");
		dfs_file_copy_in(file, &(struct dfs_slice){.length = BIG}, at, data, len);
	}
	report(what, t, n);
}

static uint64_t
resident_kib(void)
{
	unsigned long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu %lu", &size, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	return rss * 4;
}

static void
bench_small_files(unsigned n)
{
	static char data[4096] = {1}; /* zeros are no object */
	struct dfs_file **files = g_new(struct dfs_file *, n);
	struct dfs_content_id id = {{0}};
	struct dfs_ctx ctx = {.nonblock = true};
	struct dfs_ctx wait = rig_ctx();
	uint64_t rss = resident_kib(), used, mapped, before;
	int64_t t;

	dfs_buf_usage(&before, &mapped);
	t = cpu();
	for (unsigned i = 0; i < n; i++) {
		memcpy(id.bytes, &i, sizeof i);
		id.bytes[15] = 7;
		files[i] = dfs_file_new(rig->payload, i, &id, 0, 0, NULL, NULL);
		if (dfs_file_prepare(&ctx, files[i], 0, 0, sizeof data) != DFS_OK)
			g_error("prepare");
		dfs_file_copy_in(files[i], &(struct dfs_slice){.length = sizeof data}, 0, data,
				 sizeof data);
		if (dfs_file_commit(&ctx, files[i]) != DFS_OK)
			g_error("commit");
	}
	report("new file, write 4 KiB, commit", t, n);
	dfs_buf_usage(&used, &mapped);
	printf("%-44s %10.1f KiB (%.1f of buffers)\n", "  memory a file",
	       (double)(resident_kib() - rss) / n, (double)(used - before) / 1024 / n);
	t = cpu();
	for (unsigned i = 0; i < n; i++)
		if (dfs_file_flush(&wait, files[i], DFS_FLUSH_ALL) != DFS_OK)
			g_error("flush");
	report("  its flush to the stores", t, n);
	printf("%-44s %10.1f KiB\n", "  memory a file, flushed",
	       (double)(resident_kib() - rss) / n);
	t = cpu();
	for (unsigned i = 0; i < n; i++) {
		dfs_file_discard(files[i]);
		dfs_file_free(files[i]);
	}
	report("  its end", t, n);
	t = cpu();
	for (unsigned i = 0; i < n; i++) {
		memcpy(id.bytes, &i, sizeof i);
		if (dfs_payload_reclaim(rig->payload, &id) != DFS_OK)
			g_error("reclaim");
	}
	report("  its rows and objects reclaimed", t, n);
	g_free(files);
}

int
main(void)
{
	struct dfs_ctx ctx;
	struct dfs_file *file;

	rig = rig_new("memory", 4ull << 30, DFS_DURABILITY_POWER);
	ctx = rig_ctx();
	file = rig_file(rig, 1, 0, 0);
	bench_write(file, 1u << 20, "write 1 MiB (reserve, prepare, install)");
	bench_write(file, 1u << 20, "write 1 MiB again");
	bench_read(file, 1u << 20, "read 1 MiB, cached");
	bench_read(file, 65536, "read 64 KiB, cached");
	bench_read(file, 4096, "read 4 KiB, cached");
	bench_copy_in(file, 4096, "write 4 KiB (prepare, copy in)");
	bench_write(file, 65536, "write 64 KiB (reserve, prepare, install)");
	if (dfs_file_flush(&ctx, file, DFS_FLUSH_ALL) != DFS_OK)
		g_error("flush");
	bench_read(file, 1u << 20, "read 1 MiB, cached, shared with the store");
	for (int round = 0; round < 3; round++)
		bench_small_files(50000);
	dfs_file_discard(file);
	dfs_file_free(file);
	rig_free(rig);
	return 0;
}
