/* SPDX-License-Identifier: MIT
 *
 * Text and bytes that grow up to a bound.
 *
 * What does not fit, or finds no memory, sets `failed` and is dropped, so that a caller who builds
 * something of many parts checks once at the end.  One owner, one thread at a time.
 */
#ifndef BLOCK_S3_TEXT_H
#define BLOCK_S3_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t len, cap;
	size_t max; /* of len; 0: TEXT_MAX */
	bool failed;
};

#define TEXT_MAX (64u << 10)

void text_add(struct text *t, const void *data, size_t len);
void text_put(struct text *t, const char *string);
void text_format(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The string, "" when nothing was added. */
const char *text_string(const struct text *t);
/* Empty again, keeping the memory. */
void text_reset(struct text *t);
/* Frees; the bytes are wiped first, since some were secrets. */
void text_clear(struct text *t);

#define TEXT_AUTO __attribute__((cleanup(text_clear))) struct text

#endif
