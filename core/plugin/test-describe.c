/* SPDX-License-Identifier: MIT
 *
 * Tests of the check of a description: what a plugin file may declare.
 */
#include <string.h>

#include <glib.h>

#include "plugin/describe.h"

struct fixture {
	struct dfs_plugin raw;
	struct dfs_block_ops ops;
	struct dfs_config_item table[2];
	struct dfs_plugin_entry entry;
	char *error;
};

static enum dfs_status
no_op(void)
{
	return DFS_OK;
}

static void
set_up(struct fixture *f, const void *data)
{
	f->table[0] =
		(struct dfs_config_item){"level", DFS_CONFIG_INT, 0, 0, 1, 9, "5", NULL, "Level."};
	f->table[1] = (struct dfs_config_item){.type = DFS_CONFIG_END};
	for (const struct dfs_op_name *op = dfs_kind_get(DFS_KIND_BLOCK)->ops; op->name; op++)
		*(enum dfs_status(**)(void))((char *)&f->ops + op->offset) = no_op;
	f->ops.size = sizeof f->ops;
	f->raw = (struct dfs_plugin){
		.magic = DFS_PLUGIN_MAGIC,
		.size = sizeof f->raw,
		.kind = DFS_KIND_BLOCK,
		.abi_major = DFS_BLOCK_ABI_MAJOR,
		.abi_minor = DFS_BLOCK_ABI_MINOR,
		.name = "x",
		.version = "1",
		.summary = "A test",
		.license = "MIT",
		.config = f->table,
		.config_size = 8,
		.ops = &f->ops,
	};
}

static void
tear_down(struct fixture *f, const void *data)
{
	g_free(f->error);
}

static void
accepts(struct fixture *f)
{
	dfs_plugin_describe(&f->raw, sizeof f->raw, "block_x", &f->entry, &f->error);
	g_assert_cmpstr(f->error, ==, NULL);
}

static void
refuses(struct fixture *f, const char *sentence)
{
	g_assert_false(
		dfs_plugin_describe(&f->raw, sizeof f->raw, "block_x", &f->entry, &f->error));
	g_assert_cmpstr(f->error, ==, sentence);
	g_clear_pointer(&f->error, g_free);
}

static void
a_sound_description_is_copied(struct fixture *f, const void *data)
{
	accepts(f);
	g_assert_cmpmem(&f->entry.desc, sizeof f->raw, &f->raw, sizeof f->raw);
	g_assert_cmpmem(&f->entry.ops.block, sizeof f->ops, &f->ops, sizeof f->ops);
}

static void
the_magic_must_match(struct fixture *f, const void *data)
{
	f->raw.magic = 0x12345678;
	refuses(f, "has the wrong magic number 0x12345678, wanted 0x31534644");
}

static void
the_kind_must_be_known(struct fixture *f, const void *data)
{
	f->raw.kind = 4;
	refuses(f, "declares the unknown kind 4, wanted 1 (adapter), 2 (metadata) or 3 (block)");
}

static void
the_size_must_hold_the_first_release(struct fixture *f, const void *data)
{
	g_autofree char *sentence =
		g_strdup_printf("declares a description of 16 bytes, wanted %zu to %zu",
				offsetof(struct dfs_plugin, ops) + sizeof(void *), sizeof f->raw);

	f->raw.size = 16;
	refuses(f, sentence);
}

static void
the_size_must_not_pass_the_symbol(struct fixture *f, const void *data)
{
	f->raw.size = sizeof f->raw + 8;
	g_assert_false(
		dfs_plugin_describe(&f->raw, sizeof f->raw, "block_x", &f->entry, &f->error));
	g_assert_nonnull(strstr(f->error, "declares a description of "));
}

static void
a_tiny_symbol_is_not_read(struct fixture *f, const void *data)
{
	g_assert_false(dfs_plugin_describe(&f->raw, 4, "block_x", &f->entry, &f->error));
	g_assert_true(
		g_str_has_prefix(f->error, "exports a description of 4 bytes, wanted at least"));
}

static void
a_newer_minor_of_a_store_loads(struct fixture *f, const void *data)
{
	f->raw.abi_minor = 77;
	accepts(f);
}

static void
an_adapters_minor_must_match(struct fixture *f, const void *data)
{
	f->raw.kind = DFS_KIND_ADAPTER;
	f->raw.abi_major = DFS_ADAPTER_ABI_MAJOR;
	f->raw.abi_minor = 77;
	refuses(f,
		"is built for version 0.77 of the adapter interface, wanted exactly 0.2; rebuild "
		"it against this release");
}

static void
a_newer_host_is_told(struct fixture *f, const void *data)
{
	f->raw.min_host_minor = 9;
	refuses(f, "needs host table minor 9, this server has 0");
}

static void
the_thread_model_must_be_known(struct fixture *f, const void *data)
{
	f->raw.thread_model = 4;
	refuses(f, "declares the unknown thread model 4, wanted 0 (serial) to 3 (nonblocking)");
}

static void
texts_must_be_there(struct fixture *f, const void *data)
{
	f->raw.summary = NULL;
	refuses(f, "declares no summary");
	f->raw.summary = "two\nlines";
	refuses(f, "declares a summary with control characters");
	f->raw.summary = "fine";
	f->raw.license = "";
	refuses(f, "declares no licence");
}

static void
the_name_must_be_well_formed(struct fixture *f, const void *data)
{
	f->raw.name = "Bad-Name";
	refuses(f, "declares the name \"Bad-Name\", wanted up to 32 of [a-z][a-z0-9_]*");
}

static void
the_name_must_match_the_file(struct fixture *f, const void *data)
{
	f->raw.name = "y";
	refuses(f, "has the wrong name: it declares block plugin \"y\", wanted the file name "
		   "block_y.so");
}

static void
table_mistakes_are_told(struct fixture *f, const void *data)
{
	f->table[0].def = "12";
	refuses(f,
		"has a mistake in its configuration table: option level: the default \"12\" is out "
		"of range; want an integer from 1 to 9");
}

static void
the_key_type_is_taken(struct fixture *f, const void *data)
{
	f->table[0].key = "type";
	refuses(f, "has a mistake in its configuration table: the key \"type\" belongs to the "
		   "configuration file");
}

static void
a_table_must_be_there(struct fixture *f, const void *data)
{
	f->raw.config = NULL;
	refuses(f, "has a mistake in its configuration table: the option table is missing");
}

static void
required_operations_must_be_there(struct fixture *f, const void *data)
{
	f->ops.erase_prefix = NULL;
	refuses(f, "lacks the required operation erase_prefix");
}

static void
operations_past_the_tables_size_do_not_count(struct fixture *f, const void *data)
{
	f->ops.size = offsetof(struct dfs_block_ops, health);
	refuses(f, "lacks the required operation health");
}

static void
an_optional_operation_may_lack(struct fixture *f, const void *data)
{
	f->ops.validate = NULL;
	accepts(f);
}

static void
a_longer_table_is_cut(struct fixture *f, const void *data)
{
	struct {
		struct dfs_block_ops ops;
		void *more[4];
	} longer = {.ops = f->ops};

	longer.ops.size = sizeof longer;
	f->raw.ops = &longer;
	accepts(f);
	g_assert_true(f->entry.ops.block.health == f->ops.health);
}

static void
operation_tables_have_sane_sizes(struct fixture *f, const void *data)
{
	g_autofree char *sentence = g_strdup_printf(
		"declares an operation table of 13 bytes, wanted about %zu", sizeof f->ops);

	f->ops.size = 13;
	refuses(f, sentence);
	f->raw.ops = NULL;
	refuses(f, "has no operation table");
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *, const void *);
	} cases[] = {
		{"a-sound-description-is-copied", a_sound_description_is_copied},
		{"the-magic-must-match", the_magic_must_match},
		{"the-kind-must-be-known", the_kind_must_be_known},
		{"the-size-must-hold-the-first-release", the_size_must_hold_the_first_release},
		{"the-size-must-not-pass-the-symbol", the_size_must_not_pass_the_symbol},
		{"a-tiny-symbol-is-not-read", a_tiny_symbol_is_not_read},
		{"a-newer-minor-of-a-store-loads", a_newer_minor_of_a_store_loads},
		{"an-adapters-minor-must-match", an_adapters_minor_must_match},
		{"a-newer-host-is-told", a_newer_host_is_told},
		{"the-thread-model-must-be-known", the_thread_model_must_be_known},
		{"texts-must-be-there", texts_must_be_there},
		{"the-name-must-be-well-formed", the_name_must_be_well_formed},
		{"the-name-must-match-the-file", the_name_must_match_the_file},
		{"table-mistakes-are-told", table_mistakes_are_told},
		{"the-key-type-is-taken", the_key_type_is_taken},
		{"a-table-must-be-there", a_table_must_be_there},
		{"required-operations-must-be-there", required_operations_must_be_there},
		{"operations-past-the-tables-size-do-not-count",
		 operations_past_the_tables_size_do_not_count},
		{"an-optional-operation-may-lack", an_optional_operation_may_lack},
		{"a-longer-table-is-cut", a_longer_table_is_cut},
		{"operation-tables-have-sane-sizes", operation_tables_have_sane_sizes},
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/describe/%s", cases[i].name);
		g_test_add(path, struct fixture, NULL, set_up, cases[i].fn, tear_down);
	}
	return g_test_run();
}
