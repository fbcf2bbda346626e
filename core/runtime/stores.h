/* SPDX-License-Identifier: MIT
 *
 * The runtime's named stores: opened from the configuration, found by kind and name.
 *
 * Main thread only.
 */
#ifndef DFS_RUNTIME_STORES_H
#define DFS_RUNTIME_STORES_H

#include <stdbool.h>

#include <glib.h>

#include "config/config.h"
#include "metadata/store.h"
#include "payload/store.h"

struct dfs_workers;

/* GPtrArrays of struct dfs_metadata_store and struct dfs_block_store. */
struct dfs_stores {
	GPtrArray *metadata;
	GPtrArray *blocks;
	bool left; /* one did not close, and still uses the workers */
};

void dfs_stores_init(struct dfs_stores *stores);
/* Open what config names and is not open yet.  False: *error (g_free); what this call opened is
 * closed again. */
bool dfs_stores_open(struct dfs_stores *stores, const struct dfs_config *config,
		     struct dfs_workers *workers, char **error);
/* Close what config does not name (NULL: all).  No share uses those.  False: one, now or earlier, has not
 * closed in time (logged) and is left. */
bool dfs_stores_close(struct dfs_stores *stores, const struct dfs_config *config);
/* Close what was opened after a moment.  No share uses those. */
struct dfs_stores_mark {
	guint metadata, blocks;
};
struct dfs_stores_mark dfs_stores_mark(const struct dfs_stores *stores);
void dfs_stores_close_since(struct dfs_stores *stores, struct dfs_stores_mark mark);
/* Whether the store of the row's kind and name is open. */
bool dfs_stores_is_open(const struct dfs_stores *stores, const struct dfs_config_store *row);

struct dfs_metadata_store *dfs_stores_metadata(const struct dfs_stores *stores, const char *name);
struct dfs_block_store *dfs_stores_blocks(const struct dfs_stores *stores, const char *name);

#endif
