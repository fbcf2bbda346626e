/* SPDX-License-Identifier: MIT
 *
 * READDIR and READDIRPLUS: slices of a range scan over the directory's cookies.
 *
 * A slice is copied out of the store's read transaction with its attributes (from the inode
 * cache, the missing ones by one batched read), and handed over with nothing held.
 */
#include <string.h>

#include "fs/op.h"
#include "fs/read.h"

#define SLICE 64      /* of a store at memory speed */
#define SLICE_MAX 512 /* of one that each slice has to ask over a network */
#define COOKIE_DOT 1
#define COOKIE_DOTDOT 2
#define NAME_BYTES 128 /* of an entry, on average; longer names make shorter slices */

struct slice {
	unsigned n;
	unsigned max;
	bool full; /* more may follow */
	uint32_t name_used;
	struct {
		uint64_t cookie, fileid;
		uint32_t name_at;
		uint16_t name_len;
		bool has_attr;
	} e[SLICE_MAX];
	struct dfs_attr attr[SLICE_MAX];
	char names[SLICE_MAX * NAME_BYTES];
};

static int
collect(void *arg, const struct dfs_dirent_record *rec)
{
	struct slice *s = arg;

	if (rec->flags & DFS_DIRENT_TOMBSTONE)
		return 1;
	if (s->n == s->max || s->name_used + rec->name_len > s->max * NAME_BYTES) {
		s->full = true;
		return 0;
	}
	s->e[s->n].cookie = rec->cookie;
	s->e[s->n].fileid = rec->fileid;
	s->e[s->n].name_at = s->name_used;
	s->e[s->n].name_len = (uint16_t)rec->name_len;
	s->e[s->n].has_attr = false;
	memcpy(s->names + s->name_used, rec->name, rec->name_len);
	s->name_used += rec->name_len;
	s->n++;
	return 1;
}

static enum dfs_status
get_inodes(struct dfs_namespace *ns, struct dfs_txn *txn, const uint64_t *ids, unsigned n,
	   struct dfs_inode_record *recs)
{
	struct dfs_metadata_store *st = ns->store;

	for (unsigned i = 0; i < n; i++)
		recs[i] = (struct dfs_inode_record){.size = sizeof *recs};
	if (st->ops.get_inodes)
		return st->ops.get_inodes(st->inst, txn, ns->rec.id, ids, n, recs);
	for (unsigned i = 0; i < n; i++) {
		enum dfs_status status =
			st->ops.get_inode(st->inst, txn, ns->rec.id, ids[i], &recs[i]);

		if (status == DFS_NOENT)
			recs[i].type = DFS_TYPE_NONE;
		else if (status != DFS_OK)
			return status;
	}
	return DFS_OK;
}

/* Attributes of what the cache does not have.  The records join the cache. */
static enum dfs_status
fill_missing(struct dfs_namespace *ns, struct dfs_txn *txn, const struct dfs_inode_epochs *epochs,
	     struct slice *s, const uint16_t *missing, unsigned n)
{
	struct dfs_inode_record recs[SLICE_MAX];
	uint64_t ids[SLICE_MAX];
	enum dfs_status status;

	for (unsigned i = 0; i < n; i++)
		ids[i] = s->e[missing[i]].fileid;
	status = get_inodes(ns, txn, ids, n, recs);
	if (status != DFS_OK)
		return status;
	for (unsigned i = 0; i < n; i++) {
		struct dfs_inode *inode;
		unsigned k = missing[i];

		if (recs[i].type == DFS_TYPE_NONE)
			continue;
		s->e[k].has_attr = true;
		/* Cached meanwhile: that one may be newer than the record. */
		inode = dfs_inode_insert(ns, &recs[i], dfs_inode_epoch_then(epochs, ns, ids[i]));
		if (inode)
			dfs_inode_attr(inode, &s->attr[k]);
		else
			dfs_attr_from_record(&s->attr[k], &recs[i]);
		dfs_inode_unref(inode);
	}
	return DFS_OK;
}

static enum dfs_status
read_slice(struct dfs_ctx *ctx, uint64_t dir, uint64_t from, bool want_attrs, struct slice *s)
{
	struct dfs_namespace *ns = ctx->share->ns;
	uint16_t missing[SLICE_MAX];
	struct dfs_inode_epochs epochs;
	unsigned n_missing = 0;
	struct dfs_txn *txn;
	enum dfs_status status;

	if (want_attrs)
		dfs_inode_epochs_take(ns, &epochs);
	status = dfs_metadata_begin(ns->store, ctx, DFS_TXN_READ, &txn);
	if (status != DFS_OK)
		return status;
	s->n = 0;
	s->name_used = 0;
	s->full = false;
	status = ns->store->ops.scan_dirents(ns->store->inst, txn, ns->rec.id, dir, from, collect,
					     s);
	for (unsigned i = 0; want_attrs && i < s->n; i++)
		dfs_inode_prefetch(ns, s->e[i].fileid);
	for (unsigned i = 0; status == DFS_OK && want_attrs && i < s->n; i++) {
		s->e[i].has_attr = dfs_inode_peek(ns, s->e[i].fileid, &s->attr[i]);
		if (!s->e[i].has_attr)
			missing[n_missing++] = (uint16_t)i;
	}
	if (n_missing)
		status = fill_missing(ns, txn, &epochs, s, missing, n_missing);
	dfs_metadata_abort(ns->store, txn);
	return status;
}

/* "." and ".." when they are due; *stop: fn has enough. */
static enum dfs_status
dots(struct dfs_ctx *ctx, struct dfs_inode *dir, const struct dfs_attr *dir_attr, uint64_t cookie,
     bool want_attrs, dfs_dir_fn fn, void *arg, bool *stop)
{
	struct dfs_inode_image image;
	struct dfs_attr attr = *dir_attr;
	struct dfs_dir_entry e = {.name = {"..", 1}, .fileid = dir->fileid, .cookie = COOKIE_DOT};

	e.attr = want_attrs ? &attr : NULL;
	if (cookie < COOKIE_DOT && !fn(arg, &e)) {
		*stop = true;
		return DFS_OK;
	}
	dfs_inode_image(dir, &image);
	e.name.len = 2;
	e.cookie = COOKIE_DOTDOT;
	e.fileid = image.parent;
	if (want_attrs && image.parent != dir->fileid) {
		INODE_REF parent = NULL;
		enum dfs_status status = op_get_id(ctx, image.parent, &parent, &attr);

		if (status == DFS_AGAIN)
			return status;
		if (status != DFS_OK)
			e.attr = NULL;
	}
	*stop = !fn(arg, &e);
	return DFS_OK;
}

/* What the last reader had room for, where asking again is dear. */
static unsigned
slice_size(struct dfs_metadata_store *store)
{
	unsigned n = atomic_load_explicit(&store->listed, memory_order_relaxed);

	if (atomic_load_explicit(&store->thread_model, memory_order_relaxed) >= DFS_THREADS_TRY ||
	    n < SLICE)
		return SLICE;
	return n < SLICE_MAX ? n : SLICE_MAX;
}

enum dfs_status
dfs_fs_readdir(struct dfs_ctx *ctx, const struct dfs_ref *ref, uint64_t cookie, bool want_attrs,
	       dfs_dir_fn fn, void *arg, bool *eof, struct dfs_attr *dir_attr)
{
	struct slice slice, *s = &slice; /* 140 KiB, used as far as it fills */
	INODE_REF dir = NULL;
	unsigned given = 0;
	bool stop = false;
	enum dfs_status status = op_get(ctx, ref, &dir, dir_attr);

	*eof = false;
	if (status != DFS_OK) {
		dir_attr->type = DFS_TYPE_NONE;
		return status;
	}
	if (dir_attr->type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	if (!dfs_may(&ctx->id, dir_attr, DFS_MAY_READ))
		return DFS_ACCESS;
	if (cookie > INT64_MAX || (cookie > COOKIE_DOTDOT && cookie < DFS_CHAIN_MAX))
		return DFS_BADCOOKIE;
	if (cookie < COOKIE_DOTDOT) {
		status = dots(ctx, dir, dir_attr, cookie, want_attrs, fn, arg, &stop);
		if (status != DFS_OK || stop)
			return status;
		cookie = COOKIE_DOTDOT;
	}
	s->max = slice_size(ctx->share->ns->store);
	while (!stop) {
		unsigned tries = 0;

		do
			status = read_slice(ctx, dir->fileid, cookie + 1, want_attrs, s);
		while (dfs_metadata_again(ctx, &status, &tries));
		if (status != DFS_OK)
			return status;
		for (unsigned i = 0; i < s->n && !stop; i++) {
			struct dfs_dir_entry e = {
				.name = {s->names + s->e[i].name_at, s->e[i].name_len},
				.fileid = s->e[i].fileid,
				.cookie = s->e[i].cookie,
				.attr = s->e[i].has_attr ? &s->attr[i] : NULL,
			};
			stop = !fn(arg, &e);
			cookie = e.cookie;
			given++;
		}
		if (stop)
			atomic_store_explicit(&ctx->share->ns->store->listed, given,
					      memory_order_relaxed);
		if (!stop && !s->full)
			*eof = stop = true;
	}
	op_accessed(ctx, dir, dir_attr);
	return DFS_OK;
}
