/* SPDX-License-Identifier: MIT
 *
 * Random operations on one file against an array of bytes; every offset that goes wrong has to do
 * with an edge, so offsets and lengths are drawn near those of units, pages and blocks.
 */
#include <string.h>

#include "base/buf.h"
#include "payload/test-rig.h"

#define FILE_MAX (10u << 20)
#define WRITE_LEN_MAX (1u << 20)

struct model {
	struct rig *rig;
	struct dfs_file *file;
	GRand *rand;
	unsigned char *bytes;
	unsigned char *scratch;
	uint8_t *unit; /* allocated */
	uint64_t length;
	uint8_t fill;
	const char *what;
	unsigned step;
};

static uint32_t
below(struct model *m, uint32_t n)
{
	return (uint32_t)g_rand_int_range(m->rand, 0, (gint32)n);
}

static uint64_t
draw_offset(struct model *m, uint32_t max)
{
	static const uint32_t edges[] = {1, 512, 4096, 16384, 65536, 1u << 20, 4u << 20};
	uint32_t edge = edges[below(m, G_N_ELEMENTS(edges))];
	int64_t at = (int64_t)below(m, max / edge + 1) * edge;

	if (below(m, 2))
		at += (int64_t)below(m, 7) - 3;
	return at < 0 ? 0 : at > max ? max : (uint64_t)at;
}

static uint32_t
draw_len(struct model *m, uint32_t max)
{
	static const uint32_t lens[] = {1, 100, 4096, 8192, 32768, 65536, 131072, 1u << 20};
	uint32_t len = lens[below(m, G_N_ELEMENTS(lens))];

	if (below(m, 3) == 0)
		len = 1 + below(m, len);
	return len > max ? max : len;
}

static void
check(struct model *m, uint64_t offset, uint32_t len)
{
	enum dfs_status st;

	if (offset >= m->length)
		return;
	if (len > m->length - offset)
		len = (uint32_t)(m->length - offset);
	st = rig_read(m->file, m->length, offset, m->scratch, len);
	g_assert_cmpint(st, ==, DFS_OK);
	if (memcmp(m->scratch, m->bytes + offset, len) == 0)
		return;
	for (uint32_t i = 0; i < len; i++)
		if (m->scratch[i] != m->bytes[offset + i])
			g_error("step %u (%s): byte %llu of %llu is %02x, not %02x", m->step,
				m->what, (unsigned long long)(offset + i),
				(unsigned long long)m->length, m->scratch[i], m->bytes[offset + i]);
}

static void
check_all(struct model *m)
{
	for (uint64_t at = 0; at < m->length; at += DFS_READ_MAX)
		check(m, at, DFS_READ_MAX);
}

static void
write_some(struct model *m)
{
	bool pages = below(m, 2);
	uint64_t offset = draw_offset(m, FILE_MAX - 1);
	uint32_t len = draw_len(m, pages ? WRITE_LEN_MAX : DFS_PAGE_SIZE);

	if (len > FILE_MAX - offset)
		len = (uint32_t)(FILE_MAX - offset);
	m->what = pages ? "install" : "copy in";
	for (uint32_t i = 0; i < len; i++)
		m->scratch[i] = (unsigned char)(m->fill + i % 251);
	m->fill += 17;
	g_assert_cmpint(rig_write(m->file, m->length, offset, m->scratch, len, pages), ==, DFS_OK);
	memcpy(m->bytes + offset, m->scratch, len);
	for (uint64_t u = offset / 4096; u <= (offset + len - 1) / 4096; u++)
		m->unit[u] = 1;
	if (m->length < offset + len)
		m->length = offset + len;
	check(m, offset > 100 ? offset - 100 : 0,
	      len > DFS_READ_MAX - 200 ? DFS_READ_MAX : len + 200);
}

static void
truncate_some(struct model *m)
{
	uint64_t length = draw_offset(m, FILE_MAX);

	m->what = "truncate";
	g_assert_cmpint(rig_truncate(m->file, m->length, length), ==, DFS_OK);
	if (length < m->length) {
		memset(m->bytes + length, 0, m->length - length);
		memset(m->unit + (length + 4095) / 4096, 0,
		       FILE_MAX / 4096 - (length + 4095) / 4096);
	}
	m->length = length;
	check(m, length > 70000 ? length - 70000 : 0, 70000);
}

static void
flush(struct model *m)
{
	struct dfs_ctx ctx = rig_ctx();
	uint64_t used = dfs_file_used(m->file);

	m->what = "flush";
	g_assert_cmpint(dfs_file_flush(&ctx, m->file, DFS_FLUSH_ALL), ==, DFS_OK);
	g_assert_cmpuint(m->file->n_dirty, ==, 0);
	/* What flushes and truncations told of the rows is all that there is. */
	g_assert_cmpuint(dfs_file_used(m->file), ==, m->rig->used);
	if (m->rig->payload->fills)
		g_assert_cmpuint(dfs_file_used(m->file), <=, used);
}

static void
reopen(struct model *m)
{
	flush(m);
	m->what = "reopen";
	dfs_file_free(m->file);
	m->file = rig_file(m->rig, 1, m->length, m->rig->used);
}

static void
step(struct model *m)
{
	uint64_t least = 0;

	switch (below(m, 16)) {
	case 0:
	case 1:
		truncate_some(m);
		break;
	case 2:
	case 3:
		flush(m);
		break;
	case 4:
	case 5:
		m->what = "evict";
		dfs_cache_reclaim(m->rig->cache, UINT32_MAX);
		break;
	case 6:
		reopen(m);
		break;
	case 7:
	case 8:
	case 9:
		check(m, draw_offset(m, FILE_MAX), draw_len(m, DFS_READ_MAX));
		break;
	default:
		write_some(m);
	}
	for (uint32_t u = 0; u < FILE_MAX / 4096; u++)
		least += m->unit[u] * 4096;
	/* More where many small holes were filled for the sake of short rows. */
	g_assert_cmpuint(dfs_file_used(m->file), >=, least);
	g_assert_cmpuint(dfs_file_used(m->file), <=, FILE_MAX);
}

static void
run(const char *block, uint64_t budget, guint32 seed, unsigned steps)
{
	struct model m = {.rig = rig_new(block, budget, DFS_DURABILITY_POWER)};
	unsigned blocks;

	m.rig->payload->fills = seed % 2;
	m.rand = g_rand_new_with_seed(seed);
	m.bytes = g_malloc0(FILE_MAX);
	m.unit = g_malloc0(FILE_MAX / 4096);
	m.scratch = g_malloc(WRITE_LEN_MAX);
	m.file = rig_file(m.rig, 1, 0, 0);
	for (m.step = 0; m.step < steps; m.step++)
		step(&m);
	check_all(&m);
	flush(&m);
	dfs_cache_reclaim(m.rig->cache, UINT32_MAX);
	check_all(&m);
	/* A row of 16 segments lists at most as many objects, and nothing else is left. */
	blocks = (FILE_MAX + DFS_BLOCK_SIZE - 1) / DFS_BLOCK_SIZE;
	g_assert_cmpuint(rig_objects(m.rig), <=, blocks * DFS_SEGMENTS_MAX);
	g_assert_cmpint(rig_truncate(m.file, m.length, 0), ==, DFS_OK);
	g_assert_cmpuint(dfs_file_used(m.file), ==, 0);
	g_assert_cmpuint(rig_objects(m.rig), ==, 0);
	dfs_file_free(m.file);
	rig_free(m.rig);
	g_rand_free(m.rand);
	g_free(m.bytes);
	g_free(m.unit);
	g_free(m.scratch);
}

static guint32
seed_of(guint32 n)
{
	const char *seed = g_getenv("DFS_TEST_SEED");

	return seed ? (guint32)g_ascii_strtoull(seed, NULL, 10) : n;
}

static void
memory_keeps_what_was_written(void)
{
	for (guint32 seed = 1; seed <= 8; seed++)
		run("memory", 1u << 30, seed_of(seed), 400);
}

static void
memory_under_pressure_keeps_what_was_written(void)
{
	for (guint32 seed = 11; seed <= 16; seed++)
		run("memory", 0, seed_of(seed), 400);
}

static void
filesystem_keeps_what_was_written(void)
{
	for (guint32 seed = 21; seed <= 23; seed++)
		run("filesystem", 0, seed_of(seed), 250);
}

static void
remote_with_blocks_brought_ahead_keeps_what_was_written(void)
{
	for (guint32 seed = 31; seed <= 34; seed++)
		run("remote", 64u << 20, seed_of(seed), 300);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/payload/model/memory-keeps-what-was-written",
			memory_keeps_what_was_written);
	g_test_add_func("/payload/model/memory-under-pressure-keeps-what-was-written",
			memory_under_pressure_keeps_what_was_written);
	g_test_add_func("/payload/model/filesystem-keeps-what-was-written",
			filesystem_keeps_what_was_written);
	g_test_add_func("/payload/model/remote-with-blocks-brought-ahead-keeps-what-was-written",
			remote_with_blocks_brought_ahead_keeps_what_was_written);
	return g_test_run();
}
