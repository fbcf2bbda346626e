/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/dirlist.h"

/* value_follows, fileid, name length, cookie */
#define ENTRY_SIZE (4u + 8u + 4u + 8u)
#define PLUS_SIZE (NFS3_POST_OP_SIZE + NFS3_POST_FH_SIZE)
#define PLUS_ABSENT 8u
/* value_follows FALSE, eof */
#define TAIL_SIZE 8u

struct fill {
	const struct dfs_share *share;
	unsigned char *p, *end; /* end leaves room for the tail */
	uint32_t names;         /* bytes of names still wanted */
	bool plus, any, refused;
};

static bool
put_entry(void *arg, const struct dfs_dir_entry *entry)
{
	struct fill *f = arg;
	uint32_t padded = (entry->name.len + 3) & ~UINT32_C(3);
	uint32_t named = ENTRY_SIZE - 4 + padded, size = ENTRY_SIZE + padded;
	unsigned char *p = f->p;

	if (f->plus)
		size += entry->attr ? PLUS_SIZE : PLUS_ABSENT;
	/* dircount is advice, so it never refuses the first entry. */
	if ((size_t)(f->end - p) < size || (f->any && f->names < named)) {
		f->refused = true;
		return false;
	}
	f->any = true;
	f->names = f->names < named ? 0 : f->names - named;
	p = nfs3_store32(p, 1);
	p = nfs3_store64(p, entry->fileid);
	p = nfs3_store32(p, entry->name.len);
	if (padded)
		memset(p + padded - 4, 0, 4);
	memcpy(p, entry->name.bytes, entry->name.len);
	p = nfs3_store64(p + padded, entry->cookie);
	if (f->plus && entry->attr) {
		p = nfs3_store_fattr(nfs3_store32(p, 1), f->share->fsid, entry->attr);
		p = nfs3_store32(nfs3_store32(p, 1), NFS_HANDLE_SIZE);
		nfs_handle_make(f->share, entry->attr->fileid, entry->attr->generation, p);
		p += NFS_HANDLE_SIZE;
	} else if (f->plus) {
		p = nfs3_store64(p, 0);
	}
	f->p = p;
	return true;
}

enum dfs_status
nfs3_dirlist_run(const struct nfs3_dirlist *list, const struct nfs3_fh *fh)
{
	struct nfs_call *call = list->call;
	struct xdr_out *out = &call->out;
	uint32_t maximum = list->maximum < NFS3_DIR_MAX ? list->maximum : NFS3_DIR_MAX;
	unsigned char *start = out->p, *body = start + 4;
	struct fill f = {.plus = list->plus, .names = list->names};
	struct dfs_ref ref;
	struct dfs_attr dir_attr;
	bool eof = false;
	enum dfs_status status;

	dir_attr.type = DFS_TYPE_NONE;
	status = nfs3_enter(call, fh, &ref);
	if (status == DFS_OK && maximum < NFS3_POST_OP_SIZE + 8 + TAIL_SIZE)
		status = DFS_TOOSMALL;
	if (status == DFS_OK && !nfs3_room(out, 4 + maximum))
		return DFS_OK;
	if (status == DFS_OK) {
		f.share = call->ctx.share;
		f.p = body + NFS3_POST_OP_SIZE + 8;
		f.end = body + maximum - TAIL_SIZE;
		status = dfs_fs_readdir(&call->ctx, &ref, list->cookie, list->plus, put_entry, &f,
					&eof, &dir_attr);
	}
	if (status == DFS_AGAIN)
		return status;
	if (status == DFS_OK && f.refused && !f.any)
		status = DFS_TOOSMALL;
	nfs3_put_status(call, list->proc, status);
	nfs3_put_post_op(out, call->ctx.share, &dir_attr);
	if (status != DFS_OK)
		return DFS_OK;
	if (out->p != body + NFS3_POST_OP_SIZE) { /* no attributes: close the gap they left */
		memmove(out->p + 8, body + NFS3_POST_OP_SIZE + 8,
			(size_t)(f.p - (body + NFS3_POST_OP_SIZE + 8)));
		f.p -= body + NFS3_POST_OP_SIZE - out->p;
	}
	nfs3_store64(out->p, 0); /* the cookie verifier */
	out->p = nfs3_store32(nfs3_store32(f.p, 0), eof && !f.refused);
	return DFS_OK;
}
