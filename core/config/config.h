/* SPDX-License-Identifier: MIT
 *
 * The server's configuration: one libconfig file (dfs.conf(5)) read into a plain checked struct.
 *
 * Loading opens no store and no socket.  It finds the plugins that the file names, fills their
 * option structs and calls their validate(); any mistake is one sentence with file, line, key,
 * what is allowed and the nearest known key.  The result is immutable; strings and option structs
 * belong to it and live until dfs_config_free.  One thread loads at a time.
 */
#ifndef DFS_CONFIG_CONFIG_H
#define DFS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "config/rules.h"
#include "plugin/options.h"
#include "plugin/registry.h"

#define DFS_CONFIG_NAME_MAX 63

/* server = { ... } */
struct dfs_config_server {
	const char *state_dir; /* absolute */
	int64_t threads;       /* event loops per adapter, 0: one per processor */
	int64_t workers;       /* threads for blocking work, 0: automatic */
	uint64_t cache_size;   /* bytes of the buffer pool, 0: half of the machine's memory */
	int64_t inode_cache;   /* inodes kept in memory */
	uint64_t drain;        /* ns that a stop waits for running requests */
	uint64_t write_out;    /* ns that it writes thereafter */
	uint64_t lock_grace;   /* ns after a start in which locks are only reclaimed */
	int64_t max_locks, max_client_locks;
	uint32_t log_level;  /* enum dfs_log_level */
	uint32_t log_format; /* enum dfs_log_format */
};

/* server.wal = { ... }: the write-ahead log */
struct dfs_config_wal {
	const char *path;            /* absolute */
	uint64_t size, segment_size; /* bytes */
	uint32_t persister;          /* enum dfs_wal_persister */
};

/* A row of metadata_stores or block_stores. */
struct dfs_config_store {
	enum dfs_plugin_kind kind; /* DFS_KIND_METADATA or DFS_KIND_BLOCK */
	char name[DFS_CONFIG_NAME_MAX + 1];
	const struct dfs_plugin_entry *plugin; /* borrowed from the registry */
	struct dfs_options options;            /* options.values is what create() takes */
	char *where;                           /* "dfs.conf:12" */
};

/* A row of shares.  rules is never NULL: without `clients` it holds the default. */
struct dfs_config_share {
	char name[DFS_CONFIG_NAME_MAX + 1];
	const char *path;                        /* absolute, no trailing slash but for "/" */
	const struct dfs_config_store *metadata; /* in the same dfs_config */
	const struct dfs_config_store *blocks;
	enum dfs_durability durability;
	bool read_only;
	uint64_t log_quota; /* bytes, 0: the default */
	enum dfs_stuck_write stuck_write;
	bool dedup;
	uint64_t gc_grace;              /* ns, 0: as the block store wants it */
	uint32_t gc_reconcile;          /* enum dfs_gc_reconcile of payload/payload.h */
	uint64_t gc_reconcile_interval; /* ns */
	struct dfs_flush_options flush;
	struct dfs_share_rules *rules;  /* copy it to keep it */
	struct dfs_quota_rules *quotas; /* the same; NULL: none */
	struct dfs_options options;     /* owns path and the texts in flush */
	char *where;
};

/* A row of adapters: the key names the instance and, unless `type` says otherwise, the plugin. */
struct dfs_config_adapter {
	char name[DFS_CONFIG_NAME_MAX + 1];
	const struct dfs_plugin_entry *plugin;
	struct dfs_options options;
	char *where;
};

struct dfs_config {
	char *path; /* the file, as given */
	struct dfs_config_server server;
	struct dfs_config_wal wal;
	struct dfs_config_store *stores;
	unsigned n_stores;
	struct dfs_config_share *shares;
	unsigned n_shares;
	struct dfs_config_adapter *adapters;
	unsigned n_adapters;
	char **warnings; /* NULL-terminated sentences to log at start; never NULL */
	/* Own the strings of `server`, `wal`. */
	struct dfs_options server_options, log_options, wal_options;
};

/* Read and check a file.  False: *error (g_free) is a sentence that begins with FILE:LINE, and
 * *config is NULL. */
bool dfs_config_load(const char *path, struct dfs_registry *registry, struct dfs_config **config,
		     char **error);
/* The same from memory; name stands for the file in messages.  @include is refused. */
bool dfs_config_parse(const char *text, const char *name, struct dfs_registry *registry,
		      struct dfs_config **config, char **error);
/* NULL is allowed. */
void dfs_config_free(struct dfs_config *config);

/* kind: DFS_KIND_METADATA or DFS_KIND_BLOCK.  NULL: not declared. */
const struct dfs_config_store *dfs_config_find_store(const struct dfs_config *config,
						     enum dfs_plugin_kind kind, const char *name);
/* NULL: not declared. */
const struct dfs_config_share *dfs_config_find_share(const struct dfs_config *config,
						     const char *name);

/* The file's own tables, for dfs.conf(5) and dfs-inspect.  Ends with a NULL name. */
struct dfs_config_section {
	const char *name; /* as it is written in the file: "server", "shares.NAME.clients" */
	const char *help; /* one sentence */
	const struct dfs_config_item *table;
};
const struct dfs_config_section *dfs_config_sections(void);

#endif
