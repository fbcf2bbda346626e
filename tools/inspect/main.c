/* SPDX-License-Identifier: MIT
 *
 * dfs-inspect: what plugins there are and what they declare, without a server.  See
 * dfs-inspect(1).
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "config.h"
#include "tools/inspect/show.h"

#define USAGE 2 /* exit status of a wrong command line */

struct options {
	char **dirs;
	char *format, *check, *man;
	gboolean server_man, version;
};

static void
complain(const char *text)
{
	fprintf(stderr, "dfs-inspect: %s\n", text);
}

static enum dfs_plugin_kind
kind_of(const char *name)
{
	static const enum dfs_plugin_kind kinds[] = {DFS_KIND_ADAPTER, DFS_KIND_METADATA,
						     DFS_KIND_BLOCK};

	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(name, dfs_plugin_kind_name(kinds[i])) == 0)
			return kinds[i];
	return 0;
}

/* "block/memory", or the path of a file, which ends in ".so".  NULL: *status is the exit status,
 * and the reason has been told. */
static const struct dfs_plugin_entry *
find(struct dfs_registry *registry, const char *what, int *status)
{
	g_autofree char *error = NULL;
	g_auto(GStrv) parts = g_strsplit(what, "/", 2);
	const struct dfs_plugin_entry *entry = NULL;

	*status = EXIT_FAILURE;
	if (g_str_has_suffix(what, ".so")) {
		entry = dfs_registry_load(registry, what, &error);
	} else if (g_strv_length(parts) == 2 && kind_of(parts[0])) {
		entry = dfs_registry_find(registry, kind_of(parts[0]), parts[1], &error);
	} else {
		error = g_strdup_printf("\"%s\" is no plugin: want adapter/NAME, metadata/NAME, "
					"block/NAME or a file that ends in .so",
					what);
		*status = USAGE;
	}
	if (!entry)
		complain(error);
	return entry;
}

static int
check(struct dfs_registry *registry, const char *path)
{
	g_autofree char *error = NULL;
	const struct dfs_plugin_entry *entry = dfs_registry_load(registry, path, &error);

	if (!entry) {
		complain(error);
		return EXIT_FAILURE;
	}
	printf("%s is %s plugin \"%s\" %s\n", path, dfs_plugin_kind_name(entry->desc.kind),
	       entry->desc.name, entry->desc.version);
	return EXIT_SUCCESS;
}

/* One of KIND/NAME, a file, or nothing for the list. */
static int
inspect(struct dfs_registry *registry, const struct options *o, const char *what)
{
	bool keyvalue = o->format && strcmp(o->format, "keyvalue") == 0;
	const struct dfs_plugin_entry *entry;
	int status;

	if (!what && !o->man) {
		(keyvalue ? inspect_list_keyvalue : inspect_list_text)(registry, stdout);
		return EXIT_SUCCESS;
	}
	entry = find(registry, o->man ? o->man : what, &status);
	if (!entry)
		return status;
	if (o->man)
		inspect_man(entry, stdout);
	else if (keyvalue)
		inspect_show_keyvalue(entry, "", stdout);
	else
		inspect_show_text(entry, stdout);
	return EXIT_SUCCESS;
}

static int
run(const struct options *o, const char *what)
{
	struct dfs_registry *registry;
	int status = EXIT_SUCCESS;

	if (o->version) {
		puts("dfs-inspect " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	registry = dfs_registry_new((const char *const *)o->dirs);
	if (o->server_man)
		inspect_server_man(stdout);
	else
		status = o->check ? check(registry, o->check) : inspect(registry, o, what);
	dfs_registry_free(registry);
	return status;
}

/* What is wrong with the command line; NULL: nothing. */
static const char *
mistake(const struct options *o, int arguments)
{
	if (o->format && strcmp(o->format, "text") != 0 && strcmp(o->format, "keyvalue") != 0)
		return "--format wants text or keyvalue";
	if (arguments + !!o->check + !!o->man + o->server_man > 1)
		return "want one of KIND/NAME, --check, --man and --server-man";
	return NULL;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	const GOptionEntry entries[] = {
		{"plugin-dir", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &o.dirs,
		 "Look for plugins in DIR (repeatable, the first wins)", "DIR"},
		{"format", 'f', 0, G_OPTION_ARG_STRING, &o.format,
		 "Print text, or keyvalue for programs", "FORMAT"},
		{"check", 'c', 0, G_OPTION_ARG_FILENAME, &o.check,
		 "Only check FILE; the exit status tells", "FILE"},
		{"man", 0, 0, G_OPTION_ARG_STRING, &o.man,
		 "Print the OPTIONS section of a plugin's man page", "KIND/NAME"},
		{"server-man", 0, 0, G_OPTION_ARG_NONE, &o.server_man,
		 "Print the sections of dfs.conf(5)", NULL},
		{"version", 0, 0, G_OPTION_ARG_NONE, &o.version, "Print the version", NULL},
		{NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new("[KIND/NAME | FILE.so]");
	g_autoptr(GError) error = NULL;
	const char *wrong = NULL;
	int status = USAGE;

	setlocale(LC_ALL, "");
	g_option_context_set_summary(context, "List plugins, or show all that one declares.");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		complain(error->message);
	else if ((wrong = mistake(&o, argc - 1)))
		complain(wrong);
	else
		status = run(&o, argc > 1 ? argv[1] : NULL);
	g_strfreev(o.dirs);
	g_free(o.format);
	g_free(o.check);
	g_free(o.man);
	if (fflush(stdout) != 0)
		status = EXIT_FAILURE;
	return status;
}
