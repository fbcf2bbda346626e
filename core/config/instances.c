/* SPDX-License-Identifier: MIT
 *
 * metadata_stores, block_stores and adapters: groups that name a plugin and carry its options.
 */

#include "config/reader.h"

/* What validate() says about the values; NULL ops->validate says nothing. */
static bool
validate(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	 const struct dfs_plugin_entry *plugin, const struct dfs_options *o)
{
	enum dfs_status (*fn)(const void *config, struct dfs_diag *diag);
	struct dfs_diag diag = {"", ""};
	const config_setting_t *at = group;
	enum dfs_status status;

	switch (plugin->desc.kind) {
	case DFS_KIND_METADATA:
		fn = plugin->ops.metadata.validate;
		break;
	case DFS_KIND_BLOCK:
		fn = plugin->ops.block.validate;
		break;
	default:
		fn = plugin->ops.adapter.validate;
	}
	if (!fn || (status = fn(o->values, &diag)) == DFS_OK)
		return true;
	diag.text[sizeof diag.text - 1] = diag.key[sizeof diag.key - 1] = '\0';
	if (*diag.key && config_setting_get_member(group, diag.key))
		at = config_setting_get_member(group, diag.key);
	return dfs_reader_refuse(r, at, "%s%s%s: %s", path, *diag.key ? "." : "", diag.key,
				 *diag.text ? diag.text : dfs_status_name(status));
}

/* One group: find its plugin and fill its options.  The plugin is what `type` says, or name where
 * that may be absent. */
static bool
read_instance(const struct dfs_config_reader *r, const config_setting_t *group, const char *path,
	      enum dfs_plugin_kind kind, const char *name, const struct dfs_plugin_entry **plugin,
	      struct dfs_options *o)
{
	static const char *const extra[] = {"type", NULL};
	const config_setting_t *type;
	g_autofree char *why = NULL;

	if (!dfs_reader_group(r, group, path))
		return false;
	type = config_setting_get_member(group, "type");
	if (type && config_setting_type(type) != CONFIG_TYPE_STRING)
		return dfs_reader_refuse(r, type,
					 "%s.type: %s does not fit; want the name of a plugin",
					 path, dfs_reader_shape(type));
	if (!type && !name)
		return dfs_reader_refuse(r, group,
					 "%s.type: required, but not there; want the name of a "
					 "%s plugin",
					 path, dfs_plugin_kind_name(kind));
	*plugin = dfs_registry_find(r->registry, kind,
				    type ? config_setting_get_string(type) : name, &why);
	if (!*plugin)
		return dfs_reader_refuse(r, type ? type : group, "%s%s: %s", path,
					 type ? ".type" : "", why);
	dfs_options_init(o, (*plugin)->desc.config, (*plugin)->desc.config_size,
			 r->config->server.state_dir);
	return dfs_reader_fill(r, group, path, o, extra) && validate(r, group, path, *plugin, o);
}

static bool
read_stores(struct dfs_config_reader *r, const config_setting_t *section, enum dfs_plugin_kind kind)
{
	if (!section)
		return true;
	if (!dfs_reader_group(r, section, config_setting_name(section)))
		return false;
	for (int i = 0; i < config_setting_length(section); i++) {
		const config_setting_t *group = config_setting_get_elem(section, (unsigned)i);
		struct dfs_config_store *store = &r->config->stores[r->config->n_stores++];
		g_autofree char *path = g_strdup_printf("%s.%s", config_setting_name(section),
							config_setting_name(group));

		store->kind = kind;
		store->where = dfs_reader_where(r, group);
		if (!dfs_reader_name(r, group, path, store->name) ||
		    !read_instance(r, group, path, kind, NULL, &store->plugin, &store->options))
			return false;
	}
	return true;
}

/* Members of a section that may be absent or, by mistake, no group. */
static unsigned
count(const config_setting_t *section)
{
	return section ? (unsigned)config_setting_length(section) : 0;
}

bool
dfs_reader_stores(struct dfs_config_reader *r)
{
	const config_setting_t *metadata = config_lookup(&r->tree, "metadata_stores");
	const config_setting_t *blocks = config_lookup(&r->tree, "block_stores");

	r->config->stores = g_new0(struct dfs_config_store, count(metadata) + count(blocks) + 1);
	return read_stores(r, metadata, DFS_KIND_METADATA) &&
	       read_stores(r, blocks, DFS_KIND_BLOCK);
}

bool
dfs_reader_adapters(struct dfs_config_reader *r)
{
	const config_setting_t *section = config_lookup(&r->tree, "adapters");

	r->config->adapters = g_new0(struct dfs_config_adapter, count(section) + 1);
	if (section && !dfs_reader_group(r, section, "adapters"))
		return false;
	for (unsigned i = 0; i < count(section); i++) {
		const config_setting_t *group = config_setting_get_elem(section, i);
		struct dfs_config_adapter *adapter = &r->config->adapters[r->config->n_adapters++];
		g_autofree char *path = g_strdup_printf("adapters.%s", config_setting_name(group));

		adapter->where = dfs_reader_where(r, group);
		if (!dfs_reader_name(r, group, path, adapter->name) ||
		    !read_instance(r, group, path, DFS_KIND_ADAPTER, adapter->name,
				   &adapter->plugin, &adapter->options))
			return false;
	}
	if (r->config->n_adapters == 0)
		dfs_reader_warn(r, config_root_setting(&r->tree),
				"adapters: none, so no client can "
				"connect");
	return true;
}
