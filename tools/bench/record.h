/* SPDX-License-Identifier: MIT
 *
 * RPC record marking (RFC 5531, 11) over a byte stream in a buffer.  A record of several fragments
 * is joined in place, which moves each later fragment over its mark; the usual single fragment
 * costs one read of the mark.
 */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

enum record_state {
	RECORD_OK,   /* data, len and consumed are set */
	RECORD_NEED, /* incomplete: need and single are set */
	RECORD_BAD,  /* longer than max, or too many fragments: the stream is of no more use */
};

#define RECORD_MAX_FRAGMENTS 256

struct record {
	uint8_t *data;
	uint32_t len;      /* of the record without marks */
	uint32_t consumed; /* bytes of the stream, marks included */
	uint32_t need;     /* the least total that must be in the buffer to get further */
	bool single;       /* one fragment: need is the record's whole size, mark included */
};

/* Look at `avail` bytes at buf for one record of at most `max` bytes. */
enum record_state record_parse(uint8_t *buf, uint32_t avail, uint32_t max, struct record *r);

#endif
