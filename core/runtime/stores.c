/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/log.h"
#include "plugin/host.h"
#include "runtime/stores.h"

#define CLOSE_TIME (15 * DFS_SECOND) /* of a store, which has synced what its shares had */

void
dfs_stores_init(struct dfs_stores *stores)
{
	stores->metadata = g_ptr_array_new();
	stores->blocks = g_ptr_array_new();
}

struct dfs_metadata_store *
dfs_stores_metadata(const struct dfs_stores *stores, const char *name)
{
	for (guint i = 0; i < stores->metadata->len; i++) {
		struct dfs_metadata_store *s = g_ptr_array_index(stores->metadata, i);
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

struct dfs_block_store *
dfs_stores_blocks(const struct dfs_stores *stores, const char *name)
{
	for (guint i = 0; i < stores->blocks->len; i++) {
		struct dfs_block_store *s = g_ptr_array_index(stores->blocks, i);
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

bool
dfs_stores_is_open(const struct dfs_stores *stores, const struct dfs_config_store *row)
{
	return row->kind == DFS_KIND_METADATA ? dfs_stores_metadata(stores, row->name) != NULL
					      : dfs_stores_blocks(stores, row->name) != NULL;
}

static bool
open_one(struct dfs_stores *stores, const struct dfs_config_store *row, struct dfs_workers *workers,
	 char **error)
{
	const char *kind = dfs_plugin_kind_name(row->kind);
	const struct dfs_host *host = dfs_host_get(kind, row->name);
	enum dfs_status status;

	if (row->kind == DFS_KIND_METADATA) {
		struct dfs_metadata_store *store = NULL;
		status = dfs_metadata_store_open(row->plugin, row->name, row->options.values, host,
						 workers, &store);
		if (status == DFS_OK)
			g_ptr_array_add(stores->metadata, store);
	} else {
		struct dfs_block_store *store = NULL;
		status = dfs_block_store_open(row->plugin, row->name, row->options.values, host,
					      workers, &store);
		if (status == DFS_OK)
			g_ptr_array_add(stores->blocks, store);
	}
	if (status == DFS_OK)
		return true;
	*error = g_strdup_printf("%s: the %s store %s cannot be opened: %s", row->where, kind,
				 row->name,
				 *dfs_fail_text() ? dfs_fail_text() : dfs_status_name(status));
	return false;
}

struct dfs_stores_mark
dfs_stores_mark(const struct dfs_stores *stores)
{
	return (struct dfs_stores_mark){stores->metadata->len, stores->blocks->len};
}

static void
close_blocks(void *store)
{
	dfs_block_store_close(store);
}

static void
close_metadata(void *store)
{
	dfs_metadata_store_close(store);
}

struct closing {
	struct dfs_aside *aside;
	char name[DFS_CONFIG_NAME_MAX + 1];
};

/* Take out of list, from the n-th on, newest first, all that config (NULL: nothing) does not name, and
 * begin to close it. */
static void
begin_close(GPtrArray *list, guint from, const struct dfs_config *config, enum dfs_plugin_kind kind,
	    GArray *closing)
{
	bool blocks = kind == DFS_KIND_BLOCK;

	for (guint i = list->len; i-- > from;) {
		void *store = g_ptr_array_index(list, i);
		struct closing c;

		g_strlcpy(c.name,
			  blocks ? ((struct dfs_block_store *)store)->name
				 : ((struct dfs_metadata_store *)store)->name,
			  sizeof c.name);
		if (config && dfs_config_find_store(config, kind, c.name))
			continue;
		g_ptr_array_remove_index(list, i);
		c.aside = dfs_aside_begin(blocks ? close_blocks : close_metadata, store);
		g_array_append_val(closing, c);
	}
}

static void
close_unnamed(struct dfs_stores *stores, const struct dfs_config *config,
	      struct dfs_stores_mark from)
{
	g_autoptr(GArray) closing = g_array_new(FALSE, FALSE, sizeof(struct closing));
	int64_t end = dfs_clock_mono() + CLOSE_TIME;

	begin_close(stores->blocks, from.blocks, config, DFS_KIND_BLOCK, closing);
	begin_close(stores->metadata, from.metadata, config, DFS_KIND_METADATA, closing);
	for (guint i = 0; i < closing->len; i++) {
		const struct closing *c = &g_array_index(closing, struct closing, i);

		if (dfs_aside_end(c->aside, end))
			continue;
		dfs_log(DFS_LOG_ERROR, "store %s does not close: it is left as by a crash",
			c->name);
		stores->left = true;
	}
}

void
dfs_stores_close_since(struct dfs_stores *stores, struct dfs_stores_mark mark)
{
	close_unnamed(stores, NULL, mark);
}

bool
dfs_stores_open(struct dfs_stores *stores, const struct dfs_config *config,
		struct dfs_workers *workers, char **error)
{
	struct dfs_stores_mark before = dfs_stores_mark(stores);

	for (unsigned i = 0; i < config->n_stores; i++) {
		if (dfs_stores_is_open(stores, &config->stores[i]))
			continue;
		if (!open_one(stores, &config->stores[i], workers, error)) {
			dfs_stores_close_since(stores, before);
			return false;
		}
	}
	return true;
}

bool
dfs_stores_close(struct dfs_stores *stores, const struct dfs_config *config)
{
	close_unnamed(stores, config, (struct dfs_stores_mark){0, 0});
	if (!config) {
		g_ptr_array_unref(stores->metadata);
		g_ptr_array_unref(stores->blocks);
	}
	return !stores->left;
}
