/* SPDX-License-Identifier: MIT
 *
 * Finding and loading.  A built-in (preloaded by libtool into the program) is tried first under
 * its bare name; everything else is opened by full path, so that libltdl never searches the
 * environment, with local symbols, and stays resident: nothing of a plugin is ever unmapped.
 *
 * libltdl is not thread safe and keeps one error string: every call of it happens under ltdl_mu.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "plugin/describe.h"
#include "plugin/elf_check.h"
#include "plugin/nearest.h"
#include "plugin/registry.h"

#define BUILT_IN "built in"

struct dfs_registry {
	pthread_mutex_t mu; /* outside ltdl_mu */
	char **dirs;        /* absolute */
	struct dfs_plugin_entry
		*entries; /* guarded by mu; an entry never changes once it is listed */
};

static pthread_mutex_t ltdl_mu = PTHREAD_MUTEX_INITIALIZER;
static bool ltdl_ready; /* guarded by ltdl_mu */

static char **
default_dirs(void)
{
	const char *env = secure_getenv("DFS_PLUGIN_PATH");
	g_auto(GStrv) parts = g_strsplit(env ? env : "", ":", -1);
	g_autoptr(GStrvBuilder) dirs = g_strv_builder_new();

	for (char **part = parts; *part; part++)
		if (**part)
			g_strv_builder_add(dirs, *part);
	g_strv_builder_add(dirs, PLUGINDIR);
	return g_strv_builder_end(dirs);
}

struct dfs_registry *
dfs_registry_new(const char *const *dirs)
{
	struct dfs_registry *registry = g_new0(struct dfs_registry, 1);

	pthread_mutex_init(&registry->mu, NULL);
	registry->dirs = dirs ? g_strdupv((char **)dirs) : default_dirs();
	for (char **dir = registry->dirs; *dir; dir++) {
		char *absolute = g_canonicalize_filename(*dir, NULL);
		g_free(*dir);
		*dir = absolute;
	}
	return registry;
}

static void
entry_free(struct dfs_plugin_entry *entry)
{
	g_free(entry->path);
	g_free(entry);
}

void
dfs_registry_free(struct dfs_registry *registry)
{
	struct dfs_plugin_entry *entry, *next;

	if (!registry)
		return;
	for (entry = registry->entries; entry; entry = next) {
		next = entry->next;
		entry_free(entry);
	}
	g_strfreev(registry->dirs);
	pthread_mutex_destroy(&registry->mu);
	g_free(registry);
}

/* Why the last call failed.  libltdl tries several loaders and reports the last one's words, which
 * are "file not found" whatever the system's loader had to say; so ask that once more. */
static char *
explain_failure(const char *name, bool preloaded)
{
	const char *text = lt_dlerror();
	g_autofree char *saved = g_strdup(text ? text : "unknown reason");
	void *handle = preloaded ? NULL : dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (handle)
		dlclose(handle);
	else if (!preloaded && (text = dlerror()))
		return g_strdup(text);
	return g_steal_pointer(&saved);
}

/* Open a module and find its description; NULL: *why holds libltdl's words.  preloaded: only what
 * is linked into the program, by bare name. */
static const struct dfs_plugin *
open_module(const char *name, bool preloaded, char **why)
{
	const struct dfs_plugin *raw = NULL;
	lt_dladvise advise = NULL;
	lt_dlhandle handle = NULL;

	pthread_mutex_lock(&ltdl_mu);
	ltdl_ready = ltdl_ready || lt_dlinit() == 0;
	if (ltdl_ready && lt_dladvise_init(&advise) == 0) {
		if (preloaded) {
			lt_dladvise_preload(&advise);
		} else {
			lt_dladvise_local(&advise);
			lt_dladvise_resident(&advise);
		}
		handle = lt_dlopenadvise(name, advise);
	}
	if (handle)
		raw = lt_dlsym(handle, "dfs_plugin");
	if (!raw)
		*why = explain_failure(name, preloaded);
	if (advise)
		lt_dladvise_destroy(&advise);
	pthread_mutex_unlock(&ltdl_mu);
	return raw;
}

/* "/a/block_x.so" to "block_x"; NULL: not such a name. */
static char *
module_of(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);

	if (!g_str_has_suffix(base, ".so"))
		return NULL;
	return g_strndup(base, strlen(base) - 3);
}

static const struct dfs_plugin_entry *
find_module_locked(struct dfs_registry *registry, const char *module)
{
	for (struct dfs_plugin_entry *entry = registry->entries; entry; entry = entry->next) {
		g_autofree char *name = g_strdup_printf(
			"%s_%s", dfs_plugin_kind_name(entry->desc.kind), entry->desc.name);
		if (strcmp(name, module) == 0)
			return entry;
	}
	return NULL;
}

/* Copy and list what a loaded module declares. */
static const struct dfs_plugin_entry *
enter_locked(struct dfs_registry *registry, const struct dfs_plugin *raw, size_t symbol_size,
	     const char *module, const char *path, char **error)
{
	struct dfs_plugin_entry *entry = g_new0(struct dfs_plugin_entry, 1);
	g_autofree char *why = NULL;

	entry->path = g_strdup(path);
	if (!dfs_plugin_describe(raw, symbol_size, module, entry, &why)) {
		*error = g_strdup_printf("%s %s", path, why);
		entry_free(entry);
		return NULL;
	}
	entry->next = registry->entries;
	registry->entries = entry;
	return entry;
}

/* The file exports the symbol that its name asks for. */
static bool
check_symbol(const char *path, const char *module, const struct dfs_elf_symbol *symbol,
	     char **error)
{
	g_autofree char *wanted = g_strconcat(module, DFS_PLUGIN_SYMBOL_SUFFIX, NULL);

	g_strcanon(wanted, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS, '_');
	if (symbol->stripped)
		return true;
	if (!symbol->name) {
		*error = g_strdup_printf("%s exports no symbol %s: it is no DittoFS plugin", path,
					 wanted);
		return false;
	}
	if (strcmp(symbol->name, wanted) != 0) {
		*error = g_strdup_printf(
			"%s has the wrong name: it exports %s, wanted %s; remedy: give "
			"the file its own name back",
			path, symbol->name, wanted);
		return false;
	}
	return true;
}

static const struct dfs_plugin_entry *
load_locked(struct dfs_registry *registry, const char *path, char **error)
{
	g_autofree char *module = module_of(path);
	g_autofree char *why = NULL, *name = NULL;
	const struct dfs_plugin_entry *there;
	const struct dfs_plugin *raw;
	struct dfs_elf_symbol symbol;

	if (!module) {
		*error = g_strdup_printf("%s has the wrong name: wanted KIND_NAME.so", path);
		return NULL;
	}
	there = find_module_locked(registry, module);
	if (there && strcmp(there->path, path) == 0)
		return there;
	if (!dfs_elf_check(path, &symbol, error))
		return NULL;
	name = symbol.name;
	if (!check_symbol(path, module, &symbol, error))
		return NULL;
	if (there) {
		*error = g_strdup_printf(
			"%s is a duplicate: %s plugin \"%s\" is loaded from %s already", path,
			dfs_plugin_kind_name(there->desc.kind), there->desc.name, there->path);
		return NULL;
	}
	raw = open_module(path, false, &why);
	if (!raw) {
		*error = g_strdup_printf("%s cannot be loaded: %s", path, why);
		return NULL;
	}
	return enter_locked(registry, raw, symbol.size, module, path, error);
}

const struct dfs_plugin_entry *
dfs_registry_load(struct dfs_registry *registry, const char *path, char **error)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	const struct dfs_plugin_entry *entry;

	pthread_mutex_lock(&registry->mu);
	entry = load_locked(registry, absolute, error);
	pthread_mutex_unlock(&registry->mu);
	return entry;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The *.so files of a folder, sorted. */
static GPtrArray *
list_dir(const char *dir)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const struct dirent *ent;
	DIR *d = opendir(dir);

	while (d && (ent = readdir(d)))
		if (g_str_has_suffix(ent->d_name, ".so"))
			g_ptr_array_add(names, g_strdup(ent->d_name));
	if (d)
		closedir(d);
	g_ptr_array_sort(names, compare_names);
	return names;
}

/* The sentence for a name that no folder has. */
static char *
explain_absent(const struct dfs_registry *registry, enum dfs_plugin_kind kind, const char *name,
	       const char *module)
{
	g_autofree char *prefix = g_strdup_printf("%s_", dfs_plugin_kind_name(kind));
	g_autofree char *dirs = g_strjoinv(", ", registry->dirs);
	g_autofree char *intro = g_strdup_printf("%s plugins", dfs_plugin_kind_name(kind));
	g_autoptr(GPtrArray) known = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *hint = NULL;

	for (char **dir = registry->dirs; *dir; dir++) {
		g_autoptr(GPtrArray) files = list_dir(*dir);
		for (unsigned i = 0; i < files->len; i++) {
			g_autofree char *base = module_of(files->pdata[i]);
			if (!g_str_has_prefix(base, prefix) ||
			    g_ptr_array_find_with_equal_func(known, base + strlen(prefix),
							     g_str_equal, NULL))
				continue;
			g_ptr_array_add(known, g_strdup(base + strlen(prefix)));
		}
	}
	hint = dfs_nearest_hint(name, (const char *const *)known->pdata, known->len, intro);
	return g_strdup_printf("there is no %s plugin \"%.64s\": no %s.so in %s%s",
			       dfs_plugin_kind_name(kind), name, module, dirs, hint);
}

static const struct dfs_plugin_entry *
find_locked(struct dfs_registry *registry, enum dfs_plugin_kind kind, const char *name,
	    const char *module, char **error)
{
	const struct dfs_plugin_entry *entry = find_module_locked(registry, module);
	const struct dfs_plugin *raw;
	g_autofree char *why = NULL;

	if (entry)
		return entry;
	raw = open_module(module, true, &why);
	if (raw)
		return enter_locked(registry, raw, 0, module, BUILT_IN, error);
	for (char **dir = registry->dirs; *dir; dir++) {
		g_autofree char *path = g_strdup_printf("%s/%s.so", *dir, module);
		struct stat st;

		if (lstat(path, &st) == 0)
			return load_locked(registry, path, error);
	}
	*error = explain_absent(registry, kind, name, module);
	return NULL;
}

const struct dfs_plugin_entry *
dfs_registry_find(struct dfs_registry *registry, enum dfs_plugin_kind kind, const char *name,
		  char **error)
{
	g_autofree char *module = NULL;
	const struct dfs_plugin_entry *entry;
	size_t len = strnlen(name, 65);

	if (len == 0 || len > 64 || !g_ascii_islower(name[0]) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")]) {
		*error = g_strdup_printf("\"%.64s\" is no plugin name: wanted [a-z][a-z0-9_-]*",
					 name);
		return NULL;
	}
	module = g_strdup_printf("%s_%s", dfs_plugin_kind_name(kind), name);
	/* People may write a hyphen; file names have none, see libltdl's preloading. */
	g_strdelimit(module, "-", '_');
	pthread_mutex_lock(&registry->mu);
	entry = find_locked(registry, kind, name, module, error);
	pthread_mutex_unlock(&registry->mu);
	return entry;
}

typedef void (*each_fn)(void *arg, const char *path, const struct dfs_plugin_entry *entry,
			const char *error);

/* One file of a folder; seen: file name to the path that came first. */
static void
visit_file(struct dfs_registry *registry, GHashTable *seen, const char *dir, const char *file,
	   each_fn fn, void *arg)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	g_autofree char *error = NULL;
	const char *first = g_hash_table_lookup(seen, file);
	const struct dfs_plugin_entry *entry = NULL;

	if (first) {
		error = g_strdup_printf("%s is hidden by %s, whose folder comes first", path,
					first);
	} else {
		g_hash_table_insert(seen, g_strdup(file), g_strdup(path));
		entry = dfs_registry_load(registry, path, &error);
	}
	fn(arg, path, entry, error);
}

void
dfs_registry_each(struct dfs_registry *registry, each_fn fn, void *arg)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct dfs_plugin_entry *loaded;

	/* Entries are never removed: the list that starts here stays as it is. */
	pthread_mutex_lock(&registry->mu);
	loaded = registry->entries;
	pthread_mutex_unlock(&registry->mu);
	for (char **dir = registry->dirs; *dir; dir++) {
		g_autoptr(GPtrArray) files = list_dir(*dir);
		for (unsigned i = 0; i < files->len; i++)
			visit_file(registry, seen, *dir, files->pdata[i], fn, arg);
	}
	for (; loaded; loaded = loaded->next) {
		g_autofree char *base = g_path_get_basename(loaded->path);
		const char *shown = g_hash_table_lookup(seen, base);

		if (!shown || strcmp(shown, loaded->path) != 0)
			fn(arg, loaded->path, loaded, NULL);
	}
}
