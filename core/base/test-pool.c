/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "base/pool.h"

struct thing {
	char bytes[1000];
};

static void
test_zeroed(void)
{
	static struct dfs_pool pool = DFS_POOL(struct thing);
	static const struct thing zero;

	for (unsigned i = 0; i < 3; i++) {
		struct thing *t = dfs_pool_get(&pool);

		g_assert_cmpmem(t, sizeof *t, &zero, sizeof zero);
		memset(t, 0xff, sizeof *t);
		dfs_pool_put(&pool, t);
	}
}

/* More than one piece of the pool holds. */
static void
test_apart(void)
{
	enum { N = 5000 };
	static struct dfs_pool pool = DFS_POOL(struct thing);
	static struct thing *all[N];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < N; i++) {
			all[i] = dfs_pool_get(&pool);
			g_assert_nonnull(all[i]);
			g_assert_cmpuint((uintptr_t)all[i] % 16, ==, 0);
			memset(all[i], (int)(i % 251) + 1, sizeof *all[i]);
		}
		for (unsigned i = 0; i < N; i++) {
			g_assert_cmpint((unsigned char)all[i]->bytes[0], ==, i % 251 + 1);
			g_assert_cmpint((unsigned char)all[i]->bytes[999], ==, i % 251 + 1);
			dfs_pool_put(&pool, all[i]);
		}
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pool/objects-are-zeroed-each-time", test_zeroed);
	g_test_add_func("/pool/objects-do-not-overlap", test_apart);
	return g_test_run();
}
