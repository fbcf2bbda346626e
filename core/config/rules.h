/* SPDX-License-Identifier: MIT
 *
 * What the configuration says about a share in values that the file layer and the adapters use
 * as they are: durability, squash modes, client rules.
 */
#ifndef DFS_CONFIG_RULES_H
#define DFS_CONFIG_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum dfs_durability {
	DFS_DURABILITY_NONE = 0,    /* may lose what the process held */
	DFS_DURABILITY_PROCESS = 1, /* survives kill -9 */
	DFS_DURABILITY_POWER = 2,   /* survives loss of power (default) */
	DFS_DURABILITY_REMOTE = 3,  /* survives loss of this machine: it is in the block store */
};

/* What a write is told when the share's block store takes nothing and its part of the log is full. */
enum dfs_stuck_write {
	DFS_STUCK_DELAY = 0,  /* to come again later (default) */
	DFS_STUCK_ENOSPC = 1, /* that there is no space */
	/* ... that the share is read-only, until the store has served for a while */
	DFS_STUCK_READONLY = 2,
};

/* How a flush brings an object to its final key (payload/flush/strategy.h). */
enum dfs_flush_strategy {
	DFS_STRATEGY_AUTO = 0,   /* by one put (default) */
	DFS_STRATEGY_LOCAL = 1,  /* through a file of a local folder */
	DFS_STRATEGY_DIRECT = 2, /* through a temporary key and a copy inside the store */
	DFS_STRATEGY_HYBRID = 3, /* direct below a size, else local */
};

struct dfs_flush_options {
	enum dfs_flush_strategy strategy;
	const char *local_dir;   /* absolute; NULL: none */
	const char *temp_prefix; /* one part of a key, no two hexadecimal digits; NULL: "___temp" */
	uint64_t size_threshold; /* bytes, 0: 8 MiB */
	unsigned upload_concurrency; /* puts of a file at once, 0: 4 */
};

/* What may be used; 0 in the first four: no such limit. */
struct dfs_quota_limit {
	uint64_t bytes_soft, bytes_hard, files_soft, files_hard;
	int64_t grace; /* ns that usage may be above a soft limit */
};

struct dfs_quota_rule {
	uint32_t id; /* uid or gid */
	struct dfs_quota_limit limit;
};

/* A share's `quotas`. */
struct dfs_quota_rules {
	struct dfs_quota_limit share, default_user;
	uint32_t n_users, n_groups;
	struct dfs_quota_rule rules[]; /* users, then groups; both by id */
};

/* A copy of rules, to be freed with free(); never NULL but for NULL. */
struct dfs_quota_rules *dfs_quota_rules_copy(const struct dfs_quota_rules *rules);

enum dfs_squash { DFS_SQUASH_NONE = 0, DFS_SQUASH_ROOT = 1, DFS_SQUASH_ALL = 2 };

/* One row of `clients`; the first that matches the peer's address decides. */
struct dfs_client_rule {
	uint8_t addr[16];   /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_len; /* of the 128-bit form */
	bool read_only;
	uint8_t squash; /* enum dfs_squash */
	bool secure;    /* source port below 1024 is required */
	uint32_t anon_uid, anon_gid;
};

struct dfs_share_rules {
	uint32_t n;
	struct dfs_client_rule rules[];
};

/* A copy of n rows, to be freed with free(); never NULL. */
struct dfs_share_rules *dfs_share_rules_new(const struct dfs_client_rule *rows, uint32_t n);
/* The same of what holds without `clients`: 127.0.0.0/8 and ::1, rw, root squash. */
struct dfs_share_rules *dfs_share_rules_default(void);

#endif
