/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-world.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/worker.h"
#include "metadata/namespace.h"
#include "metadata/store.h"
#include "payload/payload.h"
#include "payload/store.h"
#include "plugin/host.h"
#include "plugin/options.h"
#include "plugin/registry.h"

static const struct dfs_plugin_entry *
find(struct test_world *w, enum dfs_plugin_kind kind, struct dfs_options *options)
{
	g_autofree char *error = NULL;
	const struct dfs_plugin_entry *entry =
		dfs_registry_find(w->registry, kind, "memory", &error);

	if (!entry)
		g_error("%s", error);
	dfs_options_init(options, entry->desc.config, entry->desc.config_size, "/");
	return entry;
}

static struct dfs_share *
open_share(struct test_world *w, const char *name, const char *path)
{
	struct dfs_share_options options = {
		.name = name,
		.path = path,
		.metadata = w->metadata,
		.blocks = w->blocks,
		.inodes = w->inodes,
		.pages = w->pages,
		.workers = w->workers,
		.lock_domain = &w->lock_domain,
		.durability = DFS_DURABILITY_NONE,
		.secret = {5, 6},
		.root_mode = 0777,
	};
	struct dfs_share_rules *rules = g_malloc0(sizeof *rules + sizeof *rules->rules);
	struct dfs_share *share;

	rules->n = 1;
	options.rules = rules;
	if (dfs_share_open(&options, &share) != DFS_OK)
		g_error("%s", dfs_fail_text());
	g_free(rules);
	return share;
}

void
test_world_init(struct test_world *w)
{
	const struct dfs_plugin_entry *entry;
	struct dfs_options options;

	memset(w, 0, sizeof *w);
	w->lock_domain.max_locks = 1000000;
	w->lock_domain.max_client_locks = 65536;
	w->lock_domain.grace = 90 * DFS_SECOND;
	w->registry = dfs_registry_new(NULL);
	w->workers = dfs_workers_new(4);
	entry = find(w, DFS_KIND_METADATA, &options);
	if (dfs_metadata_store_open(entry, "m", options.values, dfs_host_get("metadata", "m"),
				    w->workers, &w->metadata) != DFS_OK)
		g_error("%s", dfs_fail_text());
	dfs_options_clear(&options);
	entry = find(w, DFS_KIND_BLOCK, &options);
	if (dfs_block_store_open(entry, "b", options.values, dfs_host_get("block", "b"), w->workers,
				 &w->blocks) != DFS_OK)
		g_error("%s", dfs_fail_text());
	dfs_options_clear(&options);
	w->inodes = dfs_inode_cache_new(4096, 4096);
	w->pages = dfs_cache_new(64 << 20);
	w->one = open_share(w, "one", "/one");
	w->two = open_share(w, "two", "/two");
}

void
test_world_clear(struct test_world *w)
{
	int64_t deadline = dfs_clock_mono() + 10 * DFS_SECOND;

	g_assert_cmpint(dfs_share_close(w->one, deadline, deadline), ==, DFS_OK);
	g_assert_cmpint(dfs_share_close(w->two, deadline, deadline), ==, DFS_OK);
	dfs_cache_free(w->pages);
	dfs_metadata_store_close(w->metadata);
	dfs_block_store_close(w->blocks);
	dfs_inode_cache_free(w->inodes);
	dfs_workers_free(w->workers);
	dfs_registry_free(w->registry);
}
