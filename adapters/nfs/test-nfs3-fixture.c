/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/test-nfs3.h"

struct test_world world;
struct tfh top;

static struct test_conn conn;

struct tfh
make_file(const char *name)
{
	struct treply r = t_create(top, name, DFS_CREATE_GUARDED, SET_MODE(0644), 0);

	ASSERT_OK(r);
	g_assert_true(r.has_fh);
	return r.fh;
}

struct tfh
make_dir(const char *name)
{
	struct treply r = t_mkdir(top, name, 0755);

	ASSERT_OK(r);
	g_assert_true(r.has_fh);
	return r.fh;
}

void
set_rule(struct dfs_client_rule rule)
{
	struct dfs_share_rules *rules = g_malloc0(sizeof *rules + sizeof rule);

	rules->n = 1;
	rules->rules[0] = rule;
	dfs_share_set_rules(world.one, rules);
	conn.runtime.epoch++;
	g_free(rules);
}

static void
set_up(void)
{
	static unsigned n;
	char name[32];
	struct treply r;

	test_conn_init(&conn, "127.0.0.1", 900);
	conn.runtime.shares[0] = world.one;
	conn.runtime.shares[1] = world.two;
	tconn = &conn;
	t_as(0, 0);
	set_rule((struct dfs_client_rule){0});
	g_snprintf(name, sizeof name, "test-%u", n++);
	r = t_mkdir(t_root(world.one), name, 0755);
	ASSERT_OK(r);
	top = r.fh;
}

static void
tear_down(void)
{
	test_conn_clear(&conn);
}

void
test_nfs3_init(int *argc, char ***argv)
{
	g_test_init(argc, argv, NULL);
	test_world_init(&world);
}

void
test_nfs3_add(const char *path, void (*fn)(void))
{
	g_test_add_vtable(path, 0, fn, (GTestFixtureFunc)(void (*)(void))set_up,
			  (GTestFixtureFunc)fn, (GTestFixtureFunc)(void (*)(void))tear_down);
}

int
test_nfs3_run(void)
{
	int failed = g_test_run();

	test_world_clear(&world);
	return failed;
}
