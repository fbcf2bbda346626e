/* SPDX-License-Identifier: MIT
 *
 * shares.NAME.quotas: limits of the share, of each user, and of those that are named.
 */
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "config/tables.h"

#define ROWS_MAX 65536u

static const char *const no_extra[] = {NULL};

/* The limits that a filled table has. */
static bool
take_limit(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	   const struct quota_values *v, struct dfs_quota_limit *limit)
{
	*limit = (struct dfs_quota_limit){
		.bytes_soft = v->bytes_soft,
		.bytes_hard = v->bytes_hard,
		.files_soft = (uint64_t)v->files_soft,
		.files_hard = (uint64_t)v->files_hard,
		.grace = (int64_t)v->grace,
	};
	if (limit->bytes_hard && limit->bytes_soft > limit->bytes_hard)
		return dfs_reader_refuse(r, at, "%s.bytes_soft: it is above bytes_hard", path);
	if (limit->files_hard && limit->files_soft > limit->files_hard)
		return dfs_reader_refuse(r, at, "%s.files_soft: it is above files_hard", path);
	return true;
}

/* A group of limits; at NULL: none of them. */
static bool
read_limit(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	   const char *key, struct dfs_quota_limit *limit)
{
	g_autofree char *name = g_strdup_printf("%s.%s", path, key);
	struct dfs_options o;
	bool ok;

	if (!at)
		return true;
	dfs_options_init(&o, dfs_quota_table, sizeof(struct quota_values), NULL);
	ok = dfs_reader_fill(r, at, name, &o, no_extra) && take_limit(r, at, name, o.values, limit);
	dfs_options_clear(&o);
	return ok;
}

static gint
by_id(gconstpointer a, gconstpointer b)
{
	uint32_t x = ((const struct dfs_quota_rule *)a)->id;
	uint32_t y = ((const struct dfs_quota_rule *)b)->id;

	return x < y ? -1 : x > y;
}

static bool
read_row(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	 bool users, GArray *rows)
{
	struct dfs_quota_rule row = {0};
	const struct quota_row_values *v;
	struct dfs_options o;
	bool ok;

	dfs_options_init(&o, dfs_quota_row_table, sizeof *v, NULL);
	v = o.values;
	ok = dfs_reader_fill(r, at, path, &o, no_extra) &&
	     take_limit(r, at, path, &v->limit, &row.limit);
	if (ok && users && v->id == 0)
		ok = dfs_reader_refuse(r, at, "%s.id: no limit binds user 0; want another one",
				       path);
	for (guint i = 0; ok && i < rows->len; i++)
		if (g_array_index(rows, struct dfs_quota_rule, i).id == v->id)
			ok = dfs_reader_refuse(r, at, "%s.id: an earlier row has %lld too", path,
					       (long long)v->id);
	row.id = (uint32_t)v->id;
	dfs_options_clear(&o);
	if (ok)
		g_array_append_val(rows, row);
	return ok;
}

/* A list of rows; at NULL: none. */
static bool
read_rows(const struct dfs_config_reader *r, const config_setting_t *at, const char *path,
	  const char *key, GArray *rows)
{
	if (!at)
		return true;
	if (!config_setting_is_list(at))
		return dfs_reader_refuse(r, at,
					 "%s.%s: %s does not fit; want a list ( ) of groups { }",
					 path, key, dfs_reader_shape(at));
	if ((unsigned)config_setting_length(at) > ROWS_MAX)
		return dfs_reader_refuse(r, at, "%s.%s: more than %u rows", path, key, ROWS_MAX);
	for (int i = 0; i < config_setting_length(at); i++) {
		g_autofree char *name = g_strdup_printf("%s.%s[%d]", path, key, i);

		if (!read_row(r, config_setting_get_elem(at, (unsigned)i), name,
			      strcmp(key, "users") == 0, rows))
			return false;
	}
	g_array_sort(rows, by_id);
	return true;
}

bool
dfs_reader_quotas(const struct dfs_config_reader *r, const config_setting_t *group,
		  const char *share, struct dfs_quota_rules **quotas)
{
	static const struct dfs_config_item nothing[] = {{.type = DFS_CONFIG_END}};
	static const char *const keys[] = {"share", "default_user", "users", "groups", NULL};
	g_autofree char *path = g_strdup_printf("%s.quotas", share);
	g_autoptr(GArray) users = g_array_new(FALSE, FALSE, sizeof(struct dfs_quota_rule));
	g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(struct dfs_quota_rule));
	struct dfs_quota_rules limits = {.n_users = 0}, *all;
	struct dfs_options o;
	bool ok;

	*quotas = NULL;
	if (!group)
		return true;
	dfs_options_init(&o, nothing, 1, NULL);
	ok = dfs_reader_fill(r, group, path, &o, keys) &&
	     read_limit(r, config_setting_get_member(group, "share"), path, "share",
			&limits.share) &&
	     read_limit(r, config_setting_get_member(group, "default_user"), path, "default_user",
			&limits.default_user) &&
	     read_rows(r, config_setting_get_member(group, "users"), path, "users", users) &&
	     read_rows(r, config_setting_get_member(group, "groups"), path, "groups", groups);
	dfs_options_clear(&o);
	if (!ok)
		return false;
	limits.n_users = users->len;
	limits.n_groups = groups->len;
	all = malloc(sizeof *all + (users->len + groups->len) * sizeof all->rules[0]);
	if (!all)
		abort();
	*all = limits;
	if (users->len)
		memcpy(all->rules, users->data, users->len * sizeof all->rules[0]);
	if (groups->len)
		memcpy(all->rules + users->len, groups->data, groups->len * sizeof all->rules[0]);
	*quotas = all;
	return true;
}
