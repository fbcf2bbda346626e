/* SPDX-License-Identifier: MIT */
#include "config/config.h"
#include "config/tables.h"

#define SERVER(field) offsetof(struct dfs_config_server, field)
const struct dfs_config_item dfs_server_table[] = {
	{"state_dir", DFS_CONFIG_PATH, 0, SERVER(state_dir), 0, 0, "/var/lib/dittofs", NULL,
	 "The folder that holds the server's state; relative paths of stores start here."},
	{"threads", DFS_CONFIG_INT, 0, SERVER(threads), 0, 256, "0", NULL,
	 "Event loops of each adapter; 0 starts one per processor."},
	{"workers", DFS_CONFIG_INT, 0, SERVER(workers), 0, 1024, "0", NULL,
	 "Threads for operations that block; 0 chooses by the number of processors."},
	{"cache_size", DFS_CONFIG_SIZE, 0, SERVER(cache_size), 0, 0, "0", NULL,
	 "Memory for file data; 0 takes half of the machine's."},
	{"inode_cache", DFS_CONFIG_INT, 0, SERVER(inode_cache), 1024, 1000000000, "262144", NULL,
	 "Inodes kept in memory, at about 300 bytes each beyond the names."},
	{"drain", DFS_CONFIG_DURATION, 0, SERVER(drain), 0, 3600000000000, "10s", NULL,
	 "How long a stop waits for requests that run."},
	{"write_out", DFS_CONFIG_DURATION, 0, SERVER(write_out), 0, 3600000000000, "60s", NULL,
	 "How long a stop may then write what is dirty; a share whose stores do not answer even so "
	 "is left as by a crash."},
	{"lock_grace", DFS_CONFIG_DURATION, 0, SERVER(lock_grace), 0, 3600000000000, "90s", NULL,
	 "How long after a start a share whose clients held locks grants only those locks again, "
	 "unless all have come back earlier."},
	{"max_locks", DFS_CONFIG_INT, 0, SERVER(max_locks), 1, 1000000000, "1000000", NULL,
	 "Locks that may be held in all, at about 150 bytes each and up to 256 for their owners."},
	{"max_client_locks", DFS_CONFIG_INT, 0, SERVER(max_client_locks), 1, 1000000000, "65536",
	 NULL,
	 "Locks that one client may hold on one share; unlocking the midst of some may leave "
	 "twice as many."},
	{.type = DFS_CONFIG_END},
};

static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_names[] = {"text", "json", NULL};
const struct dfs_config_item dfs_log_table[] = {
	{"level", DFS_CONFIG_ENUM, DFS_CONFIG_RELOADABLE, SERVER(log_level), 0, 0, "info",
	 level_names, "Lines less important than this are dropped."},
	{"format", DFS_CONFIG_ENUM, DFS_CONFIG_RELOADABLE, SERVER(log_format), 0, 0, "text",
	 format_names, "Lines as plain text or as one JSON object each."},
	{.type = DFS_CONFIG_END},
};

#define WAL(field) offsetof(struct dfs_config_wal, field)
/* In the order of enum dfs_wal_persister. */
static const char *const persister_names[] = {"null", "mmap", "file", NULL};
const struct dfs_config_item dfs_wal_table[] = {
	{"persister", DFS_CONFIG_ENUM, 0, WAL(persister), 0, 0, "file", persister_names,
	 "How the write-ahead log is kept: in files written past the page cache, in mapped files, "
	 "or "
	 "not at all, so that a commit waits for the block store."},
	{"path", DFS_CONFIG_PATH, 0, WAL(path), 0, 0, "wal", NULL,
	 "The log's folder, below state_dir unless absolute; best on the fastest disk."},
	{"size", DFS_CONFIG_SIZE, 0, WAL(size), 32 << 20, 64ll << 32, "4G", NULL,
	 "The most that the log takes on its disk; it holds what is not in a block store yet."},
	{"segment_size", DFS_CONFIG_SIZE, 0, WAL(segment_size), 8 << 20, 1ll << 32, "64M", NULL,
	 "The size of one of the log's files, of which there are 4 to 64."},
	{.type = DFS_CONFIG_END},
};

#define SHARE(field) offsetof(struct share_values, field)
static const char *const durability_names[] = {"none", "process", "power", "remote", NULL};
static const char *const stuck_names[] = {"delay", "enospc", "readonly", NULL};
static const char *const dedup_names[] = {"off", "on", NULL};
/* In the order of enum dfs_gc_reconcile. */
static const char *const reconcile_names[] = {"report", "erase", "off", NULL};
/* In the order of enum dfs_flush_strategy. */
static const char *const strategy_names[] = {"auto", "local_flush_move", "direct_flush_temp",
					     "hybrid", NULL};
const struct dfs_config_item dfs_share_table[] = {
	{"path", DFS_CONFIG_STRING, DFS_CONFIG_REQUIRED, SHARE(path), 1, 1024, NULL, NULL,
	 "The path under which clients mount the share, such as \"/export\"."},
	{"metadata", DFS_CONFIG_STRING, DFS_CONFIG_REQUIRED, SHARE(metadata), 1, 63, NULL, NULL,
	 "The name of the metadata store that keeps its names and attributes."},
	{"blocks", DFS_CONFIG_STRING, DFS_CONFIG_REQUIRED, SHARE(blocks), 1, 63, NULL, NULL,
	 "The name of the block store that keeps its data."},
	{"durability", DFS_CONFIG_ENUM, 0, SHARE(durability), 0, 0, "power", durability_names,
	 "What acknowledged changes survive: nothing, the end of the process, a loss of power, or "
	 "the "
	 "loss of the machine."},
	{"log_quota", DFS_CONFIG_SIZE, 0, SHARE(log_quota), 0, 0, "0", NULL,
	 "The part of the write-ahead log that the share may hold before its writers wait; 0 is "
	 "three "
	 "quarters of it."},
	{"remote_stuck_write", DFS_CONFIG_ENUM, 0, SHARE(stuck_write), 0, 0, "delay", stuck_names,
	 "What writers are told when the block store takes nothing and the share's part of the log "
	 "is "
	 "full: to come again later, that there is no space, or that the share is read-only until "
	 "the "
	 "store has served for two minutes."},
	{"dedup", DFS_CONFIG_ENUM, 0, SHARE(dedup), 0, 0, "off", dedup_names,
	 "Whether blocks of the share whose bytes are equal are stored once; it costs a SHA-256 of "
	 "what is written."},
	{"gc_grace", DFS_CONFIG_DURATION, 0, SHARE(gc_grace), 0, 30 * 86400000000000ll, "0", NULL,
	 "How long an object that no file names any more is kept; 0 is ten minutes in a remote "
	 "store, "
	 "which others may be reading, and no time in a local one."},
	{"gc_reconcile", DFS_CONFIG_ENUM, 0, SHARE(gc_reconcile), 0, 0, "report", reconcile_names,
	 "What a reconciliation does about objects, older than a day, that nothing names: reports "
	 "them, also erases those that the one before has reported, or does not run."},
	{"gc_reconcile_interval", DFS_CONFIG_DURATION, 0, SHARE(gc_reconcile_interval),
	 3600000000000ll, 365 * 86400000000000ll, "7d", NULL,
	 "The time between two reconciliations, and from the start to the first."},
	{"flush_strategy", DFS_CONFIG_ENUM, 0, SHARE(flush_strategy), 0, 0, "auto", strategy_names,
	 "How data gets to the block store: by one put of each object, whose key is new anyhow; by "
	 "way of "
	 "a file in local_temp_dir; by way of a temporary object, where the store can copy; or the "
	 "latter "
	 "for little and the file for much at once."},
	{"local_temp_dir", DFS_CONFIG_PATH, 0, SHARE(local_temp_dir), 0, 0, "flush", NULL,
	 "The folder, below state_dir unless absolute, in whose folder ___flushed the files of "
	 "local_flush_move lie; it is made, its parent is not."},
	{"temp_prefix", DFS_CONFIG_STRING, 0, SHARE(temp_prefix), 3, 64, "___temp", NULL,
	 "The part of a key, behind the share's name, below which the temporary objects of "
	 "direct_flush_temp lie; all that is below it is erased when the share is opened."},
	{"size_threshold_mb", DFS_CONFIG_INT, 0, SHARE(size_threshold_mb), 1, 1048576, "8", NULL,
	 "From how many MiB of a file's unwritten data on a flush that is hybrid goes through the "
	 "local "
	 "folder."},
	{"upload_concurrency", DFS_CONFIG_INT, 0, SHARE(upload_concurrency), 1, 16, "4", NULL,
	 "How many objects of one file of the share are put at once, at most."},
	{"read_only", DFS_CONFIG_BOOL, DFS_CONFIG_RELOADABLE, SHARE(read_only), 0, 0, "false", NULL,
	 "Whether changes are refused to everybody. On a metadata store that several servers "
	 "share, the "
	 "share is then another server's to write, and this one follows it."},
	{.type = DFS_CONFIG_END},
};

#define CLIENT(field) offsetof(struct client_values, field)
static const char *const access_names[] = {"rw", "ro", NULL};
static const char *const squash_names[] = {"none", "root", "all", NULL};
const struct dfs_config_item dfs_client_table[] = {
	{"match", DFS_CONFIG_LIST, DFS_CONFIG_REQUIRED | DFS_CONFIG_RELOADABLE, CLIENT(match), 0, 0,
	 NULL, NULL,
	 "The addresses that the rule is for: one or a list of ADDRESS, ADDRESS/BITS or \"*\"."},
	{"access", DFS_CONFIG_ENUM, DFS_CONFIG_RELOADABLE, CLIENT(access), 0, 0, "rw", access_names,
	 "Reading and writing, or reading only."},
	{"squash", DFS_CONFIG_ENUM, DFS_CONFIG_RELOADABLE, CLIENT(squash), 0, 0, "root",
	 squash_names,
	 "Whose requests are served as the anonymous user: nobody's, root's, or all."},
	{"anon_uid", DFS_CONFIG_INT, DFS_CONFIG_RELOADABLE, CLIENT(anon_uid), 0, 4294967294,
	 "65534", NULL, "The user id of the anonymous user."},
	{"anon_gid", DFS_CONFIG_INT, DFS_CONFIG_RELOADABLE, CLIENT(anon_gid), 0, 4294967294,
	 "65534", NULL, "The group id of the anonymous user."},
	{"secure", DFS_CONFIG_BOOL, DFS_CONFIG_RELOADABLE, CLIENT(secure), 0, 0, "false", NULL,
	 "Whether a source port below 1024 is required."},
	{.type = DFS_CONFIG_END},
};

/* The rows of a limit, where its values lie. */
#define LIMIT_ROWS(at)                                                                             \
	{"bytes_soft",                                                                             \
	 DFS_CONFIG_SIZE,                                                                          \
	 DFS_CONFIG_RELOADABLE,                                                                    \
	 at(bytes_soft),                                                                           \
	 0,                                                                                        \
	 INT64_MAX,                                                                                \
	 "0",                                                                                      \
	 NULL,                                                                                     \
	 "Bytes that may be used for longer than the grace time; 0 is no such limit."},            \
		{"bytes_hard",                                                                     \
		 DFS_CONFIG_SIZE,                                                                  \
		 DFS_CONFIG_RELOADABLE,                                                            \
		 at(bytes_hard),                                                                   \
		 0,                                                                                \
		 INT64_MAX,                                                                        \
		 "0",                                                                              \
		 NULL,                                                                             \
		 "Bytes that may be used at all; 0 is no such limit."},                            \
		{"files_soft",                                                                     \
		 DFS_CONFIG_INT,                                                                   \
		 DFS_CONFIG_RELOADABLE,                                                            \
		 at(files_soft),                                                                   \
		 0,                                                                                \
		 INT64_MAX,                                                                        \
		 "0",                                                                              \
		 NULL,                                                                             \
		 "Files, directories and all else that has attributes, that there may be for "     \
		 "longer than the grace time; 0 is no such limit."},                               \
		{"files_hard",                                                                     \
		 DFS_CONFIG_INT,                                                                   \
		 DFS_CONFIG_RELOADABLE,                                                            \
		 at(files_hard),                                                                   \
		 0,                                                                                \
		 INT64_MAX,                                                                        \
		 "0",                                                                              \
		 NULL,                                                                             \
		 "How many of these there may be at all; 0 is no such "                            \
		 "limit."},                                                                        \
	{                                                                                          \
		"grace", DFS_CONFIG_DURATION, DFS_CONFIG_RELOADABLE, at(grace), 0,                 \
			3650 * 86400000000000ll, "7d", NULL,                                       \
			"How long a soft limit may be passed before it binds as a hard one does."  \
	}

#define QUOTA(field) offsetof(struct quota_values, field)
const struct dfs_config_item dfs_quota_table[] = {
	LIMIT_ROWS(QUOTA),
	{.type = DFS_CONFIG_END},
};

#define QUOTA_ROW(field) offsetof(struct quota_row_values, limit.field)
const struct dfs_config_item dfs_quota_row_table[] = {
	{"id", DFS_CONFIG_INT, DFS_CONFIG_REQUIRED | DFS_CONFIG_RELOADABLE,
	 offsetof(struct quota_row_values, id), 0, 4294967294, NULL, NULL,
	 "The user's or the group's number."},
	LIMIT_ROWS(QUOTA_ROW),
	{.type = DFS_CONFIG_END},
};

const struct dfs_config_section *
dfs_config_sections(void)
{
	static const struct dfs_config_section sections[] = {
		{"server", "What concerns the server as a whole.", dfs_server_table},
		{"server.log", "The log on standard error.", dfs_log_table},
		{"server.wal", "The write-ahead log: file content on its way to a block store.",
		 dfs_wal_table},
		{"shares.NAME", "A share: a tree of files on two stores, under a path.",
		 dfs_share_table},
		{"shares.NAME.clients[]",
		 "A rule for clients, the first that matches decides; without rules only the "
		 "loopback "
		 "addresses are served.",
		 dfs_client_table},
		{"shares.NAME.quotas.share",
		 "What all files of the share may take together; default_user has the same keys, "
		 "and holds for each user that users does not name, but not for user 0.",
		 dfs_quota_table},
		{"shares.NAME.quotas.users[]",
		 "What the files of one user may take; the rows of groups have the same keys, and "
		 "hold for the files of a group.",
		 dfs_quota_row_table},
		{NULL, NULL, NULL},
	};

	return sections;
}
