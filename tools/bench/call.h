/* SPDX-License-Identifier: MIT
 *
 * RPC call heads (RFC 5531) with AUTH_SYS credentials: encoded once, then copied and patched in
 * place for each request.
 */
#ifndef BENCH_CALL_H
#define BENCH_CALL_H

#include <stdint.h>
#include <string.h>

#include "xdrr.h"
#include "xdrw.h"

/* Larger than any request without its WRITE payload: head 80, two handles and two names. */
#define REQUEST_MAX 1024

#define CALL_HEAD_MAX 128

struct call_head {
	uint32_t len; /* with the record mark */
	uint8_t bytes[CALL_HEAD_MAX];
};

void call_head_init(struct call_head *h, uint32_t prog, uint32_t vers, uint32_t uid, uint32_t gid);

/* Copy the head to dst with this xid and procedure; returns where the arguments go. */
static inline uint8_t *
call_begin(const struct call_head *h, uint8_t *dst, uint32_t xid, uint32_t proc)
{
	memcpy(dst, h->bytes, h->len);
	xdrw_poke32(dst + 4, xid);
	xdrw_poke32(dst + 24, proc);
	return dst + h->len;
}

/* Write the record mark: the arguments end at end, `payload` bytes follow from elsewhere. */
static inline uint32_t
call_end(uint8_t *dst, const uint8_t *end, uint32_t payload)
{
	uint32_t len = (uint32_t)(end - dst);

	xdrw_poke32(dst, UINT32_C(0x80000000) | (len - 4 + payload));
	return len;
}

enum reply_kind {
	REPLY_OK,        /* the results follow */
	REPLY_NOT_OK,    /* accepted with accept_stat, or denied */
	REPLY_MALFORMED, /* no RPC reply */
};

/* Read a reply's head up to the results; *stat is the accept_stat, or UINT32_MAX when denied. */
static inline enum reply_kind
reply_head(struct xdrr *in, uint32_t *xid, uint32_t *stat)
{
	const uint8_t *p = xdrr_take(in, 12);

	if (!p || xdrr_peek32(p + 4) != 1)
		return REPLY_MALFORMED;
	*xid = xdrr_peek32(p);
	if (xdrr_peek32(p + 8) != 0) {
		*stat = UINT32_MAX;
		return REPLY_NOT_OK;
	}
	xdrr_u32(in);
	uint32_t verf = xdrr_u32(in);
	if (verf > 400 || !xdrr_take(in, (verf + 3) & ~3u))
		return REPLY_MALFORMED;
	*stat = xdrr_u32(in);
	if (in->bad)
		return REPLY_MALFORMED;
	return *stat == 0 ? REPLY_OK : REPLY_NOT_OK;
}

#endif
