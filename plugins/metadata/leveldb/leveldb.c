/* SPDX-License-Identifier: MIT
 *
 * The metadata store on LevelDB: the plugin's table, opening and closing.
 *
 * Threads: commits and reads from anywhere; one sync at a time.  With DFS_NONBLOCK nothing here
 * touches LevelDB: what the overlay cannot answer is DFS_AGAIN.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store.h"

/* The format record: one byte sorts below every key of the helper, none of which is shorter than
 * five, and lies in none of its ranges. */
#define FORMAT_KEY "\0"
#define FORMAT_KEY_LEN 1
#define FORMAT_MAGIC "dittofs-metadata"
#define FORMAT_LEN (sizeof(FORMAT_MAGIC) - 1 + 4)

/* One transaction may exceed the overlay's size by this factor before it is refused. */
#define OVERLAY_SLACK 4

static const char *const compressions[] = {"off", "snappy", NULL};

#define FIELD(name) offsetof(struct leveldb_config, name)

static const struct dfs_config_item config[] = {
	{.key = "path",
	 .type = DFS_CONFIG_PATH,
	 .flags = DFS_CONFIG_REQUIRED,
	 .offset = FIELD(path),
	 .min = 1,
	 .max = 4000,
	 .help = "Folder of the store; it is made when it is not there, and must be empty or hold "
		 "a store."},
	{.key = "cache_size",
	 .type = DFS_CONFIG_SIZE,
	 .offset = FIELD(cache_size),
	 .min = 1 << 20,
	 .max = INT64_C(1) << 40,
	 .def = "64M",
	 .help = "Bytes of memory for blocks of tables that were read."},
	{.key = "write_buffer_size",
	 .type = DFS_CONFIG_SIZE,
	 .offset = FIELD(write_buffer_size),
	 .min = 64 << 10,
	 .max = INT64_C(1) << 30,
	 .def = "16M",
	 .help = "Bytes of changes that LevelDB gathers before it writes a table; up to two such "
		 "buffers are in memory."},
	{.key = "overlay_size",
	 .type = DFS_CONFIG_SIZE,
	 .offset = FIELD(overlay_size),
	 .min = 1 << 20,
	 .max = INT64_C(1) << 36,
	 .def = "64M",
	 .help = "Bytes of committed changes that wait in memory for the next sync; when they are "
		 "reached, they are written without one."},
	{.key = "bloom_bits",
	 .type = DFS_CONFIG_INT,
	 .offset = FIELD(bloom_bits),
	 .min = 0,
	 .max = 30,
	 .def = "10",
	 .help = "Bits of Bloom filter per record, which spare reads of names that do not exist; "
		 "0 turns it off."},
	{.key = "max_open_files",
	 .type = DFS_CONFIG_INT,
	 .offset = FIELD(max_open_files),
	 .min = 74,
	 .max = 50000,
	 .def = "1000",
	 .help = "Table files that are kept open."},
	{.key = "compression",
	 .type = DFS_CONFIG_ENUM,
	 .offset = FIELD(compression),
	 .def = "snappy",
	 .names = compressions,
	 .help = "How blocks of tables are compressed."},
	{.key = "reserve",
	 .type = DFS_CONFIG_SIZE,
	 .offset = FIELD(reserve),
	 .min = 0,
	 .max = INT64_C(1) << 40,
	 .def = "64M",
	 .help = "Bytes of the file system that nothing new is begun with, so that removing and "
		 "LevelDB's own work go on; a sixteenth of it at most."},
	{.type = DFS_CONFIG_END},
};

/* ---- the key-value operations ---- */

static enum dfs_status
kv_begin(void *kv, uint32_t mode, struct dfs_txn **txn)
{
	struct store *s = kv;
	enum dfs_status st;

	if ((mode & ~DFS_NONBLOCK) == DFS_TXN_WRITE && atomic_load(&s->failed))
		return s->okv.host->fail(
			s->okv.host->ctx, DFS_IO,
			"%s: an earlier write has failed; the store takes no changes "
			"until it is opened anew",
			s->path);
	while ((st = layers_begin(&s->layers, mode, txn)) == DFS_DELAY) {
		/* The overlay is full.  Writing it makes room at once, because later commits go
		 * to a new one meanwhile; when that is full too, this waits for the first. */
		if (mode & DFS_NONBLOCK)
			return DFS_AGAIN;
		st = store_make_room(s);
		if (st != DFS_OK)
			return st;
	}
	return st;
}

static enum dfs_status
kv_commit(void *kv, struct dfs_txn *txn, uint64_t *seq)
{
	return layers_commit(&((struct store *)kv)->layers, txn, seq);
}

static void
kv_abort(void *kv, struct dfs_txn *txn)
{
	layers_abort(&((struct store *)kv)->layers, txn);
}

static enum dfs_status
kv_get(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, dfs_okv_fn fn, void *arg)
{
	return layers_get(&((struct store *)kv)->layers, txn, key, key_len, fn, arg);
}

static enum dfs_status
kv_scan(void *kv, struct dfs_txn *txn, const void *from, uint32_t from_len, const void *to,
	uint32_t to_len, dfs_okv_fn fn, void *arg)
{
	return layers_scan(&((struct store *)kv)->layers, txn, from, from_len, to, to_len, fn, arg);
}

static enum dfs_status
explain(struct store *s, enum dfs_status st)
{
	if (st != DFS_NOSPC)
		return st;
	return s->okv.host->fail(s->okv.host->ctx, DFS_NOSPC,
				 "%s: one transaction is larger than the overlay", s->path);
}

static enum dfs_status
kv_put(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
       uint32_t value_len)
{
	struct store *s = kv;

	return explain(s, layers_put(&s->layers, txn, key, key_len, value, value_len));
}

static enum dfs_status
kv_erase(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	struct store *s = kv;

	return explain(s, layers_erase(&s->layers, txn, key, key_len));
}

static enum dfs_status
kv_stats(void *kv, struct dfs_metadata_stats *stats)
{
	static const char *const from[] = {""}, *const to[] = {"\xff\xff\xff\xff\xff\xff"};
	static const size_t from_len[] = {0}, to_len[] = {6};
	struct store *s = kv;
	struct statvfs fs;
	uint64_t used = 0, reserve = s->reserve;

	if (fstatvfs(s->dir, &fs) < 0)
		return s->okv.host->fail(s->okv.host->ctx, DFS_IO, "%s: %s", s->path,
					 strerror(errno));
	leveldb_approximate_sizes(s->db, 1, from, from_len, to, to_len, &used);
	if (reserve > (uint64_t)fs.f_blocks * fs.f_frsize / 16)
		reserve = (uint64_t)fs.f_blocks * fs.f_frsize / 16;
	stats->bytes_used = used ? used : 1; /* young stores have no table yet */
	stats->bytes_free = (uint64_t)fs.f_bavail * fs.f_frsize;
	stats->bytes_free -= stats->bytes_free < reserve ? stats->bytes_free : reserve;
	stats->inodes = 0;
	return DFS_OK;
}

static enum dfs_status
kv_health(void *kv)
{
	struct store *s = kv;

	return atomic_load(&s->failed) ? s->okv.host->fail(s->okv.host->ctx, DFS_IO,
							   "%s: a write has failed", s->path)
				       : DFS_OK;
}

static const struct dfs_okv_ops kv_ops = {
	.size = sizeof(kv_ops),
	.begin = kv_begin,
	.commit = kv_commit,
	.abort = kv_abort,
	.sync = store_sync,
	.get = kv_get,
	.scan = kv_scan,
	.put = kv_put,
	.erase = kv_erase,
	.stats = kv_stats,
	.health = kv_health,
};

/* ---- opening ---- */

static enum dfs_status
refuse(struct store *s, enum dfs_status st, const char *what, struct dfs_diag *diag)
{
	snprintf(diag->key, sizeof(diag->key), "path");
	snprintf(diag->text, sizeof(diag->text), "%s: %s", s->path, what);
	return st;
}

static void
set_options(struct store *s, const struct leveldb_config *cfg, bool fresh)
{
	s->options = leveldb_options_create();
	s->cache = leveldb_cache_create_lru(cfg->cache_size);
	if (cfg->bloom_bits)
		s->filter = leveldb_filterpolicy_create_bloom((int)cfg->bloom_bits);
	leveldb_options_set_create_if_missing(s->options, fresh);
	leveldb_options_set_error_if_exists(s->options, fresh);
	/* A damaged log is an error to report, not a few records to skip in silence. */
	leveldb_options_set_paranoid_checks(s->options, 1);
	leveldb_options_set_cache(s->options, s->cache);
	leveldb_options_set_filter_policy(s->options, s->filter);
	leveldb_options_set_write_buffer_size(s->options, cfg->write_buffer_size);
	leveldb_options_set_max_open_files(s->options, (int)cfg->max_open_files);
	leveldb_options_set_compression(s->options, cfg->compression ? leveldb_snappy_compression
								     : leveldb_no_compression);
	s->write_plain = leveldb_writeoptions_create();
	s->write_sync = leveldb_writeoptions_create();
	leveldb_writeoptions_set_sync(s->write_sync, 1);
}

static enum dfs_status
open_failed(struct store *s, char *error, struct dfs_diag *diag)
{
	enum dfs_status st = strstr(error, "orruption") ? DFS_CORRUPT
			     : strstr(error, "/LOCK")   ? DFS_BUSY
							: DFS_IO;

	refuse(s, st, error, diag);
	leveldb_free(error);
	return st;
}

static enum dfs_status
write_format(struct store *s, struct dfs_diag *diag)
{
	char value[FORMAT_LEN] = FORMAT_MAGIC, *error = NULL;

	value[FORMAT_LEN - 4] = FORMAT_VERSION;
	leveldb_put(s->db, s->write_sync, FORMAT_KEY, FORMAT_KEY_LEN, value, sizeof(value), &error);
	if (error)
		return open_failed(s, error, diag);
	return folder_done(s->dir, s->path, diag);
}

static enum dfs_status
check_format(struct store *s, struct dfs_diag *diag)
{
	leveldb_readoptions_t *read = leveldb_readoptions_create();
	char *error = NULL, *value, text[128];
	enum dfs_status st = DFS_OK;
	unsigned version;
	size_t len = 0;

	value = leveldb_get(s->db, read, FORMAT_KEY, FORMAT_KEY_LEN, &len, &error);
	leveldb_readoptions_destroy(read);
	if (error)
		return open_failed(s, error, diag);
	if (!value || len < FORMAT_LEN || memcmp(value, FORMAT_MAGIC, sizeof(FORMAT_MAGIC) - 1)) {
		st = refuse(s, DFS_VERSION, "the folder holds a LevelDB store of something else",
			    diag);
	} else {
		const unsigned char *v = (const unsigned char *)value + FORMAT_LEN - 4;

		version = v[0] | v[1] << 8 | v[2] << 16 | (unsigned)v[3] << 24;
		snprintf(text, sizeof(text),
			 "the store has format %u; this program knows formats up to %d", version,
			 FORMAT_VERSION);
		if (version < 1 || version > FORMAT_VERSION)
			st = refuse(s, DFS_VERSION, text, diag);
	}
	if (value)
		leveldb_free(value);
	return st;
}

static void
store_free(struct store *s)
{
	if (s->layers.base_ops)
		layers_clear(&s->layers);
	if (s->db) {
		view_release_dropped(s);
		leveldb_close(s->db);
		log_close(s);
	}
	if (s->options) {
		leveldb_options_destroy(s->options);
		leveldb_writeoptions_destroy(s->write_plain);
		leveldb_writeoptions_destroy(s->write_sync);
		leveldb_cache_destroy(s->cache);
	}
	if (s->filter)
		leveldb_filterpolicy_destroy(s->filter);
	if (s->dir >= 0)
		close(s->dir);
	pthread_mutex_destroy(&s->sync_mu);
	free(s->path);
	free(s);
}

static enum dfs_status
store_open(struct store *s, const struct leveldb_config *cfg, struct dfs_diag *diag)
{
	enum dfs_status st;
	struct view *view;
	char *error = NULL;
	bool fresh;

	st = folder_open(s->path, &s->dir, &fresh, diag);
	if (st != DFS_OK) {
		s->dir = -1;
		return st;
	}
	if (!fresh && (st = logs_trim(s, diag)) != DFS_OK)
		return st;
	set_options(s, cfg, fresh);
	s->db = leveldb_open(s->options, s->path, &error);
	if (error)
		return open_failed(s, error, diag);
	st = fresh ? write_format(s, diag) : check_format(s, diag);
	if (st != DFS_OK)
		return st;
	/* Opening made a synced table of what the logs held, and a new, empty log. */
	s->write_buffer_size = cfg->write_buffer_size;
	s->reserve = cfg->reserve;
	s->buffer.log = folder_last_log(s);
	st = log_follow(s);
	if (st != DFS_OK)
		return st;
	view = view_new(s);
	if (!view || !layers_init(&s->layers, &leveldb_base_ops, s, &view->base,
				  cfg->overlay_size * OVERLAY_SLACK, cfg->overlay_size))
		return refuse(s, DFS_NOMEM, "there is no memory for the store", diag);
	return DFS_OK;
}

static enum dfs_status
store_create(const struct dfs_host *host, const void *values, void **inst, struct dfs_diag *diag)
{
	const struct leveldb_config *cfg = values;
	struct store *s = calloc(1, sizeof(*s));
	enum dfs_status st;

	if (!s || !(s->path = strdup(cfg->path))) {
		free(s);
		snprintf(diag->text, sizeof(diag->text), "no memory for the metadata store");
		return DFS_NOMEM;
	}
	s->okv.ops = &kv_ops;
	s->okv.host = host;
	s->dir = s->log.fd = -1;
	pthread_mutex_init(&s->sync_mu, NULL);
	st = store_open(s, cfg, diag);
	if (st != DFS_OK) {
		store_free(s);
		return st;
	}
	*inst = s;
	return DFS_OK;
}

static void
store_destroy(void *inst)
{
	struct store *s = inst;

	/* Not promised, but kind: an orderly end loses nothing. */
	if (!atomic_load(&s->failed))
		store_sync(s, UINT64_MAX, DFS_SYNC_PROCESS);
	store_free(s);
}

static const struct dfs_metadata_ops ops = {
	.size = sizeof(ops),
	.create = store_create,
	.destroy = store_destroy,
	DFS_OKV_METADATA_OPS,
};

DFS_PLUGIN_DEFINE(metadata_leveldb, .kind = DFS_KIND_METADATA, .abi_major = DFS_METADATA_ABI_MAJOR,
		  .abi_minor = DFS_METADATA_ABI_MINOR, .name = "leveldb", .version = "0.1.0",
		  .summary = "Metadata in a local LevelDB store", .license = "MIT",
		  .thread_model = DFS_THREADS_TRY, .config = config,
		  .config_size = sizeof(struct leveldb_config), .ops = &ops);
