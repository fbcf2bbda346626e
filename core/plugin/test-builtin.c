/* SPDX-License-Identifier: MIT
 *
 * A plugin that libtool links into the program (-dlpreopen) is found without any file.
 */
#include <ltdl.h>

#include <glib.h>

#include "plugin/registry.h"

static void
a_built_in_needs_no_file(void)
{
	struct dfs_registry *registry = dfs_registry_new((const char *const[]){"/nowhere", NULL});
	g_autofree char *error = NULL;
	const struct dfs_plugin_entry *entry =
		dfs_registry_find(registry, DFS_KIND_BLOCK, "built-in", &error);

	g_assert_cmpstr(error, ==, NULL);
	g_assert_cmpstr(entry->path, ==, "built in");
	g_assert_cmpstr(entry->desc.name, ==, "built_in");
	g_assert_cmpuint(entry->desc.config_size, ==, 8);
	dfs_registry_free(registry);
}

static void
a_built_in_comes_before_files(void)
{
	g_autofree char *dir =
		g_build_filename(g_getenv("DFS_BUILDDIR"), "core/plugin/.libs", NULL);
	struct dfs_registry *registry = dfs_registry_new((const char *const[]){dir, NULL});
	g_autofree char *error = NULL;

	g_assert_cmpstr(dfs_registry_find(registry, DFS_KIND_BLOCK, "built_in", &error)->path, ==,
			"built in");
	g_assert_cmpstr(dfs_registry_find(registry, DFS_KIND_BLOCK, "good", &error)->path, !=,
			"built in");
	dfs_registry_free(registry);
}

int
main(int argc, char **argv)
{
	LTDL_SET_PRELOADED_SYMBOLS();
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/built-in/needs-no-file", a_built_in_needs_no_file);
	g_test_add_func("/built-in/comes-before-files", a_built_in_comes_before_files);
	return g_test_run();
}
