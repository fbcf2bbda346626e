/* SPDX-License-Identifier: MIT
 *
 * Facts about clones: what is shared, what is refused, who may, and that each file goes its own way
 * afterwards.
 */
#include "fs/fs.h"
#include "fs/test-share.h"
#include "metadata/orphan.h"
#include "payload/file.h"

#define MIB (1u << 20)
#define BLOCK (4u * MIB)

static unsigned char data[12 * MIB], got[12 * MIB];

static struct fixture *
open_fixture(void)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->kind = "test-durable";
	f->durability = DFS_DURABILITY_POWER;
	f->durable_blocks = true;
	fixture_open(f);
	return f;
}

static void
close_fixture(struct fixture *f)
{
	struct dfs_check_report r;

	assert_status(dfs_payload_check(f->share->payload, &r), DFS_OK);
	g_assert_true(dfs_check_sound(&r));
	fixture_close(f);
	g_free(f);
}

static void
write_at(struct fixture *f, struct dfs_ref ref, uint64_t offset, const unsigned char *from,
	 uint32_t len)
{
	while (len > 0) {
		uint32_t n = MIN(len, MIB);
		enum dfs_stable committed;
		struct dfs_wcc wcc;
		uint64_t verifier;

		assert_status(dfs_fs_write(&f->ctx, &ref, offset, from, n, DFS_UNSTABLE, &committed,
					   &verifier, &wcc),
			      DFS_OK);
		from += n;
		offset += n;
		len -= n;
	}
}

static void
assert_bytes(struct fixture *f, struct dfs_ref ref, uint64_t offset, const void *want, uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		struct dfs_attr attr;
		struct dfs_read r;

		assert_status(
			dfs_fs_read(&f->ctx, &ref, offset + done, MIN(len - done, MIB), &r, &attr),
			DFS_OK);
		g_assert_cmpuint(r.len, >, 0);
		for (uint32_t i = 0; i < r.n; i++) {
			memcpy(got + done, r.spans[i].data, r.spans[i].len);
			done += r.spans[i].len;
		}
		dfs_read_release(&r);
	}
	g_assert_cmpmem(got, len, want, len);
}

static enum dfs_status
clone_range(struct fixture *f, struct dfs_ref src, uint64_t from, struct dfs_ref dst, uint64_t to,
	    uint64_t len)
{
	struct dfs_wcc wcc;

	return dfs_fs_clone(&f->ctx, &src, from, &dst, to, len, &wcc);
}

static int
count(void *arg, const char *key, uint64_t length)
{
	(*(unsigned *)arg)++;
	return 1;
}

/* Removed files are reclaimed in the background: until it is so. */
static void
assert_objects(struct fixture *f, unsigned want)
{
	int64_t deadline = dfs_clock_mono() + 30 * DFS_SECOND;
	unsigned n;

	do {
		n = 0;
		dfs_orphans_run(f->share->ns);
		g_assert_true(dfs_garbage_drain(f->share->payload, deadline));
		assert_status(dfs_block_list(f->blocks, "test/", "", count, &n), DFS_OK);
	} while (n != want && dfs_clock_mono() < deadline);
	g_assert_cmpuint(n, ==, want);
}

static void
a_clone_shares_and_goes_its_own_way(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);
	static const unsigned char x[8192] = {1, 2, 3};

	write_at(f, a, 0, data, 2 * BLOCK + 5000);
	assert_status(clone_range(f, a, 0, b, 0, 0), DFS_OK);
	g_assert_cmpuint(attr_of(f, b).length, ==, 2 * BLOCK + 5000);
	g_assert_cmpuint(attr_of(f, b).used, ==, attr_of(f, a).used);
	assert_objects(f, 3);
	assert_bytes(f, b, 0, data, 2 * BLOCK + 5000);
	write_at(f, b, BLOCK, x, sizeof x);
	assert_bytes(f, a, BLOCK, data + BLOCK, sizeof x);
	assert_bytes(f, b, BLOCK, x, sizeof x);
	assert_bytes(f, b, BLOCK + sizeof x, data + BLOCK + sizeof x, MIB);
	close_fixture(f);
}

static void
the_last_file_takes_the_objects_along(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);

	write_at(f, a, 0, data, 2 * BLOCK);
	assert_status(clone_range(f, a, 0, b, 0, 0), DFS_OK);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	assert_objects(f, 2);
	dfs_cache_reclaim(f->pages, UINT32_MAX);
	assert_bytes(f, b, 0, data, 2 * BLOCK);
	fixture_reopen(f);
	assert_bytes(f, b, 0, data, 2 * BLOCK);
	assert_status(remove_name(f, f->root, "b"), DFS_OK);
	assert_objects(f, 0);
	close_fixture(f);
}

static void
ranges_move_over_the_borders_of_blocks(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);

	write_at(f, a, 0, data, 2 * BLOCK);
	write_at(f, b, 0, data + MIB, 2 * BLOCK);
	assert_status(clone_range(f, a, 8192, b, BLOCK - 4096, BLOCK), DFS_OK);
	assert_bytes(f, b, 0, data + MIB, BLOCK - 4096);
	assert_bytes(f, b, BLOCK - 4096, data + 8192, BLOCK);
	assert_bytes(f, b, 2 * BLOCK - 4096, data + MIB + 2 * BLOCK - 4096, 4096);
	dfs_cache_reclaim(f->pages, UINT32_MAX);
	assert_bytes(f, b, BLOCK - 4096, data + 8192, BLOCK);
	close_fixture(f);
}

static void
holes_are_cloned_as_holes(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);
	static const unsigned char zeros[2 * MIB];

	write_at(f, a, 3 * MIB, data, 4096);
	write_at(f, b, 0, data, 4 * MIB);
	assert_status(clone_range(f, a, 0, b, 0, 0), DFS_OK);
	assert_bytes(f, b, 0, zeros, 2 * MIB);
	assert_bytes(f, b, 3 * MIB, data, 4096);
	assert_bytes(f, b, 3 * MIB + 4096, data + 3 * MIB + 4096, 4096);
	g_assert_cmpuint(attr_of(f, b).used, ==, MIB);
	close_fixture(f);
}

static void
one_file_may_be_both(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644);

	write_at(f, a, 0, data, 65536);
	assert_status(clone_range(f, a, 0, a, 4096, 8192), DFS_INVAL);
	assert_status(clone_range(f, a, 4096, a, 0, 8192), DFS_INVAL);
	assert_status(clone_range(f, a, 0, a, 8192, 8192), DFS_OK);
	assert_status(clone_range(f, a, 0, a, 65536, 65536), DFS_OK);
	assert_bytes(f, a, 0, data, 8192);
	assert_bytes(f, a, 8192, data, 8192);
	assert_bytes(f, a, 16384, data + 16384, 65536 - 16384);
	assert_bytes(f, a, 65536 + 8192, data, 8192);
	close_fixture(f);
}

static void
what_is_not_aligned_is_refused(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);

	write_at(f, a, 0, data, 10000);
	write_at(f, b, 0, data, 65536);
	assert_status(clone_range(f, a, 100, b, 0, 4096), DFS_INVAL);
	assert_status(clone_range(f, a, 0, b, 100, 4096), DFS_INVAL);
	assert_status(clone_range(f, a, 0, b, 0, 5000), DFS_INVAL);
	/* The end of the source, in the middle of the other. */
	assert_status(clone_range(f, a, 8192, b, 0, 10000 - 8192), DFS_INVAL);
	assert_status(clone_range(f, a, 8192, b, 65536, 10000 - 8192), DFS_OK);
	g_assert_cmpuint(attr_of(f, b).length, ==, 65536 + 10000 - 8192);
	assert_status(clone_range(f, a, 0, b, 0, 16384), DFS_INVAL);
	assert_status(clone_range(f, a, 12288, b, 0, 0), DFS_INVAL);
	assert_status(clone_range(f, a, 0, b, INT64_MAX / 4096 * 4096, 8192), DFS_FBIG);
	close_fixture(f);
}

static void
only_files_and_only_who_may(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0600), b = make_file(f, f->root, "b", 06777);
	struct dfs_ref dir = make_dir(f, f->root, "d", 0777);
	struct dfs_wcc wcc;

	write_at(f, a, 0, data, 8192);
	assert_status(clone_range(f, a, 0, dir, 0, 0), DFS_ISDIR);
	f->ctx = ctx_as(f, 1000, 1000);
	assert_status(clone_range(f, a, 0, b, 0, 0), DFS_ACCESS);
	assert_status(clone_range(f, b, 0, a, 0, 0), DFS_ACCESS);
	f->ctx = ctx_as(f, 0, 0);
	chown_to(f, a, 1000, 1000);
	f->ctx = ctx_as(f, 1000, 1000);
	assert_status(dfs_fs_clone(&f->ctx, &a, 0, &b, 0, 0, &wcc), DFS_OK);
	g_assert_true(wcc.pre_valid && wcc.post_valid);
	g_assert_cmpuint(wcc.post.length, ==, 8192);
	g_assert_cmpint(wcc.post.mtime, >, wcc.pre_mtime);
	g_assert_cmpuint(wcc.post.mode, ==, 0777); /* as after a write */
	f->ctx = ctx_as(f, 0, 0);
	close_fixture(f);
}

static void
rows_that_grow_too_long_are_written_anew(void)
{
	struct fixture *f = open_fixture();
	struct dfs_ref a = make_file(f, f->root, "a", 0644), b = make_file(f, f->root, "b", 0644);

	write_at(f, a, 0, data, BLOCK);
	write_at(f, b, 0, data + MIB, BLOCK);
	/* Every second unit from somewhere else. */
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t at = i * 16384, from = (i * 7 % 250) * 16384;

		assert_status(clone_range(f, a, from, b, at, 4096), DFS_OK);
	}
	for (uint32_t i = 0; i < 200; i++) {
		assert_bytes(f, b, i * 16384, data + (i * 7 % 250) * 16384, 4096);
		assert_bytes(f, b, i * 16384 + 4096, data + MIB + i * 16384 + 4096, 12288);
	}
	close_fixture(f);
}

int
main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 * 13 + i / 65536) | 1;
	g_test_init(&argc, &argv, NULL);
#define TEST(fn) g_test_add_func("/clone/" #fn, fn)
	TEST(a_clone_shares_and_goes_its_own_way);
	TEST(the_last_file_takes_the_objects_along);
	TEST(ranges_move_over_the_borders_of_blocks);
	TEST(holes_are_cloned_as_holes);
	TEST(one_file_may_be_both);
	TEST(what_is_not_aligned_is_refused);
	TEST(only_files_and_only_who_may);
	TEST(rows_that_grow_too_long_are_written_anew);
	return g_test_run();
}
