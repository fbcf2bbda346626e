/* SPDX-License-Identifier: MIT
 *
 * What the core knows about each kind of plugin: names, versions, operations, capabilities; and
 * the check of a description against it.
 */
#ifndef DFS_PLUGIN_DESCRIBE_H
#define DFS_PLUGIN_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>

#include "plugin/registry.h"

struct dfs_op_name {
	const char *name; /* NULL ends the list */
	size_t offset;    /* in the operation table */
	bool required;
};

struct dfs_cap_name {
	const char *name; /* NULL ends the list */
	uint64_t bit;
};

struct dfs_kind {
	const char *name;
	uint16_t abi_major, abi_minor;
	bool lock_step; /* the minor must match too */
	size_t ops_size;
	const struct dfs_op_name *ops;
	const struct dfs_cap_name *caps;
};

/* NULL: no such kind. */
const struct dfs_kind *dfs_kind_get(enum dfs_plugin_kind kind);
/* "serial", "blocking", "try", "nonblocking". */
const char *dfs_thread_model_name(uint32_t model);

/* Check what a file declares, and copy it.  module: base name of the file, "block_x";
 * symbol_size: bytes of the datum, 0: not known.  False: *error (g_free) is a sentence without
 * its subject: "declares ...". */
bool dfs_plugin_describe(const struct dfs_plugin *raw, size_t symbol_size, const char *module,
			 struct dfs_plugin_entry *entry, char **error);

#endif
