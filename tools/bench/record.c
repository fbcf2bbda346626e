/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "record.h"
#include "xdrr.h"

#define LAST_FRAGMENT UINT32_C(0x80000000)

/* Find the end of a record of several fragments without changing anything. */
static enum record_state
measure(const uint8_t *buf, uint32_t avail, uint32_t max, struct record *r)
{
	uint32_t pos = 0, total = 0;

	for (unsigned n = 0; n < RECORD_MAX_FRAGMENTS; n++) {
		if (avail - pos < 4) {
			r->need = pos + 4;
			return RECORD_NEED;
		}
		uint32_t mark = xdrr_peek32(buf + pos), len = mark & ~LAST_FRAGMENT;
		if (len > max - total)
			return RECORD_BAD;
		total += len;
		if (avail - pos - 4 < len) {
			r->need = pos + 4 + len;
			return RECORD_NEED;
		}
		pos += 4 + len;
		if (mark & LAST_FRAGMENT) {
			r->consumed = pos;
			return RECORD_OK;
		}
	}
	return RECORD_BAD;
}

static void
join(uint8_t *buf, struct record *r)
{
	uint32_t from = 0, to = 4;

	for (;;) {
		uint32_t mark = xdrr_peek32(buf + from), len = mark & ~LAST_FRAGMENT;
		memmove(buf + to, buf + from + 4, len);
		to += len;
		from += 4 + len;
		if (mark & LAST_FRAGMENT)
			break;
	}
	r->data = buf + 4;
	r->len = to - 4;
}

enum record_state
record_parse(uint8_t *buf, uint32_t avail, uint32_t max, struct record *r)
{
	if (avail < 4) {
		r->need = 4;
		r->single = false;
		return RECORD_NEED;
	}
	uint32_t mark = xdrr_peek32(buf);
	if (mark & LAST_FRAGMENT) {
		uint32_t len = mark & ~LAST_FRAGMENT;
		if (len > max)
			return RECORD_BAD;
		r->single = true;
		r->need = len + 4;
		if (avail - 4 < len)
			return RECORD_NEED;
		r->data = buf + 4;
		r->len = len;
		r->consumed = len + 4;
		return RECORD_OK;
	}
	r->single = false;
	enum record_state state = measure(buf, avail, max, r);
	if (state == RECORD_OK)
		join(buf, r);
	return state;
}
