/* SPDX-License-Identifier: MIT */
#include "call.h"

void
call_head_init(struct call_head *h, uint32_t prog, uint32_t vers, uint32_t uid, uint32_t gid)
{
	static const char machine[] = "dfs-bench";
	const uint32_t n = sizeof machine - 1, auth_sys = 1, auth_none = 0;
	struct xdrw w = {h->bytes};

	xdrw_u32(&w, 0); /* record mark */
	xdrw_u32(&w, 0); /* xid */
	xdrw_u32(&w, 0); /* CALL */
	xdrw_u32(&w, 2); /* RPC version */
	xdrw_u32(&w, prog);
	xdrw_u32(&w, vers);
	xdrw_u32(&w, 0); /* procedure */
	xdrw_u32(&w, auth_sys);
	xdrw_u32(&w, 4 + 4 + ((n + 3) & ~3u) + 4 + 4 + 4);
	xdrw_u32(&w, 0); /* stamp */
	xdrw_opaque(&w, machine, n);
	xdrw_u32(&w, uid);
	xdrw_u32(&w, gid);
	xdrw_u32(&w, 0); /* no further groups */
	xdrw_u32(&w, auth_none);
	xdrw_u32(&w, 0);
	h->len = (uint32_t)(w.p - h->bytes);
}
