/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <string.h>

#include "base/log.h"
#include "fs/recount.h"
#include "metadata/ns.h"
#include "metadata/usage.h"
#include "payload/row.h"

#define PIECE 256 /* entries of one transaction */
#define TOLD_MAX 20

/* A directory on the way down, and where its listing goes on. */
struct place {
	uint64_t dir, cookie;
};

struct walk {
	struct dfs_namespace *ns;
	struct dfs_quota *quota;
	struct dfs_recount *found;
	bool repair;
	GArray *path; /* struct place */
	GHashTable
		*names; /* file ids of several names that were counted, as pointers to themselves */
	GArray *wrong;  /* struct dfs_inode_record with the right `used` */
};

struct rows {
	uint64_t bytes;
	bool bad;
};

static int
add_row(void *arg, uint64_t block, uint64_t lsn, const struct dfs_segment *segs, uint32_t n)
{
	struct rows *rows = arg;
	struct dfs_row row;

	rows->bad |= !dfs_row_resolve(&row, segs, n);
	if (!rows->bad)
		rows->bytes += dfs_row_bytes(&row);
	return !rows->bad;
}

static bool
counted_before(struct walk *w, const struct dfs_inode_record *rec)
{
	uint64_t *id;

	if (rec->type == DFS_TYPE_DIR || rec->nlink < 2)
		return false;
	if (g_hash_table_contains(w->names, &rec->fileid))
		return true;
	id = g_new(uint64_t, 1);
	*id = rec->fileid;
	g_hash_table_add(w->names, id);
	return false;
}

static enum dfs_status
count_inode(struct walk *w, struct dfs_txn *txn, struct dfs_inode_record *rec)
{
	struct dfs_metadata_store *st = w->ns->store;
	struct dfs_quota_charge charge = {rec->uid, rec->gid, DFS_QUOTA_ALL, 0, 1};
	struct rows rows = {0, false};
	enum dfs_status status;

	if (counted_before(w, rec))
		return DFS_OK;
	if (rec->type == DFS_TYPE_REG) {
		status = st->ops.scan_map(st->inst, txn, w->ns->rec.id, &rec->content, 0, add_row,
					  &rows);
		if (status == DFS_OK && rows.bad)
			status =
				dfs_fail(DFS_CORRUPT, "share %s: a map row of file %llu is damaged",
					 w->ns->rec.name, (unsigned long long)rec->fileid);
		if (status != DFS_OK)
			return status;
		if (rec->used != rows.bytes) {
			w->found->wrong_used++;
			rec->used = rows.bytes;
			if (w->repair)
				g_array_append_val(w->wrong, *rec);
		}
	}
	charge.bytes = (int64_t)rec->used;
	dfs_quota_change(w->quota, &charge, NULL, NULL);
	w->found->inodes++;
	w->found->bytes += rec->used;
	return DFS_OK;
}

static enum dfs_status
count_id(struct walk *w, struct dfs_txn *txn, uint64_t fileid)
{
	struct dfs_metadata_store *st = w->ns->store;
	struct dfs_inode_record rec = {.size = sizeof rec};
	enum dfs_status status = st->ops.get_inode(st->inst, txn, w->ns->rec.id, fileid, &rec);

	/* A name without an inode is nothing that anybody is charged with. */
	if (status == DFS_NOENT)
		return DFS_OK;
	return status == DFS_OK ? count_inode(w, txn, &rec) : status;
}

struct listing {
	unsigned n;
	uint64_t ids[PIECE];
	uint64_t last; /* cookie */
	bool down;     /* the last is a directory, which is walked first */
};

static int
take_entry(void *arg, const struct dfs_dirent_record *rec)
{
	struct listing *l = arg;

	l->last = rec->cookie;
	if (!(rec->flags & DFS_DIRENT_TOMBSTONE)) {
		l->ids[l->n++] = rec->fileid;
		l->down = rec->type == DFS_TYPE_DIR;
	}
	return l->n < PIECE && !l->down;
}

/* The next entries of the directory that the walk is in. */
static enum dfs_status
walk_piece(struct walk *w, struct dfs_txn *txn)
{
	struct dfs_metadata_store *st = w->ns->store;
	struct place *here = &g_array_index(w->path, struct place, w->path->len - 1);
	struct listing l = {.n = 0};
	enum dfs_status status = st->ops.scan_dirents(st->inst, txn, w->ns->rec.id, here->dir,
						      here->cookie, take_entry, &l);

	for (unsigned i = 0; i < l.n && status == DFS_OK; i++)
		status = count_id(w, txn, l.ids[i]);
	here->cookie = l.last + 1;
	if (l.n < PIECE && !l.down)
		g_array_set_size(w->path, w->path->len - 1);
	if (l.down) {
		struct place child = {l.ids[l.n - 1], 0};

		g_array_append_val(w->path, child);
	}
	return status;
}

struct orphans {
	unsigned n;
	uint64_t ids[PIECE];
};

static int
take_orphan(void *arg, uint64_t fileid, const struct dfs_content_id *content)
{
	struct orphans *o = arg;

	o->ids[o->n++] = fileid;
	return o->n < PIECE;
}

static enum dfs_status
orphan_piece(struct walk *w, struct dfs_txn *txn, uint64_t *from, bool *more)
{
	struct dfs_metadata_store *st = w->ns->store;
	struct orphans o = {.n = 0};
	enum dfs_status status =
		st->ops.scan_orphans(st->inst, txn, w->ns->rec.id, *from, take_orphan, &o);

	for (unsigned i = 0; i < o.n && status == DFS_OK; i++)
		status = count_id(w, txn, o.ids[i]);
	*more = o.n == PIECE;
	if (o.n > 0)
		*from = o.ids[o.n - 1] + 1;
	return status;
}

static enum dfs_status
put_right(void *arg, struct dfs_txn *txn)
{
	const struct walk *w = arg;
	struct dfs_metadata_store *st = w->ns->store;
	enum dfs_status status = DFS_OK;

	for (guint i = 0; i < w->wrong->len && status == DFS_OK; i++)
		status = st->ops.put_inode(st->inst, txn, w->ns->rec.id,
					   &g_array_index(w->wrong, struct dfs_inode_record, i));
	return status;
}

/* A read transaction of one piece; what was found wrong is put right behind it. */
static enum dfs_status
piece(struct walk *w, uint64_t *orphans_from, bool *more)
{
	struct dfs_metadata_store *st = w->ns->store;
	struct dfs_txn *txn;
	enum dfs_status status = dfs_metadata_begin(st, NULL, DFS_TXN_READ, &txn);

	if (status != DFS_OK)
		return status;
	status = w->path->len > 0 ? walk_piece(w, txn) : orphan_piece(w, txn, orphans_from, more);
	dfs_metadata_abort(st, txn);
	if (status == DFS_OK && w->wrong->len > 0)
		status = dfs_metadata_update(st, put_right, w, NULL);
	g_array_set_size(w->wrong, 0);
	return status;
}

enum dfs_status
dfs_recount(struct dfs_namespace *ns, struct dfs_quota *quota, bool repair,
	    struct dfs_recount *found)
{
	struct walk w = {.ns = ns, .quota = quota, .found = found, .repair = repair};
	struct place root = {ns->rec.root, 0};
	uint64_t orphans_from = 0;
	enum dfs_status status;
	struct dfs_txn *txn;
	bool more = true;

	*found = (struct dfs_recount){0};
	w.path = g_array_new(FALSE, FALSE, sizeof root);
	w.names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	w.wrong = g_array_new(FALSE, FALSE, sizeof(struct dfs_inode_record));
	status = dfs_metadata_begin(ns->store, NULL, DFS_TXN_READ, &txn);
	if (status == DFS_OK) {
		status = count_id(&w, txn, root.dir);
		dfs_metadata_abort(ns->store, txn);
	}
	g_array_append_val(w.path, root);
	while (status == DFS_OK && (w.path->len > 0 || more))
		status = piece(&w, &orphans_from, &more);
	g_array_unref(w.path);
	g_array_unref(w.wrong);
	g_hash_table_unref(w.names);
	return status;
}

struct compare {
	struct dfs_namespace *ns;
	struct dfs_quota *quota; /* the recount, from which what was compared is taken off */
	struct dfs_recount *found;
};

static void
differs(struct dfs_namespace *ns, struct dfs_recount *found, uint32_t kind, uint32_t id,
	const int64_t kept[2], const int64_t counted[2])
{
	static const char *const kinds[] = {"share", "user", "group"};

	if (found->wrong_sums++ < TOLD_MAX)
		dfs_log(DFS_LOG_ERROR,
			"share %s: %s %u: %lld bytes and %lld files are kept, but %lld bytes and "
			"%lld files are there",
			ns->rec.name, kinds[kind], id, (long long)kept[0], (long long)kept[1],
			(long long)counted[0], (long long)counted[1]);
}

static int
compare_sum(void *arg, const struct dfs_usage_record *rec)
{
	struct compare *c = arg;
	int64_t kept[2] = {rec->bytes, rec->files}, counted[2];
	struct dfs_quota_charge off = {rec->id, rec->id, 1u << rec->kind, 0, 0};

	dfs_quota_usage(c->quota, rec->kind, rec->id, &counted[0], &counted[1]);
	if (memcmp(kept, counted, sizeof kept) != 0)
		differs(c->ns, c->found, rec->kind, rec->id, kept, counted);
	off.bytes = counted[0];
	off.files = counted[1];
	dfs_quota_release(c->quota, &off);
	return 1;
}

static void
left_over(void *arg, const struct dfs_usage_record *sum)
{
	struct compare *c = arg;
	const int64_t none[2] = {0, 0}, counted[2] = {sum->bytes, sum->files};

	differs(c->ns, c->found, sum->kind, sum->id, none, counted);
}

enum dfs_status
dfs_recount_check(struct dfs_namespace *ns, struct dfs_recount *found)
{
	static const struct dfs_quota_rules none;
	struct dfs_quota *quota = dfs_quota_new(&none);
	struct compare c = {ns, quota, found};
	enum dfs_status status;

	if (!quota)
		return dfs_fail(DFS_NOMEM, "no memory to count what is used");
	status = dfs_recount(ns, quota, false, found);
	if (status == DFS_OK)
		status = dfs_usage_each(ns, compare_sum, &c);
	if (status == DFS_OK)
		dfs_quota_each(quota, left_over, &c);
	dfs_quota_free(quota);
	return status;
}
