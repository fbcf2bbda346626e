/* SPDX-License-Identifier: MIT
 *
 * The configuration file's own tables: server, server.log, a share, a client rule.  Inside
 * core/config; others see them through dfs_config_sections().
 */
#ifndef DFS_CONFIG_TABLES_H
#define DFS_CONFIG_TABLES_H

#include <stdint.h>

#include <dittofs/config.h>

struct share_values {
	const char *path, *metadata, *blocks;
	uint32_t durability; /* enum dfs_durability */
	uint8_t read_only;
	uint64_t log_quota;
	uint32_t stuck_write;                     /* enum dfs_stuck_write */
	uint32_t dedup;                           /* 0 off, 1 on */
	uint64_t gc_grace, gc_reconcile_interval; /* ns */
	uint32_t gc_reconcile;                    /* enum dfs_gc_reconcile */
	uint32_t flush_strategy;                  /* enum dfs_flush_strategy */
	const char *local_temp_dir, *temp_prefix;
	int64_t size_threshold_mb, upload_concurrency;
};

struct client_values {
	const char *const *match;
	uint32_t access; /* 0 rw, 1 ro */
	uint32_t squash; /* enum dfs_squash */
	int64_t anon_uid, anon_gid;
	uint8_t secure;
};

struct quota_values {
	uint64_t bytes_soft, bytes_hard; /* 0: none, and so the next two */
	int64_t files_soft, files_hard;
	uint64_t grace; /* ns */
};

struct quota_row_values {
	int64_t id;
	struct quota_values limit;
};

/* server and server.log fill struct dfs_config_server; share and client the structs above. */
extern const struct dfs_config_item dfs_server_table[];
extern const struct dfs_config_item dfs_log_table[];
extern const struct dfs_config_item dfs_wal_table[]; /* struct dfs_config_wal */
extern const struct dfs_config_item dfs_share_table[];
extern const struct dfs_config_item dfs_client_table[];
extern const struct dfs_config_item dfs_quota_table[];     /* struct quota_values */
extern const struct dfs_config_item dfs_quota_row_table[]; /* struct quota_row_values */

#endif
