/* SPDX-License-Identifier: MIT
 *
 * Tests of the typed option tables: one fact per test.
 */
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "plugin/nearest.h"
#include "plugin/options.h"

struct sample {
	int64_t port;
	uint64_t cache;
	uint64_t timeout;
	const char *name;
	const char *path;
	const char *const *hosts;
	const char *token;
	uint32_t access;
	uint32_t mode;
	uint8_t sync;
};

static const char *const access_names[] = {"rw", "ro", NULL};

#define FIELD(name) offsetof(struct sample, name)
static const struct dfs_config_item table[] = {
	{"port", DFS_CONFIG_INT, DFS_CONFIG_REQUIRED, FIELD(port), 1, 65535, NULL, NULL,
	 "The port."},
	{"cache", DFS_CONFIG_SIZE, 0, FIELD(cache), 1 << 20, INT64_C(1) << 40, "64M", NULL,
	 "The cache."},
	{"timeout", DFS_CONFIG_DURATION, DFS_CONFIG_RELOADABLE, FIELD(timeout), 1000000, 0, "30s",
	 NULL, "The wait."},
	{"name", DFS_CONFIG_STRING, 0, FIELD(name), 1, 8, NULL, NULL, "The name."},
	{"path", DFS_CONFIG_PATH, 0, FIELD(path), 0, 0, "data", NULL, "The folder."},
	{"hosts", DFS_CONFIG_LIST, 0, FIELD(hosts), 0, 0, NULL, NULL, "The hosts."},
	{"token", DFS_CONFIG_SECRET, 0, FIELD(token), 4, 64, NULL, NULL, "The token."},
	{"access", DFS_CONFIG_ENUM, 0, FIELD(access), 0, 0, "ro", access_names, "The access."},
	{"mode", DFS_CONFIG_MODE, 0, FIELD(mode), 0, 07777, "0750", NULL, "The mode."},
	{"sync", DFS_CONFIG_BOOL, 0, FIELD(sync), 0, 0, "true", NULL, "The sync."},
	{NULL, DFS_CONFIG_END, 0, 0, 0, 0, NULL, NULL, NULL},
};

struct fixture {
	struct dfs_options o;
	struct sample *v;
	char *error;
};

static void
set_up(struct fixture *f, const void *data)
{
	dfs_options_init(&f->o, table, sizeof(struct sample), "/srv");
	f->v = f->o.values;
}

static void
tear_down(struct fixture *f, const void *data)
{
	dfs_options_clear(&f->o);
	g_free(f->error);
}

static void
accepts(struct fixture *f, const char *key, const char *text)
{
	if (!dfs_options_set(&f->o, key, text, &f->error))
		g_test_message("%s", f->error);
	g_assert_null(f->error);
}

static void
refuses(struct fixture *f, const char *key, const char *text, const char *sentence)
{
	g_assert_false(dfs_options_set(&f->o, key, text, &f->error));
	g_assert_cmpstr(f->error, ==, sentence);
	g_clear_pointer(&f->error, g_free);
}

static void
defaults_are_in_place(struct fixture *f, const void *data)
{
	g_assert_cmpuint(f->v->cache, ==, 64 << 20);
	g_assert_cmpuint(f->v->timeout, ==, UINT64_C(30000000000));
	g_assert_cmpstr(f->v->path, ==, "/srv/data");
	g_assert_cmpuint(f->v->access, ==, 1);
	g_assert_cmpuint(f->v->mode, ==, 0750);
	g_assert_cmpuint(f->v->sync, ==, 1);
	g_assert_null(f->v->name);
	g_assert_null(f->v->hosts);
}

static void
integers_keep_their_range(struct fixture *f, const void *data)
{
	const char *out = "port: \"%s\" is out of range; want an integer from 1 to 65535";
	g_autofree char *low = g_strdup_printf(out, "0");
	g_autofree char *high = g_strdup_printf(out, "65536");
	g_autofree char *huge = g_strdup_printf(out, "99999999999999999999");

	accepts(f, "port", "1");
	accepts(f, "port", "65535");
	g_assert_cmpint(f->v->port, ==, 65535);
	refuses(f, "port", "0", low);
	refuses(f, "port", "65536", high);
	refuses(f, "port", "99999999999999999999", huge);
	g_assert_cmpint(f->v->port, ==, 65535);
}

static void
integers_are_digits_only(struct fixture *f, const void *data)
{
	static const char *const bad[] = {"", "-", "abc", "12x", " 12", "1.5", "+1", "0x10"};

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *sentence = g_strdup_printf(
			"port: \"%s\" is not an integer; want an integer from 1 to 65535", bad[i]);
		refuses(f, "port", bad[i], sentence);
	}
}

static void
sizes_take_suffixes(struct fixture *f, const void *data)
{
	accepts(f, "cache", "1048576");
	g_assert_cmpuint(f->v->cache, ==, 1 << 20);
	accepts(f, "cache", "3g");
	g_assert_cmpuint(f->v->cache, ==, UINT64_C(3) << 30);
	accepts(f, "cache", "1T");
	g_assert_cmpuint(f->v->cache, ==, UINT64_C(1) << 40);
}

static void
sizes_keep_their_range(struct fixture *f, const void *data)
{
	const char *want = "want a size from 1M to 1T, in bytes or with the suffix K, M, G or T";
	g_autofree char *low = g_strdup_printf("cache: \"1K\" is out of range; %s", want);
	g_autofree char *wrap = g_strdup_printf("cache: \"16777216T\" is out of range; %s", want);
	g_autofree char *unit = g_strdup_printf("cache: \"5Q\" has an unknown unit; %s", want);

	refuses(f, "cache", "1K", low);
	refuses(f, "cache", "16777216T", wrap);
	refuses(f, "cache", "5Q", unit);
}

static void
durations_take_units(struct fixture *f, const void *data)
{
	accepts(f, "timeout", "1500us");
	g_assert_cmpuint(f->v->timeout, ==, 1500000);
	accepts(f, "timeout", "2d");
	g_assert_cmpuint(f->v->timeout, ==, UINT64_C(172800000000000));
	refuses(f, "timeout", "30",
		"timeout: \"30\" has no unit; want a duration of at least 1ms, "
		"with the unit ns, us, ms, s, m, h or d");
	refuses(f, "timeout", "999us",
		"timeout: \"999us\" is out of range; want a duration of at least 1ms, "
		"with the unit ns, us, ms, s, m, h or d");
}

static void
strings_keep_their_length(struct fixture *f, const void *data)
{
	accepts(f, "name", "12345678");
	g_assert_cmpstr(f->v->name, ==, "12345678");
	refuses(f, "name", "123456789",
		"name: \"123456789\" is too long; want a string of 1 to 8 bytes");
	refuses(f, "name", "", "name: \"\" is empty; want a string of 1 to 8 bytes");
}

static void
relative_paths_start_at_the_base(struct fixture *f, const void *data)
{
	accepts(f, "path", "a/../b");
	g_assert_cmpstr(f->v->path, ==, "/srv/b");
	accepts(f, "path", "/c//d");
	g_assert_cmpstr(f->v->path, ==, "/c/d");
}

static void
enums_suggest(struct fixture *f, const void *data)
{
	accepts(f, "access", "rw");
	g_assert_cmpuint(f->v->access, ==, 0);
	refuses(f, "access", "rv",
		"access: \"rv\" is not allowed; want one of rw, ro; did you mean \"rw\"?");
}

static void
modes_are_octal(struct fixture *f, const void *data)
{
	accepts(f, "mode", "0755");
	g_assert_cmpuint(f->v->mode, ==, 0755);
	refuses(f, "mode", "0798",
		"mode: \"0798\" is not an octal mode; want permission bits as "
		"octal text such as \"0755\"");
}

static void
lists_are_copied(struct fixture *f, const void *data)
{
	char first[] = "alpha";
	const char *const hosts[] = {first, "beta", NULL};

	g_assert_true(dfs_options_set_list(&f->o, "hosts", hosts, &f->error));
	first[0] = 'X';
	g_assert_cmpstr(f->v->hosts[0], ==, "alpha");
	g_assert_cmpstr(f->v->hosts[1], ==, "beta");
	g_assert_null(f->v->hosts[2]);
}

static void
a_list_fits_no_scalar(struct fixture *f, const void *data)
{
	const char *const items[] = {"1", NULL};

	g_assert_false(dfs_options_set_list(&f->o, "port", items, &f->error));
	g_assert_cmpstr(f->error, ==,
			"port: \"a list\" does not fit; want an integer from 1 to 65535");
}

static void
secrets_come_from_files(struct fixture *f, const void *data)
{
	g_autofree char *path = NULL, *spec = NULL;
	int fd = g_file_open_tmp("secret-XXXXXX", &path, NULL);

	g_assert_cmpint(write(fd, "open sesame\n", 12), ==, 12);
	close(fd);
	spec = g_strdup_printf("file:%s", path);
	accepts(f, "token", spec);
	g_unlink(path);
	g_assert_cmpstr(f->v->token, ==, "open sesame");
}

static void
secrets_come_from_the_environment(struct fixture *f, const void *data)
{
	g_setenv("DFS_TEST_TOKEN", "from env", TRUE);
	accepts(f, "token", "env:DFS_TEST_TOKEN");
	g_assert_cmpstr(f->v->token, ==, "from env");
	refuses(f, "token", "env:DFS_TEST_ABSENT",
		"token: the secret's environment variable DFS_TEST_ABSENT is not set");
}

static void
secret_files_must_be_regular(struct fixture *f, const void *data)
{
	refuses(f, "token", "file:/", "token: the secret's file / is no regular file");
	refuses(f, "token", "file:/nowhere/x",
		"token: the secret's file /nowhere/x cannot be read: No such file or directory");
}

static void
secrets_are_never_shown(struct fixture *f, const void *data)
{
	g_autofree char *text = NULL;

	refuses(f, "token", "abc",
		"token: the secret is too short; want a secret of 4 to 64 bytes: file:PATH, "
		"env:NAME "
		"or the text itself");
	accepts(f, "token", "abcdef");
	text = dfs_options_text(&f->o, dfs_options_find(table, "token"));
	g_assert_cmpstr(text, ==, "(secret)");
}

static void
unknown_keys_get_a_suggestion(struct fixture *f, const void *data)
{
	refuses(f, "prot", "1", "prot: unknown key; did you mean \"port\"?");
	refuses(f, "zzzzzzzzzz", "1",
		"zzzzzzzzzz: unknown key; known keys: port, cache, timeout, name, path, hosts, "
		"token, "
		"access, mode, sync");
}

static void
required_keys_must_come(struct fixture *f, const void *data)
{
	g_assert_false(dfs_options_finish(&f->o, &f->error));
	g_assert_cmpstr(f->error, ==,
			"port: required, but not there; want an integer from 1 to 65535");
	g_clear_pointer(&f->error, g_free);
	accepts(f, "port", "1");
	g_assert_true(dfs_options_finish(&f->o, &f->error));
}

static void
values_print_as_they_are_read(struct fixture *f, const void *data)
{
	static const char *const texts[][2] = {
		{"port", "12049"}, {"cache", "3M"},   {"timeout", "90m"},
		{"name", "x"},     {"path", "/a/b"},  {"access", "ro"},
		{"mode", "0700"},  {"sync", "false"}, {"timeout", "1500ms"},
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *text = NULL;
		accepts(f, texts[i][0], texts[i][1]);
		text = dfs_options_text(&f->o, dfs_options_find(table, texts[i][0]));
		g_assert_cmpstr(text, ==, texts[i][1]);
	}
}

static void
reloadable_rows_do_not_differ(struct fixture *f, const void *data)
{
	struct dfs_options other;

	dfs_options_init(&other, table, sizeof(struct sample), "/srv");
	g_assert_true(dfs_options_set(&other, "timeout", "5s", &f->error));
	g_assert_null(dfs_options_differ(&f->o, &other, NULL));
	g_assert_true(dfs_options_set(&other, "path", "elsewhere", &f->error));
	g_assert_cmpstr(dfs_options_differ(&f->o, &other, NULL)->key, ==, "path");
	dfs_options_clear(&other);
}

static void
man_text_names_type_and_default(struct fixture *f, const void *data)
{
	g_autofree char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	dfs_options_man(&table[1], out);
	fclose(out);
	g_assert_true(g_str_has_prefix(
		text,
		".TP\n\\fBcache\\fR = \\fIsize\\fR\nThe cache.\nThe value is a size from 1M to "
		"1T, in bytes or with the suffix K, M, G or T; default \\fB64M\\fR.\n"));
}

static void
the_table_itself_is_sound(void)
{
	g_autofree char *error = NULL;

	g_assert_true(dfs_options_check_table(table, sizeof(struct sample), &error));
}

struct bad_row {
	const char *test;
	struct dfs_config_item row;
	const char *sentence;
};

#define ROW(...)                                                                                   \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
static const struct bad_row bad_rows[] = {
	{"key", ROW("Port", DFS_CONFIG_BOOL, 0, 0, 0, 0, NULL, NULL, "Help."),
	 "option row 0: the key is not [a-z][a-z0-9_]*"},
	{"type", ROW("a", 99, 0, 0, 0, 0, NULL, NULL, "Help."), "option a: type 99 is unknown"},
	{"offset", ROW("a", DFS_CONFIG_INT, 0, 16, 0, 1, NULL, NULL, "Help."),
	 "option a: offset 16 is not inside the struct of 16 bytes, or not aligned to 8"},
	{"alignment", ROW("a", DFS_CONFIG_INT, 0, 4, 0, 1, NULL, NULL, "Help."),
	 "option a: offset 4 is not inside the struct of 16 bytes, or not aligned to 8"},
	{"wrapping-offset", ROW("a", DFS_CONFIG_INT, 0, SIZE_MAX - 7, 0, 1, NULL, NULL, "Help."),
	 "option a: offset 18446744073709551608 is not inside the struct of 16 bytes, or not "
	 "aligned to "
	 "8"},
	{"flags", ROW("a", DFS_CONFIG_BOOL, 64, 0, 0, 0, NULL, NULL, "Help."),
	 "option a: flags 0x40 are unknown"},
	{"range", ROW("a", DFS_CONFIG_INT, 0, 0, 2, 1, NULL, NULL, "Help."),
	 "option a: the range 2 to 1 is empty or negative"},
	{"help", ROW("a", DFS_CONFIG_BOOL, 0, 0, 0, 0, NULL, NULL, "Help"),
	 "option a: help is not a sentence with its full stop"},
	{"required-default",
	 ROW("a", DFS_CONFIG_BOOL, DFS_CONFIG_REQUIRED, 0, 0, 0, "true", NULL, "H."),
	 "option a: it is required and has a default"},
	{"secret-default", ROW("a", DFS_CONFIG_SECRET, 0, 0, 0, 0, "x", NULL, "Help."),
	 "option a: a secret has a default"},
	{"enum", ROW("a", DFS_CONFIG_ENUM, 0, 0, 0, 0, NULL, NULL, "Help."),
	 "option a: an enum names no value, or 64 or more"},
	{"default", ROW("a", DFS_CONFIG_INT, 0, 0, 1, 5, "6", NULL, "Help."),
	 "option a: the default \"6\" is out of range; want an integer from 1 to 5"},
};

static void
a_bad_row_is_told(const void *data)
{
	const struct bad_row *bad = data;
	struct dfs_config_item rows[2] = {bad->row, {.type = DFS_CONFIG_END}};
	g_autofree char *error = NULL;

	g_assert_false(dfs_options_check_table(rows, 16, &error));
	g_assert_cmpstr(error, ==, bad->sentence);
}

static void
keys_and_fields_are_unique(void)
{
	const struct dfs_config_item twice[] = {
		{"a", DFS_CONFIG_BOOL, 0, 0, 0, 0, NULL, NULL, "H."},
		{"a", DFS_CONFIG_BOOL, 0, 1, 0, 0, NULL, NULL, "H."},
		{.type = DFS_CONFIG_END},
	};
	const struct dfs_config_item overlap[] = {
		{"a", DFS_CONFIG_INT, 0, 0, 0, 9, NULL, NULL, "H."},
		{"b", DFS_CONFIG_BOOL, 0, 7, 0, 0, NULL, NULL, "H."},
		{.type = DFS_CONFIG_END},
	};
	g_autofree char *first = NULL, *second = NULL;

	g_assert_false(dfs_options_check_table(twice, 16, &first));
	g_assert_cmpstr(first, ==, "option a: the key is there twice");
	g_assert_false(dfs_options_check_table(overlap, 16, &second));
	g_assert_cmpstr(second, ==, "option b: its field overlaps that of a");
}

static void
a_table_without_end_is_told(void)
{
	g_autofree struct dfs_config_item *rows = g_new0(struct dfs_config_item, 257);
	g_autofree char *error = NULL;
	char keys[257][8];

	for (unsigned i = 0; i < 257; i++) {
		g_snprintf(keys[i], sizeof keys[i], "k%u", i);
		rows[i] = (struct dfs_config_item){
			.key = keys[i], .type = DFS_CONFIG_BOOL, .offset = i, .help = "Help."};
	}
	g_assert_false(dfs_options_check_table(rows, 257, &error));
	g_assert_cmpstr(error, ==, "the option table has more than 256 rows, or no end");
}

static void
distance_counts_a_swap_as_one(void)
{
	g_assert_cmpuint(dfs_edit_distance("port", "port"), ==, 0);
	g_assert_cmpuint(dfs_edit_distance("port", "prot"), ==, 1);
	g_assert_cmpuint(dfs_edit_distance("", "abc"), ==, 3);
	g_assert_cmpuint(dfs_edit_distance("kitten", "sitting"), ==, 3);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *, const void *);
	} cases[] = {
		{"defaults-are-in-place", defaults_are_in_place},
		{"integers-keep-their-range", integers_keep_their_range},
		{"integers-are-digits-only", integers_are_digits_only},
		{"sizes-take-suffixes", sizes_take_suffixes},
		{"sizes-keep-their-range", sizes_keep_their_range},
		{"durations-take-units", durations_take_units},
		{"strings-keep-their-length", strings_keep_their_length},
		{"relative-paths-start-at-the-base", relative_paths_start_at_the_base},
		{"enums-suggest", enums_suggest},
		{"modes-are-octal", modes_are_octal},
		{"lists-are-copied", lists_are_copied},
		{"a-list-fits-no-scalar", a_list_fits_no_scalar},
		{"secrets-come-from-files", secrets_come_from_files},
		{"secrets-come-from-the-environment", secrets_come_from_the_environment},
		{"secret-files-must-be-regular", secret_files_must_be_regular},
		{"secrets-are-never-shown", secrets_are_never_shown},
		{"unknown-keys-get-a-suggestion", unknown_keys_get_a_suggestion},
		{"required-keys-must-come", required_keys_must_come},
		{"values-print-as-they-are-read", values_print_as_they_are_read},
		{"reloadable-rows-do-not-differ", reloadable_rows_do_not_differ},
		{"man-text-names-type-and-default", man_text_names_type_and_default},
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/options/%s", cases[i].name);
		g_test_add(path, struct fixture, NULL, set_up, cases[i].fn, tear_down);
	}
	g_test_add_func("/table/sound", the_table_itself_is_sound);
	for (unsigned i = 0; i < G_N_ELEMENTS(bad_rows); i++) {
		g_autofree char *path = g_strdup_printf("/table/bad-%s", bad_rows[i].test);
		g_test_add_data_func(path, &bad_rows[i], a_bad_row_is_told);
	}
	g_test_add_func("/table/keys-and-fields-are-unique", keys_and_fields_are_unique);
	g_test_add_func("/table/without-end", a_table_without_end_is_told);
	g_test_add_func("/nearest/swap", distance_counts_a_swap_as_one);
	return g_test_run();
}
