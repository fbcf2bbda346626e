/* SPDX-License-Identifier: MIT
 *
 * Arrays of one dimension in PostgreSQL's binary format: a head, then each element as its length (4 bytes,
 * big endian; -1: NULL) and its bytes, as the columns of an encoded row.
 */
#ifndef POSTGRES_ARRAY_H
#define POSTGRES_ARRAY_H

#include "row.h"

#define ARRAY_HEAD 20
#define ARRAY_INT8 12 /* bytes of an element */

static inline void
array_head(unsigned char *array, bool has_null, enum column_type type, unsigned n)
{
	put_be32(array, 1); /* dimension */
	put_be32(array + 4, has_null);
	put_be32(array + 8, types[type].oid);
	put_be32(array + 12, n);
	put_be32(array + 16, 1); /* the first one's index */
}

/* Element i of an array of numbers. */
static inline void
array_put_int8(unsigned char *array, unsigned i, uint64_t v)
{
	unsigned char *element = array + ARRAY_HEAD + (size_t)i * ARRAY_INT8;

	put_be32(element, 8);
	put_be64(element + 4, v);
}

#endif
