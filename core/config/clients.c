/* SPDX-License-Identifier: MIT
 *
 * shares.NAME.clients: rules by address.  A rule whose `match` is a list becomes a row per address.
 */
#include "config/address.h"
#include "config/reader.h"
#include "config/tables.h"

#define RULES_MAX 4096u

/* A row that an earlier one makes useless is likely a mistake of order. */
static void
warn_covered(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	     const char *text, const GArray *rows, const struct dfs_client_rule *row)
{
	for (unsigned i = 0; i < rows->len; i++) {
		if (!dfs_address_covers(&g_array_index(rows, struct dfs_client_rule, i), row))
			continue;
		dfs_reader_warn(r, at, "%s.match: \"%s\" is never reached, an earlier rule has it",
				path, text);
		return;
	}
}

/* Add the rows of one group. */
static bool
read_rule(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	  struct dfs_options *o, GArray *rows)
{
	static const char *const extra[] = {NULL};
	const struct client_values *v = o->values;
	const config_setting_t *at;
	g_autofree char *why = NULL;

	if (!dfs_reader_fill(r, group, path, o, extra))
		return false;
	at = config_setting_get_member(group, "match");
	if (!v->match[0])
		return dfs_reader_refuse(
			r, at, "%s.match: the list is empty; want one address at least", path);
	for (const char *const *text = v->match; *text; text++) {
		struct dfs_client_rule row = {
			.read_only = v->access == 1,
			.squash = (uint8_t)v->squash,
			.secure = v->secure,
			.anon_uid = (uint32_t)v->anon_uid,
			.anon_gid = (uint32_t)v->anon_gid,
		};
		if (!dfs_address_parse(*text, &row, &why))
			return dfs_reader_refuse(r, at, "%s.match: %s", path, why);
		if (rows->len == RULES_MAX)
			return dfs_reader_refuse(r, at, "%s.match: more than %u addresses", path,
						 RULES_MAX);
		warn_covered(r, at, path, *text, rows, &row);
		g_array_append_val(rows, row);
	}
	return true;
}

struct dfs_share_rules *
dfs_reader_rules(const struct dfs_config_reader *r, const config_setting_t *clients,
		 const char *path)
{
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct dfs_client_rule));

	if (!clients)
		return dfs_share_rules_default();
	if (!config_setting_is_list(clients)) {
		dfs_reader_refuse(r, clients,
				  "%s.clients: %s does not fit; want a list ( ) of groups { }",
				  path, dfs_reader_shape(clients));
		return NULL;
	}
	for (int i = 0; i < config_setting_length(clients); i++) {
		g_autofree char *name = g_strdup_printf("%s.clients[%d]", path, i);
		struct dfs_options o;
		bool ok;

		dfs_options_init(&o, dfs_client_table, sizeof(struct client_values), NULL);
		ok = read_rule(r, config_setting_get_elem(clients, (unsigned)i), name, &o, rows);
		dfs_options_clear(&o);
		if (!ok)
			return NULL;
	}
	if (rows->len == 0)
		dfs_reader_warn(r, clients,
				"%s.clients: the list is empty, so no client has access", path);
	return dfs_share_rules_new((const struct dfs_client_rule *)rows->data, rows->len);
}
