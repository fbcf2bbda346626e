/* SPDX-License-Identifier: MIT */

#include "fs/test-share.h"
#include "io/worker.h"
#include "payload/payload.h"
#include "payload/recovered.h"
#include "plugin/host.h"
#include "plugin/options.h"
#include "plugin/registry.h"

static const struct dfs_plugin_entry *
entry_of(struct dfs_registry *registry, enum dfs_plugin_kind kind, const char *name)
{
	char *error = NULL;
	const struct dfs_plugin_entry *e = dfs_registry_find(registry, kind, name, &error);

	if (!e)
		g_error("%s", error);
	return e;
}

static void
open_metadata(struct fixture *f)
{
	enum dfs_status status;

	if (strncmp(f->kind, "test", 4) == 0) {
		if (f->server)
			f->ts = f->server->site->ts;
		if (!f->ts)
			f->ts = test_store_new();
		status = dfs_metadata_store_open(
			test_store_entry(f->ts, strcmp(f->kind, "test") == 0), "test-meta", f->ts,
			dfs_host_get("test", "test-meta"), f->workers, &f->metadata);
	} else {
		const struct dfs_plugin_entry *e =
			entry_of(f->registry, DFS_KIND_METADATA, f->kind);
		const char *place = strcmp(f->kind, "postgres") == 0 ? "conninfo" : "path";
		struct dfs_options o;
		char *error = NULL;

		dfs_options_init(&o, e->desc.config, e->desc.config_size, f->dir ? f->dir : "/");
		if (f->dir && !dfs_options_set(&o, place, f->dir, &error))
			g_error("%s", error);
		if (!dfs_options_finish(&o, &error))
			g_error("%s", error);
		status = dfs_metadata_store_open(e, "test-meta", o.values,
						 dfs_host_get(f->kind, "test-meta"), f->workers,
						 &f->metadata);
		dfs_options_clear(&o);
	}
	if (status != DFS_OK)
		g_error("metadata store: %s: %s", dfs_status_name(status), dfs_fail_text());
}

static struct dfs_block_store *
open_blocks(struct dfs_registry *registry, struct dfs_workers *workers, bool durable)
{
	static struct dfs_plugin_entry e;
	struct dfs_block_store *blocks;
	struct dfs_options o;

	e = *entry_of(registry, DFS_KIND_BLOCK, "memory");
	if (durable) {
		e.desc.caps = 0;
		e.desc.thread_model = DFS_THREADS_BLOCKING;
	}
	dfs_options_init(&o, e.desc.config, e.desc.config_size, "/");
	if (dfs_block_store_open(&e, "test-data", o.values, dfs_host_get("memory", "test-data"),
				 workers, &blocks) != DFS_OK)
		g_error("block store: %s", dfs_fail_text());
	dfs_options_clear(&o);
	return blocks;
}

void
test_site_open(struct test_site *site)
{
	site->ts = test_store_new();
	test_store_share(site->ts);
	site->registry = dfs_registry_new(NULL);
	site->workers = dfs_workers_new(2);
	site->blocks = open_blocks(site->registry, site->workers, true);
}

void
test_site_close(struct test_site *site)
{
	dfs_block_store_close(site->blocks);
	dfs_workers_free(site->workers);
	dfs_registry_free(site->registry);
	test_store_free(site->ts);
}

static void
open_log(struct fixture *f)
{
	struct dfs_wal_recovery found;

	if (f->log && (dfs_wal_open(f->log, &f->wal) != DFS_OK ||
		       !(f->recovered = dfs_recovered_new(f->wal, &found))))
		g_error("log: %s", dfs_fail_text());
}

static enum dfs_status
try_open_share(struct fixture *f)
{
	struct dfs_share_options o = {
		.name = "test",
		.path = "/test",
		.metadata = f->metadata,
		.blocks = f->blocks,
		.inodes = f->inodes,
		.pages = f->pages,
		.workers = f->workers,
		.lock_domain = &f->lock_domain,
		.durability = f->durability,
		.dedup = f->dedup,
		.gc_grace = f->gc_grace,
		.self = f->server ? &f->server->self : NULL,
		.read_only = f->read_only,
		.take_over = f->take_over,
		.quotas = f->quotas,
	};
	enum dfs_status status;

	f->lock_domain.max_locks = 1000000;
	f->lock_domain.max_client_locks = 65536;
	f->lock_domain.grace = 90 * DFS_SECOND;
	open_log(f);
	o.wal = f->wal;
	o.recovered = f->recovered;
	status = dfs_share_open(&o, &f->share);
	if (status != DFS_OK)
		return status;
	f->root = (struct dfs_ref){f->share->root_fileid, f->share->root_generation};
	f->ctx = ctx_as(f, 0, 0);
	return DFS_OK;
}

static void
open_share(struct fixture *f)
{
	enum dfs_status status = try_open_share(f);

	if (status != DFS_OK)
		g_error("share: %s: %s", dfs_status_name(status), dfs_fail_text());
}

enum dfs_status
fixture_try_open(struct fixture *f)
{
	enum dfs_status status;

	f->registry = dfs_registry_new(NULL);
	f->workers = dfs_workers_new(4);
	f->inodes = dfs_inode_cache_new(f->max_inodes ? f->max_inodes : 65536,
					f->max_names ? f->max_names : 65536);
	f->pages = dfs_cache_new(64u << 20);
	open_metadata(f);
	f->blocks = f->server ? f->server->site->blocks
			      : open_blocks(f->registry, f->workers, f->durable_blocks);
	status = try_open_share(f);
	if (status != DFS_OK)
		fixture_close(f);
	return status;
}

void
fixture_open(struct fixture *f)
{
	enum dfs_status status = fixture_try_open(f);

	if (status != DFS_OK)
		g_error("share: %s: %s", dfs_status_name(status), dfs_fail_text());
}

static void
close_log(struct fixture *f)
{
	dfs_recovered_free(f->recovered);
	f->recovered = NULL;
	dfs_wal_close(f->wal);
	f->wal = NULL;
}

static void
close_share(struct fixture *f)
{
	assert_status(dfs_share_close(f->share, INT64_MAX, INT64_MAX), DFS_OK);
	close_log(f);
}

void
fixture_close(struct fixture *f)
{
	close_share(f);
	dfs_metadata_store_close(f->metadata);
	if (!f->server)
		dfs_block_store_close(f->blocks);
	dfs_cache_free(f->pages);
	dfs_inode_cache_free(f->inodes);
	dfs_workers_free(f->workers);
	dfs_registry_free(f->registry);
	if (f->ts && !f->server)
		test_store_free(f->ts);
}

void
fixture_reopen(struct fixture *f)
{
	close_share(f);
	dfs_metadata_store_close(f->metadata);
	open_metadata(f);
	open_share(f);
}

void
fixture_crash(struct fixture *f, void (*between)(void *arg), void *arg)
{
	assert_status(dfs_share_close(f->share, INT64_MAX, dfs_clock_mono() + 10 * DFS_SECOND),
		      DFS_OK);
	dfs_metadata_store_close(f->metadata);
	close_log(f);
	between(arg);
	open_metadata(f);
	open_share(f);
}

struct dfs_ctx
ctx_as(const struct fixture *f, uint32_t uid, uint32_t gid)
{
	return (struct dfs_ctx){
		.id = {.uid = uid, .gid = gid},
		.share = f->share,
		.deadline = dfs_clock_mono() + 60 * DFS_SECOND,
	};
}

struct dfs_name
name_of(const char *text)
{
	return (struct dfs_name){text, (uint32_t)strlen(text)};
}

struct dfs_ref
ref_of(const struct dfs_attr *a)
{
	return (struct dfs_ref){a->fileid, a->generation};
}

struct dfs_ref
make_file(struct fixture *f, struct dfs_ref dir, const char *name, uint32_t mode)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = mode};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_create(&f->ctx, &dir, name_of(name), DFS_CREATE_GUARDED, &set, 0,
				    &attr, &wcc),
		      DFS_OK);
	return ref_of(&attr);
}

struct dfs_ref
make_dir(struct fixture *f, struct dfs_ref dir, const char *name, uint32_t mode)
{
	struct dfs_setattr set = {.mask = DFS_SET_MODE, .mode = mode};
	struct dfs_attr attr;
	struct dfs_wcc wcc;

	assert_status(dfs_fs_mkdir(&f->ctx, &dir, name_of(name), &set, &attr, &wcc), DFS_OK);
	return ref_of(&attr);
}

struct dfs_attr
attr_of(struct fixture *f, struct dfs_ref ref)
{
	struct dfs_attr attr;

	assert_status(dfs_fs_getattr(&f->ctx, &ref, &attr), DFS_OK);
	return attr;
}

void
chown_to(struct fixture *f, struct dfs_ref ref, uint32_t uid, uint32_t gid)
{
	struct dfs_setattr set = {.mask = DFS_SET_UID | DFS_SET_GID, .uid = uid, .gid = gid};
	struct dfs_wcc wcc;

	assert_status(dfs_fs_setattr(&f->ctx, &ref, &set, NULL, &wcc), DFS_OK);
}

enum dfs_status
look(struct fixture *f, struct dfs_ref dir, const char *name, struct dfs_ref *ref)
{
	struct dfs_attr attr, dir_attr;
	enum dfs_status status = dfs_fs_lookup(&f->ctx, &dir, name_of(name), &attr, &dir_attr);

	if (status == DFS_OK && ref)
		*ref = ref_of(&attr);
	return status;
}

enum dfs_status
rename_to(struct fixture *f, struct dfs_ref from, const char *a, struct dfs_ref to, const char *b)
{
	struct dfs_wcc w1, w2;

	return dfs_fs_rename(&f->ctx, &from, name_of(a), &to, name_of(b), &w1, &w2);
}

enum dfs_status
remove_name(struct fixture *f, struct dfs_ref dir, const char *name)
{
	struct dfs_wcc wcc;

	return dfs_fs_remove(&f->ctx, &dir, name_of(name), &wcc);
}

enum dfs_status
remove_dir(struct fixture *f, struct dfs_ref dir, const char *name)
{
	struct dfs_wcc wcc;

	return dfs_fs_rmdir(&f->ctx, &dir, name_of(name), &wcc);
}
