/* SPDX-License-Identifier: MIT
 *
 * XDR (RFC 4506) reader and writer over spans.
 *
 * The reader has a sticky error: read everything, check `bad` once.  Every variable length is
 * bounded by the protocol's maximum that the caller passes and by the bytes that remain.  Spans
 * point into the receive buffer.  The writer's caller has reserved the procedure's largest reply;
 * writing past the end sets `bad` and drops the bytes.
 */
#ifndef NFS_XDR_H
#define NFS_XDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

struct xdr_in {
	const unsigned char *p, *end;
	bool bad;
};

static inline uint32_t
xdr_u32(struct xdr_in *in)
{
	uint32_t v;
	if ((size_t)(in->end - in->p) < 4) {
		in->bad = true;
		return 0;
	}
	memcpy(&v, in->p, 4);
	in->p += 4;
	return __builtin_bswap32(v);
}

static inline uint64_t
xdr_u64(struct xdr_in *in)
{
	uint64_t v;
	if ((size_t)(in->end - in->p) < 8) {
		in->bad = true;
		return 0;
	}
	memcpy(&v, in->p, 8);
	in->p += 8;
	return __builtin_bswap64(v);
}

/* n opaque bytes and their padding; NULL and bad when they are not there. */
static inline const unsigned char *
xdr_fixed(struct xdr_in *in, uint32_t n)
{
	uint64_t padded = ((uint64_t)n + 3) & ~UINT64_C(3);
	const unsigned char *p = in->p;
	if ((uint64_t)(in->end - p) < padded) {
		in->bad = true;
		return NULL;
	}
	in->p += padded;
	return p;
}

/* Counted opaque of at most max bytes. */
static inline const unsigned char *
xdr_opaque(struct xdr_in *in, uint32_t max, uint32_t *len)
{
	*len = xdr_u32(in);
	if (*len > max)
		in->bad = true;
	if (in->bad) {
		*len = 0;
		return NULL;
	}
	return xdr_fixed(in, *len);
}

#define XDR_REFS 20

/* Encoded bytes are [base, p).  Pages of a READ are not copied: each is noted with the encoded
 * position before which it is sent, and carries one buffer reference that the sender drops. */
struct xdr_out {
	unsigned char *base, *p, *end;
	bool bad;
	uint32_t n_refs;
	struct {
		uint32_t at; /* offset from base */
		uint32_t len;
		const unsigned char *data;
		struct dfs_buf *buf;
	} refs[XDR_REFS];
};

static inline void
xdr_put_u32(struct xdr_out *out, uint32_t v)
{
	if (out->end - out->p < 4) {
		out->bad = true;
		return;
	}
	v = __builtin_bswap32(v);
	memcpy(out->p, &v, 4);
	out->p += 4;
}

static inline void
xdr_put_u64(struct xdr_out *out, uint64_t v)
{
	if (out->end - out->p < 8) {
		out->bad = true;
		return;
	}
	v = __builtin_bswap64(v);
	memcpy(out->p, &v, 8);
	out->p += 8;
}

/* n bytes and zero padding, without a count. */
static inline void
xdr_put_fixed(struct xdr_out *out, const void *data, uint32_t n)
{
	uint32_t pad = -n & 3;
	if ((uint64_t)(out->end - out->p) < (uint64_t)n + pad) {
		out->bad = true;
		return;
	}
	memcpy(out->p, data, n);
	memset(out->p + n, 0, pad);
	out->p += n + pad;
}

static inline void
xdr_put_opaque(struct xdr_out *out, const void *data, uint32_t n)
{
	xdr_put_u32(out, n);
	xdr_put_fixed(out, data, n);
}

/* Take over one reference of buf and send [data, data+len) here. */
static inline void
xdr_put_ref(struct xdr_out *out, struct dfs_buf *buf, const unsigned char *data, uint32_t len)
{
	if (out->n_refs == XDR_REFS) {
		out->bad = true;
		dfs_buf_unref(buf);
		return;
	}
	out->refs[out->n_refs].at = (uint32_t)(out->p - out->base);
	out->refs[out->n_refs].len = len;
	out->refs[out->n_refs].data = data;
	out->refs[out->n_refs].buf = buf;
	out->n_refs++;
}

#endif
