/* SPDX-License-Identifier: MIT
 *
 * The LevelDB metadata store's own structures.
 *
 * Commits go into an overlay in memory (the layers of ../tree) and get a sequence number; sync
 * writes everything gathered as one batch.  So a commit costs memory speed, hundreds of them
 * share one fsync, and what LevelDB holds is at any moment a prefix of the commits.
 */
#ifndef LEVELDB_STORE_H
#define LEVELDB_STORE_H

#include <leveldb/c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "plugins/metadata/tree/layers.h"

#define FORMAT_VERSION 1

struct leveldb_config {
	const char *path;
	uint64_t cache_size, write_buffer_size, overlay_size, reserve;
	int64_t bloom_bits, max_open_files;
	uint32_t compression; /* 0: off, 1: snappy */
};

/* A state of LevelDB between two batches. */
struct view {
	struct base_view base; /* first */
	const leveldb_snapshot_t *snapshot;
	leveldb_readoptions_t *read;
	struct view *next; /* in dropped */
};

struct store {
	struct dfs_okv okv; /* first */
	struct layers layers;
	char *path;
	int dir; /* the folder, locked */
	leveldb_t *db;
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_filterpolicy_t *filter;
	leveldb_writeoptions_t *write_plain, *write_sync;
	struct lock dropped_lock;
	struct view *dropped; /* guarded by dropped_lock; released where blocking is allowed */
	/* locks, outermost first: sync_mu, then those of layers */
	pthread_mutex_t sync_mu;
	uint64_t written, synced; /* sequence numbers; guarded by sync_mu */
	uint64_t write_buffer_size;
	uint64_t reserve; /* bytes of the file system that are not counted as free */
	/* What LevelDB's write buffer holds at most, and the log that goes with it; guarded by
	 * sync_mu. */
	struct {
		uint64_t entries, bytes, largest, large, log;
	} buffer;
	/* LevelDB's newest log, lengthened ahead of its writes (log.c); guarded by sync_mu. */
	struct log {
		int fd;          /* -1: it is LevelDB's alone */
		uint64_t number; /* of the log */
		uint64_t end;    /* behind the last record */
		uint64_t zeros;  /* so long was it made; 0: it was not */
		unsigned run;    /* synced batches since the last other one */
	} log;
	bool unsynced; /* some log file holds bytes that no fsync has covered; guarded by sync_mu */
	struct timespec dir_synced; /* the folder's mtime at its last fsync; guarded by sync_mu */
	_Atomic bool failed;        /* a write has failed: no more until the store is opened anew */
};

/* folder.c: *dir is the locked folder; *fresh: there is no store in it yet. */
enum dfs_status folder_open(const char *path, int *dir, bool *fresh, struct dfs_diag *diag);
/* A fresh folder's store is complete. */
enum dfs_status folder_done(int dir, const char *path, struct dfs_diag *diag);
/* Whether a file of that name is a log of LevelDB. */
bool folder_is_log(const char *name);
/* Make all log files durable, and their names. */
enum dfs_status folder_sync_logs(struct store *s);
/* The number of the newest log file; 0: none, or unreadable. */
uint64_t folder_last_log(const struct store *s);
/* Make the names of files durable when they have changed. */
enum dfs_status folder_sync_names(struct store *s);

/* base.c: reading what lies in LevelDB. */
extern const struct base_ops leveldb_base_ops;
struct view *view_new(struct store *s);
void view_release_dropped(struct store *s);
/* The status that LevelDB's message stands for; frees it. */
enum dfs_status leveldb_failed(struct store *s, const char *what, char *error);

/* log.c: before LevelDB opens the store.  Cuts off what a loss of power has left behind the last batch
 * of each log. */
enum dfs_status logs_trim(struct store *s, struct dfs_diag *diag);
/* The rest with sync_mu, or alone.  LevelDB has written: find the end of s->buffer.log. */
enum dfs_status log_follow(struct store *s);
/* LevelDB is about to write: zeros for a synced batch (power), none for another. */
enum dfs_status log_prepare(struct store *s, bool power);
void log_close(struct store *s);

/* sync.c */
enum dfs_status store_sync(void *kv, uint64_t seq, uint32_t level);
/* Write the overlay unless it has been written while this waited. */
enum dfs_status store_make_room(struct store *s);

#endif
