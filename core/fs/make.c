/* SPDX-License-Identifier: MIT
 *
 * New objects: CREATE, MKDIR, SYMLINK, MKNOD (RFC 1813 3.3.8 to 3.3.11).
 *
 * One transaction puts the inode and its entry; the directory's times are written lazily, but
 * together with its link count when the new object is a directory.
 */
#include <string.h>

#include "base/failpoint.h"
#include "fs/op.h"
#include "fs/setattr.h"
#include "metadata/charge.h"

#define DIR_LENGTH 4096u

/* What the new object shall be. */
struct new_object {
	uint32_t type;
	enum dfs_create_how how;
	const struct dfs_setattr *set; /* NULL: defaults */
	uint64_t verifier;
	const char *text; /* symbolic links */
	uint32_t text_len;
	uint32_t rdev_major, rdev_minor;
};

/* Fill the record of the new object; the caller may not give it away (DFS_PERM). */
static enum dfs_status
fill(struct op *op, const struct new_object *make, const struct dfs_attr *dir,
     struct dfs_inode_record *rec)
{
	const struct dfs_identity *id = &op->ctx->id;
	const struct dfs_setattr *set = make->set;
	uint32_t mask = set ? set->mask : 0;
	bool inherit = dir->mode & DFS_MODE_SGID;

	*rec = (struct dfs_inode_record){
		.size = sizeof *rec,
		.type = make->type,
		.nlink = 1,
		.uid = id->uid,
		.gid = inherit ? dir->gid : id->gid,
		.rdev_major = make->rdev_major,
		.rdev_minor = make->rdev_minor,
		.generation = dfs_random_u64(),
		.change = (uint64_t)op->now,
		.atime = op->now,
		.mtime = op->now,
		.ctime = op->now,
		.btime = op->now,
	};
	if ((mask & DFS_SET_UID) && set->uid != rec->uid) {
		if (id->uid != 0)
			return DFS_PERM;
		rec->uid = set->uid;
	}
	if ((mask & DFS_SET_GID) && set->gid != rec->gid) {
		if (id->uid != 0 && !dfs_in_group(id, set->gid))
			return DFS_PERM;
		rec->gid = set->gid;
	}
	rec->mode = make->type == DFS_TYPE_DIR ? 0755 : make->type == DFS_TYPE_LNK ? 0777 : 0644;
	if (mask & DFS_SET_MODE)
		rec->mode = set->mode & 07777;
	if (make->how == DFS_CREATE_EXCLUSIVE) {
		rec->mode = 0600;
		rec->flags |= DFS_INODE_HAS_VERIFIER;
		rec->verifier = make->verifier;
	}
	if (make->type == DFS_TYPE_DIR) {
		rec->nlink = 2;
		rec->length = rec->used = DIR_LENGTH;
		rec->parent = dir->fileid;
		if (inherit)
			rec->mode |= DFS_MODE_SGID;
	} else if ((rec->mode & DFS_MODE_SGID) && id->uid != 0 && !dfs_in_group(id, rec->gid)) {
		rec->mode &= ~DFS_MODE_SGID;
	}
	if (make->type == DFS_TYPE_LNK)
		rec->length = make->text_len;
	if (make->type == DFS_TYPE_REG) {
		dfs_content_id_new(op->ns, &rec->content);
		if (mask & DFS_SET_LENGTH) {
			if (set->length > INT64_MAX)
				return DFS_FBIG;
			rec->length = set->length;
		}
	}
	if (set && set->set_atime == DFS_TIME_CLIENT)
		rec->atime = set->atime;
	if (set && set->set_mtime == DFS_TIME_CLIENT)
		rec->mtime = set->mtime;
	return DFS_OK;
}

/* The name is taken.  Called without the directory's lock. */
static enum dfs_status
existing(struct dfs_ctx *ctx, const struct new_object *make, uint64_t fileid, struct dfs_attr *attr)
{
	INODE_REF inode = NULL;
	struct dfs_inode_image image;
	enum dfs_status status;

	if (make->type != DFS_TYPE_REG || make->how == DFS_CREATE_GUARDED)
		return DFS_EXIST;
	status = op_get_id(ctx, fileid, &inode, attr);
	if (status == DFS_STALE)
		return DFS_AGAIN; /* removed meanwhile: the name is free again */
	if (status != DFS_OK)
		return status;
	if (attr->type != DFS_TYPE_REG)
		return DFS_EXIST;
	if (make->how == DFS_CREATE_EXCLUSIVE) {
		dfs_inode_image(inode, &image);
		return (image.flags & DFS_INODE_HAS_VERIFIER) && inode->verifier == make->verifier
			       ? DFS_OK
			       : DFS_EXIST;
	}
	if (make->set && (make->set->mask & DFS_SET_LENGTH)) {
		struct dfs_setattr cut = {.mask = DFS_SET_LENGTH, .length = make->set->length};
		struct dfs_wcc wcc = {0};

		status = op_setattr(ctx, inode, &cut, NULL, &wcc);
		/* The same, but where nothing is written any more because another server has the share. */
		if (status == DFS_STALE && !atomic_load(&ctx->share->ns->fenced))
			return DFS_AGAIN;
		if (status == DFS_OK && wcc.post_valid)
			*attr = wcc.post;
	}
	return status;
}

/* All records of the new object into the open transaction. */
static enum dfs_status
put_all(struct op *op, struct dfs_inode *dir, struct dfs_name name, const struct new_object *make,
	const struct dfs_inode_record *rec, struct dfs_dirent *d)
{
	struct dfs_metadata_store *st = op->store;
	enum dfs_status status = st->ops.put_inode(st->inst, op->txn, op->ns->rec.id, rec);

	if (status == DFS_OK)
		status = dfs_charge_record(op->ns, op->txn, rec, true);
	if (status == DFS_OK && make->type == DFS_TYPE_LNK)
		status = st->ops.put_symlink(st->inst, op->txn, op->ns->rec.id, rec->fileid,
					     make->text, make->text_len);
	if (status == DFS_OK)
		status = dfs_dirent_add(op->ns, op->txn, dir->fileid, name, d, rec->fileid,
					rec->type);
	if (status == DFS_OK && make->type == DFS_TYPE_DIR)
		status = op_put(op, dir);
	return status;
}

/* With dir locked and *dir_attr its attributes; afterwards they are the new ones.  *taken: the
 * file that has the name already. */
static enum dfs_status
make_locked(struct op *op, struct dfs_inode *dir, struct dfs_attr *dir_attr, struct dfs_name name,
	    uint64_t chain, const struct new_object *make, struct dfs_attr *attr, uint64_t *taken)
{
	struct dfs_namespace *ns = op->ns;
	struct dfs_inode_record rec;
	struct dfs_dirent d;
	enum dfs_status status;
	uint32_t epoch;
	bool known, allowed;

	if (!dfs_may(&op->ctx->id, dir_attr, DFS_MAY_EXEC))
		return DFS_ACCESS;
	allowed = dfs_may(&op->ctx->id, dir_attr, DFS_MAY_WRITE);
	known = dfs_name_cache_find(ns, dir->fileid, name, chain, &d);
	if (!known && !allowed) { /* a taken name is told before a missing permission */
		status = dfs_dirent_find(op->ctx, dir, name, chain, &d);
		if (status != DFS_OK)
			return status;
		known = true;
	}
	if (known && (d.fileid || !allowed)) {
		*taken = d.fileid;
		return d.fileid ? DFS_EXIST : DFS_ACCESS;
	}
	status = fill(op, make, dir_attr, &rec);
	if (status == DFS_OK)
		status = dfs_fileid_new(op->ctx, ns, &rec.fileid);
	if (status != DFS_OK)
		return status;
	dfs_inode_prefetch(ns, rec.fileid);
	epoch = dfs_inode_epoch(ns, rec.fileid);
	status = op_begin(op);
	if (status != DFS_OK)
		return status;
	if (!known) {
		status = dfs_dirent_read(ns, op->txn, dir->fileid, name, chain, &d);
		if (status == DFS_OK && d.fileid) {
			*taken = d.fileid;
			status = DFS_EXIST;
		}
		if (status != DFS_OK)
			return op_commit(op, status);
	}
	/* A name that is taken has been told of. */
	status = op_reserve(op, rec.uid, rec.gid, rec.used, 1);
	if (status != DFS_OK)
		return op_commit(op, status);
	op_touch(dir_attr, op->now, true);
	if (make->type == DFS_TYPE_DIR) {
		dir_attr->nlink++;
		op_stage_attr(op, dir, dir_attr);
	} else {
		op_stage_lazy(op, dir, dir_attr);
	}
	status = put_all(op, dir, name, make, &rec, &d);
	dfs_inode_prefetch_chain(ns, rec.fileid);
	status = op_commit(op, status);
	if (status != DFS_OK)
		return status;
	DFS_FAILPOINT("create-committed");
	op_name_set(dir, name, &d);
	dfs_inode_unref(dfs_inode_insert(ns, &rec, epoch));
	dfs_attr_from_record(attr, &rec);
	return DFS_OK;
}

/* Where a look at the store is a round trip over a network, those who make names in one folder do not wait
 * for each other's: the answer lies in the cache when the folder is locked. */
static enum dfs_status
look_ahead(struct op *op, struct dfs_inode *dir, struct dfs_name name, uint64_t chain)
{
	struct dfs_dirent d;

	if (op->ctx->nonblock || atomic_load_explicit(&op->store->thread_model,
						      memory_order_relaxed) != DFS_THREADS_BLOCKING)
		return DFS_OK;
	return dfs_dirent_find(op->ctx, dir, name, chain, &d);
}

static enum dfs_status
make_once(struct dfs_ctx *ctx, const struct dfs_ref *ref, struct dfs_name name,
	  const struct new_object *make, struct dfs_attr *attr, struct dfs_wcc *wcc)
{
	INODE_REF dir = NULL;
	struct dfs_attr dir_attr;
	struct op op;
	uint64_t taken = 0, chain;
	enum dfs_status status = op_start_entry(&op, ctx, ref, name, &dir, &dir_attr, &chain);

	if (status != DFS_OK)
		return status;
	if (op_is_dot(name) || op_is_dotdot(name))
		return DFS_EXIST;
	status = dfs_metadata_room(op.store, ctx);
	if (status == DFS_OK)
		status = look_ahead(&op, dir, name, chain);
	if (status == DFS_OK)
		status = op_lock(ctx, dir, &dir_attr);
	if (status != DFS_OK)
		return status;
	op_wcc_pre(wcc, &dir_attr);
	status = make_locked(&op, dir, &dir_attr, name, chain, make, attr, &taken);
	if (status != DFS_OK)
		dfs_inode_attr(dir, &dir_attr);
	op_wcc_post(wcc, &dir_attr);
	dfs_inode_unlock(dir);
	if (status != DFS_EXIST || !taken)
		return status;
	status = existing(ctx, make, taken, attr);
	/* What somebody else has just made may be on its way to the disk still. */
	if (status == DFS_OK)
		dfs_metadata_ticket(op.store, ctx, ctx->share->durability,
				    atomic_load(&op.store->last_seq));
	return status;
}

static enum dfs_status
make_object(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	    const struct new_object *make, struct dfs_attr *attr, struct dfs_wcc *wcc)
{
	enum dfs_status status;
	unsigned tries = 0;

	do {
		memset(wcc, 0, offsetof(struct dfs_wcc, post));
		status = make_once(ctx, dir, name, make, attr, wcc);
	} while (dfs_metadata_again(ctx, &status, &tries));
	if (status != DFS_OK) {
		attr->type = DFS_TYPE_NONE;
		op_wcc_known(wcc, ctx, dir);
	}
	return status;
}

enum dfs_status
dfs_fs_create(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	      enum dfs_create_how how, const struct dfs_setattr *set, uint64_t verifier,
	      struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	struct new_object make = {
		.type = DFS_TYPE_REG,
		.how = how,
		.set = how == DFS_CREATE_EXCLUSIVE ? NULL : set,
		.verifier = verifier,
	};
	return make_object(ctx, dir, name, &make, attr, dir_wcc);
}

enum dfs_status
dfs_fs_mkdir(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     const struct dfs_setattr *set, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	struct new_object make = {.type = DFS_TYPE_DIR, .how = DFS_CREATE_GUARDED, .set = set};

	return make_object(ctx, dir, name, &make, attr, dir_wcc);
}

enum dfs_status
dfs_fs_symlink(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	       const char *text, uint32_t len, const struct dfs_setattr *set, struct dfs_attr *attr,
	       struct dfs_wcc *dir_wcc)
{
	struct new_object make = {
		.type = DFS_TYPE_LNK,
		.how = DFS_CREATE_GUARDED,
		.set = set,
		.text = text,
		.text_len = len,
	};

	if (len == 0 || len > DFS_SYMLINK_MAX || memchr(text, '\0', len)) {
		memset(dir_wcc, 0, sizeof *dir_wcc);
		op_wcc_known(dir_wcc, ctx, dir);
		attr->type = DFS_TYPE_NONE;
		return len > DFS_SYMLINK_MAX ? DFS_NAMETOOLONG : DFS_INVAL;
	}
	return make_object(ctx, dir, name, &make, attr, dir_wcc);
}

enum dfs_status
dfs_fs_mknod(struct dfs_ctx *ctx, const struct dfs_ref *dir, struct dfs_name name,
	     enum dfs_file_type type, uint32_t rdev_major, uint32_t rdev_minor,
	     const struct dfs_setattr *set, struct dfs_attr *attr, struct dfs_wcc *dir_wcc)
{
	bool device = type == DFS_TYPE_BLK || type == DFS_TYPE_CHR;
	struct new_object make = {
		.type = type,
		.how = DFS_CREATE_GUARDED,
		.set = set,
		.rdev_major = device ? rdev_major : 0,
		.rdev_minor = device ? rdev_minor : 0,
	};
	enum dfs_status status = DFS_OK;

	if (!device && type != DFS_TYPE_SOCK && type != DFS_TYPE_FIFO)
		status = DFS_BADTYPE;
	else if (device && ctx->id.uid != 0)
		status = DFS_PERM;
	if (status != DFS_OK) {
		memset(dir_wcc, 0, sizeof *dir_wcc);
		op_wcc_known(dir_wcc, ctx, dir);
		attr->type = DFS_TYPE_NONE;
		return status;
	}
	return make_object(ctx, dir, name, &make, attr, dir_wcc);
}
