/* SPDX-License-Identifier: MIT
 *
 * XDR reader (RFC 4506) over a span of received bytes, with a sticky error: read everything, look
 * at `bad` once.  Spans point into the receive buffer.
 */
#ifndef BENCH_XDRR_H
#define BENCH_XDRR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct xdrr {
	const uint8_t *p, *end;
	bool bad;
};

static inline uint32_t
xdrr_peek32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
xdrr_peek64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

/* n bytes that are not looked at one by one; NULL and bad when they are not there. */
static inline const uint8_t *
xdrr_take(struct xdrr *r, size_t n)
{
	const uint8_t *p = r->p;

	if ((size_t)(r->end - p) < n) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

static inline uint32_t
xdrr_u32(struct xdrr *r)
{
	const uint8_t *p = xdrr_take(r, 4);

	return p ? xdrr_peek32(p) : 0;
}

static inline uint64_t
xdrr_u64(struct xdrr *r)
{
	const uint8_t *p = xdrr_take(r, 8);

	return p ? xdrr_peek64(p) : 0;
}

/* Counted opaque of at most max bytes, with its padding. */
static inline const uint8_t *
xdrr_opaque(struct xdrr *r, uint32_t max, uint32_t *len)
{
	*len = xdrr_u32(r);
	if (*len > max)
		r->bad = true;
	if (r->bad) {
		*len = 0;
		return NULL;
	}
	return xdrr_take(r, ((size_t)*len + 3) & ~(size_t)3);
}

#endif
