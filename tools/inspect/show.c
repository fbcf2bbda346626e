/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <glib.h>

#include "config/config.h"
#include "plugin/describe.h"
#include "plugin/option_value.h"
#include "plugin/options.h"
#include "tools/inspect/show.h"

/* Names of the operations that are there, or of those that are not. */
static char *
join_ops(const struct dfs_plugin_entry *entry, bool present, const char *separator)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	const struct dfs_op_name *op = dfs_kind_get(entry->desc.kind)->ops;

	for (; op->name; op++) {
		void (*fn)(void);
		memcpy(&fn, (const char *)&entry->ops + op->offset, sizeof fn);
		if (!!fn == present)
			g_ptr_array_add(names, (char *)op->name);
	}
	g_ptr_array_add(names, NULL);
	return g_strjoinv(separator, (char **)names->pdata);
}

/* Names of the capability bits; bits without a name as one number. */
static char *
join_caps(const struct dfs_plugin_entry *entry, const char *separator)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *rest = NULL;
	uint64_t unnamed = entry->desc.caps;

	for (const struct dfs_cap_name *cap = dfs_kind_get(entry->desc.kind)->caps; cap->name;
	     cap++) {
		if (entry->desc.caps & cap->bit)
			g_ptr_array_add(names, (char *)cap->name);
		unnamed &= ~cap->bit;
	}
	rest = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", unnamed);
	if (unnamed)
		g_ptr_array_add(names, rest);
	g_ptr_array_add(names, NULL);
	return g_strjoinv(separator, (char **)names->pdata);
}

static void
show_option(const struct dfs_config_item *item, FILE *out)
{
	g_autofree char *allowed = dfs_option_allowed(item);

	fprintf(out, "  %s = %s", item->key, dfs_options_type_name(item->type));
	if (item->flags & DFS_CONFIG_REQUIRED)
		fputs(", required", out);
	else if (item->def)
		fprintf(out, ", default %s", *item->def ? item->def : "\"\"");
	if (item->flags & DFS_CONFIG_RELOADABLE)
		fputs(", reloadable", out);
	fprintf(out, "\n      %s\n      The value is %s.\n", item->help, allowed);
}

void
inspect_show_text(const struct dfs_plugin_entry *entry, FILE *out)
{
	const struct dfs_plugin *desc = &entry->desc;
	g_autofree char *caps = join_caps(entry, " ");
	g_autofree char *present = join_ops(entry, true, " ");
	g_autofree char *absent = join_ops(entry, false, " ");

	fprintf(out, "%s/%s %s\n", dfs_plugin_kind_name(desc->kind), desc->name, desc->version);
	fprintf(out, "  %s\n\n", desc->summary);
	fprintf(out, "File           %s\n", entry->path);
	fprintf(out, "Licence        %s\n", desc->license);
	fprintf(out, "Interface      %s %u.%u, host table minor %u or later\n",
		dfs_plugin_kind_name(desc->kind), desc->abi_major, desc->abi_minor,
		desc->min_host_minor);
	fprintf(out, "Threads        %s", dfs_thread_model_name(desc->thread_model));
	if (desc->max_threads)
		fprintf(out, ", at most %u blocking calls at once", desc->max_threads);
	fprintf(out, "\nCapabilities   %s\n", *caps ? caps : "none");
	fprintf(out, "Operations     %s\n", present);
	fprintf(out, "Absent         %s\n", *absent ? absent : "none");
	fputs("\nOptions\n", out);
	if (desc->config->type == DFS_CONFIG_END)
		fputs("  none\n", out);
	for (const struct dfs_config_item *item = desc->config; item->type != DFS_CONFIG_END;
	     item++)
		show_option(item, out);
}

static void
keyvalue_option(const struct dfs_config_item *item, const char *prefix, FILE *out)
{
	g_autofree char *names =
		item->type == DFS_CONFIG_ENUM ? g_strjoinv(",", (char **)item->names) : NULL;
	g_autofree char *key = g_strdup_printf("%soption.%s", prefix, item->key);
	bool bounded = item->type != DFS_CONFIG_BOOL && item->type != DFS_CONFIG_ENUM &&
		       item->type != DFS_CONFIG_LIST && item->type != DFS_CONFIG_PATH;

	fprintf(out, "%s.type=%s\n", key, dfs_options_type_name(item->type));
	fprintf(out, "%s.required=%d\n", key, !!(item->flags & DFS_CONFIG_REQUIRED));
	fprintf(out, "%s.reloadable=%d\n", key, !!(item->flags & DFS_CONFIG_RELOADABLE));
	if (item->def)
		fprintf(out, "%s.default=%s\n", key, item->def);
	if (bounded) {
		fprintf(out, "%s.min=%" G_GINT64_FORMAT "\n", key, item->min);
		fprintf(out, "%s.max=%" G_GINT64_FORMAT "\n", key, item->max);
	}
	if (names)
		fprintf(out, "%s.names=%s\n", key, names);
	fprintf(out, "%s.help=%s\n", key, item->help);
}

void
inspect_show_keyvalue(const struct dfs_plugin_entry *entry, const char *prefix, FILE *out)
{
	const struct dfs_plugin *desc = &entry->desc;
	g_autofree char *caps = join_caps(entry, ",");
	g_autofree char *present = join_ops(entry, true, ",");
	g_autofree char *absent = join_ops(entry, false, ",");

	fprintf(out, "%skind=%s\n", prefix, dfs_plugin_kind_name(desc->kind));
	fprintf(out, "%sname=%s\n", prefix, desc->name);
	fprintf(out, "%sversion=%s\n", prefix, desc->version);
	fprintf(out, "%ssummary=%s\n", prefix, desc->summary);
	fprintf(out, "%slicense=%s\n", prefix, desc->license);
	fprintf(out, "%spath=%s\n", prefix, entry->path);
	fprintf(out, "%ssize=%u\n", prefix, desc->size);
	fprintf(out, "%sabi_major=%u\n", prefix, desc->abi_major);
	fprintf(out, "%sabi_minor=%u\n", prefix, desc->abi_minor);
	fprintf(out, "%smin_host_minor=%u\n", prefix, desc->min_host_minor);
	fprintf(out, "%sthread_model=%s\n", prefix, dfs_thread_model_name(desc->thread_model));
	fprintf(out, "%smax_threads=%u\n", prefix, desc->max_threads);
	fprintf(out, "%scaps=%s\n", prefix, caps);
	fprintf(out, "%sops=%s\n", prefix, present);
	fprintf(out, "%sops_absent=%s\n", prefix, absent);
	fprintf(out, "%sconfig_size=%" G_GUINT64_FORMAT "\n", prefix, desc->config_size);
	for (const struct dfs_config_item *item = desc->config; item->type != DFS_CONFIG_END;
	     item++)
		keyvalue_option(item, prefix, out);
}

static void
list_line(void *arg, const char *path, const struct dfs_plugin_entry *entry, const char *error)
{
	g_autofree char *name = NULL;

	if (!entry) {
		fprintf(arg, "broken: %s\n", error);
		return;
	}
	name = g_strdup_printf("%s/%s", dfs_plugin_kind_name(entry->desc.kind), entry->desc.name);
	fprintf(arg, "%-20s  %-8s  %s\n%-20s  %-8s  %s\n", name, entry->desc.version,
		entry->desc.summary, "", "", entry->path);
}

void
inspect_list_text(struct dfs_registry *registry, FILE *out)
{
	dfs_registry_each(registry, list_line, out);
}

static void
list_keyvalue(void *arg, const char *path, const struct dfs_plugin_entry *entry, const char *error)
{
	g_autofree char *prefix = NULL;

	if (!entry) {
		fprintf(arg, "broken=%s\n", error);
		return;
	}
	prefix =
		g_strdup_printf("%s/%s.", dfs_plugin_kind_name(entry->desc.kind), entry->desc.name);
	fprintf(arg, "plugin=%s/%s\n", dfs_plugin_kind_name(entry->desc.kind), entry->desc.name);
	fprintf(arg, "%sversion=%s\n", prefix, entry->desc.version);
	fprintf(arg, "%ssummary=%s\n", prefix, entry->desc.summary);
	fprintf(arg, "%spath=%s\n", prefix, entry->path);
}

void
inspect_list_keyvalue(struct dfs_registry *registry, FILE *out)
{
	dfs_registry_each(registry, list_keyvalue, out);
}

void
inspect_man(const struct dfs_plugin_entry *entry, FILE *out)
{
	fputs(".SH OPTIONS\n", out);
	if (entry->desc.config->type == DFS_CONFIG_END)
		fputs("None.\n", out);
	dfs_options_man(entry->desc.config, out);
}

void
inspect_server_man(FILE *out)
{
	fputs(".SH SECTIONS\n", out);
	for (const struct dfs_config_section *s = dfs_config_sections(); s->name; s++) {
		fprintf(out, ".SS %s\n%s\n", s->name, s->help);
		dfs_options_man(s->table, out);
	}
}
