/* SPDX-License-Identifier: MIT
 *
 * Check values of objects: see check.h.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "digest.h"
#include "encode.h"
#include "plugins/crc32c/crc32c.h"

void
check_spans(struct check *c, const struct dfs_span *spans, uint32_t n, uint64_t length)
{
	uint64_t at = 0;

	*c = (struct check){.n_parts = 0};
	if (length <= DFS_OBJECT_MAX)
		c->n_parts = (uint32_t)((length + CHECK_PART - 1) / CHECK_PART);
	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *data = spans[i].data;
		uint64_t left = spans[i].len;

		if (c->n_parts == 0)
			c->crc = crc32c(c->crc, data, left);
		while (c->n_parts > 0 && left > 0) {
			uint64_t room = CHECK_PART - at % CHECK_PART;
			uint64_t len = left < room ? left : room;

			c->part[at / CHECK_PART] = crc32c(c->part[at / CHECK_PART], data, len);
			data += len;
			at += len;
			left -= len;
		}
	}
	/* Once over the bytes is enough. */
	for (uint32_t i = 0; i < c->n_parts; i++) {
		uint64_t rest = length - (uint64_t)i * CHECK_PART;

		c->crc = crc32c_join(c->crc, c->part[i], rest < CHECK_PART ? rest : CHECK_PART);
	}
}

void
check_print(const struct check *c, char crc[9], char table[CHECK_TABLE_TEXT])
{
	unsigned char bytes[4 * CHECK_PARTS];

	for (uint32_t i = 0; i < c->n_parts; i++)
		for (int k = 0; k < 4; k++)
			bytes[4 * i + k] = (unsigned char)(c->part[i] >> (24 - 8 * k));
	snprintf(crc, 9, "%08x", (unsigned)c->crc);
	if (table)
		encode_base64(table, bytes, 4 * c->n_parts);
}

static bool
parse_table(struct checking *c, const char *table)
{
	unsigned char bytes[4 * CHECK_PARTS];
	int len = decode_base64(bytes, sizeof bytes, table);

	if (len < 0 || (uint64_t)len != 4 * ((c->total + CHECK_PART - 1) / CHECK_PART))
		return false;
	for (int i = 0; i < len; i++)
		c->want_part[i / 4] = c->want_part[i / 4] << 8 | bytes[i];
	return true;
}

bool
checking_begin(struct checking *c, const char *crc, const char *table, uint64_t offset,
	       uint64_t length, uint64_t total)
{
	*c = (struct checking){
		.at = offset, .begin = offset, .end = offset + length, .total = total};
	c->whole = crc[0] && offset == 0 && length == total;
	if (c->whole && !decode_hex32(crc, &c->want))
		return false;
	/* The whole proves as much. */
	c->parts = table[0] && !c->whole;
	return !c->parts || parse_table(c, table);
}

/* A part's end is reached: only one whose start was read too proves something. */
static bool
part_ok(const struct checking *c)
{
	uint64_t part = (c->at - 1) / CHECK_PART;

	return part * CHECK_PART < c->begin || c->part_crc == c->want_part[part];
}

bool
checking_feed(struct checking *c, const unsigned char *data, uint64_t len)
{
	if (c->whole) {
		c->crc = crc32c(c->crc, data, len);
		c->at += len;
		return c->at < c->end || c->crc == c->want;
	}
	while (c->parts && len > 0) {
		uint64_t room = CHECK_PART - c->at % CHECK_PART, n = len < room ? len : room;

		if (c->at % CHECK_PART == 0)
			c->part_crc = 0;
		c->part_crc = crc32c(c->part_crc, data, n);
		data += n;
		len -= n;
		c->at += n;
		if ((c->at % CHECK_PART == 0 || c->at == c->total) && !part_ok(c))
			return false;
	}
	return true;
}
