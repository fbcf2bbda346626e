/* SPDX-License-Identifier: MIT
 *
 * What every plugin file exports: one constant, described here.
 *
 * The constant is data, so that dfs-inspect can read it without running plugin code.  Both it
 * and the operation table it points to carry their size and grow at the end only; the loader
 * copies the smaller of both sizes into zeroed memory, and a NULL operation means "not
 * supported".  Stability: the metadata store and block store ABIs are stable (a new major is
 * announced one release ahead); the adapter ABI moves in lock step with the core until 1.0 and
 * must match exactly.
 */
#ifndef DITTOFS_PLUGIN_H
#define DITTOFS_PLUGIN_H

#include <dittofs/config.h>
#include <dittofs/host.h>
#include <dittofs/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DFS_PLUGIN_MAGIC 0x31534644u /* "DFS1", little endian */

enum dfs_plugin_kind {
	DFS_KIND_ADAPTER = 1,
	DFS_KIND_METADATA = 2,
	DFS_KIND_BLOCK = 3,
};

/* Who may call an instance, declared by the plugin and enforced by the core.  "nonblock" is the
 * DFS_NONBLOCK flag of an operation. */
enum dfs_thread_model {
	/* One call at a time, worker threads only. */
	DFS_THREADS_SERIAL = 0,
	/* Thread-safe, may block: workers only, at most max_threads at once. */
	DFS_THREADS_BLOCKING = 1,
	/* Thread-safe; with DFS_NONBLOCK it answers DFS_AGAIN, before any side effect, instead of
	 * waiting; without it, workers only. */
	DFS_THREADS_TRY = 2,
	/* Thread-safe and at memory speed: called on event loops. */
	DFS_THREADS_NONBLOCKING = 3,
};

/* Flag bits common to the operations of stores. */
#define DFS_NONBLOCK 0x80000000u /* see DFS_THREADS_TRY */

struct dfs_plugin {
	uint32_t magic;                /* DFS_PLUGIN_MAGIC */
	uint32_t size;                 /* sizeof (struct dfs_plugin) when the plugin was built */
	uint16_t kind;                 /* enum dfs_plugin_kind */
	uint16_t abi_major, abi_minor; /* of this kind's header: DFS_METADATA_ABI_MAJOR, ... */
	uint16_t min_host_minor;       /* lowest struct dfs_host minor that it needs */
	const char *name;              /* [a-z][a-z0-9_]*; the file is KIND_NAME.so */
	const char *version;           /* the plugin's own */
	const char *summary;           /* one line, no full stop */
	const char *license;           /* SPDX identifier */
	uint32_t thread_model;         /* enum dfs_thread_model */
	uint32_t max_threads; /* BLOCKING and TRY: most concurrent blocking calls, 0: no bound */
	uint64_t caps;        /* DFS_METADATA_CAP_*, DFS_BLOCK_CAP_*: at most these */
	const struct dfs_config_item *config; /* ends with a row of type DFS_CONFIG_END */
	uint64_t config_size;                 /* sizeof the struct that the table fills */
	const void *ops; /* struct dfs_metadata_ops, dfs_block_ops or dfs_adapter_ops */

	/* append only */
};

/* Defines the exported constant.  module is the file's base name, e.g. block_rot13. */
#define DFS_PLUGIN_DEFINE(module, ...)                                                             \
	extern const struct dfs_plugin module##_LTX_dfs_plugin;                                    \
	__attribute__((visibility("default"))) const struct dfs_plugin module##_LTX_dfs_plugin = { \
		.magic = DFS_PLUGIN_MAGIC, .size = sizeof(struct dfs_plugin), __VA_ARGS__}

#ifdef __cplusplus
}
#endif
#endif
