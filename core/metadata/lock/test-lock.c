/* SPDX-License-Identifier: MIT
 *
 * What owners have and may not have: ranges, share modes, limits.
 */
#include "metadata/lock/test-bed.h"

#define END DFS_LOCK_EOF

static void
assert_conflict(struct bed *bed, uint64_t start, uint64_t end, bool exclusive, const char *owner)
{
	g_assert_cmpuint(bed->conflict.range.start, ==, start);
	g_assert_cmpuint(bed->conflict.range.end, ==, end);
	g_assert_cmpint(bed->conflict.range.exclusive, ==, exclusive);
	g_assert_cmpmem(bed->conflict.owner, bed->conflict.owner_len, owner, strlen(owner));
}

static void
exclusive_keeps_others_out(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 10, 19, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 19, 30, SHARED), DFS_BUSY);
	assert_conflict(bed, 10, 19, true, "1");
	assert_status(bed_lock(bed, "b/1", 7, 0, 10, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 20, END, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 8, 10, 19, EXCLUSIVE), DFS_OK);
}

static void
shared_locks_share(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, END, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 5, 5, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "c/1", 7, 5, 5, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_unlock(bed, "a/1", 7, 0, END), DFS_OK);
	assert_status(bed_lock(bed, "c/1", 7, 5, 5, EXCLUSIVE), DFS_BUSY);
	assert_conflict(bed, 5, 5, false, "1");
	assert_status(bed_unlock(bed, "b/1", 7, 5, 5), DFS_OK);
	assert_status(bed_lock(bed, "c/1", 7, 5, 5, EXCLUSIVE), DFS_OK);
}

static void
owners_of_a_client_are_apart(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/2", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_BUSY);
}

static void
own_lock_is_replaced(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 3, 5, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 3);
	assert_status(bed_test(bed, "b/1", 7, 3, 5, SHARED), DFS_OK);
	assert_status(bed_test(bed, "b/1", 7, 2, 2, SHARED), DFS_BUSY);
	assert_conflict(bed, 0, 2, true, "1");
	assert_status(bed_test(bed, "b/1", 7, 6, 6, SHARED), DFS_BUSY);
	assert_conflict(bed, 6, 9, true, "1");
}

static void
neighbours_of_a_kind_merge(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, 4, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 10, 14, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 2);
	assert_status(bed_lock(bed, "a/1", 7, 5, 9, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
	assert_status(bed_test(bed, "b/1", 7, 0, END, EXCLUSIVE), DFS_BUSY);
	assert_conflict(bed, 0, 14, false, "1");
}

static void
neighbours_of_two_kinds_stay_apart(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, 4, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 5, 9, EXCLUSIVE), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 2);
}

static void
unlock_splits(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, 0, END, EXCLUSIVE), DFS_OK);
	assert_status(bed_unlock(bed, "a/1", 7, 100, 199), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 2);
	assert_status(bed_lock(bed, "b/1", 7, 100, 199, EXCLUSIVE), DFS_OK);
	assert_status(bed_test(bed, "b/1", 7, 200, 200, SHARED), DFS_BUSY);
	assert_conflict(bed, 200, END, true, "1");
}

static void
ranges_reach_the_last_byte(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 7, END, END, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, END - 1, END - 1, EXCLUSIVE), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
	assert_status(bed_lock(bed, "b/1", 7, END, END, SHARED), DFS_BUSY);
	assert_status(bed_lock(bed, "b/1", 7, 0, END - 2, EXCLUSIVE), DFS_OK);
	assert_status(bed_unlock(bed, "a/1", 7, 0, END), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, END, EXCLUSIVE), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
}

static bool
holds(struct bed *bed, const char *who, uint64_t start, uint64_t end, bool exclusive)
{
	const struct dfs_lock_range range = {start, end, exclusive};
	struct dfs_lock_owner *owner = bed_owner(bed, who);
	bool yes = dfs_locks_holds(bed->locks, owner, 7, &range);

	dfs_lock_owner_put(bed->locks, owner);
	return yes;
}

static void
what_is_held_is_known(struct bed *bed)
{
	g_assert_false(holds(bed, "a/1", 0, 0, SHARED));
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, END, SHARED), DFS_OK);
	assert_status(bed_unlock(bed, "b/1", 7, 10, END), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 10, 19, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 21, END, EXCLUSIVE), DFS_OK);
	g_assert_true(holds(bed, "a/1", 0, 19, SHARED));
	g_assert_true(holds(bed, "a/1", 11, 18, EXCLUSIVE));
	g_assert_true(holds(bed, "a/1", 21, END, EXCLUSIVE));
	g_assert_false(holds(bed, "a/1", 9, 19, EXCLUSIVE));
	g_assert_false(holds(bed, "a/1", 0, 20, SHARED));
	g_assert_false(holds(bed, "a/1", 0, END, SHARED));
	g_assert_false(holds(bed, "b/1", 0, 10, SHARED));
	g_assert_false(holds(bed, "b/1", 0, 9, EXCLUSIVE));
}

static void
unlocking_nothing_is_fine(struct bed *bed)
{
	assert_status(bed_unlock(bed, "a/1", 7, 0, END), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_unlock(bed, "a/1", 7, 0, END), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_BUSY);
}

/* More ranges than are looked through one by one, of two kinds, replaced by one lock. */
static void
many_ranges_of_an_owner(struct bed *bed)
{
	for (uint64_t i = 0; i < 1000; i++) {
		assert_status(bed_lock(bed, "a/1", 7, i * 10, i * 10 + 4, i % 2), DFS_OK);
		assert_status(bed_lock(bed, "b/1", 7, i * 10 + 5, i * 10 + 9, SHARED), DFS_OK);
	}
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 2000);
	assert_status(bed_lock(bed, "a/1", 7, 2, 9992, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1002);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9999, SHARED), DFS_BUSY); /* 9993 and 9994 */
	assert_conflict(bed, 9993, 9994, true, "1");
	assert_status(bed_unlock(bed, "a/1", 7, 0, END), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9999, EXCLUSIVE), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
}

static void
a_file_without_locks_has_no_record(struct bed *bed)
{
	g_assert_false(dfs_locks_has_file(bed->locks, 7));
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	g_assert_true(dfs_locks_has_file(bed->locks, 7));
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	g_assert_false(dfs_locks_has_file(bed->locks, 7));
	assert_status(bed_share(bed, "a/1", 7, DFS_SHARE_READ, 0), DFS_OK);
	g_assert_true(dfs_locks_has_file(bed->locks, 7));
	bed_unshare(bed, "a/1", 7);
	g_assert_false(dfs_locks_has_file(bed->locks, 7));
}

static void
a_pin_ends_with_the_record(struct bed *bed)
{
	struct dfs_lock_pin pin;

	g_assert_false(dfs_locks_pin(bed->locks, 7, &pin));
	assert_status(bed_lock(bed, "a/1", 7, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 7, 0, 9, SHARED), DFS_OK);
	g_assert_true(dfs_locks_pin(bed->locks, 7, &pin));
	assert_status(bed_unlock(bed, "a/1", 7, 0, 9), DFS_OK);
	g_assert_cmpuint(bed->unpinned, ==, 0);
	bed_drop_client(bed, "b");
	g_assert_cmpuint(bed->unpinned, ==, 1);
}

static void
share_modes_conflict_by_access_and_deny(struct bed *bed)
{
	static const struct {
		uint32_t access, deny, access2, deny2;
		bool good;
	} rows[] = {
		{DFS_SHARE_READ, 0, DFS_SHARE_READ, 0, true},
		{DFS_SHARE_READ, DFS_SHARE_WRITE, DFS_SHARE_READ, DFS_SHARE_WRITE, true},
		{DFS_SHARE_READ, DFS_SHARE_WRITE, DFS_SHARE_WRITE, 0, false},
		{DFS_SHARE_WRITE, 0, DFS_SHARE_READ, DFS_SHARE_WRITE, false},
		{DFS_SHARE_READ | DFS_SHARE_WRITE, 0, DFS_SHARE_READ | DFS_SHARE_WRITE, 0, true},
		{0, DFS_SHARE_READ, DFS_SHARE_READ, 0, false},
		{0, DFS_SHARE_READ, 0, DFS_SHARE_READ, true},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_status(bed_share(bed, "a/1", 7, rows[i].access, rows[i].deny), DFS_OK);
		assert_status(bed_share(bed, "b/1", 7, rows[i].access2, rows[i].deny2),
			      rows[i].good ? DFS_OK : DFS_BUSY);
		bed_unshare(bed, "a/1", 7);
		bed_unshare(bed, "b/1", 7);
	}
}

static void
a_file_has_so_many_share_modes(struct bed *bed)
{
	char who[24];

	for (unsigned i = 0; i <= DFS_LOCK_FILE_SHARES; i++) {
		g_snprintf(who, sizeof who, "a/%u", i);
		assert_status(bed_share(bed, who, 7, DFS_SHARE_READ, 0),
			      i < DFS_LOCK_FILE_SHARES ? DFS_OK : DFS_NOMEM);
	}
	assert_status(bed_share(bed, "a/1", 7, DFS_SHARE_WRITE, 0), DFS_OK);
	assert_status(bed_share(bed, "b/1", 8, DFS_SHARE_READ, 0), DFS_OK);
	bed_unshare(bed, "a/1", 7);
	assert_status(bed_share(bed, "b/1", 7, DFS_SHARE_READ, 0), DFS_OK);
	bed_drop_client(bed, "a");
	bed_drop_client(bed, "b");
}

static void
own_share_mode_is_replaced(struct bed *bed)
{
	assert_status(bed_share(bed, "a/1", 7, DFS_SHARE_READ, DFS_SHARE_WRITE), DFS_OK);
	assert_status(bed_share(bed, "a/1", 7, DFS_SHARE_WRITE, 0), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
	assert_status(bed_share(bed, "b/1", 7, DFS_SHARE_WRITE, 0), DFS_OK);
}

static void
a_client_has_a_limit(struct bed *bed)
{
	bed->domain.max_client_locks = 3;
	assert_status(bed_lock(bed, "a/1", 1, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/2", 2, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_share(bed, "a/1", 1, DFS_SHARE_READ, 0), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 3, 0, 9, EXCLUSIVE), DFS_NOMEM);
	g_assert_false(dfs_locks_has_file(bed->locks, 3));
	assert_status(bed_share(bed, "a/1", 3, DFS_SHARE_READ, 0), DFS_NOMEM);
	assert_status(bed_lock(bed, "a/1", 1, 2, 4, EXCLUSIVE), DFS_OK); /* it has that */
	assert_status(bed_lock(bed, "b/1", 3, 0, 9, EXCLUSIVE), DFS_OK);
	/* Unlocking works, although it leaves two. */
	assert_status(bed_unlock(bed, "a/1", 1, 4, 4), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 5);
	bed_drop_client(bed, "a");
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
	assert_status(bed_lock(bed, "a/1", 3, 10, 11, EXCLUSIVE), DFS_OK);
}

/* At the limit goes what leaves no more locks than there were. */
static void
at_the_limit_locks_are_replaced(struct bed *bed)
{
	bed->domain.max_client_locks = 3;
	assert_status(bed_lock(bed, "a/1", 1, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 1, 20, 29, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 1, 40, 49, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 1, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 1, 2, 3, EXCLUSIVE), DFS_NOMEM);
	assert_status(bed_lock(bed, "a/1", 1, 5, 9, EXCLUSIVE), DFS_NOMEM);
	assert_status(bed_test(bed, "b/1", 1, 0, 9, SHARED), DFS_OK);
	assert_status(bed_lock(bed, "a/1", 1, 15, 29, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 3);
	assert_status(bed_lock(bed, "a/1", 1, 0, 29, EXCLUSIVE), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 2);
	assert_status(bed_lock(bed, "a/1", 1, 25, 29, SHARED), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 3);
}

static void
splits_have_a_limit(struct bed *bed)
{
	bed->domain.max_client_locks = 3;
	assert_status(bed_lock(bed, "a/1", 1, 0, END, EXCLUSIVE), DFS_OK);
	for (uint64_t i = 1; i < 6; i++)
		assert_status(bed_unlock(bed, "a/1", 1, 2 * i, 2 * i), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 6);
	assert_status(bed_unlock(bed, "a/1", 1, 20, 20), DFS_NOMEM);
	assert_status(bed_test(bed, "b/1", 1, 20, 20, SHARED), DFS_BUSY);
	/* What leaves no more than there was works. */
	assert_status(bed_unlock(bed, "a/1", 1, 20, END), DFS_OK);
	assert_status(bed_unlock(bed, "a/1", 1, 0, 3), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 4);
	bed->domain.max_client_locks = 50000;
	bed->domain.max_locks = 2;
	assert_status(bed_unlock(bed, "a/1", 1, 15, 15), DFS_NOMEM);
	assert_status(bed_unlock(bed, "a/1", 1, 0, END), DFS_OK);
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 0);
}

static void
the_server_has_a_limit(struct bed *bed)
{
	bed->domain.max_locks = 2;
	assert_status(bed_lock(bed, "a/1", 1, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 2, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 3, 0, 9, EXCLUSIVE), DFS_NOMEM);
	assert_status(bed_unlock(bed, "a/1", 1, 0, 9), DFS_OK);
	assert_status(bed_lock(bed, "b/1", 3, 0, 9, EXCLUSIVE), DFS_OK);
}

static void
names_of_owners_have_a_limit(struct bed *bed)
{
	char bytes[DFS_LOCK_OWNER_MAX] = {0};
	struct dfs_lock_who who = {"a", bytes, 1, sizeof bytes};
	struct dfs_lock_owner *first, *owner;

	bed->domain.max_locks = 8; /* 2048 bytes */
	assert_status(dfs_lock_owner_get(bed->locks, &who, &first), DFS_OK);
	bytes[0] = 1;
	assert_status(dfs_lock_owner_get(bed->locks, &who, &owner), DFS_NOMEM);
	dfs_lock_owner_put(bed->locks, first);
	assert_status(dfs_lock_owner_get(bed->locks, &who, &owner), DFS_OK);
	dfs_lock_owner_put(bed->locks, owner);
	bed->domain.max_locks = 100000;
}

static void
dropping_a_client_takes_all_its_owners(struct bed *bed)
{
	assert_status(bed_lock(bed, "a/1", 1, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_lock(bed, "a/2", 2, 0, 9, EXCLUSIVE), DFS_OK);
	assert_status(bed_share(bed, "a/3", 3, DFS_SHARE_READ, DFS_SHARE_READ), DFS_OK);
	assert_status(bed_lock(bed, "ab/1", 4, 0, 9, EXCLUSIVE), DFS_OK);
	bed_drop_client(bed, "a");
	g_assert_cmpuint(dfs_locks_held(bed->locks), ==, 1);
	assert_status(bed_share(bed, "b/3", 3, DFS_SHARE_READ, 0), DFS_OK);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	bed_add("/lock/exclusive-keeps-others-out", exclusive_keeps_others_out);
	bed_add("/lock/shared-locks-share", shared_locks_share);
	bed_add("/lock/owners-of-a-client-are-apart", owners_of_a_client_are_apart);
	bed_add("/lock/own-lock-is-replaced", own_lock_is_replaced);
	bed_add("/lock/neighbours-of-a-kind-merge", neighbours_of_a_kind_merge);
	bed_add("/lock/neighbours-of-two-kinds-stay-apart", neighbours_of_two_kinds_stay_apart);
	bed_add("/lock/unlock-splits", unlock_splits);
	bed_add("/lock/ranges-reach-the-last-byte", ranges_reach_the_last_byte);
	bed_add("/lock/what-is-held-is-known", what_is_held_is_known);
	bed_add("/lock/unlocking-nothing-is-fine", unlocking_nothing_is_fine);
	bed_add("/lock/many-ranges-of-an-owner", many_ranges_of_an_owner);
	bed_add("/lock/a-file-without-locks-has-no-record", a_file_without_locks_has_no_record);
	bed_add("/lock/a-pin-ends-with-the-record", a_pin_ends_with_the_record);
	bed_add("/lock/share-modes-conflict-by-access-and-deny",
		share_modes_conflict_by_access_and_deny);
	bed_add("/lock/a-file-has-so-many-share-modes", a_file_has_so_many_share_modes);
	bed_add("/lock/own-share-mode-is-replaced", own_share_mode_is_replaced);
	bed_add("/lock/a-client-has-a-limit", a_client_has_a_limit);
	bed_add("/lock/at-the-limit-locks-are-replaced", at_the_limit_locks_are_replaced);
	bed_add("/lock/splits-have-a-limit", splits_have_a_limit);
	bed_add("/lock/the-server-has-a-limit", the_server_has_a_limit);
	bed_add("/lock/names-of-owners-have-a-limit", names_of_owners_have_a_limit);
	bed_add("/lock/dropping-a-client-takes-all-its-owners",
		dropping_a_client_takes_all_its_owners);
	return g_test_run();
}
