/* SPDX-License-Identifier: MIT */
#include <glib/gstdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "payload/download_buffer.h"
#include "payload/offload/offload.h"
#include "payload/test-rig.h"
#include "plugin/host.h"
#include "plugin/options.h"

static const struct dfs_plugin_entry *
find(struct rig *rig, enum dfs_plugin_kind kind, const char *name)
{
	char *error = NULL;
	const struct dfs_plugin_entry *e = dfs_registry_find(rig->registry, kind, name, &error);

	if (!e)
		g_error("%s", error);
	return e;
}

struct dfs_block_store *
rig_open_blocks(struct rig *rig, const char *block, const char *name)
{
	bool remote = strcmp(block, "remote") == 0;
	struct dfs_plugin_entry e = *find(rig, DFS_KIND_BLOCK, remote ? "memory" : block);
	struct dfs_block_store *store;
	struct dfs_options o;

	if (remote) {
		e.desc.thread_model = DFS_THREADS_BLOCKING;
		e.desc.max_threads = 0;
		e.desc.caps = DFS_BLOCK_CAP_DURABLE_PUT;
	}
	dfs_options_init(&o, e.desc.config, e.desc.config_size, "/");
	if (strcmp(block, "filesystem") == 0) {
		char *error = NULL;

		rig->dir = g_dir_make_tmp("dfs-payload-XXXXXX", NULL);
		g_assert_true(dfs_options_set(&o, "path", rig->dir, &error));
	}
	if (dfs_block_store_open(&e, name, o.values, dfs_host_get("block", name), rig->workers,
				 &store) != DFS_OK)
		g_error("%s", dfs_fail_text());
	dfs_options_clear(&o);
	return store;
}

static enum dfs_status
refuse_state(void *inst, struct dfs_txn *txn, uint32_t share, const char *key, uint32_t key_len,
	     const void *value, uint32_t len)
{
	return DFS_IO;
}

struct rig *
rig_new(const char *block, uint64_t budget, enum dfs_durability durability)
{
	return rig_new_kept(block, budget, durability, NULL);
}

void
rig_open(struct rig *rig)
{
	rig->payload = dfs_payload_new(&rig->options);
	rig->payload->eager = false; /* tests say when what goes out */
	g_assert_cmpint(dfs_payload_start(rig->payload), ==, DFS_OK);
}

void
rig_reopen(struct rig *rig, bool clean)
{
	struct dfs_metadata_ops real = rig->metadata->ops;

	/* The lease is what an orderly end gives back. */
	if (!clean)
		rig->metadata->ops.put_state = refuse_state;
	g_assert_cmpint(dfs_payload_free(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND), ==,
			DFS_OK);
	rig->metadata->ops = real;
	rig_open(rig);
}

struct rig *
rig_new_kept(const char *block, uint64_t budget, enum dfs_durability durability,
	     const struct dfs_payload_options *gc)
{
	struct rig *rig = g_new0(struct rig, 1);
	const struct dfs_plugin_entry *e;
	struct dfs_options o;

	rig->registry = dfs_registry_new(NULL);
	rig->workers = dfs_workers_new(8);
	e = find(rig, DFS_KIND_METADATA, "memory");
	dfs_options_init(&o, e->desc.config, e->desc.config_size, "/");
	g_assert_cmpint(dfs_metadata_store_open(e, "meta", o.values,
						dfs_host_get("metadata", "meta"), rig->workers,
						&rig->metadata),
			==, DFS_OK);
	dfs_options_clear(&o);
	rig->blocks = rig_open_blocks(rig, block, "blocks");
	rig->cache = dfs_cache_new(budget);
	if (gc) {
		rig->options = *gc;
		rig->metadata->caps &= ~DFS_METADATA_CAP_VOLATILE;
	}
	rig->options.cache = rig->cache;
	rig->options.metadata = rig->metadata;
	rig->options.blocks = rig->blocks;
	rig->options.share_id = 1;
	rig->options.prefix = "share";
	rig->options.durability = durability;
	rig_open(rig);
	return rig;
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *child = g_build_filename(path, name, NULL);
		if (g_file_test(child, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
			remove_tree(child);
		else
			g_remove(child);
	}
	g_rmdir(path);
}

void
rig_free(struct rig *rig)
{
	int64_t deadline = dfs_clock_mono() + 30 * DFS_SECOND;

	g_assert_cmpint(dfs_payload_free(rig->payload, deadline), ==, DFS_OK);
	if (rig->blocks->offload)
		g_assert_true(dfs_offload_drain(rig->blocks->offload, deadline));
	/* What was brought ahead and is not taken stays for its time; when that ends it leaves one sum after the
	 * other. */
	while (atomic_load(&rig->cache->resident) !=
		       (int64_t)dfs_download_buffer_bytes(rig->cache->landing) &&
	       dfs_clock_mono() < deadline)
		g_usleep(500);
	g_assert_cmpint(atomic_load(&rig->cache->resident), ==,
			(int64_t)dfs_download_buffer_bytes(rig->cache->landing));
	g_assert_cmpint(atomic_load(&rig->cache->dirty), ==, 0);
	dfs_cache_free(rig->cache);
	dfs_block_store_close(rig->blocks);
	dfs_metadata_store_close(rig->metadata);
	dfs_workers_free(rig->workers);
	dfs_registry_free(rig->registry);
	if (rig->dir)
		remove_tree(rig->dir);
	g_free(rig->dir);
	g_free(rig);
}

void
rig_end(struct rig *rig, struct dfs_file *file)
{
	rig_double.hang = false;
	dfs_file_discard(file);
	dfs_file_free(file);
	rig_free(rig);
}

static enum dfs_status
publish(void *owner, struct dfs_txn *txn, int64_t rows)
{
	struct rig *rig = owner;
	void (*in_publish)(void *arg) = rig->in_publish;

	rig->in_publish = NULL;
	if (in_publish)
		in_publish(rig->in_publish_arg);
	rig->published++;
	rig->used += (uint64_t)rows;
	return rig->publish_status;
}

static void
settled(void *owner)
{
	((struct rig *)owner)->settled++;
}

struct dfs_file *
rig_file(struct rig *rig, uint8_t id, uint64_t length, uint64_t used)
{
	static const struct dfs_file_owner_ops owner = {publish, settled};
	struct dfs_content_id content;

	memset(content.bytes, id, sizeof content.bytes);
	rig->used = used;
	return dfs_file_new(rig->payload, id, &content, length, used, &owner, rig);
}

struct rig_double rig_double;
static struct dfs_block_ops real_block;
static struct dfs_metadata_ops real_metadata;

/* What a call meets before it gets through; status: what the double is told to answer. */
static enum dfs_status
obstacles(enum dfs_status status)
{
	int failures = rig_double.failures;

	rig_double.calls++;
	while (rig_double.hang)
		g_usleep(500);
	if (rig_double.latency > 0)
		g_usleep((gulong)(rig_double.latency / 1000));
	if (failures == 0 || status == DFS_OK)
		return status;
	if (--rig_double.failures > 0)
		return status;
	/* The last of them. */
	rig_double.put = rig_double.get = DFS_OK;
	rig_double.failures = 0;
	return status;
}

static enum dfs_status
double_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	void (*during)(void *);
	enum dfs_status st;
	uint64_t len = 0;

	rig_double.in_puts++;
	st = obstacles(rig_double.put);
	rig_double.in_puts--;
	if (st != DFS_OK)
		return st;
	during = atomic_exchange(&rig_double.during_put, NULL);
	if (during)
		during(rig_double.arg);
	for (uint32_t i = 0; i < n; i++)
		len += spans[i].len;
	rig_double.puts++;
	rig_double.put_bytes += len;
	return real_block.put(inst, key, spans, n, flags);
}

static enum dfs_status
double_get(void *inst, const char *key, uint64_t offset, uint64_t length,
	   const struct dfs_sink *sink, uint32_t flags)
{
	enum dfs_status st;

	if (rig_double.gets++ == 0)
		rig_double.first_get = length;
	rig_double.in_gets++;
	st = obstacles(rig_double.get);
	rig_double.in_gets--;
	if (st != DFS_OK)
		return st;
	rig_double.get_bytes += length;
	return real_block.get(inst, key, offset, length, sink, flags);
}

static enum dfs_status
double_erase(void *inst, const char *key, uint32_t flags)
{
	while (rig_double.hang)
		g_usleep(500);
	return rig_double.erase != DFS_OK ? rig_double.erase : real_block.erase(inst, key, flags);
}

static enum dfs_status
double_commit(void *inst, struct dfs_txn *txn, uint64_t *seq)
{
	if (rig_double.commit == DFS_OK)
		return real_metadata.commit(inst, txn, seq);
	real_metadata.abort(inst, txn);
	return rig_double.commit;
}

void
rig_install_double(struct rig *rig)
{
	memset(&rig_double, 0, sizeof rig_double);
	real_block = rig->blocks->ops;
	real_metadata = rig->metadata->ops;
	g_assert_true(rig->blocks->ops.put != double_put);
	rig->blocks->ops.put = double_put;
	rig->blocks->ops.get = double_get;
	rig->blocks->ops.erase = double_erase;
	rig->metadata->ops.commit = double_commit;
}

struct dfs_ctx
rig_ctx(void)
{
	return (struct dfs_ctx){.deadline = dfs_clock_mono() + 30 * DFS_SECOND};
}

enum dfs_status
rig_write(struct dfs_file *file, uint64_t length, uint64_t offset, const void *data, uint32_t len,
	  bool pages)
{
	const struct dfs_slice slice = {.length = MAX(length, offset + len)};
	struct dfs_ctx ctx = rig_ctx();
	struct dfs_write w = {0};
	enum dfs_status st;
	uint32_t done = 0;

	if (pages && (st = dfs_write_reserve(offset, len, &w)) != DFS_OK)
		return st;
	for (uint32_t i = 0; i < w.n; i++) {
		memcpy(w.iov[i].iov_base, (const char *)data + done, w.iov[i].iov_len);
		done += (uint32_t)w.iov[i].iov_len;
	}
	st = dfs_file_prepare(&ctx, file, length, offset, len);
	if (st != DFS_OK) {
		dfs_write_cancel(&w);
		return st;
	}
	return pages ? dfs_file_write(file, &slice, &w)
		     : dfs_file_copy_in(file, &slice, offset, data, len);
}

enum dfs_status
rig_flush(struct dfs_file *file)
{
	struct dfs_ctx ctx = rig_ctx();

	return dfs_file_flush(&ctx, file, DFS_FLUSH_ALL);
}

enum dfs_status
rig_truncate(struct dfs_file *file, uint64_t old_length, uint64_t new_length)
{
	struct dfs_metadata_store *metadata = file->payload->metadata;
	struct dfs_ctx ctx = rig_ctx();
	struct dfs_txn *txn;
	int64_t rows = 0;
	enum dfs_status st = dfs_metadata_begin(metadata, &ctx, DFS_TXN_WRITE, &txn);

	if (st != DFS_OK)
		return st;
	st = dfs_file_truncate_rows(&ctx, file, txn, old_length, new_length, &rows);
	if (st == DFS_OK)
		st = dfs_metadata_commit(metadata, txn, NULL);
	else
		dfs_metadata_abort(metadata, txn);
	if (st == DFS_OK)
		((struct rig *)file->owner)->used += (uint64_t)rows;
	dfs_file_truncate_pages(file, old_length, st == DFS_OK ? new_length : old_length);
	return st;
}

enum dfs_status
rig_read(struct dfs_file *file, uint64_t length, uint64_t offset, void *out, uint32_t len)
{
	struct dfs_ctx ctx = rig_ctx();
	struct dfs_read r;
	enum dfs_status st = dfs_file_read(&ctx, file, length, offset, len, &r);
	uint32_t done = 0;

	if (st != DFS_OK)
		return st;
	g_assert_cmpuint(r.len, ==, len);
	g_assert_cmpuint(r.n, <=, DFS_READ_SPANS);
	for (uint32_t i = 0; i < r.n; i++) {
		g_assert_cmpuint(r.spans[i].len, >, 0);
		memcpy((char *)out + done, r.spans[i].data, r.spans[i].len);
		done += r.spans[i].len;
	}
	g_assert_cmpuint(done, ==, len);
	dfs_read_release(&r);
	return DFS_OK;
}

static int
count(void *arg, const char *key, uint64_t length)
{
	(*(unsigned *)arg)++;
	return 1;
}

unsigned
rig_objects_now(struct rig *rig)
{
	unsigned n = 0;

	g_assert_cmpint(dfs_block_list(rig->blocks, "share/", "", count, &n), ==, DFS_OK);
	return n;
}

unsigned
rig_objects(struct rig *rig)
{
	g_assert_true(dfs_garbage_drain(rig->payload, dfs_clock_mono() + 30 * DFS_SECOND));
	if (rig->blocks->offload)
		g_assert_true(dfs_offload_drain(rig->blocks->offload,
						dfs_clock_mono() + 30 * DFS_SECOND));
	return rig_objects_now(rig);
}
