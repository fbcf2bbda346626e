/* SPDX-License-Identifier: MIT
 *
 * RENAME (RFC 1813 3.3.14) in all its cases.
 *
 * The names are resolved first without locks; then both directories, the file and what it
 * replaces are locked as a set, and the names must still say the same.  A directory that changes
 * its parent moves under the namespace's rename lock: only such moves change the tree above a
 * directory, so the walk that looks for a loop sees a tree that stands still.
 */
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "fs/op.h"
#include "fs/unlink.h"

enum { FROM_DIR, TO_DIR, SOURCE, TARGET, N_LOCKED };

struct rename {
	struct op op;
	struct dfs_name from, to;
	uint64_t from_chain, to_chain;
	struct dfs_dirent from_d, to_d;
	struct dfs_inode *in[N_LOCKED]; /* TARGET may be NULL */
	struct dfs_attr attr[N_LOCKED];
	bool to_known; /* to_d holds; else the transaction reads it */
	bool target_last;
};

static void
rename_cleanup(struct rename *r)
{
	for (unsigned i = 0; i < N_LOCKED; i++)
		dfs_inode_unref(r->in[i]);
}

/* Read the names; r->in[SOURCE] and [TARGET] are set, referenced.  A new name that the cache does
 * not know is likely to be free: it is left to the transaction. */
static enum dfs_status
resolve(struct rename *r)
{
	struct dfs_ctx *ctx = r->op.ctx;
	struct dfs_namespace *ns = r->op.ns;
	enum dfs_status status;

	status = dfs_dirent_find(ctx, r->in[FROM_DIR], r->from, r->from_chain, &r->from_d);
	if (status != DFS_OK)
		return status;
	dfs_inode_prefetch(ns, r->from_d.fileid);
	r->to_known = dfs_name_cache_find(ns, r->in[TO_DIR]->fileid, r->to, r->to_chain, &r->to_d);
	if (!r->to_known)
		r->to_d = (struct dfs_dirent){.cookie = r->to_chain};
	if (!r->from_d.fileid)
		return DFS_NOENT;
	status = op_get_id(ctx, r->from_d.fileid, &r->in[SOURCE], &r->attr[SOURCE]);
	if (status == DFS_OK && r->to_d.fileid)
		status = op_get_id(ctx, r->to_d.fileid, &r->in[TARGET], &r->attr[TARGET]);
	return status == DFS_STALE ? DFS_AGAIN : status;
}

/* DFS_INVAL when the new parent lies in the moved directory.  The rename lock is held. */
static enum dfs_status
check_loop(struct rename *r)
{
	struct dfs_inode_image image;
	uint64_t moved = r->in[SOURCE]->fileid, at = r->in[TO_DIR]->fileid;

	for (;;) {
		INODE_REF dir = NULL;
		struct dfs_attr attr;
		enum dfs_status status;

		if (at == moved)
			return DFS_INVAL;
		if (at == r->op.ns->rec.root)
			return DFS_OK;
		status = op_get_id(r->op.ctx, at, &dir, &attr);
		if (status != DFS_OK)
			return status;
		dfs_inode_image(dir, &image);
		if (image.parent == at)
			return dfs_fail(DFS_CORRUPT, "directory %llu is its own parent",
					(unsigned long long)at);
		at = image.parent;
	}
}

/* The names, again, now that everything is locked. */
static bool
still_the_same(struct rename *r, enum dfs_status *status)
{
	uint64_t from = r->from_d.fileid, to = r->to_d.fileid;

	*status = dfs_dirent_find(r->op.ctx, r->in[FROM_DIR], r->from, r->from_chain, &r->from_d);
	if (*status == DFS_OK && r->to_known)
		*status = dfs_dirent_find(r->op.ctx, r->in[TO_DIR], r->to, r->to_chain, &r->to_d);
	if (*status != DFS_OK)
		return false;
	*status = DFS_AGAIN;
	return r->from_d.fileid == from && r->to_d.fileid == to;
}

static enum dfs_status
check(struct rename *r)
{
	const struct dfs_identity *id = &r->op.ctx->id;
	const struct dfs_attr *source = &r->attr[SOURCE], *target = &r->attr[TARGET];

	if (!dfs_may_remove(id, &r->attr[FROM_DIR], source))
		return DFS_ACCESS;
	if (!dfs_may(id, &r->attr[TO_DIR], DFS_MAY_WRITE | DFS_MAY_EXEC))
		return DFS_ACCESS;
	/* Its ".." is rewritten. */
	if (source->type == DFS_TYPE_DIR && r->in[FROM_DIR] != r->in[TO_DIR] &&
	    !dfs_may(id, source, DFS_MAY_WRITE))
		return DFS_ACCESS;
	if (!r->in[TARGET])
		return DFS_OK;
	if (!dfs_may_remove(id, &r->attr[TO_DIR], target))
		return DFS_ACCESS;
	if (source->type == DFS_TYPE_DIR && target->type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	if (source->type != DFS_TYPE_DIR && target->type == DFS_TYPE_DIR)
		return DFS_ISDIR;
	return DFS_OK;
}

/* Link counts of both parents, and the moved directory's own parent. */
static enum dfs_status
move_directory(struct rename *r)
{
	bool across = r->in[FROM_DIR] != r->in[TO_DIR];
	struct dfs_inode_image image;
	enum dfs_status status = DFS_OK;

	if (across) {
		r->attr[FROM_DIR].nlink--;
		if (!r->in[TARGET])
			r->attr[TO_DIR].nlink++;
		dfs_inode_image(r->in[SOURCE], &image);
		/* A READDIR may have changed it since. */
		r->attr[SOURCE].atime = image.attr.atime;
		image.attr = r->attr[SOURCE];
		image.parent = r->in[TO_DIR]->fileid;
		op_stage(&r->op, r->in[SOURCE], &image);
		status = op_put(&r->op, r->in[SOURCE]);
		op_stage_attr(&r->op, r->in[FROM_DIR], &r->attr[FROM_DIR]);
		if (status == DFS_OK)
			status = op_put(&r->op, r->in[FROM_DIR]);
	} else if (r->in[TARGET]) {
		r->attr[TO_DIR].nlink--;
	}
	op_stage_attr(&r->op, r->in[TO_DIR], &r->attr[TO_DIR]);
	return status == DFS_OK ? op_put(&r->op, r->in[TO_DIR]) : status;
}

static enum dfs_status
write_names(struct rename *r)
{
	struct dfs_namespace *ns = r->op.ns;
	struct dfs_txn *txn = r->op.txn;
	uint64_t to_dir = r->in[TO_DIR]->fileid;
	enum dfs_status status;

	if (!r->to_known) {
		status = dfs_dirent_read(ns, txn, to_dir, r->to, r->to_chain, &r->to_d);
		if (status == DFS_OK && r->to_d.fileid) {
			/* It was not free: the next try knows it. */
			op_name_set(r->in[TO_DIR], r->to, &r->to_d);
			status = DFS_AGAIN;
		}
		if (status != DFS_OK)
			return status;
	}
	status = dfs_dirent_del(ns, txn, r->in[FROM_DIR]->fileid, r->from, &r->from_d);
	/* One chain: what was known of the other name is not true any more. */
	if (status == DFS_OK && r->from_chain == r->to_chain && r->in[FROM_DIR] == r->in[TO_DIR])
		status = dfs_dirent_read(ns, txn, to_dir, r->to, r->to_chain, &r->to_d);
	if (status != DFS_OK)
		return status;
	if (r->in[TARGET])
		return dfs_dirent_replace(ns, txn, to_dir, r->to, &r->to_d, r->in[SOURCE]->fileid,
					  r->in[SOURCE]->type);
	return dfs_dirent_add(ns, txn, to_dir, r->to, &r->to_d, r->in[SOURCE]->fileid,
			      r->in[SOURCE]->type);
}

/* Everything is locked, checked, and the two names are different files. */
static enum dfs_status
move(struct rename *r)
{
	struct op *op = &r->op;
	bool is_dir = r->attr[SOURCE].type == DFS_TYPE_DIR;
	enum dfs_status status = op_begin(op);

	if (status != DFS_OK)
		return status;
	if (is_dir && r->in[TARGET])
		status = op_dir_empty(op, r->in[TARGET]->fileid);
	if (status == DFS_OK && r->in[TARGET])
		status = op_drop_link(op, r->in[TARGET], &r->target_last);
	if (status == DFS_OK)
		status = write_names(r);
	op_touch(&r->attr[FROM_DIR], op->now, true);
	op_touch(&r->attr[TO_DIR], op->now, true);
	op_touch(&r->attr[SOURCE], op->now, false);
	if (r->in[FROM_DIR] == r->in[TO_DIR])
		r->attr[TO_DIR] = r->attr[FROM_DIR];
	if (status == DFS_OK && is_dir)
		status = move_directory(r);
	if (r->in[FROM_DIR] == r->in[TO_DIR])
		r->attr[FROM_DIR] = r->attr[TO_DIR];
	if (status == DFS_OK && !is_dir) {
		op_stage_lazy(op, r->in[FROM_DIR], &r->attr[FROM_DIR]);
		if (r->in[FROM_DIR] != r->in[TO_DIR])
			op_stage_lazy(op, r->in[TO_DIR], &r->attr[TO_DIR]);
	}
	if (status == DFS_OK && (!is_dir || r->in[FROM_DIR] == r->in[TO_DIR]))
		op_stage_lazy(op, r->in[SOURCE], &r->attr[SOURCE]);
	status = op_commit(op, status);
	if (status != DFS_OK)
		return status;
	DFS_FAILPOINT("rename-committed");
	op_name_set(r->in[FROM_DIR], r->from, &r->from_d);
	op_name_set(r->in[TO_DIR], r->to, &r->to_d);
	if (r->target_last)
		dfs_inode_forget(r->in[TARGET]);
	return DFS_OK;
}

static enum dfs_status
rename_locked(struct rename *r, struct dfs_wcc *from_wcc, struct dfs_wcc *to_wcc)
{
	enum dfs_status status = DFS_OK;

	for (unsigned i = 0; i < N_LOCKED; i++)
		if (r->in[i])
			dfs_inode_attr(r->in[i], &r->attr[i]);
	op_wcc_pre(from_wcc, &r->attr[FROM_DIR]);
	op_wcc_pre(to_wcc, &r->attr[TO_DIR]);
	if (r->attr[FROM_DIR].nlink == 0 || r->attr[TO_DIR].nlink == 0)
		status = DFS_STALE;
	else if (still_the_same(r, &status))
		status = check(r);
	if (status == DFS_OK && r->in[SOURCE] != r->in[TARGET])
		status = move(r);
	if (status != DFS_OK) {
		dfs_inode_attr(r->in[FROM_DIR], &r->attr[FROM_DIR]);
		dfs_inode_attr(r->in[TO_DIR], &r->attr[TO_DIR]);
	}
	op_wcc_post(from_wcc, &r->attr[FROM_DIR]);
	op_wcc_post(to_wcc, &r->attr[TO_DIR]);
	return status;
}

static enum dfs_status
rename_once(struct dfs_ctx *ctx, const struct dfs_ref *from_dir, struct dfs_name from,
	    const struct dfs_ref *to_dir, struct dfs_name to, struct dfs_wcc *from_wcc,
	    struct dfs_wcc *to_wcc)
{
	__attribute__((cleanup(rename_cleanup))) struct rename r = {.from = from, .to = to};
	struct dfs_lock *tree = NULL;
	enum dfs_status status = op_start(&r.op, ctx, true);

	if (status != DFS_OK)
		return status;
	r.from_chain = op_name_prefetch(ctx, from_dir, from);
	r.to_chain = op_name_prefetch(ctx, to_dir, to);
	status = op_get(ctx, from_dir, &r.in[FROM_DIR], &r.attr[FROM_DIR]);
	if (status == DFS_OK)
		status = op_get(ctx, to_dir, &r.in[TO_DIR], &r.attr[TO_DIR]);
	if (status != DFS_OK)
		return status;
	if (r.attr[FROM_DIR].type != DFS_TYPE_DIR || r.attr[TO_DIR].type != DFS_TYPE_DIR)
		return DFS_NOTDIR;
	status = op_check_name(from);
	if (status == DFS_OK)
		status = op_check_name(to);
	if (status != DFS_OK)
		return status;
	if (op_is_dot(from) || op_is_dotdot(from))
		return DFS_INVAL;
	if (op_is_dot(to) || op_is_dotdot(to))
		return DFS_EXIST;
	if (!dfs_may(&ctx->id, &r.attr[FROM_DIR], DFS_MAY_EXEC) ||
	    !dfs_may(&ctx->id, &r.attr[TO_DIR], DFS_MAY_EXEC))
		return DFS_ACCESS;
	status = resolve(&r);
	if (status != DFS_OK)
		return status;
	if (r.attr[SOURCE].type == DFS_TYPE_DIR && r.in[FROM_DIR] != r.in[TO_DIR]) {
		tree = &r.op.ns->rename_lock;
		if (ctx->nonblock ? !dfs_lock_spin(tree) : !dfs_lock_until(tree, ctx->deadline))
			return ctx->nonblock ? DFS_AGAIN : DFS_DELAY;
		status = check_loop(&r);
	} else if (r.in[SOURCE] == r.in[TO_DIR]) {
		status = DFS_INVAL;
	}
	/* A target that is one of the parents has entries; nor may it be locked twice. */
	if (status == DFS_OK && r.in[TARGET] && r.in[TARGET] == r.in[FROM_DIR])
		status = r.attr[SOURCE].type == DFS_TYPE_DIR ? DFS_NOTEMPTY : DFS_ISDIR;
	if (status == DFS_OK)
		status = dfs_inode_lock_set(ctx, r.in, N_LOCKED);
	if (status == DFS_OK) {
		status = rename_locked(&r, from_wcc, to_wcc);
		dfs_inode_unlock_set(r.in, N_LOCKED);
	}
	if (tree)
		dfs_lock_release(tree);
	if (status == DFS_OK && r.target_last)
		op_reclaim(ctx, r.in[TARGET]);
	return status;
}

enum dfs_status
dfs_fs_rename(struct dfs_ctx *ctx, const struct dfs_ref *from_dir, struct dfs_name from,
	      const struct dfs_ref *to_dir, struct dfs_name to, struct dfs_wcc *from_wcc,
	      struct dfs_wcc *to_wcc)
{
	enum dfs_status status;
	unsigned tries = 0;
	bool learnt = false;

	for (;;) {
		memset(from_wcc, 0, offsetof(struct dfs_wcc, post));
		memset(to_wcc, 0, offsetof(struct dfs_wcc, post));
		status = rename_once(ctx, from_dir, from, to_dir, to, from_wcc, to_wcc);
		/* Once more here before a worker tries: the new name may just have been learnt. */
		if (status == DFS_AGAIN && ctx->nonblock && !learnt)
			learnt = true;
		else if (!dfs_metadata_again(ctx, &status, &tries))
			break;
	}
	if (status != DFS_OK) {
		op_wcc_known(from_wcc, ctx, from_dir);
		op_wcc_known(to_wcc, ctx, to_dir);
	}
	return status;
}
