/* SPDX-License-Identifier: MIT
 *
 * Quotas: sums in the store that agree with its records whatever fails.
 */
#include "fs/test-quota.h"
#include "io/gate.h"
#include "payload/wal/test-disk.h"

static void
a_share_without_quotas_keeps_no_sums(void)
{
	struct fixture f = share_with("test", NULL);
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_status(dfs_payload_flush(f.share->payload, INT64_MAX), DFS_OK);
	g_assert_cmpuint(test_store_count(f.ts, 'u'), ==, 0);
	fixture_close(&f);
}

/* Refused before anything is changed. */
static void
a_store_without_sums_has_no_quotas(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", NULL);
	struct dfs_share_options o = {.name = "other", .path = "/other", .quotas = r};
	struct dfs_share *share = NULL;

	fixture_open(&f);
	o.metadata = f.metadata;
	o.blocks = f.blocks;
	o.inodes = f.inodes;
	o.pages = f.pages;
	o.lock_domain = &f.lock_domain;
	f.metadata->ops.add_usage = NULL;
	assert_status(dfs_share_open(&o, &share), DFS_NOTSUP);
	g_assert_nonnull(strstr(dfs_fail_text(), "keeps no sums of usage"));
	fixture_close(&f);
}

static void
sums_begin_with_a_recount_and_end_with_the_quotas(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", NULL);
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	struct dfs_ref ref;
	char name[32];

	open_for_all(&f);
	/* Directories in directories, a file of two names, more entries than one transaction reads. */
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "%u", i);
		assert_status(create_as(&f, i % 3 ? USER : USER + i, GROUP, name, &ref), DFS_OK);
		if (i % 7 == 0)
			assert_status(write_as(&f, 0, &ref, 4096 * i, 1000 + i), DFS_OK);
	}
	assert_status(dfs_fs_link(&f.ctx, &ref, &f.root, name_of("again"), &attr, &wcc), DFS_OK);
	ref = f.root;
	for (unsigned i = 0; i < 20; i++) {
		ref = make_dir(&f, ref, "deeper", 0777);
		make_file(&f, ref, "file", 0666);
	}
	f.quotas = r;
	fixture_reopen(&f);
	g_assert_cmpint(files_of(&f, DFS_USAGE_SHARE, 0), ==, 1 + 600 + 40);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 401);
	assert_sound(&f);
	ref = user_file(&f, "more");
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	fixture_reopen(&f);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 402);
	assert_sound(&f);
	f.quotas = NULL;
	fixture_reopen(&f);
	g_assert_cmpuint(test_store_count(f.ts, 'u'), ==, 0);
	assert_status(remove_name(&f, f.root, "more"), DFS_OK);
	f.quotas = r;
	fixture_reopen(&f);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 401);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_failed_change_leaves_nothing(void)
{
	static const enum dfs_status how[] = {DFS_IO, DFS_NOSPC, DFS_AGAIN};
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_setattr set = {.mask = DFS_SET_UID, .uid = 5};
	struct dfs_wcc wcc;
	struct dfs_ref ref, other;

	open_for_all(&f);
	ref = user_file(&f, "a");
	other = user_file(&f, "b");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_sound(&f);
	for (unsigned i = 0; i < G_N_ELEMENTS(how); i++) {
		unsigned n = how[i] == DFS_AGAIN ? 1000000 : 1;
		enum dfs_status want = how[i] == DFS_AGAIN ? DFS_DELAY : how[i];
		int64_t bytes = bytes_of(&f, DFS_USAGE_USER, USER);

		f.ctx.deadline = how[i] == DFS_AGAIN ? 0 : f.ctx.deadline;
		test_store_fail_commits(f.ts, n, how[i]);
		assert_status(dfs_fs_setattr(&f.ctx, &ref, &set, NULL, &wcc), want);
		g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, 5), ==, 0);
		g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, bytes);
		test_store_fail_commits(f.ts, n, how[i]);
		assert_status(remove_name(&f, f.root, "a"), want);
		test_store_fail_commits(f.ts, n, how[i]);
		assert_status(set_length(&f, ref, 4096), want);
		test_store_fail_commits(f.ts, n, how[i]);
		assert_status(dfs_fs_clone(&f.ctx, &ref, 0, &other, 0, 0, &wcc), want);
		g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, bytes);
		test_store_fail_commits(f.ts, 0, DFS_OK);
		f.ctx = ctx_as(&f, 0, 0);
		assert_sound(&f);
		/* And the way is free. */
		assert_status(write_as(&f, USER, &ref, 64 * KIB * (i + 1), 64 * KIB), DFS_OK);
		assert_sound(&f);
	}
	assert_status(dfs_fs_clone(&f.ctx, &ref, 0, &other, 0, 0, &wcc), DFS_OK);
	assert_status(dfs_fs_setattr(&f.ctx, &ref, &set, NULL, &wcc), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

/* A commit that failed in a way that does not tell: the next transaction asks the record. */
static void
an_inode_of_an_unsure_commit_is_counted_anew(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_inode *inode;
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_sound(&f);
	inode = dfs_inode_find(f.share->ns, ref.fileid);
	dfs_inode_bucket_lock(inode);
	inode->state |= DFS_STATE_UNSURE;
	inode->stored = (struct dfs_inode_stored){12345, 6, 7};
	dfs_inode_bucket_unlock(inode);
	dfs_inode_unref(inode);
	chown_to(&f, ref, 9, 9);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, 9), ==, 64 * KIB);
	assert_sound(&f);
	fixture_close(&f);
}

/* As if another transaction, in a store that runs several at once, had the inode in hand. */
static void
an_inode_in_hand_is_left_alone(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_setattr set = {.mask = DFS_SET_UID, .uid = 5};
	struct dfs_inode *inode;
	struct dfs_wcc wcc;
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	inode = dfs_inode_find(f.share->ns, ref.fileid);
	dfs_inode_bucket_lock(inode);
	inode->state |= DFS_STATE_HELD;
	dfs_inode_bucket_unlock(inode);
	f.ctx.deadline = 0;
	assert_status(dfs_fs_setattr(&f.ctx, &ref, &set, NULL, &wcc), DFS_DELAY);
	assert_status(remove_name(&f, f.root, "a"), DFS_DELAY);
	assert_status(set_length(&f, ref, 0), DFS_DELAY);
	assert_store_sound(&f);
	dfs_inode_bucket_lock(inode);
	inode->state &= ~DFS_STATE_HELD;
	dfs_inode_bucket_unlock(inode);
	dfs_inode_unref(inode);
	f.ctx = ctx_as(&f, 0, 0);
	assert_sound(&f);
	assert_status(dfs_fs_setattr(&f.ctx, &ref, &set, NULL, &wcc), DFS_OK);
	assert_status(remove_name(&f, f.root, "a"), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

static enum dfs_status
drift(void *arg, struct dfs_txn *txn)
{
	struct fixture *f = arg;
	const struct dfs_usage_record one = {
		.size = sizeof one, .kind = DFS_USAGE_USER, .id = USER, .bytes = 4096};

	return f->metadata->ops.add_usage(f->metadata->inst, txn, f->share->ns->rec.id, &one);
}

static enum dfs_status
drift_record(void *arg, struct dfs_txn *txn)
{
	struct fixture *f = arg;
	struct dfs_inode_record rec = {.size = sizeof rec};
	struct dfs_metadata_store *st = f->metadata;
	struct dfs_ref ref;

	assert_status(look(f, f->root, "a", &ref), DFS_OK);
	assert_status(st->ops.get_inode(st->inst, txn, f->share->ns->rec.id, ref.fileid, &rec),
		      DFS_OK);
	rec.used += 4096;
	return st->ops.put_inode(st->inst, txn, f->share->ns->rec.id, &rec);
}

static void
a_recount_finds_what_has_drifted(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_recount found;
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_sound(&f);
	assert_status(dfs_metadata_update(f.metadata, drift, &f, NULL), DFS_OK);
	assert_status(dfs_recount_check(f.share->ns, &found), DFS_OK);
	g_assert_cmpuint(found.wrong_sums, ==, 1);
	g_assert_cmpuint(found.wrong_used, ==, 0);
	assert_status(dfs_metadata_update(f.metadata, drift_record, &f, NULL), DFS_OK);
	assert_status(dfs_recount_check(f.share->ns, &found), DFS_OK);
	g_assert_cmpuint(found.wrong_sums, ==, 1);
	g_assert_cmpuint(found.wrong_used, ==, 1);
	/* Counted anew all is right again. */
	f.quotas = NULL;
	fixture_reopen(&f);
	f.quotas = r;
	fixture_reopen(&f);
	assert_sound(&f);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 64 * KIB);
	fixture_close(&f);
}

static struct fixture *crashing;
static void
lose(void *arg)
{
	sim_crash(arg, true);
	test_store_power_on(crashing->ts);
}

/* What was acknowledged and lies in the log alone is charged again, whatever the limit says. */
static void
a_replay_charges_what_it_brings(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct sim *disk = sim_new(4096);
	struct dfs_wal_config log = {.persister = DFS_WAL_FILE,
				     .path = "/log",
				     .size = 64u << 20,
				     .segment_size = 8u << 20,
				     .disk = sim_ops(disk)};
	struct fixture f = {.kind = "test-durable",
			    .durability = DFS_DURABILITY_POWER,
			    .durable_blocks = true,
			    .log = &log,
			    .quotas = r};
	struct dfs_ref ref;

	open_for_all(&f);
	crashing = &f;
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 256 * KIB), DFS_OK);
	assert_sound(&f);
	assert_status(write_as(&f, USER, &ref, 128 * KIB, 256 * KIB), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 384 * KIB);
	assert_status(dfs_gate_wait_sync(dfs_wal_gate(f.wal), dfs_wal_last(f.wal), DFS_SYNC_POWER,
					 dfs_clock_mono() + 10 * DFS_SECOND),
		      DFS_OK);
	r->rules[0].limit.bytes_hard = 300 * KIB;
	sim_freeze(disk);
	test_store_lose_power(f.ts, test_store_unsynced(f.ts));
	fixture_crash(&f, lose, disk);
	assert_store_sound(&f);
	g_assert_cmpuint(attr_of(&f, ref).length, ==, 384 * KIB);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 384 * KIB);
	assert_status(write_as(&f, USER, &ref, 384 * KIB, 1), DFS_DQUOT);
	assert_sound(&f);
	fixture_close(&f);
	sim_free(disk);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	QUOTA_TEST(a_share_without_quotas_keeps_no_sums);
	QUOTA_TEST(a_store_without_sums_has_no_quotas);
	QUOTA_TEST(sums_begin_with_a_recount_and_end_with_the_quotas);
	QUOTA_TEST(a_failed_change_leaves_nothing);
	QUOTA_TEST(an_inode_of_an_unsure_commit_is_counted_anew);
	QUOTA_TEST(an_inode_in_hand_is_left_alone);
	QUOTA_TEST(a_recount_finds_what_has_drifted);
	QUOTA_TEST(a_replay_charges_what_it_brings);
	return g_test_run();
}
