/* SPDX-License-Identifier: MIT
 *
 * What is said about an option table as a whole: whether it is well made, and its man page text.
 */
#include <string.h>

#include <glib.h>

#include "plugin/option_value.h"
#include "plugin/options.h"

#define ROWS_MAX 256u /* bits of struct dfs_options.set */
#define NAMES_MAX 64u

static const char *const type_names[] = {
	"end",  "bool", "int",  "size",   "duration", "string",
	"path", "enum", "list", "secret", "mode",
};

const char *
dfs_options_type_name(uint32_t type)
{
	return type < G_N_ELEMENTS(type_names) ? type_names[type] : "unknown";
}

static bool
well_formed_key(const char *key)
{
	size_t n = key ? strnlen(key, 64) : 0;

	return n > 0 && n < 64 && g_ascii_islower(key[0]) &&
	       strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* What is wrong with the row's names, bounds and flags; NULL: nothing. */
static char *
row_mistake(const struct dfs_config_item *item, uint64_t size)
{
	size_t field = dfs_option_field_size(item->type);
	size_t help = item->help ? strlen(item->help) : 0;

	if (!field)
		return g_strdup_printf("type %u is unknown", item->type);
	if (item->offset % field != 0 || item->offset > size || field > size - item->offset)
		return g_strdup_printf("offset %zu is not inside the struct of %" G_GUINT64_FORMAT
				       " bytes, or not aligned to %zu",
				       item->offset, size, field);
	if (item->flags & ~(uint32_t)(DFS_CONFIG_REQUIRED | DFS_CONFIG_RELOADABLE))
		return g_strdup_printf("flags 0x%x are unknown", item->flags);
	if (item->type == DFS_CONFIG_INT
		    ? item->min >= item->max
		    : item->min < 0 || item->max < 0 || (item->max > 0 && item->min > item->max))
		return g_strdup_printf("the range %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
				       " is empty or negative",
				       item->min, item->max);
	if (help == 0 || item->help[help - 1] != '.')
		return g_strdup("help is not a sentence with its full stop");
	if ((item->flags & DFS_CONFIG_REQUIRED) && item->def)
		return g_strdup("it is required and has a default");
	if (item->type == DFS_CONFIG_SECRET && item->def)
		return g_strdup("a secret has a default");
	if (item->type == DFS_CONFIG_ENUM) {
		unsigned n = 0;
		while (item->names && n < NAMES_MAX && item->names[n])
			n++;
		if (n == 0 || n == NAMES_MAX)
			return g_strdup("an enum names no value, or 64 or more");
	}
	return NULL;
}

/* What is wrong with row i in the company of the rows before it; NULL: nothing. */
static char *
table_mistake(const struct dfs_config_item *table, unsigned i, uint64_t size)
{
	const struct dfs_config_item *item = &table[i];
	size_t field = dfs_option_field_size(item->type);
	char *mistake = row_mistake(item, size);

	if (mistake)
		return mistake;
	for (unsigned j = 0; j < i; j++) {
		size_t other = dfs_option_field_size(table[j].type);
		if (strcmp(table[j].key, item->key) == 0)
			return g_strdup("the key is there twice");
		if (item->offset < table[j].offset + other &&
		    table[j].offset < item->offset + field)
			return g_strdup_printf("its field overlaps that of %s", table[j].key);
	}
	if (item->def) {
		g_autoptr(GPtrArray) owned = g_ptr_array_new_with_free_func(g_free);
		g_autofree char *why = NULL;
		uint64_t scratch[2];

		if (!dfs_option_parse(item, item->def, "/", owned, scratch, &why))
			return g_strdup_printf("the default %s", why);
	}
	return NULL;
}

bool
dfs_options_check_table(const struct dfs_config_item *table, uint64_t size, char **error)
{
	if (!table) {
		*error = g_strdup("the option table is missing");
		return false;
	}
	for (unsigned i = 0; table[i].type != DFS_CONFIG_END; i++) {
		g_autofree char *mistake = NULL;

		if (i == ROWS_MAX) {
			*error = g_strdup_printf(
				"the option table has more than %u rows, or no end", ROWS_MAX);
			return false;
		}
		if (!well_formed_key(table[i].key)) {
			*error =
				g_strdup_printf("option row %u: the key is not [a-z][a-z0-9_]*", i);
			return false;
		}
		mistake = table_mistake(table, i, size);
		if (mistake) {
			*error = g_strdup_printf("option %s: %s", table[i].key, mistake);
			return false;
		}
	}
	return true;
}

/* Text as roff takes it literally. */
static void
put_roff(const char *text, FILE *out)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

void
dfs_options_man(const struct dfs_config_item *table, FILE *out)
{
	for (; table->type != DFS_CONFIG_END; table++) {
		g_autofree char *allowed = dfs_option_allowed(table);

		fputs(".TP\n\\fB", out);
		put_roff(table->key, out);
		fprintf(out, "\\fR = \\fI%s\\fR\n", dfs_options_type_name(table->type));
		put_roff(table->help, out);
		fputs("\nThe value is ", out);
		put_roff(allowed, out);
		if (table->flags & DFS_CONFIG_REQUIRED) {
			fputs("; required", out);
		} else if (table->def) {
			fputs("; default \\fB", out);
			put_roff(*table->def ? table->def : "\"\"", out);
			fputs("\\fR", out);
		} else {
			fputs("; unset by default", out);
		}
		fputs(table->flags & DFS_CONFIG_RELOADABLE ? "; taken over on SIGHUP.\n" : ".\n",
		      out);
	}
}
