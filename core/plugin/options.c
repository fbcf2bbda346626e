/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "plugin/nearest.h"
#include "plugin/option_value.h"
#include "plugin/options.h"

static void *
field_of(const struct dfs_options *o, const struct dfs_config_item *item)
{
	return (char *)o->values + item->offset;
}

static void
mark_set(struct dfs_options *o, const struct dfs_config_item *item)
{
	unsigned row = (unsigned)(item - o->table);

	o->set[row / 32] |= UINT32_C(1) << (row % 32);
}

void
dfs_options_init(struct dfs_options *o, const struct dfs_config_item *table, uint64_t size,
		 const char *base_dir)
{
	memset(o, 0, sizeof *o);
	o->table = table;
	o->size = size;
	o->values = g_malloc0(MAX(size, 1));
	o->strings = g_ptr_array_new_with_free_func(g_free);
	o->base_dir = base_dir;
	for (const struct dfs_config_item *item = table; item->type != DFS_CONFIG_END; item++) {
		g_autofree char *error = NULL;
		/* Without a base folder a default path stays relative: nobody will open it. */
		const char *base = base_dir ? base_dir : "";

		if (item->def &&
		    !dfs_option_parse(item, item->def, base, o->strings, field_of(o, item), &error))
			g_error("default of %s: %s", item->key, error);
	}
}

void
dfs_options_clear(struct dfs_options *o)
{
	if (!o->values)
		return;
	for (const struct dfs_config_item *item = o->table; item->type != DFS_CONFIG_END; item++) {
		char *secret = item->type == DFS_CONFIG_SECRET ? *(char **)field_of(o, item) : NULL;
		if (secret)
			explicit_bzero(secret, strlen(secret));
	}
	g_ptr_array_unref(o->strings);
	g_free(o->values);
	memset(o, 0, sizeof *o);
}

/* Puts "key: " in front of the sentence. */
static bool
name_key(const char *key, char **error)
{
	char *text = g_strdup_printf("%s: %s", key, *error);

	g_free(*error);
	*error = text;
	return false;
}

static const struct dfs_config_item *
find_or_explain(const struct dfs_options *o, const char *key, char **error)
{
	const struct dfs_config_item *item = dfs_options_find(o->table, key);
	g_autoptr(GPtrArray) keys = NULL;
	g_autofree char *hint = NULL;

	if (item)
		return item;
	keys = g_ptr_array_new();
	for (item = o->table; item->type != DFS_CONFIG_END; item++)
		g_ptr_array_add(keys, (char *)item->key);
	hint = dfs_nearest_hint(key, (const char *const *)keys->pdata, keys->len, "keys");
	*error = g_strdup_printf("%.64s: unknown key%s", key, hint);
	return NULL;
}

bool
dfs_options_set(struct dfs_options *o, const char *key, const char *text, char **error)
{
	const struct dfs_config_item *item = find_or_explain(o, key, error);

	if (!item)
		return false;
	if (!dfs_option_parse(item, text, o->base_dir, o->strings, field_of(o, item), error))
		return name_key(key, error);
	mark_set(o, item);
	return true;
}

bool
dfs_options_set_list(struct dfs_options *o, const char *key, const char *const *items, char **error)
{
	const struct dfs_config_item *item = find_or_explain(o, key, error);

	if (!item)
		return false;
	if (!dfs_option_parse_list(item, items, o->strings, field_of(o, item), error))
		return name_key(key, error);
	mark_set(o, item);
	return true;
}

const struct dfs_config_item *
dfs_options_differ(const struct dfs_options *a, const struct dfs_options *b,
		   const struct dfs_config_item *after)
{
	assert(a->table == b->table);
	for (const struct dfs_config_item *item = after ? after + 1 : a->table;
	     item->type != DFS_CONFIG_END; item++)
		if (!(item->flags & DFS_CONFIG_RELOADABLE) &&
		    !dfs_option_equal(item, field_of(a, item), field_of(b, item)))
			return item;
	return NULL;
}

bool
dfs_options_finish(struct dfs_options *o, char **error)
{
	for (unsigned i = 0; o->table[i].type != DFS_CONFIG_END; i++) {
		g_autofree char *allowed = NULL;

		if (!(o->table[i].flags & DFS_CONFIG_REQUIRED) || (o->set[i / 32] >> (i % 32) & 1))
			continue;
		allowed = dfs_option_allowed(&o->table[i]);
		*error = g_strdup_printf("%s: required, but not there; want %s", o->table[i].key,
					 allowed);
		return false;
	}
	return true;
}

const struct dfs_config_item *
dfs_options_find(const struct dfs_config_item *table, const char *key)
{
	for (; table->type != DFS_CONFIG_END; table++)
		if (strcmp(table->key, key) == 0)
			return table;
	return NULL;
}

char *
dfs_options_text(const struct dfs_options *o, const struct dfs_config_item *item)
{
	return dfs_option_format(item, field_of(o, item));
}
