/* SPDX-License-Identifier: MIT
 *
 * The metadata store in memory: one layer of the tree under the ordered key-value helper.
 *
 * Nothing survives the process.  All calls end at memory speed: the only waits are for another
 * write transaction and, within a microsecond or so, for a commit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugins/metadata/tree/layers.h"

struct memory_config {
	uint64_t size;
};

struct memory {
	struct dfs_okv okv; /* first */
	struct layers layers;
};

static const struct dfs_config_item config[] = {
	{.key = "size",
	 .type = DFS_CONFIG_SIZE,
	 .offset = offsetof(struct memory_config, size),
	 .min = 1 << 20,
	 .max = INT64_C(1) << 46,
	 .def = "1G",
	 .help = "Bytes of memory for records and their index; beyond it, changes are refused for "
		 "lack of space."},
	{.type = DFS_CONFIG_END},
};

static enum dfs_status
memory_begin(void *kv, uint32_t mode, struct dfs_txn **txn)
{
	return layers_begin(&((struct memory *)kv)->layers, mode, txn);
}

static enum dfs_status
memory_commit(void *kv, struct dfs_txn *txn, uint64_t *seq)
{
	return layers_commit(&((struct memory *)kv)->layers, txn, seq);
}

static void
memory_abort(void *kv, struct dfs_txn *txn)
{
	layers_abort(&((struct memory *)kv)->layers, txn);
}

static enum dfs_status
memory_sync(void *kv, uint64_t seq, uint32_t level)
{
	return DFS_OK;
}

static enum dfs_status
memory_get(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, dfs_okv_fn fn,
	   void *arg)
{
	return layers_get(&((struct memory *)kv)->layers, txn, key, key_len, fn, arg);
}

static enum dfs_status
memory_scan(void *kv, struct dfs_txn *txn, const void *from, uint32_t from_len, const void *to,
	    uint32_t to_len, dfs_okv_fn fn, void *arg)
{
	return layers_scan(&((struct memory *)kv)->layers, txn, from, from_len, to, to_len, fn,
			   arg);
}

static enum dfs_status
explain(struct memory *m, enum dfs_status st)
{
	if (st != DFS_NOSPC)
		return st;
	return m->okv.host->fail(m->okv.host->ctx, DFS_NOSPC,
				 "the metadata store in memory has reached its size of %" PRIu64
				 " bytes",
				 m->layers.limit);
}

static enum dfs_status
memory_put(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len, const void *value,
	   uint32_t value_len)
{
	struct memory *m = kv;

	return explain(m, layers_put(&m->layers, txn, key, key_len, value, value_len));
}

static enum dfs_status
memory_erase(void *kv, struct dfs_txn *txn, const void *key, uint32_t key_len)
{
	struct memory *m = kv;

	return explain(m, layers_erase(&m->layers, txn, key, key_len));
}

static enum dfs_status
memory_stats(void *kv, struct dfs_metadata_stats *stats)
{
	struct memory *m = kv;
	uint64_t used = layers_bytes(&m->layers);

	stats->bytes_used = used;
	stats->bytes_free = used < m->layers.limit ? m->layers.limit - used : 0;
	stats->inodes = 0;
	return DFS_OK;
}

static enum dfs_status
memory_health(void *kv)
{
	return DFS_OK;
}

static const struct dfs_okv_ops kv_ops = {
	.size = sizeof(kv_ops),
	.begin = memory_begin,
	.commit = memory_commit,
	.abort = memory_abort,
	.sync = memory_sync,
	.get = memory_get,
	.scan = memory_scan,
	.put = memory_put,
	.erase = memory_erase,
	.stats = memory_stats,
	.health = memory_health,
};

static enum dfs_status
memory_create(const struct dfs_host *host, const void *values, void **inst, struct dfs_diag *diag)
{
	const struct memory_config *cfg = values;
	struct memory *m = calloc(1, sizeof(*m));

	if (!m || !layers_init(&m->layers, NULL, NULL, NULL, cfg->size, 0)) {
		if (m)
			layers_clear(&m->layers);
		free(m);
		snprintf(diag->text, sizeof(diag->text), "no memory for the metadata store");
		return DFS_NOMEM;
	}
	m->okv.ops = &kv_ops;
	m->okv.host = host;
	*inst = m;
	return DFS_OK;
}

static void
memory_destroy(void *inst)
{
	struct memory *m = inst;

	layers_clear(&m->layers);
	free(m);
}

static const struct dfs_metadata_ops ops = {
	.size = sizeof(ops),
	.create = memory_create,
	.destroy = memory_destroy,
	DFS_OKV_METADATA_OPS,
};

DFS_PLUGIN_DEFINE(metadata_memory, .kind = DFS_KIND_METADATA, .abi_major = DFS_METADATA_ABI_MAJOR,
		  .abi_minor = DFS_METADATA_ABI_MINOR, .name = "memory", .version = "0.1.0",
		  .summary = "Metadata in memory, gone with the process", .license = "MIT",
		  .thread_model = DFS_THREADS_NONBLOCKING, .caps = DFS_METADATA_CAP_VOLATILE,
		  .config = config, .config_size = sizeof(struct memory_config), .ops = &ops);
