/* SPDX-License-Identifier: MIT
 *
 * Rules, squashing and the decision cache.  core/fs is played by test-fs.c, where a rule with a
 * prefix of 0 bits admits everybody and any other nobody.
 */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-fs.h"
#include "adapters/nfs/test-runtime.h"

#define SHARES 6

static struct test_conn conn;
static struct dfs_share shares[SHARES];
static struct dfs_share_rules *rules;
static struct dfs_client_rule *rule;

static void
set_up(void)
{
	test_conn_init(&conn, "127.0.0.1", 2000);
	rules = g_malloc0(sizeof *rules + sizeof *rule);
	rules->n = 1;
	rule = &rules->rules[0];
	rule->anon_uid = 65534;
	rule->anon_gid = 65533;
	for (uint32_t i = 0; i < SHARES; i++) {
		memset(&shares[i], 0, sizeof shares[i]);
		shares[i].refs = 1;
		shares[i].slot = 100 + i;
		shares[i].rules = rules;
	}
	conn.runtime.shares[0] = &shares[0];
	conn.call.ctx.nonblock = true;
	conn.call.ctx.id =
		(struct dfs_identity){.uid = 0, .gid = 0, .ngids = 3, .gids = {10, 0, 20}};
}

static void
tear_down(void)
{
	nfs_call_drop_share(&conn.call);
	test_conn_clear(&conn);
	for (unsigned i = 0; i < SHARES; i++)
		g_assert_cmpuint(shares[i].refs, ==, 1);
	g_free(rules);
}

static const struct dfs_identity *
enter(enum dfs_status want)
{
	g_assert_cmpint(nfs_call_slot(&conn.call, 100), ==, want);
	return &conn.call.ctx.id;
}

static void
test_root_is_squashed_everywhere(void)
{
	rule->squash = DFS_SQUASH_ROOT;
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 65534);
	g_assert_cmpuint(id->gid, ==, 65533);
	g_assert_cmpuint(id->ngids, ==, 3);
	g_assert_cmpuint(id->gids[0], ==, 10);
	g_assert_cmpuint(id->gids[1], ==, 65533);
	g_assert_cmpuint(id->gids[2], ==, 20);
}

static void
test_root_squash_leaves_users(void)
{
	rule->squash = DFS_SQUASH_ROOT;
	conn.call.ctx.id = (struct dfs_identity){.uid = 5, .gid = 6, .ngids = 1, .gids = {7}};
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 5);
	g_assert_cmpuint(id->gid, ==, 6);
	g_assert_cmpuint(id->gids[0], ==, 7);
}

/* A user in root's group keeps the uid, and loses the group. */
static void
test_group_zero_is_squashed_alone(void)
{
	rule->squash = DFS_SQUASH_ROOT;
	conn.call.ctx.id = (struct dfs_identity){.uid = 5, .gid = 0};
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 5);
	g_assert_cmpuint(id->gid, ==, 65533);
}

static void
test_all_are_squashed(void)
{
	rule->squash = DFS_SQUASH_ALL;
	conn.call.ctx.id = (struct dfs_identity){.uid = 5, .gid = 6, .ngids = 1, .gids = {7}};
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 65534);
	g_assert_cmpuint(id->gid, ==, 65533);
	g_assert_cmpuint(id->ngids, ==, 0);
}

static void
test_no_squash_keeps_root(void)
{
	rule->squash = DFS_SQUASH_NONE;
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 0);
	g_assert_cmpuint(id->gids[1], ==, 0);
}

static void
test_auth_none_is_anonymous(void)
{
	rule->squash = DFS_SQUASH_NONE;
	conn.call.flavor = 0;
	const struct dfs_identity *id = enter(DFS_OK);
	g_assert_cmpuint(id->uid, ==, 65534);
	g_assert_cmpuint(id->ngids, ==, 0);
}

static void
test_read_only_rule(void)
{
	rule->read_only = true;
	enter(DFS_OK);
	g_assert_true(conn.call.ctx.read_only);
}

static void
test_read_only_share(void)
{
	shares[0].read_only = true;
	enter(DFS_OK);
	g_assert_true(conn.call.ctx.read_only);
}

static void
test_writable(void)
{
	enter(DFS_OK);
	g_assert_false(conn.call.ctx.read_only);
}

static void
test_secure_refuses_high_ports(void)
{
	rule->secure = true;
	test_conn_peer(&conn, "127.0.0.1", 1024);
	enter(DFS_ACCESS);
}

static void
test_secure_admits_low_ports(void)
{
	rule->secure = true;
	test_conn_peer(&conn, "::1", 1023);
	enter(DFS_OK);
}

static void
test_no_rule_refuses(void)
{
	rules->n = 0;
	enter(DFS_ACCESS);
}

static void
test_unknown_slot_is_stale(void)
{
	g_assert_cmpint(nfs_call_slot(&conn.call, 7), ==, DFS_STALE);
	g_assert_null(conn.call.ctx.share);
}

static void
test_decision_is_kept_in_an_epoch(void)
{
	enter(DFS_OK);
	rules->n = 0;
	enter(DFS_OK);
}

static void
test_new_epoch_decides_anew(void)
{
	enter(DFS_OK);
	rules->n = 0;
	conn.runtime.epoch++;
	enter(DFS_ACCESS);
	rules->n = 1;
	enter(DFS_ACCESS);
	conn.runtime.epoch++;
	enter(DFS_OK);
}

static void
test_removed_share_is_stale_at_once(void)
{
	enter(DFS_OK);
	conn.runtime.shares[0] = NULL;
	conn.runtime.epoch++;
	enter(DFS_STALE);
	g_assert_null(conn.call.ctx.share);
	g_assert_cmpuint(shares[0].refs, ==, 1); /* the cache has let go of it */
}

static void
test_worker_decides_for_itself(void)
{
	enter(DFS_OK);
	nfs_call_drop_share(&conn.call);
	rules->n = 0;
	conn.call.ctx.nonblock = false;
	enter(DFS_ACCESS);
}

static void
test_worker_holds_the_share(void)
{
	conn.call.ctx.nonblock = false;
	enter(DFS_OK);
	g_assert_cmpuint(shares[0].refs, ==, 2);
	nfs_call_drop_share(&conn.call);
	g_assert_cmpuint(shares[0].refs, ==, 1);
}

/* A hot request costs the share's reference count nothing. */
static void
test_cached_request_borrows(void)
{
	enter(DFS_OK);
	g_assert_cmpuint(shares[0].refs, ==, 2); /* the cache's */
	enter(DFS_OK);
	g_assert_cmpuint(shares[0].refs, ==, 2);
}

static void
test_held_share_outlives_the_cache(void)
{
	enter(DFS_OK);
	nfs_call_hold_share(&conn.call);
	nfs_call_hold_share(&conn.call);
	nfs_access_clear(&conn.access);
	g_assert_cmpuint(shares[0].refs, ==, 2);
}

/* More shares than the cache has entries: each is entered, none leaks (tear_down counts). */
static void
test_many_shares_take_turns(void)
{
	for (unsigned i = 0; i < 100; i++) {
		struct dfs_share *share = &shares[i % SHARES];

		conn.runtime.shares[0] = share;
		g_assert_cmpint(nfs_call_slot(&conn.call, share->slot), ==, DFS_OK);
		g_assert_true(conn.call.ctx.share == share);
	}
}

static void
test_other_families_are_refused(void)
{
	struct sockaddr local = {.sa_family = AF_UNIX};

	nfs_access_init(&conn.access, &conn.service, &local);
	enter(DFS_ACCESS);
}

static void
add(const char *path, void (*fn)(void))
{
	g_autofree char *full = g_strconcat("/nfs/access/", path, NULL);

	g_test_add_vtable(full, 0, fn, (GTestFixtureFunc)(void (*)(void))set_up,
			  (GTestFixtureFunc)fn, (GTestFixtureFunc)(void (*)(void))tear_down);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("root-is-squashed-everywhere", test_root_is_squashed_everywhere);
	add("root-squash-leaves-users", test_root_squash_leaves_users);
	add("group-zero-is-squashed-alone", test_group_zero_is_squashed_alone);
	add("all-are-squashed", test_all_are_squashed);
	add("no-squash-keeps-root", test_no_squash_keeps_root);
	add("auth-none-is-anonymous", test_auth_none_is_anonymous);
	add("read-only-rule", test_read_only_rule);
	add("read-only-share", test_read_only_share);
	add("writable", test_writable);
	add("secure-refuses-high-ports", test_secure_refuses_high_ports);
	add("secure-admits-low-ports", test_secure_admits_low_ports);
	add("no-rule-refuses", test_no_rule_refuses);
	add("unknown-slot-is-stale", test_unknown_slot_is_stale);
	add("decision-is-kept-in-an-epoch", test_decision_is_kept_in_an_epoch);
	add("new-epoch-decides-anew", test_new_epoch_decides_anew);
	add("removed-share-is-stale-at-once", test_removed_share_is_stale_at_once);
	add("worker-decides-for-itself", test_worker_decides_for_itself);
	add("worker-holds-the-share", test_worker_holds_the_share);
	add("cached-request-borrows", test_cached_request_borrows);
	add("held-share-outlives-the-cache", test_held_share_outlives_the_cache);
	add("many-shares-take-turns", test_many_shares_take_turns);
	add("other-families-are-refused", test_other_families_are_refused);
	return g_test_run();
}
