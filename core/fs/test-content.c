/* SPDX-License-Identifier: MIT
 *
 * Content and its inode: lengths, times, what is unlinked while open, what a restart reclaims.
 */
#include "fs/test-share.h"
#include "metadata/writeback.h"
#include "payload/payload.h"

static void
write_at(struct fixture *f, struct dfs_ref file, uint64_t at, const char *text)
{
	enum dfs_stable committed;
	uint64_t verifier;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_write(&f->ctx, &file, at, text, (uint32_t)strlen(text), DFS_UNSTABLE,
				   &committed, &verifier, &wcc),
		      DFS_OK);
}

static void
commit(struct fixture *f, struct dfs_ref file)
{
	uint64_t verifier;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_commit(&f->ctx, &file, 0, 0, &verifier, &wcc), DFS_OK);
}

/* The content as text, "" at the end. */
static void
assert_content(struct fixture *f, struct dfs_ref file, uint64_t at, uint32_t len, const char *want,
	       uint32_t want_len, bool eof)
{
	GByteArray *got = g_byte_array_new();
	struct dfs_read out;
	struct dfs_attr attr;

	assert_status(dfs_fs_read(&f->ctx, &file, at, len, &out, &attr), DFS_OK);
	for (uint32_t i = 0; i < out.n; i++)
		g_byte_array_append(got, out.spans[i].data, out.spans[i].len);
	g_assert_cmpint(out.eof, ==, eof);
	dfs_read_release(&out);
	g_assert_cmpmem(got->data, got->len, want, want_len);
	g_byte_array_free(got, TRUE);
}

static enum dfs_status
set_length(struct fixture *f, struct dfs_ref file, uint64_t length)
{
	struct dfs_setattr set = {.mask = DFS_SET_LENGTH, .length = length};
	struct dfs_wcc wcc;

	return dfs_fs_setattr(&f->ctx, &file, &set, NULL, &wcc);
}

static void
test_write_then_read(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "hello");
	write_at(f, file, 5, " world");
	assert_content(f, file, 0, 100, "hello world", 11, true);
	assert_content(f, file, 0, 5, "hello", 5, false);
	assert_content(f, file, 11, 5, "", 0, true);
	assert_content(f, file, 1000, 5, "", 0, true);
}

static void
test_write_changes_attributes(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr before = attr_of(f, file), after;

	write_at(f, file, 10, "x");
	after = attr_of(f, file);
	g_assert_cmpuint(after.length, ==, 11);
	g_assert_cmpuint(after.used, >, 0);
	g_assert_cmpint(after.mtime, >, before.mtime);
	g_assert_cmpint(after.ctime, >, before.ctime);
	g_assert_cmpuint(after.change, >, before.change);
}

static void
test_empty_write_changes_nothing(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr before = attr_of(f, file);

	write_at(f, file, 10, "");
	g_assert_cmpuint(attr_of(f, file).change, ==, before.change);
}

static void
test_large_write_in_pages(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	char *data = g_malloc(DFS_WRITE_MAX);
	enum dfs_stable committed;
	uint64_t verifier;
	struct dfs_wcc wcc;

	for (unsigned i = 0; i < DFS_WRITE_MAX; i++)
		data[i] = (char)(i * 31 >> 4);
	assert_status(dfs_fs_write(&f->ctx, &file, 100, data, DFS_WRITE_MAX, DFS_FILE_SYNC,
				   &committed, &verifier, &wcc),
		      DFS_OK);
	g_assert_cmpuint(verifier, ==, dfs_write_verifier());
	g_assert_cmpint(committed, ==, DFS_FILE_SYNC);
	assert_content(f, file, 100, DFS_WRITE_MAX, data, DFS_WRITE_MAX, true);
	g_free(data);
}

static void
test_offsets_out_of_range(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	enum dfs_stable committed;
	struct dfs_read out;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	uint64_t verifier;

	assert_status(dfs_fs_write(&f->ctx, &file, INT64_MAX, "x", 1, DFS_UNSTABLE, &committed,
				   &verifier, &wcc),
		      DFS_FBIG);
	assert_status(dfs_fs_read(&f->ctx, &file, UINT64_MAX, 1, &out, &attr), DFS_INVAL);
	assert_status(dfs_fs_read(&f->ctx, &file, INT64_MAX, 1, &out, &attr), DFS_INVAL);
}

static void
test_io_on_directory(struct fixture *f)
{
	enum dfs_stable committed;
	struct dfs_read out;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	uint64_t verifier;

	assert_status(dfs_fs_write(&f->ctx, &f->root, 0, "x", 1, DFS_UNSTABLE, &committed,
				   &verifier, &wcc),
		      DFS_ISDIR);
	assert_status(dfs_fs_read(&f->ctx, &f->root, 0, 1, &out, &attr), DFS_ISDIR);
	assert_status(dfs_fs_commit(&f->ctx, &f->root, 0, 0, &verifier, &wcc), DFS_ISDIR);
}

static void
test_truncate_and_extend_reads_zeros(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "abcdef");
	assert_status(set_length(f, file, 2), DFS_OK);
	assert_content(f, file, 0, 10, "ab", 2, true);
	assert_status(set_length(f, file, 5), DFS_OK);
	assert_content(f, file, 0, 10, "ab\0\0\0", 5, true);
}

static void
test_truncate_after_commit(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "abcdef");
	commit(f, file);
	assert_status(set_length(f, file, 2), DFS_OK);
	assert_status(set_length(f, file, 5), DFS_OK);
	assert_content(f, file, 0, 10, "ab\0\0\0", 5, true);
}

static void
test_create_unchecked_truncates(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_setattr set = {.mask = DFS_SET_LENGTH | DFS_SET_MODE, .length = 0, .mode = 0777};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	write_at(f, file, 0, "abcdef");
	assert_status(dfs_fs_create(&f->ctx, &f->root, name_of("a"), DFS_CREATE_UNCHECKED, &set, 0,
				    &attr, &wcc),
		      DFS_OK);
	g_assert_cmpuint(attr.length, ==, 0);
	g_assert_cmpuint(attr.mode, ==, 0644);
}

static void
test_committed_length_survives(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "abcdef");
	commit(f, file);
	fixture_reopen(f);
	g_assert_cmpuint(attr_of(f, file).length, ==, 6);
	assert_content(f, file, 0, 10, "abcdef", 6, true);
}

static void
test_orderly_end_writes_all(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "abcdef");
	fixture_reopen(f);
	assert_content(f, file, 0, 10, "abcdef", 6, true);
}

static void
test_removed_content_is_reclaimed(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);

	write_at(f, file, 0, "abcdef");
	commit(f, file);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	fixture_reopen(f); /* waits for what the lane does */
	dfs_orphans_run(f->share->ns);
	g_assert_cmpuint(test_store_count(f->ts, 'o'), ==, 0);
	g_assert_cmpuint(test_store_count(f->ts, 'm'), ==, 0);
}

static void
test_open_file_outlives_its_name(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_open *open;
	struct dfs_attr attr;

	write_at(f, file, 0, "abcdef");
	assert_status(dfs_fs_open(&f->ctx, &file, DFS_ACCESS_READ, &open), DFS_OK);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).nlink, ==, 0);
	assert_content(f, file, 0, 10, "abcdef", 6, true);
	write_at(f, file, 6, "g");
	assert_content(f, file, 0, 10, "abcdefg", 7, true);
	assert_status(dfs_fs_close(&f->ctx, open), DFS_OK);
	assert_status(dfs_fs_getattr(&f->ctx, &file, &attr), DFS_STALE);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 1);
}

static void
test_second_open_keeps(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_open *one, *two;

	assert_status(dfs_fs_open(&f->ctx, &file, DFS_ACCESS_READ, &one), DFS_OK);
	assert_status(dfs_fs_open(&f->ctx, &file, DFS_ACCESS_READ, &two), DFS_OK);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	assert_status(dfs_fs_close(&f->ctx, one), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).nlink, ==, 0);
	assert_status(dfs_fs_close(&f->ctx, two), DFS_OK);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 1);
}

/* The share's own task may have orphans in hand. */
static void
reclaim_all(struct fixture *f)
{
	for (int64_t end = dfs_clock_mono() + 10 * DFS_SECOND;
	     test_store_count(f->ts, 'o') > 0 && dfs_clock_mono() < end; g_usleep(1000))
		dfs_orphans_run(f->share->ns);
}

/* What a server that died between unlink and last close leaves behind. */
static void
test_restart_sweeps_open_orphans(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_metadata_store *st = f->metadata;
	struct dfs_namespace *ns = f->share->ns;
	struct dfs_inode_record rec = {.size = sizeof rec};
	struct dfs_attr attr;
	struct dfs_txn *txn;

	write_at(f, file, 0, "abcdef");
	commit(f, file);
	assert_status(remove_name(f, f->root, "a"), DFS_OK);
	reclaim_all(f);
	assert_status(dfs_metadata_begin(st, NULL, DFS_TXN_WRITE, &txn), DFS_OK);
	rec.type = DFS_TYPE_REG;
	rec.fileid = file.fileid;
	rec.generation = file.generation;
	rec.flags = DFS_INODE_ORPHAN;
	st->ops.put_inode(st->inst, txn, ns->rec.id, &rec);
	st->ops.put_orphan(st->inst, txn, ns->rec.id, file.fileid, &rec.content);
	assert_status(dfs_metadata_commit(st, txn, NULL), DFS_OK);
	fixture_reopen(f);
	assert_status(dfs_fs_getattr(&f->ctx, &file, &attr), DFS_STALE);
	fixture_reopen(f);
	reclaim_all(f);
	g_assert_cmpuint(test_store_count(f->ts, 'i'), ==, 1);
	g_assert_cmpuint(test_store_count(f->ts, 'o'), ==, 0);
}

static void
test_relatime(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	int64_t first, second;

	write_at(f, file, 0, "abcdef");
	assert_content(f, file, 0, 6, "abcdef", 6, true);
	first = attr_of(f, file).atime;
	g_assert_cmpint(first, >, attr_of(f, file).mtime);
	assert_content(f, file, 0, 6, "abcdef", 6, true);
	g_assert_cmpint(attr_of(f, file).atime, ==, first);
	write_at(f, file, 0, "x");
	assert_content(f, file, 0, 1, "x", 1, false);
	second = attr_of(f, file).atime;
	g_assert_cmpint(second, >, first);
	fixture_reopen(f);
	g_assert_cmpint(attr_of(f, file).atime, ==, second);
}

static void
test_statfs(struct fixture *f)
{
	struct dfs_statfs st;
	struct dfs_attr attr;

	assert_status(dfs_fs_statfs(&f->ctx, &f->root, &st, &attr), DFS_OK);
	g_assert_cmpuint(st.bytes_total, >=, st.bytes_free);
	g_assert_cmpuint(st.bytes_free, >, 0);
	g_assert_cmpuint(st.files_free, <, st.files_total);
}

/* Flushed behind the client's back, committed in the metadata store, not synced, and out of memory:
 * a COMMIT must still wait. */
static void
test_commit_waits_for_a_background_flush(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr attr;

	write_at(f, file, 0, "data");
	assert_status(dfs_payload_flush(f->share->payload, INT64_MAX), DFS_OK);
	for (unsigned i = 0; i < 60000; i++) {
		char name[16];

		snprintf(name, sizeof name, "b%u", i);
		make_file(f, f->root, name, 0644);
		if (i % 5000 == 0)
			assert_status(dfs_writeback_run(f->metadata, NULL), DFS_OK);
	}
	g_assert_false(dfs_inode_peek(f->share->ns, file.fileid, &attr));
	f->ctx.n_tickets = 0;
	commit(f, file);
	g_assert_cmpuint(f->ctx.n_tickets, ==, 1);
	f->ctx.n_tickets = 0;
}

static void
test_create_of_what_is_there_waits(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	make_file(f, f->root, "a", 0644);
	f->ctx.n_tickets = 0;
	assert_status(dfs_fs_create(&f->ctx, &f->root, name_of("a"), DFS_CREATE_UNCHECKED, NULL, 0,
				    &attr, &wcc),
		      DFS_OK);
	g_assert_cmpuint(f->ctx.n_tickets, ==, 1);
	f->ctx.n_tickets = 0;
}

#define TEST(name)                                                                                 \
	{                                                                                          \
#name, test_##name, false                                                          \
	}
#define TEST_DURABLE(name)                                                                         \
	{                                                                                          \
#name, test_##name, true                                                           \
	}

static const struct {
	const char *name;
	void (*run)(struct fixture *);
	bool durable_only; /* about what a restart finds */
} tests[] = {
	TEST(write_then_read),
	TEST(write_changes_attributes),
	TEST(empty_write_changes_nothing),
	TEST(large_write_in_pages),
	TEST(offsets_out_of_range),
	TEST(io_on_directory),
	TEST(truncate_and_extend_reads_zeros),
	TEST(truncate_after_commit),
	TEST(create_unchecked_truncates),
	TEST(committed_length_survives),
	TEST(orderly_end_writes_all),
	TEST(removed_content_is_reclaimed),
	TEST(open_file_outlives_its_name),
	TEST(second_open_keeps),
	TEST_DURABLE(restart_sweeps_open_orphans),
	TEST_DURABLE(commit_waits_for_a_background_flush),
	TEST_DURABLE(create_of_what_is_there_waits),
	TEST(relatime),
	TEST(statfs),
};

static void
run(struct fixture *f, gconstpointer test)
{
	fixture_open(f);
	(*(void (*const *)(struct fixture *))test)(f);
	fixture_close(f);
}

static void
run_volatile(gconstpointer test)
{
	struct fixture f = {.kind = "test"};

	run(&f, test);
}

static void
run_durable(gconstpointer test)
{
	struct fixture f = {
		.kind = "test-durable", .durability = DFS_DURABILITY_POWER, .max_inodes = 1024};

	run(&f, test);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		char *a = g_strdup_printf("/fs/content/volatile/%s", tests[i].name);
		char *b = g_strdup_printf("/fs/content/durable/%s", tests[i].name);

		if (!tests[i].durable_only)
			g_test_add_data_func(a, &tests[i].run, run_volatile);
		g_test_add_data_func(b, &tests[i].run, run_durable);
		g_free(a);
		g_free(b);
	}
	return g_test_run();
}
