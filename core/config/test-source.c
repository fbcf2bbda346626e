/* SPDX-License-Identifier: MIT
 *
 * Configuration files as files: @include, the lines of mistakes behind it, and what is no text.
 */
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "config/config.h"

static struct dfs_registry *registry;

struct files {
	char *dir, *error;
	struct dfs_config *config;
};

static void
set_up(struct files *f, const void *data)
{
	f->dir = g_dir_make_tmp("dfs-config-XXXXXX", NULL);
}

static void
tear_down(struct files *f, const void *data)
{
	g_autofree char *command = g_strdup_printf("rm -r '%s'", f->dir);

	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	dfs_config_free(f->config);
	g_free(f->dir);
	g_free(f->error);
}

static char *
put(const struct files *f, const char *name, const char *text, gssize len)
{
	char *path = g_build_filename(f->dir, name, NULL);

	g_assert_true(g_file_set_contents(path, text, len, NULL));
	return path;
}

static bool
load(struct files *f, const char *path)
{
	return dfs_config_load(path, registry, &f->config, &f->error);
}

static void
tells(struct files *f, const char *path, const char *format)
{
	g_autofree char *sentence = g_strdup_printf("%s%s", path, format);

	g_assert_false(load(f, path));
	g_assert_cmpstr(f->error, ==, sentence);
}

static void
an_include_stands_in_its_place(struct files *f, const void *data)
{
	g_autofree char *sub = g_build_filename(f->dir, "sub", NULL);
	g_autofree char *main = NULL, *part = NULL;

	g_mkdir(sub, 0755);
	main = put(f, "dfs.conf", "server = {\n  @include \"sub/part.conf\"\n};\n", -1);
	part = put(f, "sub/part.conf", "threads = 9;", -1);
	g_assert_true(load(f, main));
	g_assert_cmpint(f->config->server.threads, ==, 9);
}

static void
an_absolute_include_works(struct files *f, const void *data)
{
	g_autofree char *part = put(f, "part.conf", "server = { threads = 8; };\n", -1);
	g_autofree char *text = g_strdup_printf("@include \"%s\"\n", part);
	g_autofree char *main = put(f, "dfs.conf", text, -1);

	g_assert_true(load(f, main));
	g_assert_cmpint(f->config->server.threads, ==, 8);
}

static void
a_mistake_in_an_include_has_its_line(struct files *f, const void *data)
{
	g_autofree char *main = put(f, "dfs.conf", "server = {\n@include \"part.conf\"\n};\n", -1);
	g_autofree char *part = put(f, "part.conf", "\n\nthread = 1;\n", -1);
	g_autofree char *sentence = g_strdup_printf(
		"%s:3: server.thread: unknown key; did you mean \"threads\"?", part);

	g_assert_false(load(f, main));
	g_assert_cmpstr(f->error, ==, sentence);
}

static void
a_mistake_after_an_include_has_its_line(struct files *f, const void *data)
{
	g_autofree char *part = put(f, "part.conf", "threads = 1;\n\n\n", -1);
	g_autofree char *main =
		put(f, "dfs.conf", "server = {\n@include \"part.conf\"\n  worker = 1;\n};\n", -1);

	tells(f, main, ":3: server.worker: unknown key; did you mean \"workers\"?");
}

static void
an_include_in_a_comment_is_none(struct files *f, const void *data)
{
	g_autofree char *main =
		put(f, "dfs.conf",
		    "/*\n@include \"absent\"\n*/ # \"\n// \"\nserver = { threads = 2; };\n", -1);

	g_assert_true(load(f, main));
	g_assert_cmpint(f->config->server.threads, ==, 2);
}

static void
a_missing_include_is_told(struct files *f, const void *data)
{
	g_autofree char *main = put(f, "dfs.conf", "\n@include \"absent.conf\"\n", -1);
	g_autofree char *sentence = g_strdup_printf(
		":2: @include: %s/absent.conf cannot be opened: No such file or directory", f->dir);

	tells(f, main, sentence);
}

static void
an_included_folder_is_told(struct files *f, const void *data)
{
	g_autofree char *main = put(f, "dfs.conf", "@include \"/tmp\"\n", -1);

	tells(f, main, ":1: @include: /tmp is no regular file");
}

static void
an_include_without_quotes_is_told(struct files *f, const void *data)
{
	g_autofree char *main = put(f, "dfs.conf", "@include part.conf\n", -1);

	tells(f, main, ":1: @include wants a file name in double quotes");
}

static void
an_endless_include_is_told(struct files *f, const void *data)
{
	g_autofree char *main = put(f, "dfs.conf", "@include \"dfs.conf\"\n", -1);

	tells(f, main, ":1: @include goes deeper than 10 files");
}

static void
too_many_includes_are_told(struct files *f, const void *data)
{
	g_autofree char *part = put(f, "part.conf", "", -1);
	GString *text = g_string_new(NULL);
	g_autofree char *main = NULL;

	for (unsigned i = 0; i < 300; i++)
		g_string_append(text, "@include \"part.conf\"\n");
	main = put(f, "dfs.conf", text->str, -1);
	g_string_free(text, TRUE);
	tells(f, main, ":256: @include of more than 256 files");
}

static void
an_absent_file_is_told(struct files *f, const void *data)
{
	g_autofree char *path = g_build_filename(f->dir, "absent.conf", NULL);

	tells(f, path, " cannot be opened: No such file or directory");
}

static void
a_folder_is_no_file(struct files *f, const void *data)
{
	tells(f, f->dir, " is no regular file");
}

static void
nul_bytes_are_told(struct files *f, const void *data)
{
	g_autofree char *path = put(f, "dfs.conf", "server\0 = { };", 14);

	tells(f, path, " is no text: it has NUL bytes");
}

static void
a_huge_file_is_told(struct files *f, const void *data)
{
	g_autofree char *path = put(f, "dfs.conf", "", 0);

	g_assert_cmpint(truncate(path, (4 << 20) + 1), ==, 0);
	tells(f, path, " is over 4 MiB");
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct files *, const void *);
	} cases[] = {
		{"an-include-stands-in-its-place", an_include_stands_in_its_place},
		{"an-absolute-include-works", an_absolute_include_works},
		{"a-mistake-in-an-include-has-its-line", a_mistake_in_an_include_has_its_line},
		{"a-mistake-after-an-include-has-its-line",
		 a_mistake_after_an_include_has_its_line},
		{"an-include-in-a-comment-is-none", an_include_in_a_comment_is_none},
		{"a-missing-include-is-told", a_missing_include_is_told},
		{"an-included-folder-is-told", an_included_folder_is_told},
		{"an-include-without-quotes-is-told", an_include_without_quotes_is_told},
		{"an-endless-include-is-told", an_endless_include_is_told},
		{"too-many-includes-are-told", too_many_includes_are_told},
		{"an-absent-file-is-told", an_absent_file_is_told},
		{"a-folder-is-no-file", a_folder_is_no_file},
		{"nul-bytes-are-told", nul_bytes_are_told},
		{"a-huge-file-is-told", a_huge_file_is_told},
	};
	static const char *const no_plugins[] = {NULL};
	int status;

	g_test_init(&argc, &argv, NULL);
	registry = dfs_registry_new(no_plugins);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/file/%s", cases[i].name);
		g_test_add(path, struct files, NULL, set_up, cases[i].fn, tear_down);
	}
	status = g_test_run();
	dfs_registry_free(registry);
	return status;
}
