/* SPDX-License-Identifier: MIT
 *
 * XDR builder (RFC 4506) for requests of a known largest size.  The caller has reserved that size
 * (REQUEST_MAX), each variable part is bounded before it comes here (a handle by 64 bytes, a name
 * by 255), so a put checks nothing.
 */
#ifndef BENCH_XDRW_H
#define BENCH_XDRW_H

#include <stdint.h>
#include <string.h>

struct xdrw {
	uint8_t *p;
};

static inline void
xdrw_poke32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void
xdrw_poke64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

static inline void
xdrw_u32(struct xdrw *w, uint32_t v)
{
	xdrw_poke32(w->p, v);
	w->p += 4;
}

static inline void
xdrw_u64(struct xdrw *w, uint64_t v)
{
	xdrw_poke64(w->p, v);
	w->p += 8;
}

/* n bytes and zero padding to a multiple of four, no count. */
static inline void
xdrw_fixed(struct xdrw *w, const void *data, uint32_t n)
{
	uint32_t pad = -n & 3;

	memcpy(w->p, data, n);
	memset(w->p + n, 0, pad);
	w->p += n + pad;
}

/* Counted opaque or string. */
static inline void
xdrw_opaque(struct xdrw *w, const void *data, uint32_t n)
{
	xdrw_u32(w, n);
	xdrw_fixed(w, data, n);
}

#endif
