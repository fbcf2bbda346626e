/* SPDX-License-Identifier: MIT
 *
 * NLM's data types on the wire; offsets and lengths are 32 bits wide before version 4.
 *
 * Decoders leave spans in the receive buffer; an impossible value makes the reader bad.  Pure
 * functions.
 */
#ifndef NFS_NLM_TYPES_H
#define NFS_NLM_TYPES_H

#include "adapters/nfs/xdr.h"
#include "fs/fs.h"

#define NLM_STRING_MAX 1024u /* LM_MAXSTRLEN */
#define NLM_NETOBJ_MAX 1024u /* MAXNETOBJ_SZ */
#define NLM_RES_MAX (4u + NLM_NETOBJ_MAX + 4u + 4u)
#define NLM_TESTRES_MAX (NLM_RES_MAX + 8u + 4u + NLM_NETOBJ_MAX + 16u)

enum nlm_stat {
	NLM_GRANTED_STAT = 0,
	NLM_DENIED = 1,
	NLM_DENIED_NOLOCKS = 2,
	NLM_BLOCKED = 3,
	NLM_DENIED_GRACE = 4,
	NLM_DEADLCK = 5,
	NLM4_ROFS = 6,
	NLM4_STALE_FH = 7,
	NLM4_FBIG = 8,
	NLM4_FAILED = 9,
};

struct nlm_bytes {
	const unsigned char *data;
	uint32_t len;
};

/* The arguments of every procedure; what one does not have stays zero. */
struct nlm_args {
	struct nlm_bytes cookie, caller, fh, oh;
	uint32_t svid;
	uint64_t offset, length; /* length 0: to the end of the file */
	bool block, exclusive, reclaim;
	uint32_t state;
	uint32_t access, deny; /* DFS_SHARE_*, as NLM has them */
};

struct nlm_result {
	enum nlm_stat stat;
	struct dfs_lock_conflict holder; /* of a TEST that is DENIED */
};

void nlm_get_test(struct xdr_in *in, uint32_t version, struct nlm_args *args);
void nlm_get_lock(struct xdr_in *in, uint32_t version, struct nlm_args *args);
void nlm_get_cancel(struct xdr_in *in, uint32_t version, struct nlm_args *args);
void nlm_get_unlock(struct xdr_in *in, uint32_t version, struct nlm_args *args);
void nlm_get_share(struct xdr_in *in, uint32_t version, struct nlm_args *args);
/* cookie and status of a _RES message. */
void nlm_get_res(struct xdr_in *in, struct nlm_bytes *cookie, uint32_t *stat);

void nlm_put_res(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		 const struct nlm_result *res);
void nlm_put_testres(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		     const struct nlm_result *res);
void nlm_put_shareres(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		      const struct nlm_result *res);
/* nlm_testargs, for GRANTED. */
void nlm_put_testargs(struct xdr_out *out, uint32_t version, const struct nlm_args *args);

/* nlm4_stats (RFC 1813 6.1.4), or before version 4 nlm_stats (XNFS chapter 10), which ends with
 * DEADLCK.  That one who is only slow answers DENIED_GRACE is ours: clients come again after no other. */
enum nlm_stat nlm_status(uint32_t version, enum dfs_status status);
/* A length of 0 reaches to the end, as fcntl()'s.  DFS_FBIG: beyond what 64 bits can tell (NLM4_FBIG,
 * RFC 1813 6.1.4). */
enum dfs_status nlm_range(uint32_t version, const struct nlm_args *args,
			  struct dfs_lock_range *range);

/* An owner's bytes in the lock manager. */
#define NLM_OWNER_LOCK 'L'  /* then svid, 4 bytes, and oh */
#define NLM_OWNER_SHARE 'S' /* then oh */
#define NLM_OWNER_HEAD 5u
uint32_t nlm_lock_owner(const struct nlm_args *args, unsigned char owner[DFS_LOCK_OWNER_MAX]);
uint32_t nlm_share_owner(const struct nlm_args *args, unsigned char owner[DFS_LOCK_OWNER_MAX]);

#endif
