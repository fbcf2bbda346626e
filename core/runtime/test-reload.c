/* SPDX-License-Identifier: MIT
 *
 * Reloading: what is taken over, what is refused, and a share that is taken out while it is in use.
 * What is counted of all shares.
 */
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "base/clock.h"
#include "base/counter.h"
#include "config/config.h"
#include "fs/share.h"
#include "metadata/lock/lock.h"
#include "payload/store.h"
#include "runtime/runtime.h"

static struct dfs_registry *registry;

struct fixture {
	char *folder;
	struct dfs_runtime *rt;
	const char *more; /* block stores */
	char *error;
};

static struct dfs_config *
config_of(struct fixture *f, const char *shares)
{
	g_autofree char *text = g_strdup_printf(
		"server = { state_dir = \"%s\"; drain = \"100ms\"; };\n"
		"metadata_stores = { m = { type = \"memory\"; }; };\n"
		"block_stores = { b = { type = \"memory\"; }; c = { type = \"memory\"; }; %s };\n"
		"shares = { %s };\n"
		"adapters = { nfs = { listen = \"127.0.0.1\"; }; };\n",
		f->folder, f->more, shares);
	struct dfs_config *config = NULL;

	dfs_config_parse(text, "t.conf", registry, &config, &f->error);
	g_assert_cmpstr(f->error, ==, NULL);
	return config;
}

#define SHARE(name, more)                                                                          \
	name " = { path = \"/" name "\"; metadata = \"m\"; durability = \"none\"; " more " };\n"
#define A SHARE("a", "blocks = \"b\";")
#define B SHARE("b", "blocks = \"b\";")

static void
set_up(struct fixture *f, const void *data)
{
	f->folder = g_dir_make_tmp("dfs-reload-XXXXXX", NULL);
	f->error = NULL;
	f->more = "";
	f->rt = dfs_runtime_new(config_of(f, A B));
	g_assert_true(dfs_runtime_open(f->rt, NULL, &f->error));
	g_assert_cmpstr(f->error, ==, NULL);
}

static void
tear_down(struct fixture *f, const void *data)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->folder);

	g_assert_true(dfs_runtime_free(f->rt, dfs_clock_mono()));
	g_assert_cmpint(system(command), ==, 0);
	g_free(f->folder);
	g_free(f->error);
}

static bool
reload(struct fixture *f, const char *shares)
{
	struct dfs_config *config;

	g_clear_pointer(&f->error, g_free);
	config = config_of(f, shares);
	if (dfs_runtime_reload(f->rt, config, &f->error))
		return true;
	dfs_config_free(config);
	return false;
}

static struct dfs_share *
share(struct fixture *f, const char *path)
{
	const char *rest;

	return dfs_runtime_share_by_path(f->rt, path, &rest);
}

static void
a_share_that_is_taken_out_is_gone(struct fixture *f, const void *data)
{
	g_assert_true(reload(f, B));
	g_assert_null(share(f, "/a"));
}

static void
one_in_use_is_not_opened_a_second_time(struct fixture *f, const void *data)
{
	struct dfs_share *used = share(f, "/a");

	g_assert_true(reload(f, B));
	g_assert_false(reload(f, A B));
	g_assert_nonnull(strstr(f->error, "share a: it was taken out, but requests still use it"));
	g_assert_null(share(f, "/a"));
	dfs_share_unref(used);
	g_assert_true(reload(f, A B));
	used = share(f, "/a");
	g_assert_nonnull(used);
	dfs_share_unref(used);
}

#define D SHARE("d", "blocks = \"e\";")
#define E "e = { type = \"memory\"; };"

/* A share on a store that the file names no more, and which a request holds. */
static struct dfs_share *
take_out_in_use(struct fixture *f)
{
	struct dfs_share *used;

	f->more = E;
	g_assert_true(reload(f, A B D));
	used = share(f, "/d");
	g_assert_nonnull(used);
	f->more = "";
	g_assert_true(reload(f, A B));
	return used;
}

static void
the_store_of_one_in_use_stays_open(struct fixture *f, const void *data)
{
	struct dfs_share *used = take_out_in_use(f);

	f->more = E;
	g_assert_false(reload(f, A B D));
	g_assert_cmpstr(used->blocks->name, ==, "e");
	dfs_share_unref(used);
	g_assert_true(reload(f, A B D));
}

static void
a_store_in_use_is_not_taken_for_another(struct fixture *f, const void *data)
{
	struct dfs_share *used = take_out_in_use(f);

	f->more = "e = { type = \"filesystem\"; path = \"e\"; };";
	g_assert_false(reload(f, A B));
	g_assert_nonnull(strstr(f->error, "store e"));
	dfs_share_unref(used);
	g_assert_true(reload(f, A B));
}

static void
what_makes_another_share_of_it_is_refused(struct fixture *f, const void *data)
{
	g_assert_false(reload(f, SHARE("a", "blocks = \"c\";") B));
	g_assert_nonnull(strstr(f->error, "share a: blocks cannot change while the server runs"));
}

static void
what_can_wait_is_accepted(struct fixture *f, const void *data)
{
	g_assert_true(reload(f, SHARE("a", "blocks = \"b\"; gc_grace = \"1h\";") B));
}

static void
hold(struct fixture *f, const char *path, uint64_t file)
{
	const struct dfs_lock_who who = {"client", "owner", 6, 5};
	const struct dfs_lock_range range = {0, 9, true};
	struct dfs_share *s = share(f, path);
	struct dfs_lock_owner *owner;
	struct dfs_lock_done done;

	dfs_lock_done_init(&done);
	g_assert_cmpint(dfs_lock_owner_get(s->locks, &who, &owner), ==, DFS_OK);
	g_assert_cmpint(dfs_locks_lock(s->locks, owner, file, &range, NULL, NULL, &done), ==,
			DFS_OK);
	dfs_lock_owner_put(s->locks, owner);
	dfs_lock_done_run(s->locks, &done);
	dfs_share_unref(s);
}

static void
locks_of_all_shares_are_counted(struct fixture *f, const void *data)
{
	const struct dfs_counter *held = dfs_counter_get("locks_held");

	dfs_runtime_metrics(f->rt);
	g_assert_cmpint(held->value, ==, 0);
	hold(f, "/a", 20);
	hold(f, "/a", 21);
	hold(f, "/b", 20);
	dfs_runtime_metrics(f->rt);
	g_assert_cmpint(held->value, ==, 3);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{"a-share-that-is-taken-out-is-gone", a_share_that_is_taken_out_is_gone},
		{"one-in-use-is-not-opened-a-second-time", one_in_use_is_not_opened_a_second_time},
		{"the-store-of-one-in-use-stays-open", the_store_of_one_in_use_stays_open},
		{"a-store-in-use-is-not-taken-for-another",
		 a_store_in_use_is_not_taken_for_another},
		{"what-makes-another-share-of-it-is-refused",
		 what_makes_another_share_of_it_is_refused},
		{"what-can-wait-is-accepted", what_can_wait_is_accepted},
	};
	int status;

	g_test_init(&argc, &argv, NULL);
	registry = dfs_registry_new((const char *const[]){g_getenv("DFS_PLUGIN_PATH"), NULL});
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strdup_printf("/runtime/reload/%s", tests[i].name);

		g_test_add(path, struct fixture, NULL, set_up, tests[i].fn, tear_down);
	}
	g_test_add("/runtime/metrics/locks-of-all-shares-are-counted", struct fixture, NULL, set_up,
		   locks_of_all_shares_are_counted, tear_down);
	status = g_test_run();
	dfs_registry_free(registry);
	return status;
}
