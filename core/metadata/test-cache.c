/* SPDX-License-Identifier: MIT
 *
 * Caches, write-back, chains of equal hashes, and stores that fail or are busy.
 */
#include "fs/test-share.h"
#include "io/gate.h"
#include "metadata/cache.h"
#include "metadata/dirent.h"
#include "metadata/writeback.h"

#define CHAIN UINT64_C(0x1234500)

/* Names put into one chain, whatever their hash. */
static void
chain_add(struct fixture *f, const char *name, uint64_t fileid, enum dfs_status want)
{
	struct dfs_namespace *ns = f->share->ns;
	struct dfs_dirent d;
	struct dfs_txn *txn;
	enum dfs_status status;

	assert_status(dfs_metadata_begin(f->metadata, NULL, DFS_TXN_WRITE, &txn), DFS_OK);
	assert_status(dfs_dirent_read(ns, txn, 9, name_of(name), CHAIN, &d), DFS_OK);
	g_assert_cmpuint(d.fileid, ==, 0);
	status = dfs_dirent_add(ns, txn, 9, name_of(name), &d, fileid, DFS_TYPE_REG);
	assert_status(status, want);
	assert_status(dfs_metadata_commit(f->metadata, txn, NULL), DFS_OK);
}

static struct dfs_dirent
chain_find(struct fixture *f, const char *name)
{
	struct dfs_dirent d;
	struct dfs_txn *txn;

	assert_status(dfs_metadata_begin(f->metadata, NULL, DFS_TXN_READ, &txn), DFS_OK);
	assert_status(dfs_dirent_read(f->share->ns, txn, 9, name_of(name), CHAIN, &d), DFS_OK);
	dfs_metadata_abort(f->metadata, txn);
	return d;
}

static void
chain_del(struct fixture *f, const char *name)
{
	struct dfs_dirent d = chain_find(f, name);
	struct dfs_txn *txn;

	assert_status(dfs_metadata_begin(f->metadata, NULL, DFS_TXN_WRITE, &txn), DFS_OK);
	assert_status(dfs_dirent_del(f->share->ns, txn, 9, name_of(name), &d), DFS_OK);
	assert_status(dfs_metadata_commit(f->metadata, txn, NULL), DFS_OK);
}

static void
test_chain_holds_three(struct fixture *f)
{
	chain_add(f, "a", 101, DFS_OK);
	g_assert_true(chain_find(f, "a").alone);
	chain_add(f, "b", 102, DFS_OK);
	chain_add(f, "c", 103, DFS_OK);
	g_assert_false(chain_find(f, "a").alone);
	g_assert_cmpuint(chain_find(f, "a").fileid, ==, 101);
	g_assert_cmpuint(chain_find(f, "b").fileid, ==, 102);
	g_assert_cmpuint(chain_find(f, "c").fileid, ==, 103);
	g_assert_cmpuint(chain_find(f, "d").fileid, ==, 0);
}

static void
test_chain_keeps_cookies(struct fixture *f)
{
	uint64_t cookie;

	chain_add(f, "a", 101, DFS_OK);
	chain_add(f, "b", 102, DFS_OK);
	chain_add(f, "c", 103, DFS_OK);
	cookie = chain_find(f, "c").cookie;
	chain_del(f, "a");
	g_assert_cmpuint(chain_find(f, "c").cookie, ==, cookie);
	chain_del(f, "b");
	g_assert_cmpuint(chain_find(f, "c").cookie, ==, cookie);
	g_assert_cmpuint(chain_find(f, "a").fileid, ==, 0);
}

static void
test_chain_reuses_holes(struct fixture *f)
{
	chain_add(f, "a", 101, DFS_OK);
	chain_add(f, "b", 102, DFS_OK);
	chain_del(f, "a");
	chain_add(f, "c", 103, DFS_OK);
	g_assert_cmpuint(chain_find(f, "c").cookie, ==, CHAIN);
	g_assert_cmpuint(chain_find(f, "b").fileid, ==, 102);
}

static void
test_chain_cleans_up(struct fixture *f)
{
	unsigned before = test_store_count(f->ts, 'd');

	chain_add(f, "a", 101, DFS_OK);
	chain_add(f, "b", 102, DFS_OK);
	chain_add(f, "c", 103, DFS_OK);
	chain_del(f, "a");
	chain_del(f, "b");
	chain_del(f, "c");
	g_assert_cmpuint(test_store_count(f->ts, 'd'), ==, before);
	g_assert_true(chain_find(f, "a").alone);
}

static void
test_chain_is_full_at_64(struct fixture *f)
{
	char name[16];

	for (unsigned i = 0; i < 64; i++) {
		snprintf(name, sizeof name, "n%u", i);
		chain_add(f, name, 200 + i, DFS_OK);
	}
	chain_add(f, "one too many", 999, DFS_NOSPC);
	g_assert_cmpuint(chain_find(f, "n63").fileid, ==, 263);
}

static void
test_cookies_in_range(struct fixture *f)
{
	for (unsigned i = 0; i < 10000; i++) {
		char name[16];
		uint64_t c;

		snprintf(name, sizeof name, "%u", i);
		c = dfs_dirent_cookie(f->share->ns, name_of(name));
		g_assert_cmpuint(c, >=, 64);
		g_assert_cmpuint(c, <=, INT64_MAX);
		g_assert_cmpuint(c & 63, ==, 0);
	}
}

static void
test_cache_keeps_its_limit(struct fixture *f)
{
	uint64_t inodes, names;
	struct dfs_attr attr;

	for (unsigned i = 0; i < 20000; i++) {
		char name[64];

		snprintf(name, sizeof name,
			 "a name that is a little longer than the inline room %u", i);
		make_file(f, f->root, name, 0644);
	}
	dfs_inode_cache_usage(f->inodes, &inodes, &names);
	g_assert_cmpuint(inodes, <=, 1024 + 1024 / 4);
	g_assert_cmpuint(names, <=, 1024);
	for (unsigned i = 0; i < 20000; i += 97) {
		char name[64];
		struct dfs_ref ref;

		snprintf(name, sizeof name,
			 "a name that is a little longer than the inline room %u", i);
		assert_status(look(f, f->root, name, &ref), DFS_OK);
		assert_status(dfs_fs_getattr(&f->ctx, &ref, &attr), DFS_OK);
	}
}

static unsigned busy_asked;

static bool
busy_for_ever(const struct dfs_file *file)
{
	busy_asked++;
	return true;
}

static void
test_pinned_inodes_are_not_searched_each_time(struct fixture *f)
{
	bool (*busy)(const struct dfs_file *) = f->share->ns->content.busy;
	unsigned n = 24000; /* more than there are mapped slots for */

	f->share->ns->content.busy = busy_for_ever;
	busy_asked = 0;
	for (unsigned i = 0; i < n; i++) {
		char name[16];
		struct dfs_ref ref;
		struct dfs_wcc wcc;
		enum dfs_stable committed;
		uint64_t verifier;

		snprintf(name, sizeof name, "%u", i);
		ref = make_file(f, f->root, name, 0644);
		assert_status(dfs_fs_write(&f->ctx, &ref, 0, "x", 1, DFS_UNSTABLE, &committed,
					   &verifier, &wcc),
			      DFS_OK);
	}
	f->share->ns->content.busy = busy;
	g_assert_cmpuint(busy_asked, <, 16 * n);
}

static void
test_evicted_changes_are_written(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	struct dfs_attr want;

	make_file(f, d, "x", 0644); /* changes d lazily */
	want = attr_of(f, d);
	for (unsigned i = 0; i < 10000; i++) {
		char name[16];

		snprintf(name, sizeof name, "f%u", i);
		make_dir(f, f->root, name, 0755);
		snprintf(name, sizeof name, "g%u", i);
		assert_status(rename_to(f, f->root, "d", f->root, "d"), DFS_OK);
	}
	g_assert_cmpint(attr_of(f, d).mtime, ==, want.mtime);
	g_assert_cmpuint(attr_of(f, d).change, ==, want.change);
}

static void
test_times_survive_restart(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	struct dfs_attr want;

	make_file(f, d, "x", 0644);
	want = attr_of(f, d);
	fixture_reopen(f);
	g_assert_cmpint(attr_of(f, d).mtime, ==, want.mtime);
	g_assert_cmpuint(attr_of(f, d).change, ==, want.change);
}

static void
test_failed_commit_changes_nothing(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);
	struct dfs_attr before = attr_of(f, f->root), attr;
	struct dfs_wcc wcc;

	test_store_fail_commits(f->ts, 1, DFS_IO);
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_IO);
	g_assert_cmpuint(attr_of(f, f->root).nlink, ==, before.nlink);
	g_assert_cmpuint(attr_of(f, f->root).change, ==, before.change);
	assert_status(look(f, f->root, "x", NULL), DFS_NOENT);
	test_store_fail_commits(f->ts, 1, DFS_NOSPC);
	assert_status(remove_dir(f, f->root, "d"), DFS_NOSPC);
	assert_status(look(f, f->root, "d", NULL), DFS_OK);
	g_assert_cmpuint(attr_of(f, d).nlink, ==, 2);
	test_store_fail_commits(f->ts, 1, DFS_IO);
	assert_status(rename_to(f, f->root, "d", f->root, "e"), DFS_IO);
	assert_status(look(f, f->root, "d", NULL), DFS_OK);
	assert_status(look(f, f->root, "e", NULL), DFS_NOENT);
}

static void
test_serialisation_failures_are_retried(struct fixture *f)
{
	test_store_fail_commits(f->ts, 5, DFS_AGAIN);
	make_file(f, f->root, "a", 0644);
	test_store_fail_commits(f->ts, 5, DFS_AGAIN);
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_OK);
	test_store_fail_commits(f->ts, 5, DFS_AGAIN);
	assert_status(remove_name(f, f->root, "b"), DFS_OK);
}

static void
test_endless_retries_end_in_delay(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	test_store_fail_commits(f->ts, 1000000, DFS_AGAIN);
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_DELAY);
	test_store_fail_commits(f->ts, 0, DFS_OK);
}

static void
test_nonblock_answers_again(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	f->ctx.nonblock = true;
	test_store_busy(f->ts, true);
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_AGAIN);
	assert_status(look(f, f->root, "x", NULL), DFS_AGAIN);
	assert_status(dfs_fs_getattr(&f->ctx, &f->root, &attr), DFS_OK); /* cached */
	test_store_busy(f->ts, false);
	assert_status(look(f, f->root, "x", NULL), DFS_NOENT);
}

static void
test_locked_inode_answers_again(struct fixture *f)
{
	struct dfs_inode *root;
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(dfs_inode_get(NULL, f->share->ns, f->root.fileid, &root), DFS_OK);
	assert_status(dfs_inode_lock(NULL, root), DFS_OK);
	f->ctx.nonblock = true;
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_AGAIN);
	f->ctx.nonblock = false;
	f->ctx.deadline = dfs_clock_mono();
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_DELAY);
	dfs_inode_unlock(root);
	dfs_inode_unref(root);
}

static void
test_ticket_of_durability(struct fixture *f)
{
	make_file(f, f->root, "a", 0644);
	g_assert_cmpuint(f->ctx.n_tickets, ==, 1);
	g_assert_cmpuint(f->ctx.tickets[0].level, ==, DFS_SYNC_POWER);
	g_assert_cmpuint(f->ctx.tickets[0].seq, <=, f->metadata->last_seq);
}

static void
test_sync_takes_the_dirty_along(struct fixture *f)
{
	uint64_t commits;

	make_file(f, f->root, "a", 0644);
	commits = test_store_commits(f->ts);
	assert_status(dfs_gate_wait_sync(f->ctx.tickets[0].gate, f->ctx.tickets[0].seq,
					 DFS_SYNC_POWER, INT64_MAX),
		      DFS_OK);
	g_assert_cmpuint(test_store_commits(f->ts), ==, commits + 1);
	g_assert_cmpuint(test_store_syncs(f->ts), >=, 1);
}

static void
test_identity_survives_restart(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644), other;
	uint64_t fsid = f->share->fsid;

	fixture_reopen(f);
	g_assert_cmpuint(f->share->fsid, ==, fsid);
	g_assert_cmpuint(attr_of(f, file).fileid, ==, file.fileid);
	other = make_file(f, f->root, "b", 0644);
	g_assert_cmpuint(other.fileid, >, file.fileid);
}

static void
test_store_that_holds_loops_is_demoted(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	f->ctx.nonblock = true;
	test_store_stall(f->ts, 20 * 1000000);
	for (unsigned i = 0; i < 12; i++) {
		char name[8];

		snprintf(name, sizeof name, "%u", i);
		dfs_fs_create(&f->ctx, &f->root, name_of(name), DFS_CREATE_GUARDED, NULL, 0, &attr,
			      &wcc);
	}
	test_store_stall(f->ts, 0);
	g_assert_cmpuint(f->metadata->thread_model, ==, DFS_THREADS_BLOCKING);
	assert_status(dfs_fs_mkdir(&f->ctx, &f->root, name_of("x"), NULL, &attr, &wcc), DFS_AGAIN);
}

#define TEST(name)                                                                                 \
	{                                                                                          \
		"/metadata/cache/" #name, test_##name, "test", 0                                   \
	}
#define TEST_DURABLE(name)                                                                         \
	{                                                                                          \
		"/metadata/cache/" #name, test_##name, "test-durable", 0                           \
	}
#define TEST_SMALL(name, kind)                                                                     \
	{                                                                                          \
		"/metadata/cache/" #name "/" kind, test_##name, kind, 1024                         \
	}

static const struct {
	const char *path;
	void (*run)(struct fixture *);
	const char *kind;
	uint64_t limit;
} tests[] = {
	TEST(chain_holds_three),
	TEST(chain_keeps_cookies),
	TEST(chain_reuses_holes),
	TEST(chain_cleans_up),
	TEST(chain_is_full_at_64),
	TEST(cookies_in_range),
	TEST_SMALL(cache_keeps_its_limit, "test"),
	TEST_SMALL(cache_keeps_its_limit, "test-durable"),
	TEST_SMALL(pinned_inodes_are_not_searched_each_time, "test"),
	TEST_SMALL(evicted_changes_are_written, "test"),
	TEST_SMALL(evicted_changes_are_written, "test-durable"),
	TEST(times_survive_restart),
	TEST(failed_commit_changes_nothing),
	TEST(serialisation_failures_are_retried),
	TEST(endless_retries_end_in_delay),
	TEST_DURABLE(nonblock_answers_again),
	TEST(locked_inode_answers_again),
	TEST(store_that_holds_loops_is_demoted),
	TEST_DURABLE(ticket_of_durability),
	TEST_DURABLE(sync_takes_the_dirty_along),
	TEST_DURABLE(identity_survives_restart),
};

static void
run(gconstpointer data)
{
	unsigned i = GPOINTER_TO_UINT(data);
	struct fixture f = {
		.kind = tests[i].kind,
		.durability = DFS_DURABILITY_POWER,
		.max_inodes = tests[i].limit,
		.max_names = tests[i].limit,
	};

	fixture_open(&f);
	tests[i].run(&f);
	fixture_close(&f);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_data_func(tests[i].path, GUINT_TO_POINTER(i), run);
	return g_test_run();
}
