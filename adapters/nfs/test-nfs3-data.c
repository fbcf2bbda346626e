/* SPDX-License-Identifier: MIT
 *
 * READ, WRITE, COMMIT and truncation over the real core/fs on the memory stores.
 */
#include "adapters/nfs/test-nfs3.h"

static unsigned char pattern[1 << 20];

static void
fill_pattern(void)
{
	for (unsigned i = 0; i < sizeof pattern; i++)
		pattern[i] = (unsigned char)(i * 7 + i / 251);
}

static void
test_eof_is_exact(void)
{
	static const struct {
		uint64_t offset;
		uint32_t count, got;
		bool eof;
	} rows[] = {
		{0, 4, 4, false}, {0, 5, 5, true}, {0, 6, 5, true}, {4, 1, 1, true},
		{5, 0, 0, true},  {5, 1, 0, true}, {9, 1, 0, true}, {0, 0, 0, false},
	};
	struct tfh f = make_file("f");

	ASSERT_OK(t_write(f, 0, "hello", 5, DFS_UNSTABLE));
	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct treply r = t_read(f, rows[i].offset, rows[i].count);
		ASSERT_OK(r);
		g_assert_cmpuint(r.count, ==, rows[i].got);
		g_assert_cmpint(r.eof, ==, rows[i].eof);
	}
}

static void
test_empty_file_is_at_its_end(void)
{
	struct treply r = t_read(make_file("f"), 0, 100);

	ASSERT_OK(r);
	g_assert_cmpuint(r.count, ==, 0);
	g_assert_true(r.eof);
}

static void
test_reading_a_directory_is_refused(void)
{
	uint32_t status = t_read(top, 0, 1).status;

	g_assert_true(status == 21 || status == 22);
}

/* Sizes and offsets around pages and blocks, by both ways in. */
static void
test_what_was_written_is_read(void)
{
	static const uint32_t sizes[] = {1, 3, 4095, 4096, 65535, 65536, 65537, 200000, 1 << 20};
	static const uint64_t offsets[] = {0, 1, 65535, (4 << 20) - 10, (UINT64_C(1) << 33) + 5};

	fill_pattern();
	for (unsigned i = 0; i < G_N_ELEMENTS(sizes) * G_N_ELEMENTS(offsets) * 2; i++) {
		uint32_t size = sizes[i / 2 % G_N_ELEMENTS(sizes)];
		uint64_t offset = offsets[i / 2 / G_N_ELEMENTS(sizes)];
		g_autofree char *name = g_strdup_printf("f%u", i);
		struct tfh f = make_file(name);
		struct treply r = i % 2 ? t_write_direct(f, offset, pattern, size)
					: t_write(f, offset, pattern, size, DFS_UNSTABLE);

		ASSERT_OK(r);
		g_assert_cmpuint(r.count, ==, size);
		g_assert_cmpuint(r.wcc.after.size, ==, offset + size);
		r = t_read(f, offset, size);
		ASSERT_OK(r);
		g_assert_true(r.eof);
		g_assert_cmpmem(r.data, r.len, pattern, size);
		ASSERT_OK(t_remove(top, name));
	}
}

static void
test_holes_are_zeros(void)
{
	struct tfh f = make_file("f");
	struct treply r;

	ASSERT_OK(t_write(f, 200000, "x", 1, DFS_UNSTABLE));
	r = t_read(f, 0, 200001);
	ASSERT_OK(r);
	g_assert_cmpuint(r.count, ==, 200001);
	for (uint32_t i = 0; i < 200000; i++)
		g_assert_cmpuint(r.data[i], ==, 0);
	g_assert_cmpuint(r.data[200000], ==, 'x');
}

static void
test_sparse_file_uses_little(void)
{
	struct tfh f = make_file("f");
	struct treply r = t_write(f, UINT64_C(1) << 40, "x", 1, DFS_FILE_SYNC);

	ASSERT_OK(r);
	g_assert_cmpuint(t_getattr(f).attr.used, <, 8 << 20);
	g_assert_cmpuint(t_getattr(f).attr.used, >, 0);
}

static void
test_empty_write_changes_nothing(void)
{
	struct tfh f = make_file("f");
	struct tattr before = t_getattr(f).attr;
	struct treply r = t_write(f, 100, "", 0, DFS_UNSTABLE);

	ASSERT_OK(r);
	g_assert_cmpuint(r.count, ==, 0);
	g_assert_cmpuint(t_getattr(f).attr.size, ==, before.size);
}

static void
test_write_tells_before_and_after(void)
{
	struct tfh f = make_file("f");
	struct treply one, two;

	one = t_write(f, 0, "hello", 5, DFS_UNSTABLE);
	two = t_write(f, 5, "world", 5, DFS_UNSTABLE);
	ASSERT_OK(two);
	g_assert_true(two.wcc.known && two.wcc.after.known);
	g_assert_cmpuint(two.wcc.size, ==, 5);
	g_assert_cmpuint(two.wcc.after.size, ==, 10);
	g_assert_cmpint(two.wcc.ctime, ==, one.wcc.after.ctime);
	g_assert_cmpint(two.wcc.after.ctime, >, one.wcc.after.ctime);
	g_assert_cmpint(two.wcc.after.mtime, >, one.wcc.after.mtime);
}

static void
test_committed_is_at_least_what_was_asked(void)
{
	struct tfh f = make_file("f");

	for (uint32_t stable = DFS_UNSTABLE; stable <= DFS_FILE_SYNC; stable++) {
		struct treply r = t_write(f, 0, "x", 1, stable);
		ASSERT_OK(r);
		g_assert_cmpuint(r.committed, >=, stable);
	}
}

static void
test_one_verifier_for_all(void)
{
	struct tfh f = make_file("f");
	struct treply other =
		t_create(t_root(world.two), "v", DFS_CREATE_UNCHECKED, SET_MODE(0644), 0);
	struct treply w = t_write(f, 0, "x", 1, DFS_UNSTABLE);
	struct treply c = t_commit(f, 0, 0);

	ASSERT_OK(w);
	ASSERT_OK(c);
	ASSERT_OK(other);
	g_assert_cmpuint(w.verf, ==, c.verf);
	g_assert_cmpuint(t_write(other.fh, 0, "x", 1, DFS_UNSTABLE).verf, ==, w.verf);
	g_assert_cmpuint(t_write(f, 0, "x", 1, DFS_FILE_SYNC).verf, ==, w.verf);
}

static void
test_commit_keeps_the_data(void)
{
	struct tfh f = make_file("f");
	struct treply r;

	fill_pattern();
	ASSERT_OK(t_write(f, 12345, pattern, 300000, DFS_UNSTABLE));
	ASSERT_OK(t_commit(f, 12345, 300000));
	r = t_read(f, 12345, 300000);
	ASSERT_OK(r);
	g_assert_cmpmem(r.data, r.len, pattern, 300000);
}

static void
test_owner_writes_without_permission(void)
{
	struct dfs_setattr set = {.mask = DFS_SET_UID | DFS_SET_MODE, .uid = 1000, .mode = 0};
	struct tfh f = make_file("f");

	ASSERT_OK(t_setattr(f, set, NULL));
	t_as(1000, 1000);
	ASSERT_OK(t_write(f, 0, "x", 1, DFS_UNSTABLE));
	ASSERT_OK(t_read(f, 0, 1));
	t_as(1001, 1001);
	ASSERT_STATUS(t_write(f, 0, "x", 1, DFS_UNSTABLE), 13);
	ASSERT_STATUS(t_read(f, 0, 1), 13);
}

/* The client has checked x and now pages the program in. */
static void
test_executable_can_be_read(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_setattr(f, SET_MODE(0711), NULL));
	t_as(1000, 1000);
	ASSERT_OK(t_read(f, 0, 1));
	ASSERT_STATUS(t_write(f, 0, "x", 1, DFS_UNSTABLE), 13);
}

static void
test_write_clears_suid(void)
{
	struct dfs_setattr set = {.mask = DFS_SET_UID, .uid = 1000};
	struct tfh f = make_file("f");

	ASSERT_OK(t_setattr(f, set, NULL));
	ASSERT_OK(t_setattr(f, SET_MODE(06755), NULL));
	t_as(1000, 1000);
	ASSERT_OK(t_write(f, 0, "x", 1, DFS_UNSTABLE));
	g_assert_cmpuint(t_getattr(f).attr.mode & 06000, ==, 0);
}

static void
test_truncation_is_seen_by_readers(void)
{
	struct tfh f = make_file("f");
	struct treply r;

	fill_pattern();
	ASSERT_OK(t_write(f, 0, pattern, 200000, DFS_UNSTABLE));
	ASSERT_OK(t_setattr(f, SET_SIZE(70001), NULL));
	r = t_read(f, 0, 200000);
	ASSERT_OK(r);
	g_assert_cmpmem(r.data, r.len, pattern, 70001);
	g_assert_true(r.eof);
}

/* What truncation cut off must not come back when the file grows again. */
static void
test_growing_again_reads_zeros(void)
{
	struct tfh f = make_file("f");
	struct treply r;

	fill_pattern();
	ASSERT_OK(t_write(f, 0, pattern, 200000, DFS_FILE_SYNC));
	ASSERT_OK(t_setattr(f, SET_SIZE(70001), NULL));
	ASSERT_OK(t_setattr(f, SET_SIZE(200000), NULL));
	r = t_read(f, 0, 200000);
	ASSERT_OK(r);
	g_assert_cmpuint(r.len, ==, 200000);
	g_assert_cmpmem(r.data, 70001, pattern, 70001);
	for (uint32_t i = 70001; i < 200000; i++)
		g_assert_cmpuint(r.data[i], ==, 0);
}

static void
test_largest_file_size(void)
{
	struct tfh f = make_file("f");

	ASSERT_STATUS(t_write(f, INT64_MAX, "x", 1, DFS_UNSTABLE), 27);
	ASSERT_STATUS(t_setattr(f, SET_SIZE(UINT64_C(1) << 63), NULL), 27);
	ASSERT_OK(t_setattr(f, SET_SIZE(INT64_MAX), NULL));
	g_assert_cmpuint(t_getattr(f).attr.size, ==, INT64_MAX);
	struct treply r = t_read(f, INT64_MAX - 10, 10);
	ASSERT_OK(r);
	g_assert_true(r.eof);
}

/* A reply that is still being sent keeps its bytes although the file changes. */
static void
test_pages_of_a_reply_are_immutable(void)
{
	struct tfh f = make_file("f");
	struct xdr_out held;

	ASSERT_OK(t_write(f, 0, "before", 6, DFS_UNSTABLE));
	ASSERT_OK(t_read(f, 0, 6));
	/* t_read has released the pages: run READ once more and keep them */
	g_assert_cmpint(test_conn_run_held(tconn, &nfs3_procs[NFS3_READ], &held), ==, DFS_OK);
	ASSERT_OK(t_write(f, 0, "after!", 6, DFS_UNSTABLE));
	g_assert_cmpuint(held.n_refs, ==, 1);
	g_assert_cmpmem(held.refs[0].data, held.refs[0].len, "before", 6);
	dfs_buf_unref(held.refs[0].buf);
}

static void
test_random_writes_match_a_model(void)
{
	enum { SIZE = 300000 };
	g_autofree unsigned char *model = g_malloc0(SIZE);
	struct tfh f = make_file("f");
	uint32_t length = 0;

	for (unsigned i = 0; i < 400; i++) {
		uint32_t at = (uint32_t)g_test_rand_int_range(0, SIZE);
		uint32_t len = (uint32_t)g_test_rand_int_range(0, MIN(100000, SIZE - (int)at) + 1);
		struct treply r;

		switch (g_test_rand_int_range(0, 6)) {
		case 0:
			ASSERT_OK(t_setattr(f, SET_SIZE(at), NULL));
			if (at < length)
				memset(model + at, 0, length - at);
			length = at;
			break;
		case 1:
			ASSERT_OK(t_commit(f, 0, 0));
			break;
		case 2:
		case 3:
			if (len == 0)
				break;
			for (uint32_t k = 0; k < len; k++)
				model[at + k] = (unsigned char)(i + k);
			r = i % 2 ? t_write_direct(f, at, model + at, len)
				  : t_write(f, at, model + at, len, i % 3);
			ASSERT_OK(r);
			length = MAX(length, at + len);
			break;
		default:
			r = t_read(f, at, len);
			ASSERT_OK(r);
			uint32_t want = at >= length ? 0 : MIN(len, length - at);
			g_assert_cmpmem(r.data, r.len, model + at, want);
			g_assert_cmpint(r.eof, ==, (uint64_t)at + want >= length);
			break;
		}
		g_assert_cmpuint(t_getattr(f).attr.size, ==, length);
	}
}

int
main(int argc, char **argv)
{
	test_nfs3_init(&argc, &argv);
#define ADD(name, fn) test_nfs3_add("/nfs/data/" name, fn)
	ADD("eof-is-exact", test_eof_is_exact);
	ADD("empty-file-is-at-its-end", test_empty_file_is_at_its_end);
	ADD("reading-a-directory-is-refused", test_reading_a_directory_is_refused);
	ADD("what-was-written-is-read", test_what_was_written_is_read);
	ADD("holes-are-zeros", test_holes_are_zeros);
	ADD("sparse-file-uses-little", test_sparse_file_uses_little);
	ADD("empty-write-changes-nothing", test_empty_write_changes_nothing);
	ADD("write-tells-before-and-after", test_write_tells_before_and_after);
	ADD("committed-is-at-least-what-was-asked", test_committed_is_at_least_what_was_asked);
	ADD("one-verifier-for-all", test_one_verifier_for_all);
	ADD("commit-keeps-the-data", test_commit_keeps_the_data);
	ADD("owner-writes-without-permission", test_owner_writes_without_permission);
	ADD("executable-can-be-read", test_executable_can_be_read);
	ADD("write-clears-suid", test_write_clears_suid);
	ADD("truncation-is-seen-by-readers", test_truncation_is_seen_by_readers);
	ADD("growing-again-reads-zeros", test_growing_again_reads_zeros);
	ADD("largest-file-size", test_largest_file_size);
	ADD("pages-of-a-reply-are-immutable", test_pages_of_a_reply_are_immutable);
	ADD("random-writes-match-a-model", test_random_writes_match_a_model);
	return test_nfs3_run();
}
