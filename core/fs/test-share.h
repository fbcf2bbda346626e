/* SPDX-License-Identifier: MIT
 *
 * A share for tests: stores by name, everything around them, and short calls.
 */
#ifndef DFS_FS_TEST_SHARE_H
#define DFS_FS_TEST_SHARE_H

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "fs/fs.h"
#include "metadata/lease.h"
#include "metadata/namespace.h"
#include "metadata/ns.h"
#include "metadata/test-store.h"
#include "payload/wal/wal.h"

/* What servers of one share have in common: the metadata store's medium and the block store. */
struct test_site {
	struct test_store *ts;
	struct dfs_registry *registry;
	struct dfs_workers *workers;
	struct dfs_block_store *blocks;
};

void test_site_open(struct test_site *site);
void test_site_close(struct test_site *site); /* each server is closed */

/* One of several servers. */
struct test_server {
	struct test_site *site;
	struct dfs_server_identity self;
};

struct fixture {
	const char *kind; /* "test", "test-durable", "memory", "leveldb", "postgres" */
	const char *dir;  /* leveldb; postgres: its conninfo */
	enum dfs_durability durability;
	uint64_t max_inodes, max_names; /* 0: 65536 */
	struct test_store *ts;          /* the medium of "test*"; lives across reopening */
	struct dfs_registry *registry;
	struct dfs_workers *workers;
	struct dfs_inode_cache *inodes;
	struct dfs_cache *pages;
	struct dfs_lock_domain lock_domain;
	struct dfs_metadata_store *metadata;
	struct dfs_block_store *blocks;
	struct dfs_wal_config *log; /* NULL: no log */
	struct dfs_wal *wal;
	struct dfs_recovered *recovered; /* what it had, as long as the share is open */
	bool dedup;
	int64_t gc_grace;           /* ns, 0: none of a store in memory */
	struct test_server *server; /* NULL: a stand-alone server; lives across reopening */
	bool read_only, take_over;
	const struct dfs_quota_rules *quotas; /* NULL: none; read when the share is opened */
	bool durable_blocks; /* the memory block store says that it keeps what it has */
	struct dfs_share *share;
	struct dfs_ctx ctx; /* uid 0 */
	struct dfs_ref root;
};

/* kind, dir, durability and the limits are set by the caller. */
void fixture_open(struct fixture *f);
/* The same for a share that may be refused; closed again then. */
enum dfs_status fixture_try_open(struct fixture *f);
void fixture_close(struct fixture *f);
/* Close and open the share and its metadata store (and a block store, which loses what it had when
 * it lies in memory). */
void fixture_reopen(struct fixture *f);
/* The same after a fault: the share is given no time to write anything.  between: while everything is
 * closed. */
void fixture_crash(struct fixture *f, void (*between)(void *arg), void *arg);

struct dfs_ctx ctx_as(const struct fixture *f, uint32_t uid, uint32_t gid);
struct dfs_name name_of(const char *text);
struct dfs_ref ref_of(const struct dfs_attr *a);

/* These assert success. */
struct dfs_ref make_file(struct fixture *f, struct dfs_ref dir, const char *name, uint32_t mode);
struct dfs_ref make_dir(struct fixture *f, struct dfs_ref dir, const char *name, uint32_t mode);
struct dfs_attr attr_of(struct fixture *f, struct dfs_ref ref);
void chown_to(struct fixture *f, struct dfs_ref ref, uint32_t uid, uint32_t gid);
/* DFS_OK or what lookup says; *ref when found. */
enum dfs_status look(struct fixture *f, struct dfs_ref dir, const char *name, struct dfs_ref *ref);
enum dfs_status rename_to(struct fixture *f, struct dfs_ref from, const char *a, struct dfs_ref to,
			  const char *b);
enum dfs_status remove_name(struct fixture *f, struct dfs_ref dir, const char *name);
enum dfs_status remove_dir(struct fixture *f, struct dfs_ref dir, const char *name);

#define assert_status(got, want) g_assert_cmpstr(dfs_status_name(got), ==, dfs_status_name(want))

#endif
