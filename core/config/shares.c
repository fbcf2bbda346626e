/* SPDX-License-Identifier: MIT
 *
 * shares: which stores, under which path, for which clients.
 */
#include <string.h>

#include <dittofs/block_check.h>

#include "config/address.h"
#include "config/reader.h"
#include "config/tables.h"
#include "plugin/nearest.h"

#define LOG_QUOTA_MIN (UINT64_C(8) << 20) /* some of the largest writes */

static const char *
path_mistake(const char *path)
{
	if (path[0] != '/')
		return "does not begin with a slash";
	if (path[1] && path[strlen(path) - 1] == '/')
		return "ends with a slash";
	for (const char *p = path; *p; p++)
		if (g_ascii_iscntrl(*p))
			return "has control characters";
	for (const char *part = path; part && part[1]; part = strchr(part + 1, '/')) {
		size_t n = strcspn(part + 1, "/");
		if (n == 0)
			return "has two slashes in a row";
		if (n <= 2 && strncmp(part + 1, "..", n) == 0)
			return "has a part \".\" or \"..\"";
	}
	return NULL;
}

/* The setting of a key, or the group itself where the key is absent. */
static const config_setting_t *
member(const config_setting_t *group, const char *key)
{
	const config_setting_t *at = config_setting_get_member(group, key);

	return at ? at : group;
}

static bool
check_path(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	   const struct dfs_config_share *share)
{
	const config_setting_t *at = member(group, "path");
	const char *mistake = path_mistake(share->path);

	if (mistake)
		return dfs_reader_refuse(r, at,
					 "%s.path: \"%.128s\" %s; want a path such as \"/export\"",
					 path, share->path, mistake);
	for (const struct dfs_config_share *other = r->config->shares; other < share; other++)
		if (strcmp(other->path, share->path) == 0)
			return dfs_reader_refuse(
				r, at,
				"%s.path: \"%s\" is the path of shares.%s (%s) too; "
				"want a path of its own",
				path, share->path, other->name, other->where);
	return true;
}

/* It stands where files have two hexadecimal digits, which no text of three bytes or more is. */
static bool
check_temp_prefix(const struct dfs_config_reader *r, const config_setting_t *group,
		  const char *path, const char *prefix)
{
	if (dfs_key_length(prefix) > 0 && !strchr(prefix, '/'))
		return true;
	return dfs_reader_refuse(
		r, member(group, "temp_prefix"),
		"%s.temp_prefix: \"%.64s\" is no part of a key; want letters, digits and "
		". _ -, and no dot in front",
		path, prefix);
}

/* The store that a key of the share names. */
static const struct dfs_config_store *
find_store(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	   const char *key, enum dfs_plugin_kind kind, const char *name)
{
	const struct dfs_config_store *store = dfs_config_find_store(r->config, kind, name);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *hint = NULL, *intro = NULL;

	if (store)
		return store;
	for (unsigned i = 0; i < r->config->n_stores; i++)
		if (r->config->stores[i].kind == kind)
			g_ptr_array_add(names, r->config->stores[i].name);
	intro = g_strdup_printf("%s stores", dfs_plugin_kind_name(kind));
	hint = dfs_nearest_hint(name, (const char *const *)names->pdata, names->len, intro);
	dfs_reader_refuse(r, member(group, key), "%s.%s: there is no %s store \"%s\"%s", path, key,
			  dfs_plugin_kind_name(kind), name, hint);
	return NULL;
}

static void
warn_volatile(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	      const struct dfs_config_share *share)
{
	static const char *const names[] = {"none", "process", "power", "remote"};
	const struct dfs_config_store *store = NULL;

	if (share->blocks->plugin->desc.caps & DFS_BLOCK_CAP_VOLATILE)
		store = share->blocks;
	if (share->metadata->plugin->desc.caps & DFS_METADATA_CAP_VOLATILE)
		store = share->metadata;
	if (!store || share->durability == DFS_DURABILITY_NONE)
		return;
	dfs_reader_warn(
		r, member(group, "durability"),
		"%s.durability: \"%s\" cannot hold, for nothing in the %s store \"%s\" survives "
		"the process; \"none\" says so",
		path, names[share->durability], dfs_plugin_kind_name(store->kind), store->name);
}

static bool
read_share(const struct dfs_config_reader *r, const config_setting_t *group,
	   struct dfs_config_share *share)
{
	static const char *const extra[] = {"clients", "quotas", NULL};
	g_autofree char *path = g_strdup_printf("shares.%s", config_setting_name(group));
	const struct share_values *values;

	dfs_options_init(&share->options, dfs_share_table, sizeof *values,
			 r->config->server.state_dir);
	share->where = dfs_reader_where(r, group);
	values = share->options.values;
	if (!dfs_reader_name(r, group, path, share->name) ||
	    !dfs_reader_fill(r, group, path, &share->options, extra))
		return false;
	share->path = values->path;
	share->durability = values->durability;
	share->read_only = values->read_only;
	share->log_quota = values->log_quota;
	share->stuck_write = values->stuck_write;
	share->dedup = values->dedup;
	share->gc_grace = values->gc_grace;
	share->gc_reconcile = values->gc_reconcile;
	share->gc_reconcile_interval = values->gc_reconcile_interval;
	share->flush = (struct dfs_flush_options){
		.strategy = values->flush_strategy,
		.local_dir = values->local_temp_dir,
		.temp_prefix = values->temp_prefix,
		.size_threshold = (uint64_t)values->size_threshold_mb << 20,
		.upload_concurrency = (unsigned)values->upload_concurrency,
	};
	if (share->log_quota &&
	    (share->log_quota < LOG_QUOTA_MIN || share->log_quota > r->config->wal.size))
		return dfs_reader_refuse(r, member(group, "log_quota"),
					 "%s.log_quota: want 0, or from 8M to server.wal.size",
					 path);
	if (!check_path(r, group, path, share) ||
	    !check_temp_prefix(r, group, path, values->temp_prefix))
		return false;
	share->metadata =
		find_store(r, group, path, "metadata", DFS_KIND_METADATA, values->metadata);
	if (!share->metadata)
		return false;
	share->blocks = find_store(r, group, path, "blocks", DFS_KIND_BLOCK, values->blocks);
	if (!share->blocks)
		return false;
	warn_volatile(r, group, path, share);
	if (!dfs_reader_quotas(r, config_setting_get_member(group, "quotas"), path, &share->quotas))
		return false;
	if (share->quotas && !share->metadata->plugin->ops.metadata.add_usage)
		return dfs_reader_refuse(
			r, member(group, "quotas"),
			"%s.quotas: the %s store \"%s\" keeps no sums of usage, so "
			"there can be no quotas on it",
			path, share->metadata->plugin->desc.name, share->metadata->name);
	share->rules = dfs_reader_rules(r, config_setting_get_member(group, "clients"), path);
	return share->rules != NULL;
}

bool
dfs_reader_shares(struct dfs_config_reader *r)
{
	const config_setting_t *section = config_lookup(&r->tree, "shares");
	unsigned n;

	if (section && !dfs_reader_group(r, section, "shares"))
		return false;
	n = section ? (unsigned)config_setting_length(section) : 0;
	r->config->shares = g_new0(struct dfs_config_share, n + 1);
	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *group = config_setting_get_elem(section, i);
		if (!read_share(r, group, &r->config->shares[r->config->n_shares++]))
			return false;
	}
	if (n == 0)
		dfs_reader_warn(r, config_root_setting(&r->tree),
				"shares: none, so there is nothing to "
				"serve");
	return true;
}
