/* SPDX-License-Identifier: MIT
 *
 * A row as its columns' bytes in PostgreSQL's binary format, wherever they lie: in an answer of the
 * database or in a write set, where each column is its length (4 bytes, big endian; -1: NULL) and
 * its bytes, which is also how the elements of an array travel.
 */
#ifndef POSTGRES_ROW_H
#define POSTGRES_ROW_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kind.h"

struct row {
	const unsigned char *bytes[2 * COLUMNS_MAX];
	int32_t len[2 * COLUMNS_MAX]; /* -1: NULL */
};

static inline uint32_t
get_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static inline void
put_be32(void *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

static inline uint64_t
get_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return be64toh(v);
}

static inline void
put_be64(void *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, 8);
}

/* Whether the columns from `at` on are a record of the kind: none is NULL that may not be, each has its width.
 * What the database answers is looked at like this once, before anything reads it. */
static inline bool
row_fits(const struct row *r, const struct kind_info *k, unsigned at)
{
	for (unsigned i = 0; i < k->n_columns; i++) {
		const struct column *c = &k->columns[i];
		int32_t len = r->len[at + i];
		int width = types[c->type].width;

		if (len < 0 ? !c->nullable : (width && len != width) || (c->max && len > c->max))
			return false;
	}
	return true;
}

/* A number of whatever width; 0 for NULL. */
static inline uint64_t
row_int(const struct row *r, unsigned column)
{
	const unsigned char *p = r->bytes[column];

	switch (r->len[column]) {
	case 8:
		return get_be64(p);
	case 4:
		return (uint64_t)(int64_t)(int32_t)get_be32(p);
	case 2:
		return (uint64_t)(int64_t)(int16_t)(p[0] << 8 | p[1]);
	default:
		return 0;
	}
}

/* The first n columns of an encoded row; answers where it ends. */
static inline const unsigned char *
row_split(struct row *r, const unsigned char *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		r->len[i] = (int32_t)get_be32(p);
		r->bytes[i] = p += 4;
		if (r->len[i] > 0)
			p += r->len[i];
	}
	return p;
}

#endif
