/* SPDX-License-Identifier: MIT
 *
 * Quotas: what is charged to whom, limits that hold exactly, soft limits with a grace time, and sums in
 * the store that agree with its records whatever fails.
 */
#include <pthread.h>

#include "fs/test-quota.h"
#include "io/gate.h"
#include "payload/wal/test-disk.h"

static struct fixture
share_with(const char *kind, const struct dfs_quota_rules *quotas)
{
	return (struct fixture){.kind = kind,
				.durability = strcmp(kind, "test-durable") == 0
						      ? DFS_DURABILITY_POWER
						      : DFS_DURABILITY_NONE,
				.quotas = quotas};
}

static void
open_for_all(struct fixture *f)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0777};
	struct dfs_wcc wcc;

	fixture_open(f);
	assert_status(dfs_fs_setattr(&f->ctx, &f->root, &set, NULL, &wcc), DFS_OK);
}

static struct dfs_ref
user_file(struct fixture *f, const char *name)
{
	struct dfs_ref ref;

	assert_status(create_as(f, USER, GROUP, name, &ref), DFS_OK);
	return ref;
}

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

#define THREADS 4

struct race {
	struct fixture f;
	struct dfs_ref refs[THREADS];
	_Atomic unsigned next, ok, refused;
	_Atomic bool stop;
};

struct racer {
	struct race *race;
	unsigned id;
	pthread_t t;
};

static void
in_threads(struct race *race, void *(*body)(void *))
{
	struct racer t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		t[i] = (struct racer){.race = race, .id = i};
		pthread_create(&t[i].t, NULL, body, &t[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i].t, NULL);
}

/* Each its own file, until nothing is left. */
static void *
write_on(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < 200; i++) {
		enum dfs_status status =
			write_as(&r->race->f, USER, &r->race->refs[r->id], 8 * KIB * i, 8 * KIB);

		g_assert_true(status == DFS_OK || status == DFS_DQUOT);
		if (status == DFS_OK)
			r->race->ok++;
		g_assert_cmpint(bytes_of(&r->race->f, DFS_USAGE_USER, USER), <=, 1000 * KIB);
	}
	return NULL;
}

static void
writers_side_by_side_take_what_there_is_and_no_more(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct race race = {.f = share_with("test-durable", r)};
	char name[8];

	r->rules[0].limit.bytes_hard = 1000 * KIB; /* 125 writes, of 800 */
	open_for_all(&race.f);
	for (unsigned i = 0; i < THREADS; i++) {
		snprintf(name, sizeof name, "%u", i);
		race.refs[i] = user_file(&race.f, name);
	}
	in_threads(&race, write_on);
	g_assert_cmpuint(race.ok, ==, 125);
	g_assert_cmpint(bytes_of(&race.f, DFS_USAGE_USER, USER), ==, 1000 * KIB);
	assert_sound(&race.f);
	fixture_close(&race.f);
}

static void *
create_on(void *arg)
{
	struct racer *r = arg;
	struct dfs_ref ref;
	char name[16];

	for (unsigned i = 0; i < 200; i++) {
		enum dfs_status status;

		snprintf(name, sizeof name, "%u.%u", r->id, i);
		status = create_as(&r->race->f, USER, GROUP, name, &ref);
		g_assert_true(status == DFS_OK || status == DFS_DQUOT);
		if (status == DFS_OK)
			r->race->ok++;
		else
			r->race->refused++;
	}
	return NULL;
}

static void
creators_side_by_side_make_what_is_allowed_and_no_more(void)
{
	g_autofree struct dfs_quota_rules *r = limits();
	struct race race = {.f = share_with("test", r)};

	r->rules[0].limit.files_hard = 333;
	open_for_all(&race.f);
	in_threads(&race, create_on);
	g_assert_cmpuint(race.ok, ==, 333);
	g_assert_cmpuint(race.refused, ==, 800 - 333);
	assert_sound(&race.f);
	fixture_close(&race.f);
}

/* One file: written, cut, given away, flushed and written back by all at once. */
static void *
contend(void *arg)
{
	struct racer *r = arg;
	struct fixture *f = &r->race->f;
	struct dfs_ref *ref = &r->race->refs[0];
	g_autoptr(GRand) rand = g_rand_new_with_seed(r->id + 1);

	for (unsigned i = 0; i < 300; i++) {
		struct dfs_ctx ctx = ctx_as(f, 0, 0);
		struct dfs_setattr set = {.mask = DFS_SET_UID | DFS_SET_GID,
					  .uid = (uint32_t)g_rand_int_range(rand, 1, 4),
					  .gid = (uint32_t)g_rand_int_range(rand, 1, 4)};
		struct dfs_wcc wcc;
		uint64_t verifier;

		switch (g_rand_int_range(rand, 0, 6)) {
		case 0:
			assert_status(dfs_fs_setattr(&ctx, ref, &set, NULL, &wcc), DFS_OK);
			break;
		case 1:
			set.mask = DFS_SET_LENGTH;
			set.length = (uint64_t)g_rand_int_range(rand, 0, 1 << 20);
			assert_status(dfs_fs_setattr(&ctx, ref, &set, NULL, &wcc), DFS_OK);
			break;
		case 2:
			assert_status(dfs_fs_commit(&ctx, ref, 0, 0, &verifier, &wcc), DFS_OK);
			break;
		case 3:
			assert_status(dfs_writeback_run(f->metadata, NULL), DFS_OK);
			break;
		default:
			assert_status(write_as(f, 0, ref,
					       (uint64_t)g_rand_int_range(rand, 0, 1 << 20),
					       (uint32_t)g_rand_int_range(rand, 1, 65536)),
				      DFS_OK);
		}
	}
	return NULL;
}

static void
transactions_for_one_inode_keep_the_sums(void)
{
	static const char *const kinds[] = {"test", "test-durable", "memory"};
	g_autofree struct dfs_quota_rules *r = limits();

	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		struct race race = {.f = share_with(kinds[i], r)};

		open_for_all(&race.f);
		race.refs[0] = user_file(&race.f, "a");
		in_threads(&race, contend);
		g_assert_cmpint(bytes_of(&race.f, DFS_USAGE_SHARE, 0), ==,
				attr_of(&race.f, race.refs[0]).used + 4096);
		assert_sound(&race.f);
		fixture_close(&race.f);
	}
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

#define TEST(name)                                                                                 \
	{                                                                                          \
		"/quota/" #name, name                                                              \
	}
static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	TEST(an_owner_is_charged_for_what_is_allocated),
	TEST(the_users_limit_of_bytes_holds),
	TEST(the_limit_of_files_holds),
	TEST(the_shares_limit_is_for_all),
	TEST(a_groups_limit_holds_for_its_files),
	TEST(whom_no_rule_names_has_the_default),
	TEST(a_change_of_owner_moves_the_charge),
	TEST(a_file_of_two_names_counts_once),
	TEST(an_open_file_counts_until_it_is_closed),
	TEST(a_clone_is_charged),
	TEST(a_soft_limit_binds_when_its_grace_is_over),
	TEST(a_clock_that_is_put_back_gives_no_more_than_the_grace),
	TEST(a_limit_that_is_passed_by_being_lowered_has_one_time),
	TEST(times_end_with_the_quotas),
	TEST(other_limits_hold_at_once),
	TEST(statfs_tells_what_the_caller_may_take),
	TEST(a_share_without_quotas_keeps_no_sums),
	TEST(a_store_without_sums_has_no_quotas),
	TEST(sums_begin_with_a_recount_and_end_with_the_quotas),
	TEST(a_failed_change_leaves_nothing),
	TEST(an_inode_of_an_unsure_commit_is_counted_anew),
	TEST(a_recount_finds_what_has_drifted),
	TEST(an_inode_in_hand_is_left_alone),
	TEST(writers_side_by_side_take_what_there_is_and_no_more),
	TEST(creators_side_by_side_make_what_is_allowed_and_no_more),
	TEST(transactions_for_one_inode_keep_the_sums),
	TEST(a_replay_charges_what_it_brings),
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].run);
	return g_test_run();
}
