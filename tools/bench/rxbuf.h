/* SPDX-License-Identifier: MIT
 *
 * Receive buffer of one connection.  Records are parsed where they lie.  The rest of a large
 * record whose head was understood may bypass the buffer: it goes to a sink, or to a scratch area
 * that every large record shares (which then stays in the processor's cache) when nobody wants it.
 */
#ifndef BENCH_RXBUF_H
#define BENCH_RXBUF_H

#include <stdint.h>

#include "record.h"

#define RXBUF_SCRATCH (256u << 10)

struct rxbuf {
	uint8_t *buf;
	uint32_t cap, start, end;
	uint32_t bypass; /* bytes of the current record that do not go through buf */
	uint8_t *sink;   /* where they go; NULL: scratch */
};

void rxbuf_init(struct rxbuf *rx, uint32_t cap);
void rxbuf_free(struct rxbuf *rx);

/* One receive call.  1: got bytes; 0: end of stream; -1: error, errno is set: EAGAIN, or EMSGSIZE
 * when the buffer is full of one record that was not let past it. */
int rxbuf_receive(struct rxbuf *rx, int fd, uint8_t *scratch);

/* The next record, as record_parse. */
enum record_state rxbuf_next(struct rxbuf *rx, struct record *r);

/* Done with a record that rxbuf_next gave. */
static inline void
rxbuf_consume(struct rxbuf *rx, const struct record *r)
{
	rx->start += r->consumed;
	if (rx->start == rx->end)
		rx->start = rx->end = 0;
}

/* rxbuf_next said RECORD_NEED with a single fragment: what is there has been used up by the
 * caller, the rest goes to the sink. */
void rxbuf_bypass(struct rxbuf *rx, const struct record *r, uint8_t *sink);

#endif
