/* SPDX-License-Identifier: MIT
 *
 * Locks of files: who may have them, and what becomes of a locked file without a name.
 */
#include "fs/test-share.h"
#include "metadata/lock/lock.h"

enum { ALICE = 100, BOB = 101, STAFF = 50 };

static const struct dfs_lock_who one = {"c", "1", 1, 1}, two = {"c", "2", 1, 1};
static const struct dfs_lock_range all = {0, DFS_LOCK_EOF, true}, some = {0, 9, false};

static enum dfs_status
lock(struct fixture *f, struct dfs_ref ref, const struct dfs_lock_who *who,
     const struct dfs_lock_range *range)
{
	return dfs_fs_lock(&f->ctx, &ref, who, range, 0, NULL, NULL);
}

static enum dfs_status
unlock(struct fixture *f, struct dfs_ref ref, const struct dfs_lock_who *who)
{
	return dfs_fs_unlock(&f->ctx, &ref, who, &all);
}

static struct dfs_ref
alices(struct fixture *f, const char *name, uint32_t mode)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = mode};
	struct dfs_ref ref = make_file(f, f->root, name, 0644);
	struct dfs_wcc wcc;

	chown_to(f, ref, ALICE, STAFF);
	assert_status(dfs_fs_setattr(&f->ctx, &ref, &set, NULL, &wcc), DFS_OK);
	return ref;
}

static void
who_can_read_write_or_owns_may_lock(struct fixture *f)
{
	static const struct {
		uint32_t mode, uid, gid;
		enum dfs_status status;
	} rows[] = {
		{0600, ALICE, 0, DFS_OK},   {0000, ALICE, 0, DFS_OK},
		{0600, BOB, 0, DFS_ACCESS}, {0604, BOB, 0, DFS_OK},
		{0602, BOB, 0, DFS_OK},     {0640, BOB, STAFF, DFS_OK},
		{0600, 0, 0, DFS_OK},       {0604, BOB, STAFF, DFS_ACCESS},
	};
	char name[8];

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_snprintf(name, sizeof name, "f%u", i);
		struct dfs_ref ref = alices(f, name, rows[i].mode);

		f->ctx = ctx_as(f, rows[i].uid, rows[i].gid);
		assert_status(lock(f, ref, &one, &all), rows[i].status);
		assert_status(unlock(f, ref, &one), DFS_OK);
		f->ctx = ctx_as(f, 0, 0);
	}
}

static void
share_modes_need_what_they_say(struct fixture *f)
{
	struct dfs_ref ref = alices(f, "f", 0604);

	f->ctx = ctx_as(f, BOB, 0);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, DFS_SHARE_READ, 0, 0), DFS_OK);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, DFS_SHARE_WRITE, 0, 0), DFS_ACCESS);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, 4, 0, 0), DFS_INVAL);
	f->ctx = ctx_as(f, ALICE, 0);
	assert_status(dfs_fs_share(&f->ctx, &ref, &two, DFS_SHARE_READ, DFS_SHARE_READ, 0),
		      DFS_BUSY);
	dfs_fs_unshare(&f->ctx, &ref, &one);
	assert_status(dfs_fs_share(&f->ctx, &ref, &two, DFS_SHARE_READ, DFS_SHARE_READ, 0), DFS_OK);
}

static void
only_regular_files_are_locked(struct fixture *f)
{
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(lock(f, f->root, &one, &some), DFS_ISDIR);
	assert_status(dfs_fs_symlink(&f->ctx, &f->root, name_of("l"), "x", 1, NULL, &attr, &wcc),
		      DFS_OK);
	assert_status(lock(f, ref_of(&attr), &one, &some), DFS_INVAL);
}

static void
read_only_means_shared_locks_only(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	f->ctx.read_only = true;
	assert_status(lock(f, ref, &one, &some), DFS_OK);
	assert_status(lock(f, ref, &one, &all), DFS_ROFS);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, DFS_SHARE_WRITE, 0, 0), DFS_ROFS);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, DFS_SHARE_READ, DFS_SHARE_WRITE, 0),
		      DFS_OK);
}

static void
nonsense_is_refused(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);
	static const struct dfs_lock_range backward = {1, 0, false};
	static const struct dfs_lock_who nobody = {"c", "", 1, 0};

	assert_status(lock(f, ref, &one, &backward), DFS_INVAL);
	assert_status(lock(f, ref, &nobody, &some), DFS_INVAL);
}

static void
a_removed_file_without_locks_is_stale(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(lock(f, ref, &one, &all), DFS_OK);
	assert_status(unlock(f, ref, &one), DFS_OK);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	assert_status(lock(f, ref, &one, &all), DFS_STALE);
	assert_status(unlock(f, ref, &one), DFS_OK);
}

static bool
is_stale(struct fixture *f, struct dfs_ref ref)
{
	int64_t end = dfs_clock_mono() + 30 * DFS_SECOND;
	struct dfs_attr attr;

	do {
		if (dfs_fs_getattr(&f->ctx, &ref, &attr) == DFS_STALE)
			return true;
		g_usleep(1000);
	} while (dfs_clock_mono() < end);
	return false;
}

static void
a_locked_file_outlives_its_name(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(lock(f, ref, &one, &some), DFS_OK);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	assert_status(look(f, f->root, "f", NULL), DFS_NOENT);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 0);
	assert_status(lock(f, ref, &two, &some), DFS_OK);
	assert_status(unlock(f, ref, &one), DFS_OK);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 0);
	assert_status(unlock(f, ref, &two), DFS_OK);
	g_assert_true(is_stale(f, ref));
	g_assert_cmpuint(test_store_count(f->ts, 'o'), ==, 0);
}

static void
so_does_one_that_another_name_replaces(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	make_file(f, f->root, "g", 0644);
	assert_status(dfs_fs_share(&f->ctx, &ref, &one, DFS_SHARE_READ, 0, 0), DFS_OK);
	assert_status(rename_to(f, f->root, "g", f->root, "f"), DFS_OK);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 0);
	dfs_fs_unshare(&f->ctx, &ref, &one);
	g_assert_true(is_stale(f, ref));
}

static void
open_and_locked_wait_for_each_other(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);
	struct dfs_open *open;

	assert_status(dfs_fs_open(&f->ctx, &ref, DFS_ACCESS_READ, &open), DFS_OK);
	assert_status(lock(f, ref, &one, &some), DFS_OK);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	assert_status(unlock(f, ref, &one), DFS_OK);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 0);
	assert_status(dfs_fs_close(&f->ctx, open), DFS_OK);
	g_assert_true(is_stale(f, ref));
}

static void
one_name_of_two_may_go(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_link(&f->ctx, &ref, &f->root, name_of("g"), &attr, &wcc), DFS_OK);
	assert_status(lock(f, ref, &one, &some), DFS_OK);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	assert_status(unlock(f, ref, &one), DFS_OK);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 1);
}

/* The transaction that removes is repeated: the file is kept once. */
static void
a_removal_that_is_tried_again(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(lock(f, ref, &one, &some), DFS_OK);
	test_store_fail_commits(f->ts, 3, DFS_AGAIN);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	assert_status(unlock(f, ref, &one), DFS_OK);
	g_assert_true(is_stale(f, ref));
}

static void
a_removal_that_fails(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(lock(f, ref, &one, &some), DFS_OK);
	test_store_fail_commits(f->ts, 1, DFS_IO);
	assert_status(remove_name(f, f->root, "f"), DFS_IO);
	assert_status(unlock(f, ref, &one), DFS_OK);
	g_assert_cmpuint(attr_of(f, ref).nlink, ==, 1);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	g_assert_true(is_stale(f, ref));
}

static void
after_a_restart_a_nameless_file_is_gone(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(lock(f, ref, &one, &some), DFS_OK);
	assert_status(remove_name(f, f->root, "f"), DFS_OK);
	fixture_reopen(f);
	g_assert_true(is_stale(f, ref));
	assert_status(dfs_fs_lock(&f->ctx, &ref, &one, &some, DFS_LOCK_RECLAIM, NULL, NULL),
		      DFS_STALE);
}

static void
reclaim_after_a_restart(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);
	static const struct dfs_lock_who other = {"d", "1", 1, 1};
	struct dfs_lock_conflict conflict;

	assert_status(lock(f, ref, &one, &all), DFS_OK);
	fixture_reopen(f);
	assert_status(lock(f, ref, &other, &some), DFS_GRACE);
	assert_status(dfs_fs_test_lock(&f->ctx, &ref, &other, &some, &conflict), DFS_GRACE);
	assert_status(dfs_fs_lock(&f->ctx, &ref, &other, &some, DFS_LOCK_RECLAIM, NULL, NULL),
		      DFS_PERM);
	assert_status(dfs_fs_lock(&f->ctx, &ref, &one, &all, DFS_LOCK_RECLAIM, NULL, NULL), DFS_OK);
	assert_status(lock(f, ref, &one, &all), DFS_OK); /* it has all it had */
	assert_status(lock(f, ref, &other, &some), DFS_BUSY);
}

static void
a_passing_client_is_not_remembered(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);

	assert_status(dfs_fs_lock(&f->ctx, &ref, &one, &all, DFS_LOCK_PASSING, NULL, NULL), DFS_OK);
	fixture_reopen(f);
	assert_status(lock(f, ref, &two, &some), DFS_OK);
}

static void
a_loop_is_not_held_up(struct fixture *f)
{
	struct dfs_ref ref = make_file(f, f->root, "f", 0644);
	enum dfs_status status;

	f->ctx.nonblock = true;
	test_store_busy(f->ts, true);
	assert_status(lock(f, ref, &one, &all), DFS_AGAIN);
	test_store_busy(f->ts, false);
	/* The write-back of the file's names may have the store meanwhile. */
	do
		status = lock(f, ref, &one, &all);
	while (status == DFS_AGAIN);
	assert_status(status, DFS_OK);
	test_store_busy(f->ts, true);
	assert_status(lock(f, ref, &two, &some), DFS_BUSY); /* the client is remembered */
	test_store_busy(f->ts, false);
}

static void
set_up(struct fixture *f, gconstpointer fn)
{
	(void)fn;
	memset(f, 0, sizeof *f);
	f->kind = "test-durable";
	f->durability = DFS_DURABILITY_POWER;
	fixture_open(f);
}

static void
run(struct fixture *f, gconstpointer fn)
{
	((void (*)(struct fixture *))(uintptr_t)fn)(f);
}

static void
tear_down(struct fixture *f, gconstpointer fn)
{
	(void)fn;
	fixture_close(f);
}

static void
add(const char *path, void (*fn)(struct fixture *f))
{
	g_test_add(path, struct fixture, (gconstpointer)(uintptr_t)fn, set_up, run, tear_down);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	dfs_log_setup(DFS_LOG_ERROR, DFS_LOG_TEXT);
	add("/locks/who-can-read-write-or-owns-may-lock", who_can_read_write_or_owns_may_lock);
	add("/locks/share-modes-need-what-they-say", share_modes_need_what_they_say);
	add("/locks/only-regular-files-are-locked", only_regular_files_are_locked);
	add("/locks/read-only-means-shared-locks-only", read_only_means_shared_locks_only);
	add("/locks/nonsense-is-refused", nonsense_is_refused);
	add("/locks/a-removed-file-without-locks-is-stale", a_removed_file_without_locks_is_stale);
	add("/locks/a-locked-file-outlives-its-name", a_locked_file_outlives_its_name);
	add("/locks/so-does-one-that-another-name-replaces",
	    so_does_one_that_another_name_replaces);
	add("/locks/open-and-locked-wait-for-each-other", open_and_locked_wait_for_each_other);
	add("/locks/one-name-of-two-may-go", one_name_of_two_may_go);
	add("/locks/a-removal-that-is-tried-again", a_removal_that_is_tried_again);
	add("/locks/a-removal-that-fails", a_removal_that_fails);
	add("/locks/after-a-restart-a-nameless-file-is-gone",
	    after_a_restart_a_nameless_file_is_gone);
	add("/locks/reclaim-after-a-restart", reclaim_after_a_restart);
	add("/locks/a-passing-client-is-not-remembered", a_passing_client_is_not_remembered);
	add("/locks/a-loop-is-not-held-up", a_loop_is_not_held_up);
	return g_test_run();
}
