/* SPDX-License-Identifier: MIT
 *
 * Facts about zeros that were written: they are stored as a flag, read back, counted as allocated, and
 * give way to data.
 */
#include <string.h>

#include "base/zero.h"
#include "payload/test-rig.h"

#define MIB (1u << 20)

static unsigned char zeros[MIB], data[MIB], got[MIB];

static void
write_ok(struct dfs_file *file, uint64_t length, uint64_t offset, const void *from, uint32_t len)
{
	g_assert_cmpint(rig_write(file, length, offset, from, len, len > DFS_PAGE_SIZE), ==,
			DFS_OK);
}

static void
assert_reads(struct dfs_file *file, uint64_t length, uint64_t offset, const void *want,
	     uint32_t len)
{
	g_assert_cmpint(rig_read(file, length, offset, got, len), ==, DFS_OK);
	g_assert_cmpmem(got, len, want, len);
}

static void
a_block_of_zeros_is_no_object(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	for (uint64_t i = 0; i < 8; i++)
		write_ok(file, i * MIB, i * MIB, zeros, MIB);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	g_assert_cmpuint(dfs_file_used(file), ==, 8 * MIB);
	g_assert_cmpuint(rig->used, ==, 8 * MIB);
	g_assert_cmpuint(dfs_block_find(file, 0)->n_segs, ==, 1);
	dfs_file_free(file);
	file = rig_file(rig, 1, 8 * MIB, rig->used);
	assert_reads(file, 8 * MIB, 4 * MIB - 100, zeros, 1000);
	g_assert_cmpint(rig_truncate(file, 8 * MIB, MIB), ==, DFS_OK);
	g_assert_cmpuint(dfs_file_used(file), ==, MIB);
	rig_end(rig, file);
}

static void
zeros_over_data_take_its_place(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	write_ok(file, 0, 0, data, MIB);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	write_ok(file, MIB, 8192, zeros, 8192);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, data, 8192);
	assert_reads(file, MIB, 8192, zeros, 8192);
	assert_reads(file, MIB, 16384, data + 16384, MIB - 16384);
	write_ok(file, MIB, 0, zeros, MIB);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	rig_end(rig, file);
}

static void
data_over_zeros_takes_their_place(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	write_ok(file, 0, 0, zeros, MIB);
	rig_flush_ok(file);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	write_ok(file, MIB, 100, data, 5000);
	rig_flush_ok(file);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	assert_reads(file, MIB, 0, zeros, 100);
	assert_reads(file, MIB, 100, data, 5000);
	assert_reads(file, MIB, 5100, zeros, MIB - 5100);
	rig_end(rig, file);
}

static void
zeros_beside_zeros_are_one_segment(void)
{
	struct rig *rig = rig_new("memory", 64 * MIB, DFS_DURABILITY_POWER);
	struct dfs_file *file = rig_file(rig, 1, 0, 0);

	for (uint64_t i = 0; i < 40; i++) {
		write_ok(file, i * 8192, i * 8192, zeros, 8192);
		rig_flush_ok(file);
		dfs_cache_reclaim(rig->cache, UINT32_MAX);
	}
	assert_reads(file, 40 * 8192, 0, zeros, 40 * 8192);
	g_assert_cmpuint(dfs_block_find(file, 0)->n_segs, ==, 1);
	rig_end(rig, file);
}

static void
one_byte_makes_the_difference(void)
{
	for (uint32_t len = 0; len < 200; len++) {
		memset(got, 0, 200);
		got[len] = 1;
		g_assert_true(dfs_is_zero(got, len));
		g_assert_false(dfs_is_zero(got, len + 1));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + 1) | 1;
#define TEST(fn) g_test_add_func("/payload/zero/" #fn, fn)
	TEST(a_block_of_zeros_is_no_object);
	TEST(zeros_over_data_take_its_place);
	TEST(data_over_zeros_takes_their_place);
	TEST(zeros_beside_zeros_are_one_segment);
	TEST(one_byte_makes_the_difference);
	return g_test_run();
}
