/* SPDX-License-Identifier: MIT
 *
 * Quotas: what is charged to whom, and limits that hold exactly.
 */
#include "fs/test-quota.h"

static void
an_owner_is_charged_for_what_is_allocated(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 1);
	assert_status(write_as(&f, USER, &ref, 0, 1), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 4096);
	/* A hole is not. */
	assert_status(write_as(&f, USER, &ref, 1 << 20, 8192), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 3 * 4096);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_GROUP, GROUP), ==, 3 * 4096);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_SHARE, 0), ==, 4 * 4096); /* and the root */
	g_assert_cmpint(files_of(&f, DFS_USAGE_SHARE, 0), ==, 2);
	assert_sound(&f);
	assert_status(set_length(&f, ref, 1), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 4096);
	assert_sound(&f);
	assert_status(remove_name(&f, f.root, "a"), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 0);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 0);
	assert_sound(&f);
	fixture_close(&f);
}

static void
the_users_limit_of_bytes_holds(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_attr before, after;
	struct dfs_ref ref;

	r->rules[0].limit.bytes_hard = 64 * KIB;
	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 60 * KIB), DFS_OK);
	before = attr_of(&f, ref);
	/* All of it or nothing. */
	assert_status(write_as(&f, USER, &ref, 60 * KIB, 8 * KIB), DFS_DQUOT);
	after = attr_of(&f, ref);
	g_assert_cmpuint(after.length, ==, before.length);
	g_assert_cmpuint(after.used, ==, before.used);
	g_assert_cmpint(after.mtime, ==, before.mtime);
	assert_status(write_as(&f, USER, &ref, 60 * KIB, 4 * KIB), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 64 * KIB, 1), DFS_DQUOT);
	/* At the limit what is there may be written over. */
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_sound(&f);
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	/* What is cut off is free at once. */
	assert_status(set_length(&f, ref, 32 * KIB), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 32 * KIB, 32 * KIB), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 64 * KIB, 1), DFS_DQUOT);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 64 * KIB);
	assert_sound(&f);
	fixture_close(&f);
}

static void
the_limit_of_files_holds(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ctx ctx;
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	struct dfs_ref ref;

	r->rules[0].limit.files_hard = 3;
	open_for_all(&f);
	user_file(&f, "a");
	user_file(&f, "b");
	ctx = ctx_as(&f, USER, GROUP);
	assert_status(dfs_fs_mkdir(&ctx, &f.root, name_of("d"), NULL, &attr, &wcc), DFS_OK);
	assert_status(create_as(&f, USER, GROUP, "c", &ref), DFS_DQUOT);
	assert_status(dfs_fs_mkdir(&ctx, &f.root, name_of("e"), NULL, &attr, &wcc), DFS_DQUOT);
	assert_status(dfs_fs_symlink(&ctx, &f.root, name_of("l"), "x", 1, NULL, &attr, &wcc),
		      DFS_DQUOT);
	assert_status(look(&f, f.root, "c", NULL), DFS_NOENT);
	/* What there is may be opened. */
	assert_status(create_as(&f, USER, GROUP, "a", &ref), DFS_OK);
	assert_status(remove_dir(&f, f.root, "d"), DFS_OK);
	assert_status(create_as(&f, USER, GROUP, "c", &ref), DFS_OK);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 3);
	assert_sound(&f);
	fixture_close(&f);
}

static void
the_shares_limit_is_for_all(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref ref, mine;

	r->share.bytes_hard = 68 * KIB; /* the root has 4 */
	r->share.files_hard = 3;
	open_for_all(&f);
	ref = user_file(&f, "a");
	mine = make_file(&f, f.root, "root", 0644);
	assert_status(write_as(&f, USER, &ref, 0, 32 * KIB), DFS_OK);
	assert_status(write_as(&f, 0, &mine, 0, 36 * KIB), DFS_NOSPC);
	assert_status(write_as(&f, 0, &mine, 0, 32 * KIB), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 32 * KIB, 1), DFS_NOSPC);
	assert_status(create_as(&f, 0, 0, "more", &ref), DFS_NOSPC);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_groups_limit_holds_for_its_files(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref ref;

	r->rules[1].limit.bytes_hard = 8 * KIB;
	open_for_all(&f);
	assert_status(create_as(&f, 7, GROUP, "a", &ref), DFS_OK);
	assert_status(write_as(&f, 7, &ref, 0, 12 * KIB), DFS_DQUOT);
	assert_status(write_as(&f, 7, &ref, 0, 8 * KIB), DFS_OK);
	assert_status(create_as(&f, 7, GROUP + 1, "b", &ref), DFS_OK);
	assert_status(write_as(&f, 7, &ref, 0, 12 * KIB), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

static void
whom_no_rule_names_has_the_default(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref ref;

	r->default_user.bytes_hard = 4 * KIB;
	r->rules[0].limit.bytes_hard = 8 * KIB;
	open_for_all(&f);
	assert_status(create_as(&f, 77, 77, "a", &ref), DFS_OK);
	assert_status(write_as(&f, 77, &ref, 0, 8 * KIB), DFS_DQUOT);
	ref = user_file(&f, "b");
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	/* Not uid 0, whoever's file it is. */
	assert_status(write_as(&f, 0, &ref, 8 * KIB, 8 * KIB), DFS_OK);
	ref = make_file(&f, f.root, "c", 0644);
	assert_status(write_as(&f, 0, &ref, 0, 64 * KIB), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 16 * KIB);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_change_of_owner_moves_the_charge(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_setattr set = {.mask = DFS_SET_GID, .gid = GROUP};
	struct dfs_ctx ctx;
	struct dfs_wcc wcc;
	struct dfs_ref ref;

	r->rules[1].limit.bytes_hard = 4 * KIB;
	open_for_all(&f);
	assert_status(create_as(&f, USER, 5, "a", &ref), DFS_OK);
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	/* Not beyond the limit of the new one. */
	ctx = ctx_as(&f, USER, 5);
	ctx.id.ngids = 1;
	ctx.id.gids[0] = GROUP;
	assert_status(dfs_fs_setattr(&ctx, &ref, &set, NULL, &wcc), DFS_DQUOT);
	g_assert_cmpuint(attr_of(&f, ref).gid, ==, 5);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_GROUP, GROUP), ==, 0);
	assert_status(set_length(&f, ref, 4 * KIB), DFS_OK);
	assert_status(dfs_fs_setattr(&ctx, &ref, &set, NULL, &wcc), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_GROUP, GROUP), ==, 4 * KIB);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_GROUP, 5), ==, 0);
	g_assert_cmpint(files_of(&f, DFS_USAGE_GROUP, 5), ==, 0);
	chown_to(&f, ref, 8, 9);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 0);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, 8), ==, 4 * KIB);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, 8), ==, 1);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_SHARE, 0), ==, 8 * KIB);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_file_of_two_names_counts_once(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_attr attr;
	struct dfs_wcc wcc;
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	assert_status(dfs_fs_link(&f.ctx, &ref, &f.root, name_of("b"), &attr, &wcc), DFS_OK);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 1);
	assert_sound(&f);
	assert_status(remove_name(&f, f.root, "a"), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 8 * KIB);
	assert_sound(&f);
	/* One that is replaced is gone. */
	user_file(&f, "c");
	assert_status(rename_to(&f, f.root, "c", f.root, "b"), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 0);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 1);
	assert_sound(&f);
	fixture_close(&f);
}

static void
an_open_file_counts_until_it_is_closed(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_open *open;
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 8 * KIB), DFS_OK);
	assert_status(dfs_fs_open(&f.ctx, &ref, DFS_ACCESS_READ, &open), DFS_OK);
	assert_status(remove_name(&f, f.root, "a"), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 8 * KIB);
	assert_sound(&f);
	assert_status(dfs_fs_close(&f.ctx, open), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 0);
	g_assert_cmpint(files_of(&f, DFS_USAGE_USER, USER), ==, 0);
	assert_sound(&f);
	fixture_close(&f);
}

static void
a_clone_is_charged(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref a, b;
	struct dfs_wcc wcc;
	struct dfs_ctx ctx;

	r->rules[0].limit.bytes_hard = 100 * KIB;
	open_for_all(&f);
	a = user_file(&f, "a");
	b = user_file(&f, "b");
	assert_status(write_as(&f, USER, &a, 0, 60 * KIB), DFS_OK);
	ctx = ctx_as(&f, USER, GROUP);
	assert_status(dfs_fs_clone(&ctx, &a, 0, &b, 0, 0, &wcc), DFS_DQUOT);
	g_assert_cmpuint(attr_of(&f, b).length, ==, 0);
	assert_sound(&f);
	assert_status(dfs_fs_clone(&ctx, &a, 0, &b, 0, 40 * KIB, &wcc), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 100 * KIB);
	/* Over what is there: nothing more. */
	assert_status(dfs_fs_clone(&ctx, &a, 0, &b, 0, 40 * KIB, &wcc), DFS_OK);
	g_assert_cmpint(bytes_of(&f, DFS_USAGE_USER, USER), ==, 100 * KIB);
	assert_sound(&f);
	fixture_close(&f);
}

static void
other_limits_hold_at_once(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_ref ref;

	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	r->rules[0].limit.bytes_hard = 32 * KIB;
	g_assert_true(dfs_share_set_quotas(f.share, r));
	assert_status(write_as(&f, USER, &ref, 64 * KIB, 1), DFS_DQUOT);
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	r->rules[0].limit.bytes_hard = 68 * KIB;
	g_assert_true(dfs_share_set_quotas(f.share, r));
	assert_status(write_as(&f, USER, &ref, 64 * KIB, 1), DFS_OK);
	g_assert_true(dfs_share_set_quotas(f.share, NULL));
	assert_status(write_as(&f, USER, &ref, 68 * KIB, 64 * KIB), DFS_OK);
	assert_sound(&f);
	fixture_close(&f);
}

static void
statfs_tells_what_the_caller_may_take(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct fixture f = share_with("test", r);
	struct dfs_statfs st;
	struct dfs_attr attr;
	struct dfs_ctx ctx;
	struct dfs_ref ref;

	r->share.bytes_hard = 1024 * KIB;
	r->share.files_hard = 10;
	r->rules[0].limit.bytes_hard = 256 * KIB;
	r->rules[1].limit.bytes_hard = 128 * KIB;
	open_for_all(&f);
	ref = user_file(&f, "a");
	assert_status(write_as(&f, USER, &ref, 0, 64 * KIB), DFS_OK);
	assert_status(dfs_fs_statfs(&f.ctx, &f.root, &st, &attr), DFS_OK);
	g_assert_cmpuint(st.bytes_total, ==, 1024 * KIB);
	g_assert_cmpuint(st.bytes_avail, ==, (1024 - 64 - 4) * KIB);
	g_assert_cmpuint(st.files_total, ==, 10);
	g_assert_cmpuint(st.files_free, ==, 8);
	ctx = ctx_as(&f, USER, 5);
	assert_status(dfs_fs_statfs(&ctx, &f.root, &st, &attr), DFS_OK);
	g_assert_cmpuint(st.bytes_total, ==, 256 * KIB);
	g_assert_cmpuint(st.bytes_free, ==, 192 * KIB);
	ctx = ctx_as(&f, USER, GROUP);
	assert_status(dfs_fs_statfs(&ctx, &f.root, &st, &attr), DFS_OK);
	g_assert_cmpuint(st.bytes_total, ==, 128 * KIB);
	g_assert_cmpuint(st.bytes_avail, ==, 64 * KIB);
	fixture_close(&f);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	QUOTA_TEST(an_owner_is_charged_for_what_is_allocated);
	QUOTA_TEST(the_users_limit_of_bytes_holds);
	QUOTA_TEST(the_limit_of_files_holds);
	QUOTA_TEST(the_shares_limit_is_for_all);
	QUOTA_TEST(a_groups_limit_holds_for_its_files);
	QUOTA_TEST(whom_no_rule_names_has_the_default);
	QUOTA_TEST(a_change_of_owner_moves_the_charge);
	QUOTA_TEST(a_file_of_two_names_counts_once);
	QUOTA_TEST(an_open_file_counts_until_it_is_closed);
	QUOTA_TEST(a_clone_is_charged);
	QUOTA_TEST(other_limits_hold_at_once);
	QUOTA_TEST(statfs_tells_what_the_caller_may_take);
	return g_test_run();
}
