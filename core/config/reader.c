/* SPDX-License-Identifier: MIT
 *
 * From libconfig's settings to option tables.  The type of a setting must fit the row: a port is a
 * number and not a string with digits, a size may be either.
 */
#include <string.h>

#include "config/reader.h"
#include "plugin/nearest.h"
#include "plugin/option_value.h"

char *
dfs_reader_where(const struct dfs_config_reader *r, const config_setting_t *at)
{
	return dfs_source_where(&r->source, config_setting_source_line(at));
}

bool
dfs_reader_refuse(const struct dfs_config_reader *r, const config_setting_t *at, const char *fmt,
		  ...)
{
	g_autofree char *where = dfs_reader_where(r, at);
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	*r->error = g_strdup_printf("%s: %s", where, text);
	return false;
}

void
dfs_reader_warn(const struct dfs_config_reader *r, const config_setting_t *at, const char *fmt, ...)
{
	g_autofree char *where = dfs_reader_where(r, at);
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_ptr_array_add(r->warnings, g_strdup_printf("%s: %s", where, text));
}

const char *
dfs_reader_shape(const config_setting_t *at)
{
	switch (config_setting_type(at)) {
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a floating-point number";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "a truth value";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	case CONFIG_TYPE_LIST:
		return "a list ( )";
	default:
		return "nothing";
	}
}

bool
dfs_reader_group(const struct dfs_config_reader *r, const config_setting_t *at, const char *path)
{
	if (config_setting_is_group(at))
		return true;
	return dfs_reader_refuse(r, at, "%s: %s does not fit; want a group { }", path,
				 dfs_reader_shape(at));
}

bool
dfs_reader_name(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
		char name[DFS_CONFIG_NAME_MAX + 1])
{
	const char *text = config_setting_name(at);
	size_t n = strlen(text);

	if (n > DFS_CONFIG_NAME_MAX)
		return dfs_reader_refuse(r, at, "%.128s: the name has %zu bytes; want at most %d",
					 path, n, DFS_CONFIG_NAME_MAX);
	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("._-", *p))
			return dfs_reader_refuse(r, at,
						 "%s: the name has the character %c; want letters, "
						 "digits and . _ -",
						 path, *p);
	memcpy(name, text, n + 1);
	return true;
}

/* Puts "FILE:LINE: path." in front of the sentence that o's functions gave. */
static bool
place(const struct dfs_config_reader *r, const config_setting_t *at, const char *path)
{
	g_autofree char *sentence = g_steal_pointer(r->error);

	return dfs_reader_refuse(r, at, "%s.%s", path, sentence);
}

static bool
misfit(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
       const struct dfs_config_item *item)
{
	g_autofree char *allowed = dfs_option_allowed(item);

	return dfs_reader_refuse(r, at, "%s.%s: %s does not fit; want %s", path, item->key,
				 dfs_reader_shape(at), allowed);
}

/* An array or list of strings. */
static bool
set_list(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	 struct dfs_options *o, const struct dfs_config_item *item)
{
	unsigned n = (unsigned)config_setting_length(at);
	g_autofree const char **list = g_new0(const char *, n + 1);

	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *element = config_setting_get_elem(at, i);
		list[i] = config_setting_get_string(element);
		if (!list[i])
			return dfs_reader_refuse(r, element,
						 "%s.%s[%u]: %s does not fit; want a string", path,
						 item->key, i, dfs_reader_shape(element));
	}
	return dfs_options_set_list(o, item->key, list, r->error) || place(r, at, path);
}

static bool
set_item(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	 struct dfs_options *o, const struct dfs_config_item *item)
{
	int shape = config_setting_type(at);
	g_autofree char *digits = NULL;
	const char *text = NULL;

	switch (shape) {
	case CONFIG_TYPE_BOOL:
		if (item->type == DFS_CONFIG_BOOL)
			text = config_setting_get_bool(at) ? "true" : "false";
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		digits = g_strdup_printf("%lld", shape == CONFIG_TYPE_INT
							 ? config_setting_get_int(at)
							 : config_setting_get_int64(at));
		if (item->type == DFS_CONFIG_INT || item->type == DFS_CONFIG_SIZE ||
		    item->type == DFS_CONFIG_DURATION)
			text = digits;
		break;
	case CONFIG_TYPE_STRING:
		if (item->type != DFS_CONFIG_INT && item->type != DFS_CONFIG_BOOL)
			text = config_setting_get_string(at);
		break;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		if (item->type == DFS_CONFIG_LIST)
			return set_list(r, at, path, o, item);
		break;
	default:
		break;
	}
	if (!text)
		return misfit(r, at, path, item);
	return dfs_options_set(o, item->key, text, r->error) || place(r, at, path);
}

static bool
unknown_key(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	    const struct dfs_config_item *table, const char *const *extra)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	g_autofree char *hint = NULL;
	const char *name = config_setting_name(at);

	for (; *extra; extra++)
		g_ptr_array_add(keys, (char *)*extra);
	for (; table->type != DFS_CONFIG_END; table++)
		g_ptr_array_add(keys, (char *)table->key);
	hint = dfs_nearest_hint(name, (const char *const *)keys->pdata, keys->len, "keys");
	return dfs_reader_refuse(r, at, "%s.%.64s: unknown key%s", path, name, hint);
}

bool
dfs_reader_fill(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
		struct dfs_options *o, const char *const *extra)
{
	if (!dfs_reader_group(r, group, path))
		return false;
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *at = config_setting_get_elem(group, (unsigned)i);
		const char *name = config_setting_name(at);
		const struct dfs_config_item *item;

		if (g_strv_contains(extra, name))
			continue;
		item = dfs_options_find(o->table, name);
		if (!item)
			return unknown_key(r, at, path, o->table, extra);
		if (!set_item(r, at, path, o, item))
			return false;
	}
	return dfs_options_finish(o, r->error) || place(r, group, path);
}
