/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nfs3/types.h"

enum time_how { DONT_CHANGE = 0, SET_TO_SERVER_TIME = 1, SET_TO_CLIENT_TIME = 2 };

int64_t
nfs3_get_time(struct xdr_in *in, bool *valid)
{
	uint32_t sec = xdr_u32(in), nsec = xdr_u32(in);

	if (nsec >= DFS_SECOND)
		*valid = false;
	return (int64_t)sec * DFS_SECOND + nsec;
}

static uint8_t
get_set_time(struct xdr_in *in, int64_t *time, bool *valid)
{
	switch (xdr_u32(in)) {
	case DONT_CHANGE:
		return DFS_TIME_KEEP;
	case SET_TO_SERVER_TIME:
		return DFS_TIME_SERVER;
	case SET_TO_CLIENT_TIME:
		*time = nfs3_get_time(in, valid);
		return DFS_TIME_CLIENT;
	default:
		in->bad = true;
		return DFS_TIME_KEEP;
	}
}

enum dfs_status
nfs3_get_sattr(struct xdr_in *in, struct dfs_setattr *set)
{
	bool valid = true;

	*set = (struct dfs_setattr){0};
	if (nfs3_get_bool(in)) {
		set->mask |= DFS_SET_MODE;
		set->mode = xdr_u32(in) & 07777; /* some clients send the type bits along */
	}
	if (nfs3_get_bool(in)) {
		set->mask |= DFS_SET_UID;
		set->uid = xdr_u32(in);
	}
	if (nfs3_get_bool(in)) {
		set->mask |= DFS_SET_GID;
		set->gid = xdr_u32(in);
	}
	if (nfs3_get_bool(in)) {
		set->mask |= DFS_SET_LENGTH;
		set->length = xdr_u64(in);
	}
	set->set_atime = get_set_time(in, &set->atime, &valid);
	set->set_mtime = get_set_time(in, &set->mtime, &valid);
	if (!valid)
		return DFS_INVAL;
	return set->length > INT64_MAX ? DFS_FBIG : DFS_OK;
}

void
nfs3_put_wcc(struct xdr_out *out, const struct dfs_share *share, const struct dfs_wcc *wcc)
{
	unsigned char *p = nfs3_room(out, NFS3_WCC_SIZE);

	if (!p)
		return;
	if (share && wcc->pre_valid) {
		p = nfs3_store32(p, 1);
		p = nfs3_store64(p, wcc->pre_length);
		p = nfs3_store_time(p, wcc->pre_mtime);
		p = nfs3_store_time(p, wcc->pre_ctime);
	} else {
		p = nfs3_store32(p, 0);
	}
	if (share && wcc->post_valid)
		p = nfs3_store_fattr(nfs3_store32(p, 1), share->fsid, &wcc->post);
	else
		p = nfs3_store32(p, 0);
	out->p = p;
}

void
nfs3_put_post_fh(struct xdr_out *out, const struct dfs_share *share, const struct dfs_attr *attr)
{
	unsigned char *p;

	if (attr->type == DFS_TYPE_NONE) {
		xdr_put_u32(out, 0);
		return;
	}
	p = nfs3_room(out, NFS3_POST_FH_SIZE);
	if (!p)
		return;
	p = nfs3_store32(nfs3_store32(p, 1), NFS_HANDLE_SIZE);
	nfs_handle_make(share, attr->fileid, attr->generation, p);
	out->p = p + NFS_HANDLE_SIZE;
}
