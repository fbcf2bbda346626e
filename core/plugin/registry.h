/* SPDX-License-Identifier: MIT
 *
 * The registry of plugins: finds files, checks them, and keeps a validated copy of what each
 * declares.  Main thread only, before the loops start; lookups by name after that from anywhere.
 */
#ifndef DFS_PLUGIN_REGISTRY_H
#define DFS_PLUGIN_REGISTRY_H

#include <stdbool.h>

#include <dittofs/adapter.h>
#include <dittofs/block_store.h>
#include <dittofs/metadata_store.h>

struct dfs_registry;

/* A plugin that passed every check.  desc and the table of its kind are size-limited copies:
 * what the file lacks is zero. */
struct dfs_plugin_entry {
	struct dfs_plugin desc;
	char *path; /* file, or "built in" */
	union {
		struct dfs_metadata_ops metadata;
		struct dfs_block_ops block;
		struct dfs_adapter_ops adapter;
	} ops;
	struct dfs_plugin_entry *next;
};

/* dirs: NULL-terminated, first wins; NULL: DFS_PLUGIN_PATH (unless set-user-ID) then the
 * installed folder. */
struct dfs_registry *dfs_registry_new(const char *const *dirs);
void dfs_registry_free(struct dfs_registry *registry);

/* Find KIND_NAME.so in the folders and load it, or answer the loaded one.  NULL: *error holds a
 * sentence (g_free). */
const struct dfs_plugin_entry *dfs_registry_find(struct dfs_registry *registry,
						 enum dfs_plugin_kind kind, const char *name,
						 char **error);
/* Load one file by path and check it; for dfs-inspect --check and --plugin PATH options. */
const struct dfs_plugin_entry *dfs_registry_load(struct dfs_registry *registry, const char *path,
						 char **error);
/* Load all files of all folders; fn gets either the entry or the sentence why not. */
void dfs_registry_each(struct dfs_registry *registry,
		       void (*fn)(void *arg, const char *path, const struct dfs_plugin_entry *entry,
				  const char *error),
		       void *arg);

/* "adapter", "metadata", "block". */
const char *dfs_plugin_kind_name(enum dfs_plugin_kind kind);

#endif
