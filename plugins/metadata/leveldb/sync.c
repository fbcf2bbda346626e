/* SPDX-License-Identifier: MIT
 *
 * Writing the overlay to LevelDB, and what makes it durable.
 *
 * LevelDB changes to a new log file when its write buffer is full, and does not sync the old one:
 * until a background thread has made a table of it, bytes that were written without sync lie in a
 * file that a later synced write does not touch.  After a loss of power the new log could be
 * there and the old one not: neither durable nor a prefix.  Two rules keep it right:
 *
 * 1. Before a synced batch is written, all log files are synced if any holds unsynced bytes.
 *    Before, not after: the batch itself may open the new log, and were it durable first, a
 *    crash in between would leave a gap.
 * 2. A store that syncs every batch never has unsynced bytes and pays one fdatasync each.
 *
 * A new file's name is durable when its folder is synced, which LevelDB does only with tables.
 */
#include "store.h"

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

/* With sync_mu held.  The frozen layer's commits become one batch: whole or absent. */
static enum dfs_status
write_layer_locked(struct store *s, const struct layer *layer, bool power)
{
	leveldb_writebatch_t *batch;
	uint64_t seq = layer->seq;
	struct view *view;
	char *error = NULL;
	enum dfs_status st;

	if (power && s->unsynced) {
		st = folder_sync_logs(s);
		if (st != DFS_OK)
			return stop_writes(s, st);
		s->unsynced = false;
	}
	batch = make_batch(layer);
	leveldb_write(s->db, power ? s->write_sync : s->write_plain, batch, &error);
	leveldb_writebatch_destroy(batch);
	if (error)
		return stop_writes(s, leveldb_failed(s, "cannot write", error));
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
	st = folder_sync_logs(s);
	if (st != DFS_OK)
		return stop_writes(s, st);
	s->unsynced = false;
	s->synced = s->written;
	return DFS_OK;
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
