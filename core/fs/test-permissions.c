/* SPDX-License-Identifier: MIT
 *
 * Who may do what: mode bits, sticky, set-group-ID, ownership, read-only; one rule a test.
 */
#include "fs/test-share.h"

enum { ALICE = 100, BOB = 101, STAFF = 50 };

static void
become(struct fixture *f, uint32_t uid, uint32_t gid)
{
	f->ctx = ctx_as(f, uid, gid);
}

static enum dfs_status
set_attr(struct fixture *f, struct dfs_ref ref, const struct dfs_setattr *set)
{
	struct dfs_wcc wcc;

	return dfs_fs_setattr(&f->ctx, &ref, set, NULL, &wcc);
}

static enum dfs_status
set_mode(struct fixture *f, struct dfs_ref ref, uint32_t mode)
{
	return set_attr(f, ref, &(struct dfs_setattr){.mask = DFS_SET_MODE, .mode = mode});
}

static enum dfs_status
set_length(struct fixture *f, struct dfs_ref ref, uint64_t length)
{
	return set_attr(f, ref, &(struct dfs_setattr){.mask = DFS_SET_LENGTH, .length = length});
}

static enum dfs_status
try_create(struct fixture *f, struct dfs_ref dir, const char *name)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	return dfs_fs_create(&f->ctx, &dir, name_of(name), DFS_CREATE_GUARDED, NULL, 0, &attr,
			     &wcc);
}

/* A file of Alice's. */
static struct dfs_ref
alices(struct fixture *f, struct dfs_ref dir, const char *name, uint32_t mode)
{
	struct dfs_ref file = make_file(f, dir, name, mode);

	chown_to(f, file, ALICE, STAFF);
	assert_status(set_mode(f, file, mode), DFS_OK);
	return file;
}

static void
test_create_needs_write(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);

	become(f, ALICE, STAFF);
	assert_status(try_create(f, d, "x"), DFS_ACCESS);
}

static void
test_taken_name_before_permission(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0755);

	make_file(f, d, "x", 0644);
	become(f, ALICE, STAFF);
	assert_status(try_create(f, d, "x"), DFS_EXIST);
}

static void
test_lookup_needs_search(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0744);

	make_file(f, d, "x", 0644);
	become(f, ALICE, STAFF);
	assert_status(look(f, d, "x", NULL), DFS_ACCESS);
}

static void
test_group_bits(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0775);

	chown_to(f, d, BOB, STAFF);
	become(f, ALICE, 1);
	assert_status(try_create(f, d, "x"), DFS_ACCESS);
	f->ctx.id.ngids = 1;
	f->ctx.id.gids[0] = STAFF;
	assert_status(try_create(f, d, "x"), DFS_OK);
}

static void
test_owner_bits_bind_the_owner(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0077);

	chown_to(f, d, ALICE, STAFF);
	become(f, ALICE, STAFF);
	assert_status(try_create(f, d, "x"), DFS_ACCESS);
}

static void
test_sticky_remove(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 01777);

	alices(f, d, "a", 0666);
	become(f, BOB, STAFF);
	assert_status(remove_name(f, d, "a"), DFS_ACCESS);
	become(f, ALICE, STAFF);
	assert_status(remove_name(f, d, "a"), DFS_OK);
}

static void
test_sticky_rename_both_sides(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 01777), open = make_dir(f, f->root, "o", 0777);

	alices(f, d, "a", 0666);
	chown_to(f, make_file(f, open, "b", 0666), BOB, STAFF);
	become(f, BOB, STAFF);
	assert_status(rename_to(f, d, "a", open, "x"), DFS_ACCESS);
	assert_status(rename_to(f, open, "b", d, "a"), DFS_ACCESS);
	assert_status(rename_to(f, open, "b", d, "b"), DFS_OK);
}

static void
test_moved_directory_needs_write(struct fixture *f)
{
	struct dfs_ref a = make_dir(f, f->root, "a", 0777), b = make_dir(f, f->root, "b", 0777);
	struct dfs_ref m = make_dir(f, a, "m", 0755);

	become(f, ALICE, STAFF);
	assert_status(rename_to(f, a, "m", b, "m"), DFS_ACCESS);
	assert_status(rename_to(f, a, "m", a, "n"), DFS_OK);
	become(f, 0, 0);
	assert_status(set_mode(f, m, 0777), DFS_OK);
	become(f, ALICE, STAFF);
	assert_status(rename_to(f, a, "n", b, "m"), DFS_OK);
}

static void
test_setgid_directory_gives_group(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 02777), sub;

	chown_to(f, d, 0, STAFF);
	assert_status(set_mode(f, d, 02777), DFS_OK);
	become(f, ALICE, 1);
	assert_status(try_create(f, d, "x"), DFS_OK);
	sub = make_dir(f, d, "sub", 0755);
	g_assert_cmpuint(attr_of(f, sub).gid, ==, STAFF);
	g_assert_cmpuint(attr_of(f, sub).mode, ==, 02755);
}

static void
test_create_cannot_give_away(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0777);
	struct dfs_setattr set = {.mask = DFS_SET_UID, .uid = BOB};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	become(f, ALICE, STAFF);
	assert_status(
		dfs_fs_create(&f->ctx, &d, name_of("x"), DFS_CREATE_GUARDED, &set, 0, &attr, &wcc),
		DFS_PERM);
}

static void
test_chmod_needs_ownership(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 0666);

	become(f, BOB, STAFF);
	assert_status(set_mode(f, file, 0777), DFS_PERM);
	become(f, ALICE, STAFF);
	assert_status(set_mode(f, file, 0600), DFS_OK);
}

static void
test_chown_is_restricted(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 0644);

	become(f, ALICE, STAFF);
	assert_status(set_attr(f, file, &(struct dfs_setattr){.mask = DFS_SET_UID, .uid = BOB}),
		      DFS_PERM);
	assert_status(set_attr(f, file, &(struct dfs_setattr){.mask = DFS_SET_GID, .gid = 7}),
		      DFS_PERM);
	f->ctx.id.ngids = 1;
	f->ctx.id.gids[0] = 7;
	assert_status(set_attr(f, file, &(struct dfs_setattr){.mask = DFS_SET_GID, .gid = 7}),
		      DFS_OK);
}

static void
test_chown_clears_setuid(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 06755);

	become(f, ALICE, STAFF);
	assert_status(set_attr(f, file, &(struct dfs_setattr){.mask = DFS_SET_GID, .gid = STAFF}),
		      DFS_OK);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 0755);
}

static void
test_chown_by_root_keeps_setuid(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 06755);

	chown_to(f, file, ALICE, STAFF);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 06755);
}

static enum dfs_status
write_byte(struct fixture *f, struct dfs_ref file)
{
	enum dfs_stable committed;
	uint64_t verifier;
	struct dfs_wcc wcc;

	return dfs_fs_write(&f->ctx, &file, 0, "x", 1, DFS_UNSTABLE, &committed, &verifier, &wcc);
}

static void
test_write_clears_setuid(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 06777);

	become(f, BOB, 1);
	assert_status(write_byte(f, file), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 0777);
}

static void
test_truncation_clears_setuid(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 06777);

	become(f, BOB, 1);
	assert_status(set_length(f, file, 10), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 0777);
}

static void
test_owner_writes_without_bit(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 0444);

	become(f, ALICE, STAFF);
	assert_status(write_byte(f, file), DFS_OK);
	assert_status(set_length(f, file, 0), DFS_OK);
	become(f, BOB, STAFF);
	assert_status(write_byte(f, file), DFS_ACCESS);
	assert_status(set_length(f, file, 0), DFS_ACCESS);
}

static void
test_executable_may_be_read(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 0111);
	struct dfs_read out;
	struct dfs_attr attr;

	become(f, BOB, STAFF);
	assert_status(dfs_fs_read(&f->ctx, &file, 0, 10, &out, &attr), DFS_OK);
	dfs_read_release(&out);
	become(f, 0, 0);
	assert_status(set_mode(f, file, 0600), DFS_OK);
	become(f, BOB, STAFF);
	assert_status(dfs_fs_read(&f->ctx, &file, 0, 10, &out, &attr), DFS_ACCESS);
}

static void
test_times_rules(struct fixture *f)
{
	struct dfs_ref file = alices(f, f->root, "a", 0666);
	struct dfs_setattr now = {.set_mtime = DFS_TIME_SERVER},
			   own = {.set_mtime = DFS_TIME_CLIENT, .mtime = 5};

	become(f, BOB, 1);
	assert_status(set_attr(f, file, &now), DFS_OK);
	assert_status(set_attr(f, file, &own), DFS_PERM);
	become(f, ALICE, STAFF);
	assert_status(set_attr(f, file, &own), DFS_OK);
	g_assert_cmpint(attr_of(f, file).mtime, ==, 5);
	assert_status(set_mode(f, file, 0600), DFS_OK);
	become(f, BOB, 1);
	assert_status(set_attr(f, file, &now), DFS_ACCESS);
}

static void
test_length_of_directory_is_isdir(struct fixture *f)
{
	assert_status(set_length(f, f->root, 0), DFS_ISDIR);
}

static void
test_guard(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = 0600};
	int64_t ctime = attr_of(f, file).ctime, wrong = ctime + 1;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_setattr(&f->ctx, &file, &set, &wrong, &wcc), DFS_NOTSYNC);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 0644);
	assert_status(dfs_fs_setattr(&f->ctx, &file, &set, &ctime, &wcc), DFS_OK);
	g_assert_cmpuint(attr_of(f, file).mode, ==, 0600);
}

static void
test_ctime_moves_strictly(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	struct dfs_attr last = attr_of(f, file);

	for (unsigned i = 0; i < 100; i++) {
		struct dfs_attr now;

		assert_status(set_mode(f, file, 0600 | (i & 7)), DFS_OK);
		now = attr_of(f, file);
		g_assert_cmpint(now.ctime, >, last.ctime);
		g_assert_cmpuint(now.change, >, last.change);
		last = now;
	}
}

static void
test_wcc_brackets_the_change(struct fixture *f)
{
	struct dfs_attr before = attr_of(f, f->root), attr, after;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_create(&f->ctx, &f->root, name_of("a"), DFS_CREATE_GUARDED, NULL, 0,
				    &attr, &wcc),
		      DFS_OK);
	after = attr_of(f, f->root);
	g_assert_true(wcc.pre_valid && wcc.post_valid);
	g_assert_cmpint(wcc.pre_ctime, ==, before.ctime);
	g_assert_cmpint(wcc.post.ctime, ==, after.ctime);
	g_assert_cmpint(after.mtime, >, before.mtime);
}

static void
test_wcc_when_it_fails(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	make_file(f, f->root, "a", 0644);
	assert_status(dfs_fs_create(&f->ctx, &f->root, name_of("a"), DFS_CREATE_GUARDED, NULL, 0,
				    &attr, &wcc),
		      DFS_EXIST);
	g_assert_true(wcc.pre_valid && wcc.post_valid);
	g_assert_cmpint(wcc.pre_ctime, ==, wcc.post.ctime);
	assert_status(dfs_fs_remove(&f->ctx, &f->root, name_of("none"), &wcc), DFS_NOENT);
	g_assert_true(wcc.post_valid);
}

static void
test_read_only_share(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	uint32_t granted;
	struct dfs_attr attr;

	f->ctx.read_only = true;
	assert_status(try_create(f, f->root, "x"), DFS_ROFS);
	assert_status(remove_name(f, f->root, "a"), DFS_ROFS);
	assert_status(rename_to(f, f->root, "a", f->root, "b"), DFS_ROFS);
	assert_status(set_mode(f, file, 0), DFS_ROFS);
	assert_status(write_byte(f, file), DFS_ROFS);
	assert_status(dfs_fs_access(&f->ctx, &file, 0x3f, &granted, &attr), DFS_OK);
	g_assert_cmpuint(granted, ==, DFS_ACCESS_READ);
}

static void
test_access_of_directory(struct fixture *f)
{
	struct dfs_ref d = make_dir(f, f->root, "d", 0751);
	uint32_t granted;
	struct dfs_attr attr;

	assert_status(dfs_fs_access(&f->ctx, &d, 0x3f, &granted, &attr), DFS_OK);
	g_assert_cmpuint(granted, ==, 0x1f);
	become(f, ALICE, STAFF);
	assert_status(dfs_fs_access(&f->ctx, &d, 0x3f, &granted, &attr), DFS_OK);
	g_assert_cmpuint(granted, ==, DFS_ACCESS_LOOKUP);
}

static void
test_root_executes_only_executables(struct fixture *f)
{
	struct dfs_ref file = make_file(f, f->root, "a", 0644);
	uint32_t granted;
	struct dfs_attr attr;

	assert_status(dfs_fs_access(&f->ctx, &file, 0x3f, &granted, &attr), DFS_OK);
	g_assert_false(granted & DFS_ACCESS_EXECUTE);
	assert_status(set_mode(f, file, 0100), DFS_OK);
	assert_status(dfs_fs_access(&f->ctx, &file, 0x3f, &granted, &attr), DFS_OK);
	g_assert_true(granted & DFS_ACCESS_EXECUTE);
}

#define TEST(name)                                                                                 \
	{                                                                                          \
		"/fs/permissions/" #name, test_##name                                              \
	}

static const struct {
	const char *path;
	void (*run)(struct fixture *);
} tests[] = {
	TEST(create_needs_write),
	TEST(taken_name_before_permission),
	TEST(lookup_needs_search),
	TEST(group_bits),
	TEST(owner_bits_bind_the_owner),
	TEST(sticky_remove),
	TEST(sticky_rename_both_sides),
	TEST(moved_directory_needs_write),
	TEST(setgid_directory_gives_group),
	TEST(create_cannot_give_away),
	TEST(chmod_needs_ownership),
	TEST(chown_is_restricted),
	TEST(chown_clears_setuid),
	TEST(chown_by_root_keeps_setuid),
	TEST(write_clears_setuid),
	TEST(truncation_clears_setuid),
	TEST(owner_writes_without_bit),
	TEST(executable_may_be_read),
	TEST(times_rules),
	TEST(length_of_directory_is_isdir),
	TEST(guard),
	TEST(ctime_moves_strictly),
	TEST(wcc_brackets_the_change),
	TEST(wcc_when_it_fails),
	TEST(read_only_share),
	TEST(access_of_directory),
	TEST(root_executes_only_executables),
};

static void
run(gconstpointer test)
{
	struct fixture f = {.kind = "test"};

	fixture_open(&f);
	(*(void (*const *)(struct fixture *))test)(&f);
	fixture_close(&f);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_data_func(tests[i].path, &tests[i].run, run);
	return g_test_run();
}
