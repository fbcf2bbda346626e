/* SPDX-License-Identifier: MIT
 *
 * Facts about equal blocks: stored once where the share asks for it, kept while anybody names them, put
 * after all when the twin has gone in between.
 */
#include <string.h>

#include "payload/test-rig.h"

#define MIB (1u << 20)

static unsigned char data[MIB], got[MIB];

static const struct dfs_payload_options on = {.dedup = true, .gc_grace = 1};

static void
write_block(struct dfs_file *file, uint64_t index, int seed)
{
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + (unsigned)seed * 31);
	for (uint64_t i = 0; i < 4; i++)
		g_assert_cmpint(rig_write(file, (4 * index + i) * MIB, (4 * index + i) * MIB, data,
					  MIB, true),
				==, DFS_OK);
}

static void
assert_sound(struct rig *rig)
{
	struct dfs_check_report r;

	g_assert_cmpint(dfs_payload_check(rig->payload, &r), ==, DFS_OK);
	g_assert_true(dfs_check_sound(&r));
}

static void
end(struct rig *rig, struct dfs_file *file, struct dfs_file *other)
{
	assert_sound(rig);
	if (other) {
		dfs_file_discard(other);
		dfs_file_free(other);
	}
	rig_end(rig, file);
}

static void
equal_blocks_are_one_object(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &on);
	struct dfs_file *a = rig_file(rig, 1, 0, 0), *b = rig_file(rig, 2, 0, 0);

	write_block(a, 0, 1);
	rig_flush_ok(a);
	write_block(b, 0, 1);
	write_block(b, 1, 1);
	write_block(b, 2, 2);
	rig_flush_ok(b);
	g_assert_cmpuint(rig_objects(rig), ==, 2);
	assert_sound(rig);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	write_block(a, 1, 1); /* data is 1's again */
	g_assert_cmpint(rig_read(b, 12 * MIB, 4 * MIB, got, MIB), ==, DFS_OK);
	g_assert_cmpmem(got, MIB, data, MIB);
	end(rig, a, b);
}

static void
nothing_is_shared_unless_asked_for(void)
{
	const struct dfs_payload_options off = {.gc_grace = 1};
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &off);
	struct dfs_file *a = rig_file(rig, 1, 0, 0);

	write_block(a, 0, 1);
	write_block(a, 1, 1);
	rig_flush_ok(a);
	g_assert_cmpuint(rig_objects(rig), ==, 2);
	end(rig, a, NULL);
}

static void
an_object_goes_with_its_last_row(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &on);
	struct dfs_file *a = rig_file(rig, 1, 0, 0), *b = rig_file(rig, 2, 0, 0);

	write_block(a, 0, 1);
	rig_flush_ok(a);
	write_block(b, 0, 1);
	rig_flush_ok(b);
	g_assert_cmpint(rig_truncate(a, 4 * MIB, 0), ==, DFS_OK);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	g_assert_cmpint(rig_truncate(b, 4 * MIB, 0), ==, DFS_OK);
	g_assert_cmpuint(rig_objects(rig), ==, 0);
	/* Its hash is forgotten too. */
	write_block(b, 0, 1);
	rig_flush_ok(b);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	end(rig, a, b);
}

static void
the_same_bytes_once_more_count_once(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &on);
	struct dfs_file *a = rig_file(rig, 1, 0, 0);

	for (int i = 0; i < 3; i++) {
		write_block(a, 0, 1);
		rig_flush_ok(a);
		g_assert_cmpuint(rig_objects(rig), ==, 1);
		assert_sound(rig);
	}
	write_block(a, 0, 2);
	rig_flush_ok(a);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	end(rig, a, NULL);
}

static struct dfs_metadata_ops real;
static unsigned lies;

/* A twin that is gone when the transaction looks. */
static enum dfs_status
find_what_is_gone(void *inst, struct dfs_txn *txn, uint32_t share, const uint8_t hash[32],
		  struct dfs_object_record *rec)
{
	enum dfs_status st = real.find_object(inst, txn, share, hash, rec);

	if (st == DFS_OK && lies > 0) {
		lies--;
		rec->version++;
	}
	return st;
}

static void
a_twin_that_is_gone_is_put_after_all(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &on);
	struct dfs_file *a = rig_file(rig, 1, 0, 0), *b = rig_file(rig, 2, 0, 0);

	real = rig->metadata->ops;
	rig->metadata->ops.find_object = find_what_is_gone;
	write_block(a, 0, 1);
	rig_flush_ok(a);
	lies = 1;
	write_block(b, 0, 1);
	rig_flush_ok(b);
	g_assert_cmpuint(lies, ==, 0);
	g_assert_cmpuint(b->n_dirty, ==, 0);
	g_assert_cmpint(rig_read(b, 4 * MIB, MIB, got, MIB), ==, DFS_OK);
	g_assert_cmpmem(got, MIB, data, MIB);
	g_assert_cmpuint(rig_objects(rig), ==, 1);
	end(rig, a, b);
}

static void
a_part_of_a_shared_block_changes_alone(void)
{
	struct rig *rig = rig_new_kept("memory", 64 * MIB, DFS_DURABILITY_POWER, &on);
	struct dfs_file *a = rig_file(rig, 1, 0, 0), *b = rig_file(rig, 2, 0, 0);
	static const unsigned char x[4096] = {1};

	write_block(a, 0, 1);
	rig_flush_ok(a);
	write_block(b, 0, 1);
	rig_flush_ok(b);
	g_assert_cmpint(rig_write(b, 4 * MIB, 8192, x, sizeof x, false), ==, DFS_OK);
	rig_flush_ok(b);
	g_assert_cmpuint(rig_objects(rig), ==, 2);
	dfs_cache_reclaim(rig->cache, UINT32_MAX);
	g_assert_cmpint(rig_read(a, 4 * MIB, 0, got, MIB), ==, DFS_OK);
	g_assert_cmpmem(got, MIB, data, MIB);
	end(rig, a, b);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(fn) g_test_add_func("/payload/dedup/" #fn, fn)
	TEST(equal_blocks_are_one_object);
	TEST(nothing_is_shared_unless_asked_for);
	TEST(an_object_goes_with_its_last_row);
	TEST(the_same_bytes_once_more_count_once);
	TEST(a_twin_that_is_gone_is_put_after_all);
	TEST(a_part_of_a_shared_block_changes_alone);
	return g_test_run();
}
