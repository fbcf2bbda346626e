/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nlm/types.h"

static bool
get_bool(struct xdr_in *in)
{
	uint32_t v = xdr_u32(in);

	if (v > 1)
		in->bad = true;
	return v == 1;
}

static struct nlm_bytes
get_bytes(struct xdr_in *in, uint32_t max)
{
	struct nlm_bytes b;

	b.data = xdr_opaque(in, max, &b.len);
	return b;
}

static uint64_t
get_offset(struct xdr_in *in, uint32_t version)
{
	return version >= 4 ? xdr_u64(in) : xdr_u32(in);
}

static void
get_file(struct xdr_in *in, struct nlm_args *args)
{
	args->caller = get_bytes(in, NLM_STRING_MAX);
	args->fh = get_bytes(in, NLM_NETOBJ_MAX);
	args->oh = get_bytes(in, NLM_NETOBJ_MAX);
}

static void
get_alock(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	get_file(in, args);
	args->svid = xdr_u32(in);
	args->offset = get_offset(in, version);
	args->length = get_offset(in, version);
}

void
nlm_get_test(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	args->cookie = get_bytes(in, NLM_NETOBJ_MAX);
	args->exclusive = get_bool(in);
	get_alock(in, version, args);
}

void
nlm_get_lock(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	nlm_get_cancel(in, version, args);
	args->reclaim = get_bool(in);
	args->state = xdr_u32(in);
}

void
nlm_get_cancel(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	args->cookie = get_bytes(in, NLM_NETOBJ_MAX);
	args->block = get_bool(in);
	args->exclusive = get_bool(in);
	get_alock(in, version, args);
}

void
nlm_get_unlock(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	args->cookie = get_bytes(in, NLM_NETOBJ_MAX);
	get_alock(in, version, args);
}

void
nlm_get_share(struct xdr_in *in, uint32_t version, struct nlm_args *args)
{
	(void)version;
	args->cookie = get_bytes(in, NLM_NETOBJ_MAX);
	get_file(in, args);
	args->deny = xdr_u32(in);
	args->access = xdr_u32(in);
	if (args->deny > 3 || args->access > 3)
		in->bad = true;
	args->reclaim = get_bool(in);
}

void
nlm_get_res(struct xdr_in *in, struct nlm_bytes *cookie, uint32_t *stat)
{
	*cookie = get_bytes(in, NLM_NETOBJ_MAX);
	*stat = xdr_u32(in);
}

static void
put_bytes(struct xdr_out *out, const struct nlm_bytes *b)
{
	xdr_put_opaque(out, b->data, b->len);
}

void
nlm_put_res(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
	    const struct nlm_result *res)
{
	(void)version;
	put_bytes(out, &args->cookie);
	xdr_put_u32(out, res->stat);
}

void
nlm_put_shareres(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		 const struct nlm_result *res)
{
	nlm_put_res(out, version, args, res);
	xdr_put_u32(out, 0); /* sequence: of no meaning */
}

/* What a narrow client sees of a range: cut off, and "to the end" for what ends beyond. */
static void
put_range(struct xdr_out *out, uint32_t version, const struct dfs_lock_range *range)
{
	uint64_t most = version >= 4 ? UINT64_MAX : UINT32_MAX;
	uint64_t offset = range->start < most ? range->start : most, length = 0;

	if (range->end < most)
		length = range->end - offset + 1;
	if (version >= 4) {
		xdr_put_u64(out, offset);
		xdr_put_u64(out, length);
	} else {
		xdr_put_u32(out, (uint32_t)offset);
		xdr_put_u32(out, (uint32_t)length);
	}
}

/* The holder may be of another protocol: then its owner says nothing to a client. */
static void
put_holder(struct xdr_out *out, uint32_t version, const struct dfs_lock_conflict *holder)
{
	bool ours = holder->owner_len >= NLM_OWNER_HEAD && holder->owner[0] == NLM_OWNER_LOCK;

	xdr_put_u32(out, holder->range.exclusive);
	if (ours) {
		xdr_put_fixed(out, holder->owner + 1, 4);
		xdr_put_opaque(out, holder->owner + NLM_OWNER_HEAD,
			       holder->owner_len - NLM_OWNER_HEAD);
	} else {
		xdr_put_u32(out, 0);
		xdr_put_u32(out, 0);
	}
	put_range(out, version, &holder->range);
}

void
nlm_put_testres(struct xdr_out *out, uint32_t version, const struct nlm_args *args,
		const struct nlm_result *res)
{
	nlm_put_res(out, version, args, res);
	if (res->stat == NLM_DENIED)
		put_holder(out, version, &res->holder);
}

void
nlm_put_testargs(struct xdr_out *out, uint32_t version, const struct nlm_args *args)
{
	put_bytes(out, &args->cookie);
	xdr_put_u32(out, args->exclusive);
	put_bytes(out, &args->caller);
	put_bytes(out, &args->fh);
	put_bytes(out, &args->oh);
	xdr_put_u32(out, args->svid);
	if (version >= 4) {
		xdr_put_u64(out, args->offset);
		xdr_put_u64(out, args->length);
	} else {
		xdr_put_u32(out, (uint32_t)args->offset);
		xdr_put_u32(out, (uint32_t)args->length);
	}
}

enum nlm_stat
nlm_status(uint32_t version, enum dfs_status status)
{
	static const struct {
		enum dfs_status status;
		enum nlm_stat stat;
	} rows[] = {
		{DFS_OK, NLM_GRANTED_STAT},
		{DFS_BUSY, NLM_DENIED},
		{DFS_NOENT, NLM_DENIED}, /* nothing to cancel */
		{DFS_PERM, NLM_DENIED},  /* nothing to reclaim */
		{DFS_EXIST, NLM_BLOCKED},
		{DFS_NOMEM, NLM_DENIED_NOLOCKS},
		{DFS_NOSPC, NLM_DENIED_NOLOCKS},
		{DFS_GRACE, NLM_DENIED_GRACE},
		/* Clients come again after this one only. */
		{DFS_DELAY, NLM_DENIED_GRACE},
		{DFS_TIMEDOUT, NLM_DENIED_GRACE},
		{DFS_DEADLOCK, NLM_DEADLCK},
		{DFS_ROFS, NLM4_ROFS},
		{DFS_STALE, NLM4_STALE_FH},
		{DFS_BADHANDLE, NLM4_STALE_FH},
		{DFS_FBIG, NLM4_FBIG},
	};
	enum nlm_stat stat = NLM4_FAILED;

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == status)
			stat = rows[i].stat;
	return version < 4 && stat > NLM_DEADLCK ? NLM_DENIED_NOLOCKS : stat;
}

enum dfs_status
nlm_range(uint32_t version, const struct nlm_args *args, struct dfs_lock_range *range)
{
	uint64_t last = args->offset + args->length - 1;

	*range = (struct dfs_lock_range){args->offset, DFS_LOCK_EOF, args->exclusive};
	if (args->length == 0)
		return DFS_OK;
	if (args->length - 1 > UINT64_MAX - args->offset)
		return DFS_FBIG;
	/* What reaches the last byte that a narrow client can name reaches the end. */
	if (version >= 4 || last < UINT32_MAX)
		range->end = last;
	return DFS_OK;
}

uint32_t
nlm_lock_owner(const struct nlm_args *args, unsigned char owner[DFS_LOCK_OWNER_MAX])
{
	uint32_t svid = __builtin_bswap32(args->svid);

	owner[0] = NLM_OWNER_LOCK;
	memcpy(owner + 1, &svid, 4);
	if (args->oh.len)
		memcpy(owner + NLM_OWNER_HEAD, args->oh.data, args->oh.len);
	return NLM_OWNER_HEAD + args->oh.len;
}

uint32_t
nlm_share_owner(const struct nlm_args *args, unsigned char owner[DFS_LOCK_OWNER_MAX])
{
	owner[0] = NLM_OWNER_SHARE;
	if (args->oh.len)
		memcpy(owner + 1, args->oh.data, args->oh.len);
	return 1 + args->oh.len;
}
