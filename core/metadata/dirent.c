/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "metadata/dirent.h"
#include "metadata/ns.h"

#define SLOT_MASK ((uint64_t)DFS_CHAIN_MAX - 1)

uint64_t
dfs_dirent_cookie(const struct dfs_namespace *ns, struct dfs_name name)
{
	uint64_t c = dfs_siphash(&ns->cookies, name.bytes, name.len) & INT64_MAX & ~SLOT_MASK;

	return c ? c : DFS_CHAIN_MAX;
}

/* What the callback keeps of one record. */
struct seen {
	struct dfs_name want; /* compared when len is not 0 */
	bool there, match;
	uint32_t type, flags;
	uint64_t fileid;
	uint32_t name_len;
	char *name; /* DFS_NAME_MAX bytes for a copy, or NULL */
};

static int
see(void *arg, const struct dfs_dirent_record *rec)
{
	struct seen *s = arg;

	s->there = true;
	s->type = rec->type;
	s->flags = rec->flags;
	s->fileid = rec->fileid;
	s->name_len = rec->name_len;
	s->match = !(rec->flags & DFS_DIRENT_TOMBSTONE) && rec->name_len == s->want.len &&
		   memcmp(rec->name, s->want.bytes, s->want.len) == 0;
	if (s->name && rec->name_len <= DFS_NAME_MAX)
		memcpy(s->name, rec->name, rec->name_len);
	return 1;
}

static enum dfs_status
get(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, uint64_t cookie, struct seen *s)
{
	enum dfs_status status;

	s->there = s->match = false;
	status = ns->store->ops.get_dirent(ns->store->inst, txn, ns->rec.id, dir, cookie, see, s);
	return status == DFS_NOENT ? DFS_OK : status;
}

static enum dfs_status
put(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, uint64_t cookie, uint32_t flags,
    struct dfs_name name, uint64_t fileid, uint32_t type)
{
	struct dfs_dirent_record rec = {
		.size = sizeof rec,
		.type = type,
		.cookie = cookie,
		.fileid = fileid,
		.flags = flags,
		.name_len = name.len,
		.name = name.bytes,
	};
	return ns->store->ops.put_dirent(ns->store->inst, txn, ns->rec.id, dir, &rec);
}

/* The places of a chain that a change needs to know. */
struct chain {
	uint64_t hole; /* first tombstone, 0: none */
	uint32_t hole_flags;
	uint64_t last; /* 0: the chain is empty */
	uint32_t found_flags;
};

static enum dfs_status
walk(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, struct dfs_name name,
     uint64_t chain, struct dfs_dirent *d, struct chain *c, bool all)
{
	struct seen s = {.want = name};
	unsigned n = 0;

	*d = (struct dfs_dirent){.cookie = chain};
	memset(c, 0, sizeof *c);
	for (uint64_t cookie = chain; n < DFS_CHAIN_MAX; cookie++) {
		enum dfs_status status = get(ns, txn, dir, cookie, &s);

		if (status != DFS_OK)
			return status;
		if (!s.there)
			break;
		n++;
		c->last = cookie;
		if ((s.flags & DFS_DIRENT_TOMBSTONE) && !c->hole) {
			c->hole = cookie;
			c->hole_flags = s.flags;
		}
		if (s.match) {
			d->cookie = cookie;
			d->fileid = s.fileid;
			d->type = s.type;
			c->found_flags = s.flags;
		}
		if (!(s.flags & DFS_DIRENT_MORE) || (s.match && !all)) {
			d->alone = n == 1 && s.match && !(s.flags & DFS_DIRENT_MORE);
			return DFS_OK;
		}
	}
	d->alone = n == 0;
	return DFS_OK;
}

enum dfs_status
dfs_dirent_read(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, struct dfs_name name,
		uint64_t chain, struct dfs_dirent *d)
{
	struct chain c;

	return walk(ns, txn, dir, name, chain, d, &c, false);
}

/* Set or clear DFS_DIRENT_MORE on the record at cookie; *tombstone: it is one. */
static enum dfs_status
set_more(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, uint64_t cookie, bool more,
	 bool *tombstone)
{
	char copy[DFS_NAME_MAX];
	struct seen s = {.name = copy};
	enum dfs_status status = get(ns, txn, dir, cookie, &s);

	if (status != DFS_OK)
		return status;
	if (!s.there)
		return dfs_fail(DFS_CORRUPT, "directory %llu: the chain of cookie %llx is broken",
				(unsigned long long)dir, (unsigned long long)cookie);
	*tombstone = s.flags & DFS_DIRENT_TOMBSTONE;
	s.flags = more ? s.flags | DFS_DIRENT_MORE : s.flags & ~DFS_DIRENT_MORE;
	return put(ns, txn, dir, cookie, s.flags, (struct dfs_name){copy, s.name_len}, s.fileid,
		   s.type);
}

enum dfs_status
dfs_dirent_add(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, struct dfs_name name,
	       struct dfs_dirent *d, uint64_t fileid, uint32_t type)
{
	uint64_t chain = d->cookie & ~SLOT_MASK;
	struct dfs_dirent seen;
	struct chain c;
	enum dfs_status status;
	bool tombstone;

	assert(d->fileid == 0);
	d->fileid = fileid;
	d->type = type;
	d->cookie = chain;
	if (d->alone)
		return put(ns, txn, dir, chain, 0, name, fileid, type);
	status = walk(ns, txn, dir, name, chain, &seen, &c, true);
	if (status != DFS_OK)
		return status;
	if (c.hole) {
		d->cookie = c.hole;
		return put(ns, txn, dir, c.hole, c.hole_flags & DFS_DIRENT_MORE, name, fileid,
			   type);
	}
	if (c.last == 0) {
		d->alone = true;
		return put(ns, txn, dir, chain, 0, name, fileid, type);
	}
	if (c.last - chain == DFS_CHAIN_MAX - 1)
		return dfs_fail(DFS_NOSPC, "64 names of directory %llu have the same hash",
				(unsigned long long)dir);
	d->cookie = c.last + 1;
	status = set_more(ns, txn, dir, c.last, true, &tombstone);
	return status == DFS_OK ? put(ns, txn, dir, d->cookie, 0, name, fileid, type) : status;
}

enum dfs_status
dfs_dirent_del(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir, struct dfs_name name,
	       struct dfs_dirent *d)
{
	const struct dfs_metadata_store *st = ns->store;
	uint64_t chain = d->cookie & ~SLOT_MASK, cookie = d->cookie;
	struct dfs_dirent seen;
	struct chain c;
	enum dfs_status status;

	assert(d->fileid != 0);
	if (d->alone) {
		*d = (struct dfs_dirent){.cookie = chain, .alone = true};
		return st->ops.del_dirent(st->inst, txn, ns->rec.id, dir, chain);
	}
	status = walk(ns, txn, dir, name, chain, &seen, &c, true);
	if (status != DFS_OK)
		return status;
	*d = (struct dfs_dirent){.cookie = chain};
	if (c.found_flags & DFS_DIRENT_MORE)
		return put(ns, txn, dir, cookie, DFS_DIRENT_TOMBSTONE | DFS_DIRENT_MORE,
			   (struct dfs_name){"", 0}, 0, DFS_TYPE_NONE);
	/* The last of the chain goes, and the tombstones before it. */
	for (;;) {
		bool tombstone;

		status = st->ops.del_dirent(st->inst, txn, ns->rec.id, dir, cookie);
		if (status != DFS_OK || cookie == chain)
			break;
		cookie--;
		status = set_more(ns, txn, dir, cookie, false, &tombstone);
		if (status != DFS_OK || !tombstone)
			return status;
	}
	d->alone = true;
	return status;
}

enum dfs_status
dfs_dirent_replace(struct dfs_namespace *ns, struct dfs_txn *txn, uint64_t dir,
		   struct dfs_name name, struct dfs_dirent *d, uint64_t fileid, uint32_t type)
{
	uint32_t flags = 0;

	assert(d->fileid != 0);
	d->fileid = fileid;
	d->type = type;
	if (!d->alone) {
		struct dfs_dirent seen;
		struct chain c;
		enum dfs_status status =
			walk(ns, txn, dir, name, d->cookie & ~SLOT_MASK, &seen, &c, true);

		if (status != DFS_OK)
			return status;
		flags = c.found_flags & DFS_DIRENT_MORE;
	}
	return put(ns, txn, dir, d->cookie, flags, name, fileid, type);
}

enum dfs_status
dfs_dirent_find(const struct dfs_ctx *ctx, struct dfs_inode *dir, struct dfs_name name,
		uint64_t chain, struct dfs_dirent *d)
{
	struct dfs_namespace *ns = dir->ns;
	enum dfs_status status;
	unsigned tries = 0;
	uint32_t changes;

	if (dfs_name_cache_find(ns, dir->fileid, name, chain, d))
		return DFS_OK;
	do {
		struct dfs_txn *txn;

		changes = dfs_name_cache_changes(ns, dir->fileid, chain);
		status = dfs_metadata_begin(ns->store, ctx, DFS_TXN_READ, &txn);
		if (status != DFS_OK)
			continue;
		status = dfs_dirent_read(ns, txn, dir->fileid, name, chain, d);
		dfs_metadata_abort(ns->store, txn);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status == DFS_OK)
		dfs_name_cache_fill(ns, dir->fileid, name, d, changes);
	return status;
}
