/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <glib.h>

#include "base/log.h"
#include "config/config.h"
#include "fs/recount.h"
#include "metadata/namespace.h"
#include "metadata/ns.h"
#include "metadata/usage.h"
#include "plugin/host.h"
#include "runtime/check.h"
#include "runtime/state.h"

static enum dfs_status
check_open(struct dfs_namespace *ns, const char *name, bool *sound)
{
	struct dfs_recount found;
	bool kept;
	enum dfs_status status = dfs_usage_kept(ns, &kept);

	if (status != DFS_OK)
		return status;
	if (!kept) {
		printf("share %s: what is used is not kept yet; the next start counts it\n", name);
		return DFS_OK;
	}
	status = dfs_recount_check(ns, &found);
	if (status != DFS_OK)
		return status;
	printf("share %s: %llu bytes, %llu files: ", name, (unsigned long long)found.bytes,
	       (unsigned long long)found.inodes);
	if (!found.wrong_sums && !found.wrong_used) {
		printf("all sums agree\n");
		return DFS_OK;
	}
	printf("%llu sums and the sizes of %llu files are wrong\n",
	       (unsigned long long)found.wrong_sums, (unsigned long long)found.wrong_used);
	*sound = false;
	return DFS_OK;
}

static enum dfs_status
check_share(struct dfs_metadata_store *store, struct dfs_inode_cache *inodes,
	    const struct dfs_server_identity *self, const char *name, bool *sound)
{
	/* A lease of ours, after a crash, stays ours; another's is left alone. */
	const struct dfs_namespace_options options = {
		.name = name, .existing = true, .self = self, .wish = DFS_LEASE_READ};
	struct dfs_namespace *ns;
	enum dfs_status status = dfs_namespace_open(store, inodes, &options, &ns);

	if (status == DFS_NOENT) {
		printf("share %s: there is none yet\n", name);
		return DFS_OK;
	}
	if (status != DFS_OK)
		return status;
	if (ns->lease.held) {
		printf("share %s: another server writes to it; check it there\n", name);
		*sound = false;
	} else {
		status = check_open(ns, name, sound);
	}
	dfs_namespace_close(ns);
	dfs_namespace_free(ns, false, 0);
	return status;
}

/* A path that the store cannot be without and that is not there; NULL: none.  To open such a store would
 * make it. */
static const char *
missing_path(const struct dfs_config_store *row)
{
	const struct dfs_config_item *item = row->options.table;

	for (; item && item->type != DFS_CONFIG_END; item++) {
		const char *path;

		if (item->type != DFS_CONFIG_PATH || !(item->flags & DFS_CONFIG_REQUIRED))
			continue;
		path = *(const char *const *)((const char *)row->options.values + item->offset);
		if (path && !g_file_test(path, G_FILE_TEST_EXISTS))
			return path;
	}
	return NULL;
}

/* All shares with quotas on one store. */
static bool
check_store(const struct dfs_config *config, const struct dfs_config_store *row,
	    struct dfs_inode_cache *inodes, const struct dfs_server_identity *self, bool *sound,
	    char **error)
{
	struct dfs_metadata_store *store = NULL;
	enum dfs_status status = DFS_OK;
	const char *failed = NULL, *missing = missing_path(row);

	for (unsigned i = 0; i < config->n_shares && status == DFS_OK; i++) {
		const struct dfs_config_share *share = &config->shares[i];

		if (share->metadata != row || !share->quotas)
			continue;
		if (missing) {
			printf("share %s: there is none yet: no %s\n", share->name, missing);
			continue;
		}
		failed = row->name;
		if (!store)
			status = dfs_metadata_store_open(
				row->plugin, row->name, row->options.values,
				dfs_host_get("metadata", row->name), NULL, &store);
		if (status != DFS_OK)
			break;
		failed = share->name;
		status = check_share(store, inodes, self, share->name, sound);
	}
	dfs_metadata_store_close(store);
	if (status != DFS_OK)
		*error = g_strdup_printf("%s: %s cannot be checked: %s", row->where, failed,
					 *dfs_fail_text() ? dfs_fail_text()
							  : dfs_status_name(status));
	return status == DFS_OK;
}

bool
dfs_check_quotas(const struct dfs_config *config, bool *sound, char **error)
{
	struct dfs_inode_cache *inodes;
	struct dfs_state state;
	bool ok = true;

	*sound = true;
	if (!g_file_test(config->server.state_dir, G_FILE_TEST_IS_DIR)) {
		*error = g_strdup_printf("%s: there is no folder %s, so no server has run",
					 config->path, config->server.state_dir);
		return false;
	}
	if (!dfs_state_open(&state, config->server.state_dir, error))
		return false;
	for (unsigned i = 0; i < config->n_shares; i++) {
		const struct dfs_config_share *share = &config->shares[i];

		if (!share->quotas)
			printf("share %s: it has no quotas\n", share->name);
		else if (share->metadata->plugin->desc.caps & DFS_METADATA_CAP_VOLATILE)
			printf("share %s: the metadata store %s keeps nothing while no server "
			       "runs\n",
			       share->name, share->metadata->name);
	}
	inodes = dfs_inode_cache_new(1024, 1024);
	for (unsigned i = 0; i < config->n_stores && ok; i++) {
		const struct dfs_config_store *row = &config->stores[i];

		if (row->kind == DFS_KIND_METADATA &&
		    !(row->plugin->desc.caps & DFS_METADATA_CAP_VOLATILE))
			ok = check_store(config, row, inodes, &state.self, sound, error);
	}
	dfs_inode_cache_free(inodes);
	dfs_state_close(&state);
	return ok;
}
