/* SPDX-License-Identifier: MIT
 *
 * bench-wal FOLDER [MIB]: the log against bare writes and syncs on the same disk.  For each size of
 * record and number of records on their way: MB/s, durable records a second, CPU of the whole
 * process for a MB; medians of three, the contestants in turn.
 */
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <dittofs/metadata_store.h>

#include "base/buf.h"
#include "base/log.h"
#include "payload/wal/log.h"

#define MIB (1u << 20)
#define DEPTH_MAX 256
#define ROUNDS 3
#define SEGMENT (64ull * MIB)

struct figure {
	double mb, ops, cpu;
};

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct figure
figure(uint64_t n, uint64_t size, int64_t start, double cpu)
{
	double seconds = (double)(dfs_clock_mono() - start) / 1e9;
	double mb = (double)(n * size) / 1e6;

	return (struct figure){mb / seconds, (double)n / seconds, (cpu_us() - cpu) / mb};
}

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench-wal: %s: %s\n", what, dfs_fail_text());
	exit(1);
}

/* `depth` records in each write, as the log's batches have them at best, and a sync. */
static struct figure
bare(const char *folder, uint64_t n, uint32_t size, unsigned depth)
{
	g_autofree char *path = g_build_filename(folder, "bare", NULL);
	uint64_t len = (uint64_t)size * depth, at = 0, file = 256ull * MIB;
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	unsigned char *bytes;
	struct figure f;
	int64_t start;
	double cpu;

	if (len > DFS_WAL_PAYLOAD_MAX)
		len = DFS_WAL_PAYLOAD_MAX / size * size;
	bytes = aligned_alloc(4096, MIB > len ? MIB : len);
	must(fd >= 0, path);
	memset(bytes, 1, MIB > len ? MIB : len);
	if (lseek(fd, 0, SEEK_END) < (off_t)file)
		for (uint64_t i = 0; i < file; i += MIB)
			must(pwrite(fd, bytes, MIB, (off_t)i) == MIB, "write");
	fdatasync(fd);
	start = dfs_clock_mono();
	cpu = cpu_us();
	for (uint64_t i = 0; i < n * size; i += len, at += len) {
		if (at + len > file)
			at = 0;
		must(pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len && fdatasync(fd) == 0,
		     "write");
	}
	f = figure(n, size, start, cpu);
	free(bytes);
	close(fd);
	return f;
}

static struct figure
logged(struct dfs_wal *wal, uint64_t n, uint32_t size, unsigned depth)
{
	struct dfs_buf *pages[16];
	struct dfs_span spans[16];
	struct dfs_wal_record record = {.type = DFS_WAL_WRITE, .len = size};
	uint32_t page = size < DFS_PAGE_SIZE ? size : DFS_PAGE_SIZE, n_spans = size / page;
	uint64_t lsn[DEPTH_MAX], mask[DEPTH_MAX];
	struct figure f;
	int64_t start;
	double cpu;

	for (unsigned i = 0; i < n_spans; i++) {
		pages[i] = dfs_buf_alloc(page);
		memset(pages[i]->data, (int)i, page);
		spans[i] = (struct dfs_span){pages[i]->data, page, pages[i]};
	}
	start = dfs_clock_mono();
	cpu = cpu_us();
	for (uint64_t i = 0; i < n + depth; i++) {
		unsigned slot = i % depth;

		if (i >= depth) {
			must(dfs_gate_wait_sync(dfs_wal_gate(wal), lsn[slot], DFS_SYNC_POWER,
						INT64_MAX) == DFS_OK,
			     "sync");
			dfs_wal_unpin(wal, mask[slot]);
		}
		if (i >= n)
			continue;
		must(dfs_wal_wait_room(wal, size, INT64_MAX), "room");
		mask[slot] = 0;
		must(dfs_wal_append(wal, &record, spans, n_spans, &mask[slot], &lsn[slot], NULL) ==
			     DFS_OK,
		     "append");
	}
	f = figure(n, size, start, cpu);
	for (unsigned i = 0; i < n_spans; i++)
		dfs_buf_unref(pages[i]);
	return f;
}

static enum dfs_status
nothing(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	return DFS_OK;
}

static enum dfs_status
keep(void *arg, uint64_t lsn, const struct dfs_wal_record *record, dfs_wal_at at, bool damaged)
{
	dfs_wal_pin(arg, at ? UINT64_C(1) << DFS_WAL_SEGMENT(at) : 0);
	return DFS_OK;
}

static struct dfs_wal *
begin(const struct dfs_wal_config *config, dfs_wal_recover_fn fn, struct dfs_wal_recovery *found)
{
	struct dfs_wal *wal;

	must(dfs_wal_open(config, &wal) == DFS_OK, "open");
	must(dfs_wal_recover(wal, fn, wal, found) == DFS_OK, "recover");
	return wal;
}

static void
replay(const struct dfs_wal_config *config)
{
	struct dfs_wal_recovery found;
	struct dfs_wal *wal = begin(config, nothing, &found);
	int64_t start;

	/* Pins are kept, so that the records are still there at the next start. */
	for (unsigned i = 0; i < 700; i++) {
		static unsigned char bytes[MIB];
		struct dfs_wal_record record = {.type = DFS_WAL_WRITE, .len = MIB};
		struct dfs_span span = {bytes, MIB, NULL};
		uint64_t mask = 0;

		must(dfs_wal_wait_room(wal, MIB, INT64_MAX), "room");
		must(dfs_wal_append(wal, &record, &span, 1, &mask, NULL, NULL) == DFS_OK, "append");
	}
	dfs_wal_close(wal);
	start = dfs_clock_mono();
	wal = begin(config, keep, &found);
	printf("replay of %.0f MB: %.2f GB/s\n", (double)found.bytes / 1e6,
	       (double)found.bytes / (double)(dfs_clock_mono() - start));
	dfs_wal_close(wal);
}

static int
by_rate(const void *a, const void *b)
{
	const struct figure *x = a, *y = b;

	return x->mb < y->mb ? -1 : x->mb > y->mb;
}

int
main(int argc, char **argv)
{
	static const struct {
		uint32_t size;
		unsigned depth;
	} rows[] = {{4096, 1},   {4096, 16},    {4096, 64},    {32768, 1},
		    {32768, 32}, {1u << 20, 1}, {1u << 20, 4}, {1u << 20, 16}};
	const char *folder = argc > 1 ? argv[1] : ".";
	uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) * MIB;
	g_autofree char *path = g_build_filename(folder, "wal", NULL);
	struct dfs_wal_config config = {.persister = DFS_WAL_FILE,
					.path = path,
					.size = 16 * SEGMENT,
					.segment_size = SEGMENT};
	struct dfs_wal_recovery found;
	struct dfs_wal *wal = begin(&config, nothing, &found);

	logged(wal, 600, MIB, 4); /* makes the segments */
	printf("%8s %6s | %10s %10s %10s | %10s %10s %10s | %s\n", "bytes", "depth", "bare MB/s",
	       "writes/s", "us/MB", "log MB/s", "records/s", "us/MB", "log/bare");
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		uint64_t n = bytes / rows[i].size;
		struct figure a[ROUNDS], b[ROUNDS];

		if (n > 4000ull * rows[i].depth)
			n = 4000ull * rows[i].depth;
		for (unsigned r = 0; r < ROUNDS; r++) {
			a[r] = bare(folder, n, rows[i].size, rows[i].depth);
			b[r] = logged(wal, n, rows[i].size, rows[i].depth);
		}
		qsort(a, ROUNDS, sizeof a[0], by_rate);
		qsort(b, ROUNDS, sizeof b[0], by_rate);
		printf("%8u %6u | %10.0f %10.0f %10.0f | %10.0f %10.0f %10.0f | %.2f\n",
		       rows[i].size, rows[i].depth, a[1].mb, a[1].ops / rows[i].depth, a[1].cpu,
		       b[1].mb, b[1].ops, b[1].cpu, b[1].mb / a[1].mb);
	}
	dfs_wal_close(wal);
	replay(&config);
	return 0;
}
