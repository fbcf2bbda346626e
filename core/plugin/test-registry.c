/* SPDX-License-Identifier: MIT
 *
 * Tests of the loader with real files: each test has a folder of its own, into which the fixtures
 * of the build tree are copied and damaged.
 */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "plugin/registry.h"

struct fixture {
	char *dir;
	struct dfs_registry *registry;
	char *error;
};

static void
set_up(struct fixture *f, const void *data)
{
	f->dir = g_dir_make_tmp("dfs-registry-XXXXXX", NULL);
	f->registry = dfs_registry_new((const char *const[]){f->dir, NULL});
}

static void
remove_dir(const char *dir)
{
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		if (g_remove(path) != 0)
			remove_dir(path);
	}
	g_dir_close(d);
	g_rmdir(dir);
}

static void
tear_down(struct fixture *f, const void *data)
{
	dfs_registry_free(f->registry);
	remove_dir(f->dir);
	g_free(f->dir);
	g_free(f->error);
}

static char *
in_dir(const struct fixture *f, const char *name)
{
	return g_build_filename(f->dir, name, NULL);
}

/* Write bytes as a file of mode 0755; answers its path. */
static char *
write_file(const struct fixture *f, const char *name, const void *data, size_t len)
{
	char *path = in_dir(f, name);

	g_assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
	g_assert_cmpint(g_chmod(path, 0755), ==, 0);
	return path;
}

/* The bytes of a fixture of the build tree. */
static char *
read_fixture(const char *module, size_t *len)
{
	g_autofree char *path =
		g_strdup_printf("%s/core/plugin/.libs/%s.so", g_getenv("DFS_BUILDDIR"), module);
	char *data;

	g_assert_true(g_file_get_contents(path, &data, len, NULL));
	return data;
}

/* Copy a fixture under a name; answers its path. */
static char *
install(const struct fixture *f, const char *module, const char *name)
{
	size_t len;
	g_autofree char *data = read_fixture(module, &len);

	return write_file(f, name, data, len);
}

/* Loading path must fail with "path sentence". */
static void
refuses(struct fixture *f, const char *path, const char *sentence)
{
	g_autofree char *whole = g_strdup_printf("%s %s", path, sentence);

	g_assert_null(dfs_registry_load(f->registry, path, &f->error));
	g_assert_cmpstr(f->error, ==, whole);
	g_clear_pointer(&f->error, g_free);
}

static void
a_good_plugin_is_found_by_name(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_good.so");
	const struct dfs_plugin_entry *entry =
		dfs_registry_find(f->registry, DFS_KIND_BLOCK, "good", &f->error);

	g_assert_cmpstr(f->error, ==, NULL);
	g_assert_cmpstr(entry->desc.name, ==, "good");
	g_assert_cmpstr(entry->path, ==, path);
	g_assert_nonnull(entry->ops.block.put);
	g_assert_null(entry->ops.block.validate);
	g_assert_true(dfs_registry_find(f->registry, DFS_KIND_BLOCK, "good", &f->error) == entry);
}

static void
a_hyphen_stands_for_an_underscore(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_two_words", "block_two_words.so");

	g_assert_nonnull(dfs_registry_find(f->registry, DFS_KIND_BLOCK, "two-words", &f->error));
}

static void
an_absent_plugin_gets_a_suggestion(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_good.so");
	g_autofree char *sentence = g_strdup_printf(
		"there is no block plugin \"god\": no block_god.so in %s; did you mean \"good\"?",
		f->dir);

	g_assert_null(dfs_registry_find(f->registry, DFS_KIND_BLOCK, "god", &f->error));
	g_assert_cmpstr(f->error, ==, sentence);
}

static void
an_absent_plugin_lists_the_known(struct fixture *f, const void *data)
{
	g_autofree char *sentence =
		g_strdup_printf("there is no adapter plugin \"nfs\": no "
				"adapter_nfs.so in %s; known adapter plugins: none",
				f->dir);

	g_assert_null(dfs_registry_find(f->registry, DFS_KIND_ADAPTER, "nfs", &f->error));
	g_assert_cmpstr(f->error, ==, sentence);
}

static void
a_name_is_no_path(struct fixture *f, const void *data)
{
	g_assert_null(dfs_registry_find(f->registry, DFS_KIND_BLOCK, "../x", &f->error));
	g_assert_cmpstr(f->error, ==, "\"../x\" is no plugin name: wanted [a-z][a-z0-9_-]*");
}

static void
a_text_file_is_no_elf(struct fixture *f, const void *data)
{
	g_autofree char *path = write_file(f, "block_text.so", "hello world\n", 12);

	refuses(f, path, "is no ELF file: it begins with 68 65 6c 6c, wanted 7f 45 4c 46");
}

static void
an_empty_file_is_no_elf(struct fixture *f, const void *data)
{
	g_autofree char *path = write_file(f, "block_empty.so", "", 0);

	refuses(f, path, "is no ELF file: it has 0 bytes");
}

static void
an_absent_file_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = in_dir(f, "block_absent.so");

	refuses(f, path, "cannot be opened: No such file or directory");
}

static void
a_folder_is_no_plugin(struct fixture *f, const void *data)
{
	g_autofree char *path = in_dir(f, "block_folder.so");

	g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
	refuses(f, path, "is no regular file");
}

/* In a child, so that a crash is this test's failure and not the program's end. */
static void
truncation_at_any_place_is_told(struct fixture *f, const void *data)
{
	size_t len;
	g_autofree char *bytes = read_fixture("block_good", &len);
	int status;
	pid_t child = fork();

	if (child == 0) {
		for (size_t cut = 0; cut < len; cut += cut < 1024 ? 7 : 509) {
			g_autofree char *path = write_file(f, "block_good.so", bytes, cut);
			g_autofree char *error = NULL;
			if (dfs_registry_load(f->registry, path, &error) ||
			    !strstr(error, cut < 4 ? " is no ELF file" : " is truncated: it has "))
				_exit(1);
		}
		_exit(0);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void
the_truncated_sentence_has_both_sizes(struct fixture *f, const void *data)
{
	size_t len;
	g_autofree char *bytes = read_fixture("block_good", &len);
	g_autofree char *path = write_file(f, "block_good.so", bytes, len - 1);
	g_autofree char *sentence = g_strdup_printf(
		"is truncated: it has %zu bytes, its headers promise at least %zu", len - 1, len);

	refuses(f, path, sentence);
}

/* Headers that lie, byte by byte: whatever the answer, no crash.  Past the headers are the
 * dynamic section and code, which only the dynamic loader could judge. */
static void
damaged_headers_do_not_crash(struct fixture *f, const void *data)
{
	size_t len;
	g_autofree char *bytes = read_fixture("block_nosymbol", &len);
	const size_t head = sizeof(ElfW(Ehdr));
	int status;
	pid_t child = fork();

	if (child == 0) {
		for (size_t i = 0; i < head * 2; i++) {
			g_autofree char *error = NULL, *path = NULL;
			char old = bytes[i / 2];
			bytes[i / 2] = i % 2 ? (char)0xff : (char)(old ^ 0x10);
			path = write_file(f, "block_nosymbol.so", bytes, len);
			if (dfs_registry_load(f->registry, path, &error) || !error)
				_exit(1);
			bytes[i / 2] = old;
		}
		_exit(0);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_true(WIFEXITED(status));
	g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void
another_machine_is_told(struct fixture *f, const void *data)
{
	size_t len;
	g_autofree char *bytes = read_fixture("block_good", &len);
	ElfW(Ehdr) *head = (void *)bytes;
	unsigned machine = head->e_machine;
	g_autofree char *path = NULL, *sentence = NULL;

	head->e_machine = EM_PPC;
	path = write_file(f, "block_good.so", bytes, len);
	sentence =
		g_strdup_printf("is for another machine: ELF class %u, byte order %u, machine 20, "
				"wanted %u, %u, %u",
				head->e_ident[EI_CLASS], head->e_ident[EI_DATA],
				head->e_ident[EI_CLASS], head->e_ident[EI_DATA], machine);
	refuses(f, path, sentence);
}

static void
another_abi_major_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_major", "block_major.so");

	refuses(f, path,
		"is built for version 99.0 of the block interface, wanted 1.x; rebuild it "
		"against this release");
}

static void
a_renamed_file_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_better.so");

	refuses(f, path,
		"has the wrong name: it exports block_good_LTX_dfs_plugin, wanted "
		"block_better_LTX_dfs_plugin; remedy: give the file its own name back");
}

static void
a_name_other_than_declared_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_alias", "block_alias.so");

	refuses(f, path,
		"has the wrong name: it declares block plugin \"good\", wanted the file name "
		"block_good.so");
}

static void
a_name_without_so_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_good.txt");

	refuses(f, path, "has the wrong name: wanted KIND_NAME.so");
}

static void
a_library_without_the_symbol_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_nosymbol", "block_nosymbol.so");

	refuses(f, path,
		"exports no symbol block_nosymbol_LTX_dfs_plugin: it is no DittoFS plugin");
}

static void
an_unresolved_symbol_is_told(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_unresolved", "block_unresolved.so");

	g_assert_null(dfs_registry_load(f->registry, path, &f->error));
	g_assert_nonnull(strstr(f->error, "cannot be loaded: "));
	g_assert_nonnull(strstr(f->error, "no_library_has_this_function"));
}

static void
a_file_writable_by_others_is_refused(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_good.so");

	g_chmod(path, 0757);
	refuses(f, path,
		"is writable by others: its mode is 0757, wanted at most 0755; remedy: chmod "
		"go-w");
	g_chmod(path, 0775);
	refuses(f, path,
		"is writable by others: its mode is 0775, wanted at most 0755; remedy: chmod "
		"go-w");
}

static void
a_duplicate_names_both_paths(struct fixture *f, const void *data)
{
	g_autofree char *sub = in_dir(f, "sub");
	g_autofree char *first = install(f, "block_good", "block_good.so");
	g_autofree char *second = NULL, *sentence = NULL;

	g_mkdir(sub, 0755);
	second = install(f, "block_good", "sub/block_good.so");
	g_assert_nonnull(dfs_registry_load(f->registry, first, &f->error));
	sentence = g_strdup_printf(
		"is a duplicate: block plugin \"good\" is loaded from %s already", first);
	refuses(f, second, sentence);
}

static void
the_same_path_twice_is_one_plugin(struct fixture *f, const void *data)
{
	g_autofree char *path = install(f, "block_good", "block_good.so");
	const struct dfs_plugin_entry *entry = dfs_registry_load(f->registry, path, &f->error);

	g_assert_nonnull(entry);
	g_assert_true(dfs_registry_load(f->registry, path, &f->error) == entry);
}

static void
the_first_folder_wins(struct fixture *f, const void *data)
{
	g_autofree char *sub = in_dir(f, "sub");
	g_autofree char *path = install(f, "block_good", "block_good.so");
	g_autofree char *second = NULL;
	struct dfs_registry *registry;
	const struct dfs_plugin_entry *entry;

	g_mkdir(sub, 0755);
	second = install(f, "block_good", "sub/block_good.so");
	registry = dfs_registry_new((const char *const[]){sub, f->dir, NULL});
	entry = dfs_registry_find(registry, DFS_KIND_BLOCK, "good", &f->error);
	g_assert_cmpstr(entry->path, ==, second);
	dfs_registry_free(registry);
}

static void
collect(void *arg, const char *path, const struct dfs_plugin_entry *entry, const char *error)
{
	g_autofree char *base = g_path_get_basename(path);

	g_string_append_printf(arg, "%s:%s\n", base,
			       entry ? entry->desc.name : error + strlen(path));
	g_assert_true(!entry == !!error);
}

static void
each_lists_good_and_broken_files(struct fixture *f, const void *data)
{
	g_autofree char *good = install(f, "block_good", "block_good.so");
	g_autofree char *text = write_file(f, "block_text.so", "text", 4);
	g_autofree char *other = write_file(f, "README", "text", 4);
	GString *all = g_string_new(NULL);

	dfs_registry_each(f->registry, collect, all);
	g_assert_cmpstr(
		all->str, ==,
		"block_good.so:good\nblock_text.so: is no ELF file: it begins with 74 65 78 "
		"74, wanted 7f 45 4c 46\n");
	g_string_free(all, TRUE);
}

static void
each_tells_of_hidden_files(struct fixture *f, const void *data)
{
	g_autofree char *sub = in_dir(f, "sub");
	g_autofree char *good = install(f, "block_good", "block_good.so");
	g_autofree char *second = NULL, *wanted = NULL;
	GString *all = g_string_new(NULL);
	struct dfs_registry *registry;

	g_mkdir(sub, 0755);
	second = install(f, "block_good", "sub/block_good.so");
	registry = dfs_registry_new((const char *const[]){f->dir, sub, NULL});
	wanted = g_strdup_printf(
		"block_good.so:good\nblock_good.so: is hidden by %s, whose folder comes first\n",
		good);
	dfs_registry_each(registry, collect, all);
	g_assert_cmpstr(all->str, ==, wanted);
	g_string_free(all, TRUE);
	dfs_registry_free(registry);
}

static void
each_tells_of_plugins_loaded_by_path(struct fixture *f, const void *data)
{
	g_autofree char *sub = in_dir(f, "sub");
	g_autofree char *path = NULL;
	GString *all = g_string_new(NULL);

	g_mkdir(sub, 0755);
	path = install(f, "block_good", "sub/block_good.so");
	g_assert_nonnull(dfs_registry_load(f->registry, path, &f->error));
	dfs_registry_each(f->registry, collect, all);
	g_assert_cmpstr(all->str, ==, "block_good.so:good\n");
	g_string_free(all, TRUE);
}

static void
the_environment_names_folders(struct fixture *f, const void *data)
{
	g_autofree char *old = g_strdup(g_getenv("DFS_PLUGIN_PATH"));
	g_autofree char *path = install(f, "block_good", "block_good.so");
	g_autofree char *value = g_strdup_printf("/nowhere::%s", f->dir);
	struct dfs_registry *registry;

	g_setenv("DFS_PLUGIN_PATH", value, TRUE);
	registry = dfs_registry_new(NULL);
	if (old)
		g_setenv("DFS_PLUGIN_PATH", old, TRUE);
	g_assert_nonnull(dfs_registry_find(registry, DFS_KIND_BLOCK, "good", &f->error));
	dfs_registry_free(registry);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *, const void *);
	} cases[] = {
		{"a-good-plugin-is-found-by-name", a_good_plugin_is_found_by_name},
		{"a-hyphen-stands-for-an-underscore", a_hyphen_stands_for_an_underscore},
		{"an-absent-plugin-gets-a-suggestion", an_absent_plugin_gets_a_suggestion},
		{"an-absent-plugin-lists-the-known", an_absent_plugin_lists_the_known},
		{"a-name-is-no-path", a_name_is_no_path},
		{"a-text-file-is-no-elf", a_text_file_is_no_elf},
		{"an-empty-file-is-no-elf", an_empty_file_is_no_elf},
		{"an-absent-file-is-told", an_absent_file_is_told},
		{"a-folder-is-no-plugin", a_folder_is_no_plugin},
		{"truncation-at-any-place-is-told", truncation_at_any_place_is_told},
		{"the-truncated-sentence-has-both-sizes", the_truncated_sentence_has_both_sizes},
		{"damaged-headers-do-not-crash", damaged_headers_do_not_crash},
		{"another-machine-is-told", another_machine_is_told},
		{"another-abi-major-is-told", another_abi_major_is_told},
		{"a-renamed-file-is-told", a_renamed_file_is_told},
		{"a-name-other-than-declared-is-told", a_name_other_than_declared_is_told},
		{"a-name-without-so-is-told", a_name_without_so_is_told},
		{"a-library-without-the-symbol-is-told", a_library_without_the_symbol_is_told},
		{"an-unresolved-symbol-is-told", an_unresolved_symbol_is_told},
		{"a-file-writable-by-others-is-refused", a_file_writable_by_others_is_refused},
		{"a-duplicate-names-both-paths", a_duplicate_names_both_paths},
		{"the-same-path-twice-is-one-plugin", the_same_path_twice_is_one_plugin},
		{"the-first-folder-wins", the_first_folder_wins},
		{"each-lists-good-and-broken-files", each_lists_good_and_broken_files},
		{"each-tells-of-hidden-files", each_tells_of_hidden_files},
		{"each-tells-of-plugins-loaded-by-path", each_tells_of_plugins_loaded_by_path},
		{"the-environment-names-folders", the_environment_names_folders},
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/registry/%s", cases[i].name);
		g_test_add(path, struct fixture, NULL, set_up, cases[i].fn, tear_down);
	}
	return g_test_run();
}
