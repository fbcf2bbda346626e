/* SPDX-License-Identifier: MIT
 *
 * Our own check values, which an object carries in its metadata, so that a read proves end to end
 * that the bytes are those that were put.
 *
 * x-amz-meta-crc32c is the CRC32C of the object as 8 hexadecimal digits;
 * x-amz-meta-crc32c-64k and, for its end, x-amz-meta-crc32c-64k-2 are base64 of the CRC32C of each
 * 64 KiB, big-endian, so that a ranged read proves what it covers; there are two because some
 * servers take no more than 256 bytes in one.  Objects put by others have none of them and are read
 * unchecked.
 */
#ifndef BLOCK_S3_CHECK_H
#define BLOCK_S3_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <dittofs/block_store.h>

#define CHECK_PART 65536u
#define CHECK_PARTS (DFS_OBJECT_MAX / CHECK_PART)
#define CHECK_TABLE_TEXT (4 * ((4 * CHECK_PARTS + 2) / 3) + 1)
/* Characters of the first value: base64 of 33 parts ends without padding, so that both values one
 * behind the other are base64 as well. */
#define CHECK_TABLE_CUT 176

struct check {
	uint32_t crc; /* of the whole */
	uint32_t part[CHECK_PARTS];
	uint32_t n_parts; /* 0: longer than the table can tell */
};

/* length: the sum of the spans. */
void check_spans(struct check *c, const struct dfs_span *spans, uint32_t n, uint64_t length);
/* The metadata's two values; table may be NULL. */
void check_print(const struct check *c, char crc[9], char table[CHECK_TABLE_TEXT]);

/* A read of [offset, offset+length) of an object of `total` bytes, as it goes on. */
struct checking {
	bool whole, parts; /* which of the two values prove something here */
	uint32_t want;     /* of the whole */
	uint32_t want_part[CHECK_PARTS];
	uint32_t crc, part_crc;
	uint64_t at, begin, end, total;
};

/* crc, table: the object's values, "" when it has none.  False: they are malformed. */
bool checking_begin(struct checking *c, const char *crc, const char *table, uint64_t offset,
		    uint64_t length, uint64_t total);
/* The next bytes; false: they are not those that were put. */
bool checking_feed(struct checking *c, const unsigned char *data, uint64_t len);

#endif
