/* SPDX-License-Identifier: MIT
 *
 * Writing the overlay to LevelDB, and what makes it durable.
 *
 * LevelDB changes to a new log file when its write buffer is full, and does not sync the old one:
 * until a background thread has made a table of it, unsynced bytes lie in a file that a later
 * synced write does not touch.  After a loss of power the new log could be there and the old one
 * not.  So unsynced bytes never lie in two logs, and never before synced ones: all logs are
 * synced before a synced batch, and before any batch that may open a new log.  (Before, not
 * after: a crash in between would leave a gap.)  A store that syncs each batch pays one
 * fdatasync for it and nothing more.
 *
 * A new file's name is durable when its folder is synced, which LevelDB does only with tables.
 */
#include <math.h>
#include <string.h>

#include "store.h"

/* LevelDB 1.23: util/arena.cc, db/skiplist.h. */
#define ARENA_BLOCK 4096
#define ARENA_BLOCK_HEAD 8
#define ARENA_OWN_BLOCK 1024 /* larger pieces get a block of their own */
#define NODE_BYTES 23        /* of a skip list node of height 1, with the loss to alignment */

static enum dfs_status
stop_writes(struct store *s, enum dfs_status st)
{
	atomic_store(&s->failed, true);
	s->okv.host->log(
		s->okv.host->ctx, DFS_LOG_ERROR,
		"metadata store %s: a write has failed; no more changes until it is opened "
		"anew",
		s->path);
	return st;
}

static enum dfs_status
still_failed(struct store *s)
{
	return s->okv.host->fail(
		s->okv.host->ctx, DFS_IO,
		"%s: an earlier write has failed; the store takes no changes until it "
		"is opened anew",
		s->path);
}

/* An upper bound of the memory that the write buffer uses, which decides when LevelDB changes
 * logs.  Every fourth node is one pointer higher, every sixteenth two: 4/3 on average, with a
 * deviation of 2/3; six deviations are added.  Blocks lose at their end less than the largest
 * piece. */
static uint64_t
buffer_bound(const struct store *s)
{
	uint64_t n = s->buffer.entries;
	uint64_t pointers = n / 3 + (uint64_t)(4 * sqrt((double)n)) + 12;
	uint64_t pieces = s->buffer.bytes + n * NODE_BYTES + pointers * 8 + 128;

	return (pieces / (ARENA_BLOCK - s->buffer.largest) + 2) * (ARENA_BLOCK + ARENA_BLOCK_HEAD) +
	       s->buffer.large;
}

static void
count_entry(struct store *s, const struct record *r)
{
	uint64_t bytes = r->key_len + (uint64_t)r->value_len + 8 + 10; /* tag, two lengths */

	s->buffer.entries++;
	if (bytes > ARENA_OWN_BLOCK) {
		s->buffer.large += bytes + ARENA_BLOCK_HEAD;
		return;
	}
	s->buffer.bytes += bytes;
	if (bytes > s->buffer.largest)
		s->buffer.largest = bytes;
}

static leveldb_writebatch_t *
make_batch(const struct layer *layer)
{
	leveldb_writebatch_t *batch = leveldb_writebatch_create();
	struct cursor c;
	const struct record *r;

	for (tree_seek(&c, layer->tree.root, "", 0); (r = tree_at(&c)); tree_next(&c)) {
		if (r->tombstone)
			leveldb_writebatch_delete(batch, (const char *)r->bytes, r->key_len);
		else
			leveldb_writebatch_put(batch, (const char *)r->bytes, r->key_len,
					       (const char *)record_value(r), r->value_len);
	}
	return batch;
}

static void
count_layer(struct store *s, const struct layer *layer)
{
	struct cursor c;

	for (tree_seek(&c, layer->tree.root, "", 0); tree_at(&c); tree_next(&c))
		count_entry(s, tree_at(&c));
}

static enum dfs_status
sync_logs_locked(struct store *s)
{
	enum dfs_status st = folder_sync_logs(s);

	if (st != DFS_OK)
		return stop_writes(s, st);
	s->unsynced = false;
	s->synced = s->written;
	return DFS_OK;
}

/* One batch, whole or absent after a crash. */
static enum dfs_status
write_batch_locked(struct store *s, const struct layer *layer, bool power)
{
	bool may_switch = buffer_bound(s) > s->write_buffer_size;
	leveldb_writebatch_t *batch;
	char *error = NULL;
	enum dfs_status st;
	uint64_t log;

	if (s->unsynced && (power || may_switch)) {
		st = sync_logs_locked(s);
		if (st != DFS_OK)
			return st;
	}
	st = log_prepare(s, power);
	if (st != DFS_OK)
		return stop_writes(s, st);
	batch = make_batch(layer);
	leveldb_write(s->db, power ? s->write_sync : s->write_plain, batch, &error);
	leveldb_writebatch_destroy(batch);
	if (error)
		return stop_writes(s, leveldb_failed(s, "cannot write", error));
	/* The change comes before the batch, which is then the first in the new buffer. */
	if (may_switch && (log = folder_last_log(s)) > s->buffer.log) {
		memset(&s->buffer, 0, sizeof(s->buffer));
		s->buffer.log = log;
	}
	st = log_follow(s);
	if (st != DFS_OK)
		return stop_writes(s, st);
	count_layer(s, layer);
	return DFS_OK;
}

/* With sync_mu held. */
static enum dfs_status
write_layer_locked(struct store *s, const struct layer *layer, bool power)
{
	uint64_t seq = layer->seq;
	struct view *view;
	enum dfs_status st = write_batch_locked(s, layer, power);

	if (st != DFS_OK)
		return st;
	view = view_new(s);
	if (!view)
		return stop_writes(s, DFS_NOMEM);
	layers_drop_frozen(&s->layers, &view->base);
	s->written = seq;
	if (!power) {
		s->unsynced = true;
		return DFS_OK;
	}
	st = folder_sync_names(s);
	if (st != DFS_OK)
		return stop_writes(s, st);
	s->synced = seq;
	return DFS_OK;
}

/* With sync_mu held: everything committed so far reaches the level. */
static enum dfs_status
flush_locked(struct store *s, bool power)
{
	struct layer *layer;
	enum dfs_status st;

	if (atomic_load(&s->failed))
		return still_failed(s);
	view_release_dropped(s);
	layer = layers_rotate(&s->layers, &st);
	if (layer)
		return write_layer_locked(s, layer, power);
	if (st != DFS_OK || !power || !s->unsynced)
		return st;
	return sync_logs_locked(s);
}

enum dfs_status
store_sync(void *kv, uint64_t seq, uint32_t level)
{
	struct store *s = kv;
	bool power = level == DFS_SYNC_POWER;
	enum dfs_status st = DFS_OK;

	pthread_mutex_lock(&s->sync_mu);
	if (atomic_load(&s->failed))
		st = still_failed(s);
	else if (seq > (power ? s->synced : s->written))
		st = flush_locked(s, power);
	pthread_mutex_unlock(&s->sync_mu);
	return st;
}

enum dfs_status
store_make_room(struct store *s)
{
	enum dfs_status st = DFS_OK;

	pthread_mutex_lock(&s->sync_mu);
	if (atomic_load(&s->failed))
		st = still_failed(s);
	else if (layers_bytes(&s->layers) >= s->layers.full)
		st = flush_locked(s, false);
	pthread_mutex_unlock(&s->sync_mu);
	return st;
}
