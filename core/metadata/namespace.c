/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/gate.h"
#include "metadata/cache.h"
#include "metadata/ns.h"
#include "metadata/quota.h"
#include "metadata/writeback.h"

#define FIRST_FILEID 16u
#define FILEID_RANGE_FIRST 4096u
#define DIR_LENGTH 4096u
#define USED_WARN (60 * DFS_SECOND)

struct search {
	const char *name;
	struct dfs_share_record rec;
	uint32_t max_id;
	bool found;
};

static int
share_seen(void *arg, const struct dfs_share_record *rec)
{
	struct search *s = arg;

	if (rec->id > s->max_id)
		s->max_id = rec->id;
	if (strncmp(rec->name, s->name, sizeof rec->name) == 0) {
		s->rec = *rec;
		s->found = true;
	}
	return 1;
}

/* Ids of removed shares are not given out again: old records may still carry them. */
static enum dfs_status
share_id_new(struct dfs_metadata_store *st, struct dfs_txn *txn, uint32_t at_least, uint32_t *id)
{
	static const char key[] = "share_id";
	uint32_t last = 0, len = sizeof last;
	enum dfs_status status =
		st->ops.get_state(st->inst, txn, 0, key, sizeof key - 1, &last, &len);

	if (status != DFS_OK && status != DFS_NOENT)
		return status;
	last = status == DFS_OK ? le32toh(last) : 0;
	*id = (last > at_least ? last : at_least) + 1;
	last = htole32(*id);
	return st->ops.put_state(st->inst, txn, 0, key, sizeof key - 1, &last, sizeof last);
}

static enum dfs_status
share_create(struct dfs_metadata_store *st, struct dfs_txn *txn,
	     const struct dfs_namespace_options *o, struct search *s)
{
	int64_t now = dfs_clock_real();
	uint64_t first = htole64(FIRST_FILEID);
	struct dfs_inode_record root = {
		.size = sizeof root,
		.type = DFS_TYPE_DIR,
		.mode = o->root_mode ? o->root_mode & 07777 : 0755,
		.nlink = 2,
		.uid = o->root_uid,
		.gid = o->root_gid,
		.fileid = DFS_ROOT_FILEID,
		.generation = dfs_random_u64(),
		.length = DIR_LENGTH,
		.used = DIR_LENGTH,
		.change = (uint64_t)now,
		.atime = now,
		.mtime = now,
		.ctime = now,
		.btime = now,
		.parent = DFS_ROOT_FILEID,
	};
	enum dfs_status status;

	s->rec = (struct dfs_share_record){.size = sizeof s->rec, .root = DFS_ROOT_FILEID};
	memcpy(s->rec.name, o->name, strlen(o->name));
	if (getrandom(s->rec.uuid, sizeof s->rec.uuid, 0) != sizeof s->rec.uuid)
		return dfs_fail(DFS_IO, "%s: no random bytes for the share's uuid", o->name);
	status = share_id_new(st, txn, s->max_id, &s->rec.id);
	if (status == DFS_OK)
		status = st->ops.put_share(st->inst, txn, &s->rec);
	if (status == DFS_OK)
		status = st->ops.put_inode(st->inst, txn, s->rec.id, &root);
	if (status == DFS_OK)
		status = st->ops.put_state(st->inst, txn, s->rec.id, "fileid", 6, &first,
					   sizeof first);
	return status;
}

struct opening {
	struct dfs_metadata_store *store;
	const struct dfs_namespace_options *options;
	struct search search;
	struct dfs_lease lease;
};

static enum dfs_status
find_or_create(void *arg, struct dfs_txn *txn)
{
	struct opening *o = arg;
	struct dfs_metadata_store *st = o->store;
	bool shared = st->caps & DFS_METADATA_CAP_SHARED;
	enum dfs_status status;

	o->search = (struct search){.name = o->options->name};
	o->lease = (struct dfs_lease){.same = true};
	status = st->ops.scan_shares(st->inst, txn, share_seen, &o->search);
	if (status == DFS_OK && !o->search.found && shared && o->options->wish == DFS_LEASE_READ)
		return dfs_fail(
			DFS_NOENT,
			"there is no such share in the store yet, and read_only makes none");
	if (status == DFS_OK && !o->search.found && o->options->existing)
		return dfs_fail(DFS_NOENT, "there is no such share in the store");
	if (status == DFS_OK && !o->search.found)
		status = share_create(st, txn, o->options, &o->search);
	if (status == DFS_OK && shared)
		status = dfs_lease_take(st, txn, &o->search.rec, o->options->self, o->options->wish,
					o->options->log_last, &o->lease);
	return status;
}

/* The share's row, durably there, and its lease ours unless we follow. */
static enum dfs_status
open_row(struct opening *o)
{
	struct dfs_metadata_store *st = o->store;
	enum dfs_status status = dfs_metadata_update(st, find_or_create, o, NULL);

	if (status == DFS_OK && st->gate)
		status = dfs_gate_wait_sync(st->gate, st->last_seq, DFS_SYNC_POWER,
					    dfs_clock_mono() + 60 * DFS_SECOND);
	if (status == DFS_OK && (st->caps & DFS_METADATA_CAP_SHARED) && !o->lease.follow)
		status = st->ops.fence(st->inst, o->search.rec.id, o->search.rec.epoch);
	return status;
}

enum dfs_status
dfs_namespace_open(struct dfs_metadata_store *store, struct dfs_inode_cache *cache,
		   const struct dfs_namespace_options *options, struct dfs_namespace **out)
{
	static _Atomic uint32_t last_id;
	size_t len = strlen(options->name);
	struct opening o = {.store = store, .options = options};
	const struct dfs_share_record *rec = &o.search.rec;
	struct dfs_namespace *ns;
	struct dfs_inode *root;
	enum dfs_status status;

	if (len == 0 || len >= sizeof rec->name)
		return dfs_fail(DFS_INVAL, "a share's name has 1 to %zu bytes",
				sizeof rec->name - 1);
	status = open_row(&o);
	if (status != DFS_OK)
		return status;
	ns = calloc(1, sizeof *ns);
	if (!ns)
		return dfs_fail(DFS_NOMEM, "no memory for the share %s", options->name);
	ns->store = store;
	ns->cache = cache;
	ns->rec = *rec;
	ns->lease = o.lease;
	ns->id = atomic_fetch_add(&last_id, 1) + 1;
	memcpy(&ns->cookies, rec->uuid, sizeof ns->cookies);
	ns->fileid_range = FILEID_RANGE_FIRST;
	/* 48 bits of milliseconds, and 16 random ones beside 31 more at the counter's top. */
	ns->content_hi = (uint64_t)(dfs_clock_real() / 1000000) << 16 | (dfs_random_u64() & 0xffff);
	ns->content_lo = (dfs_random_u64() >> 33) << 32;
	ns->no_orphans = store->caps & DFS_METADATA_CAP_VOLATILE;
	ns->uncached = ns->lease.follow;
	dfs_writeback_limit(store, (uint32_t)(cache->shard_limit * (uint64_t)DFS_INODE_SHARDS / 4));
	status = dfs_inode_get(NULL, ns, rec->root, &root);
	if (status != DFS_OK) {
		char why[256]; /* freeing may fail, too, and say so */

		snprintf(why, sizeof why, "%s",
			 status == DFS_NOENT ? "it has no record"
			 : *dfs_fail_text()  ? dfs_fail_text()
					     : dfs_status_name(status));
		dfs_namespace_free(ns, !ns->lease.same, options->log_last);
		return dfs_fail(status == DFS_NOENT ? DFS_CORRUPT : status,
				"%s: the root directory cannot be read: %s", options->name, why);
	}
	ns->root_generation = root->generation;
	dfs_inode_unref(root);
	if (!ns->lease.follow) {
		dfs_lock_acquire(&store->leased_lock);
		ns->leased_next = store->leased;
		store->leased = ns;
		dfs_lock_release(&store->leased_lock);
	}
	*out = ns;
	return DFS_OK;
}

static void
unlist(struct dfs_namespace *ns)
{
	struct dfs_metadata_store *store = ns->store;
	struct dfs_namespace **p = &store->leased;

	dfs_lock_acquire(&store->leased_lock);
	while (*p && *p != ns)
		p = &(*p)->leased_next;
	if (*p)
		*p = ns->leased_next;
	dfs_lock_release(&store->leased_lock);
}

struct leaving {
	struct dfs_namespace *ns;
	uint64_t log_last;
};

static enum dfs_status
give_back(void *arg, struct dfs_txn *txn)
{
	const struct leaving *l = arg;

	return dfs_lease_give_back(l->ns->store, txn, &l->ns->rec, l->log_last, l->ns->log_settled);
}

void
dfs_namespace_close(struct dfs_namespace *ns)
{
	int64_t said = dfs_clock_mono();

	/* Until the purge is done, another share's use of the cache may take inodes in hand. */
	do {
		dfs_writeback_finish(ns->store, ns);
		if (dfs_clock_mono() - said < USED_WARN)
			continue;
		said = dfs_clock_mono();
		dfs_log(DFS_LOG_WARN, "share %s: inodes are still in use", ns->rec.name);
	} while (!dfs_inode_cache_purge(ns->cache, ns));
	while (atomic_load_explicit(&ns->in_hand, memory_order_acquire) > 0)
		usleep(100);
}

void
dfs_namespace_free(struct dfs_namespace *ns, bool complete, uint64_t log_last)
{
	struct leaving leaving = {ns, log_last};
	struct dfs_metadata_store *st = ns->store;

	if ((st->caps & DFS_METADATA_CAP_SHARED) && !ns->lease.follow) {
		enum dfs_status status =
			complete ? dfs_metadata_update(st, give_back, &leaving, NULL) : DFS_BUSY;

		if (status != DFS_OK && status != DFS_FENCED)
			dfs_log(DFS_LOG_WARN,
				"share %s stays this server's: other servers are refused",
				ns->rec.name);
		st->ops.fence(st->inst, ns->rec.id, 0);
	}
	unlist(ns);
	dfs_quota_free(ns->quota);
	free(ns->orphans.list);
	free(ns);
}
