/* SPDX-License-Identifier: MIT
 *
 * The data types of NFSv3 (RFC 1813 2.3 to 2.6) on the wire.
 *
 * Decoders read into host structures and leave spans in the receive buffer; an impossible value
 * (a boolean of 2) makes the reader bad, which is GARBAGE_ARGS.  Encoders write into the room that
 * the dispatcher has reserved, with one bounds check for each object.  Pure functions.
 */
#ifndef NFS3_TYPES_H
#define NFS3_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/nfs/call.h"
#include "adapters/nfs/handle.h"
#include "base/clock.h"
#include "fs/fs.h"

#define NFS3_FATTR_SIZE 84u
#define NFS3_POST_OP_SIZE (4u + NFS3_FATTR_SIZE)
#define NFS3_WCC_SIZE (4u + 24u + NFS3_POST_OP_SIZE)
#define NFS3_POST_FH_SIZE (4u + 4u + NFS_HANDLE_SIZE)

/* nfs_fh3 as it came in: not looked at yet. */
struct nfs3_fh {
	const unsigned char *data;
	uint32_t len;
};

struct nfs3_diropargs {
	struct nfs3_fh dir;
	struct dfs_name name;
};

static inline void
nfs3_get_fh(struct xdr_in *in, struct nfs3_fh *fh)
{
	fh->data = xdr_opaque(in, NFS_HANDLE_MAX, &fh->len);
}

/* filename3 is unbounded in the protocol: over 255 bytes is NAMETOOLONG, not garbage. */
static inline void
nfs3_get_name(struct xdr_in *in, struct dfs_name *name)
{
	name->bytes = (const char *)xdr_opaque(in, UINT32_MAX, &name->len);
}

static inline void
nfs3_get_diropargs(struct xdr_in *in, struct nfs3_diropargs *args)
{
	nfs3_get_fh(in, &args->dir);
	nfs3_get_name(in, &args->name);
}

static inline bool
nfs3_get_bool(struct xdr_in *in)
{
	uint32_t v = xdr_u32(in);

	if (v > 1)
		in->bad = true;
	return v == 1;
}

/* nfstime3; *valid becomes false when the nanoseconds are no fraction of a second. */
int64_t nfs3_get_time(struct xdr_in *in, bool *valid);

/* sattr3.  The value it returns is DFS_OK, DFS_INVAL for nanoseconds over 10^9, or DFS_FBIG for
 * a size over 2^63-1: arguments that decode, and that the procedure refuses. */
enum dfs_status nfs3_get_sattr(struct xdr_in *in, struct dfs_setattr *set);

static inline unsigned char *
nfs3_store32(unsigned char *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static inline unsigned char *
nfs3_store64(unsigned char *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
	return p + 8;
}

/* Seconds are unsigned and 32 bits wide: times before 1970 and after 2106 show as the nearest. */
static inline unsigned char *
nfs3_store_time(unsigned char *p, int64_t ns)
{
	uint64_t t = ns < 0 ? 0 : (uint64_t)ns;
	uint64_t sec = t / (uint64_t)DFS_SECOND;

	if (__builtin_expect(sec > UINT32_MAX, 0))
		return nfs3_store64(p, (uint64_t)UINT32_MAX << 32);
	return nfs3_store64(p, sec << 32 | (t - sec * (uint64_t)DFS_SECOND));
}

/* fattr3: NFS3_FATTR_SIZE bytes, unchecked. */
static inline unsigned char *
nfs3_store_fattr(unsigned char *p, uint64_t fsid, const struct dfs_attr *a)
{
	p = nfs3_store32(p, a->type); /* enum dfs_file_type has ftype3's numbers */
	p = nfs3_store32(p, a->mode);
	p = nfs3_store32(p, a->nlink);
	p = nfs3_store32(p, a->uid);
	p = nfs3_store32(p, a->gid);
	p = nfs3_store64(p, a->length);
	p = nfs3_store64(p, a->used);
	p = nfs3_store32(p, a->rdev_major);
	p = nfs3_store32(p, a->rdev_minor);
	p = nfs3_store64(p, fsid);
	p = nfs3_store64(p, a->fileid);
	p = nfs3_store_time(p, a->atime);
	p = nfs3_store_time(p, a->mtime);
	return nfs3_store_time(p, a->ctime);
}

/* Room for n bytes, or NULL and bad. */
static inline unsigned char *
nfs3_room(struct xdr_out *out, uint32_t n)
{
	if (__builtin_expect((uint64_t)(out->end - out->p) < n, 0)) {
		out->bad = true;
		return NULL;
	}
	return out->p;
}

/* post_op_attr.  a->type DFS_TYPE_NONE: not known; so is every attribute of no share. */
static inline void
nfs3_put_post_op(struct xdr_out *out, const struct dfs_share *share, const struct dfs_attr *a)
{
	unsigned char *p;

	if (!share || a->type == DFS_TYPE_NONE) {
		xdr_put_u32(out, 0);
		return;
	}
	p = nfs3_room(out, NFS3_POST_OP_SIZE);
	if (p)
		out->p = nfs3_store_fattr(nfs3_store32(p, 1), share->fsid, a);
}

/* wcc_data. */
void nfs3_put_wcc(struct xdr_out *out, const struct dfs_share *share, const struct dfs_wcc *wcc);
/* post_op_fh3 of a file of the share. */
void nfs3_put_post_fh(struct xdr_out *out, const struct dfs_share *share,
		      const struct dfs_attr *attr);

#endif
