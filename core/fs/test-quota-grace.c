/* SPDX-License-Identifier: MIT
 *
 * Quotas: soft limits, and the time for which they may be passed.
 */
#include "fs/test-quota.h"

static int64_t test_time;
static int64_t
test_now(void)
{
	return test_time;
}

static void
a_soft_limit_binds_when_its_grace_is_over(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_ref ref;

	r->rules[0].limit.bytes_soft = 8 * KIB;
	r->rules[0].limit.bytes_hard = 32 * KIB;
	r->rules[0].limit.files_soft = 1;
	r->rules[0].limit.grace = 100 * DFS_SECOND;
	test_time = 1000 * DFS_SECOND;
	open_for_all(&f);
	dfs_quota_set_clock(f.share->ns->quota, test_now);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	test_time += 1000 * DFS_SECOND; /* not above it yet */
	assert_status(write_as(&f, USER, &ref, 8 * KIB, 4 * KIB), DFS_OK);
	test_time += 99 * DFS_SECOND;
	assert_status(write_as(&f, USER, &ref, 12 * KIB, 4 * KIB), DFS_OK);
	test_time += 1 * DFS_SECOND;
	assert_status(write_as(&f, USER, &ref, 16 * KIB, 4 * KIB), DFS_DQUOT);
	assert_status(write_as(&f, USER, &ref, 0, 16 * KIB), DFS_OK);
	/* The time survives a restart. */
	fixture_reopen(&f);
	dfs_quota_set_clock(f.share->ns->quota, test_now);
	assert_status(write_as(&f, USER, &ref, 16 * KIB, 4 * KIB), DFS_DQUOT);
	/* Files have a time of their own. */
	user_file(&f, "b");
	assert_status(set_length(&f, ref, 8 * KIB), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 8 * KIB, 4 * KIB), DFS_OK);
	test_time += 100 * DFS_SECOND;
	assert_status(write_as(&f, USER, &ref, 12 * KIB, 4 * KIB), DFS_DQUOT);
	assert_status(create_as(&f, USER, GROUP, "c", &ref), DFS_DQUOT);
	assert_status(remove_name(&f, f.root, "b"), DFS_OK);
	assert_status(create_as(&f, USER, GROUP, "c", &ref), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_clock_that_is_put_back_gives_no_more_than_the_grace(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_ref ref;

	r->rules[0].limit.bytes_soft = 8 * KIB;
	r->rules[0].limit.grace = 100 * DFS_SECOND;
	test_time = 10000 * DFS_SECOND;
	open_for_all(&f);
	dfs_quota_set_clock(f.share->ns->quota, test_now);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 12 * KIB), DFS_OK);
	test_time = 1000 * DFS_SECOND;
	assert_status(write_as(&f, USER, &ref, 12 * KIB, 4 * KIB), DFS_OK);
	test_time += 100 * DFS_SECOND;
	assert_status(write_as(&f, USER, &ref, 16 * KIB, 4 * KIB), DFS_DQUOT);
	assert_sound(&f);
	fixture_close(&f);
}

/* Since when the store says that USER is above his soft limit of bytes; 0: it says nothing. */
static int64_t
stored_since(struct fixture *f)
{
	g_autofree char *key = g_strdup_printf("quota.since.%u.%u", DFS_USAGE_USER, USER);
	struct dfs_metadata_store *st = f->metadata;
	unsigned char value[64] = {0};
	uint32_t len = sizeof value;
	struct dfs_txn *txn;
	uint64_t bytes;

	assert_status(dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn), DFS_OK);
	st->ops.get_state(st->inst, txn, f->share->ns->rec.id, key, (uint32_t)strlen(key), value,
			  &len);
	dfs_metadata_abort(st, txn);
	memcpy(&bytes, value + 1, sizeof bytes);
	return (int64_t)GUINT64_FROM_LE(bytes);
}

static void
a_limit_that_is_passed_by_being_lowered_has_one_time(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_ref ref;
	int64_t since;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 16 * KIB), DFS_OK);
	assert_sound(&f);
	r->rules[0].limit.bytes_soft = 8 * KIB;
	fixture_reopen(&f);
	since = stored_since(&f);
	g_assert_cmpint(since, !=, 0);
	fixture_reopen(&f);
	g_assert_cmpint(stored_since(&f), ==, since);
	r->rules[0].limit.bytes_soft = 16 * KIB;
	fixture_reopen(&f);
	g_assert_cmpint(stored_since(&f), ==, 0);
	assert_sound(&f);
	fixture_close(&f);
}

static void
times_end_with_the_quotas(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test-durable", r);
	struct dfs_ref ref;

	r->rules[0].limit.bytes_soft = 8 * KIB;
	r->rules[0].limit.grace = 86400 * DFS_SECOND;
	test_time = dfs_clock_real() - 10 * 86400 * DFS_SECOND;
	open_for_all(&f);
	dfs_quota_set_clock(f.share->ns->quota, test_now);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 12 * KIB), DFS_OK);
	assert_sound(&f);
	g_assert_cmpint(stored_since(&f), ==, test_time);
	f.quotas = NULL;
	fixture_reopen(&f);
	g_assert_cmpint(stored_since(&f), ==, 0);
	/* The grace begins with the sums that begin. */
	f.quotas = r;
	fixture_reopen(&f);
	fixture_reopen(&f);
	g_assert_cmpint(stored_since(&f), >, test_time);
	assert_status(write_as(&f, USER, &ref, 12 * KIB, 4 * KIB), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	QUOTA_TEST(a_soft_limit_binds_when_its_grace_is_over);
	QUOTA_TEST(a_clock_that_is_put_back_gives_no_more_than_the_grace);
	QUOTA_TEST(a_limit_that_is_passed_by_being_lowered_has_one_time);
	QUOTA_TEST(times_end_with_the_quotas);
	return g_test_run();
}
