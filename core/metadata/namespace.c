/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/gate.h"
#include "metadata/cache.h"
#include "metadata/ns.h"
#include "metadata/writeback.h"

#define FIRST_FILEID 16u
#define LEASE_FIRST 4096u
#define DIR_LENGTH 4096u

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

static enum dfs_status
find_or_create(struct dfs_metadata_store *st, const struct dfs_namespace_options *o,
	       struct search *s)
{
	enum dfs_status status = DFS_AGAIN;

	for (unsigned tries = 0; status == DFS_AGAIN && tries < 64; tries++) {
		struct dfs_txn *txn;

		*s = (struct search){.name = o->name};
		status = dfs_metadata_begin(st, NULL, DFS_TXN_WRITE, &txn);
		if (status != DFS_OK)
			continue;
		status = st->ops.scan_shares(st->inst, txn, share_seen, s);
		if (status == DFS_OK && !s->found)
			status = share_create(st, txn, o, s);
		if (status == DFS_OK && !s->found)
			status = dfs_metadata_commit(st, txn, NULL);
		else
			dfs_metadata_abort(st, txn);
	}
	if (status == DFS_OK && !s->found && st->gate)
		status = dfs_gate_wait_sync(st->gate, st->last_seq, DFS_SYNC_POWER,
					    dfs_clock_mono() + 60 * DFS_SECOND);
	return status;
}

enum dfs_status
dfs_namespace_open(struct dfs_metadata_store *store, struct dfs_inode_cache *cache,
		   const struct dfs_namespace_options *options, struct dfs_namespace **out)
{
	static _Atomic uint32_t last_id;
	size_t len = strlen(options->name);
	struct dfs_namespace *ns;
	struct dfs_inode *root;
	struct search s;
	enum dfs_status status;

	if (len == 0 || len >= sizeof s.rec.name)
		return dfs_fail(DFS_INVAL, "a share's name has 1 to %zu bytes",
				sizeof s.rec.name - 1);
	status = find_or_create(store, options, &s);
	if (status != DFS_OK)
		return status;
	ns = calloc(1, sizeof *ns);
	if (!ns)
		return dfs_fail(DFS_NOMEM, "no memory for the share %s", options->name);
	ns->store = store;
	ns->cache = cache;
	ns->rec = s.rec;
	ns->id = atomic_fetch_add(&last_id, 1) + 1;
	memcpy(&ns->cookies, s.rec.uuid, sizeof ns->cookies);
	ns->lease_size = LEASE_FIRST;
	/* 48 bits of milliseconds, and 16 random ones beside 31 more at the counter's top. */
	ns->content_hi = (uint64_t)(dfs_clock_real() / 1000000) << 16 | (dfs_random_u64() & 0xffff);
	ns->content_lo = (dfs_random_u64() >> 33) << 32;
	ns->no_orphans = store->caps & DFS_METADATA_CAP_VOLATILE;
	dfs_writeback_limit(store, (uint32_t)(cache->shard_limit * (uint64_t)INODE_SHARDS / 4));
	status = dfs_inode_get(NULL, ns, s.rec.root, &root);
	if (status != DFS_OK) {
		free(ns);
		return dfs_fail(status == DFS_NOENT ? DFS_CORRUPT : status,
				"%s: the root directory cannot be read", options->name);
	}
	ns->root_generation = root->generation;
	dfs_inode_unref(root);
	*out = ns;
	return DFS_OK;
}

void
dfs_namespace_close(struct dfs_namespace *ns)
{
	int64_t give_up;

	if (!ns)
		return;
	/* Until the purge is done, another share's use of the cache may take inodes in hand. */
	give_up = dfs_clock_mono() + 60 * DFS_SECOND;
	do {
		dfs_writeback_finish(ns->store, ns);
		assert(dfs_clock_mono() < give_up); /* else an operation never let go of an inode */
	} while (!dfs_inode_cache_purge(ns->cache, ns));
	while (atomic_load_explicit(&ns->in_hand, memory_order_acquire) > 0)
		usleep(100);
	free(ns->orphans.list);
	free(ns);
}
