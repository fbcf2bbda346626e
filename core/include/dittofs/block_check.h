/* SPDX-License-Identifier: MIT
 *
 * The rules for keys and spans (block_store.h) as code, for authors of block stores.
 *
 * Arguments are checked at the door of every store, so that no key can name a file outside a
 * folder, a store's own file, or something that another store could not hold.  Header only: a
 * plugin that uses it needs no symbol of ours.  Any thread.
 */
#ifndef DITTOFS_BLOCK_CHECK_H
#define DITTOFS_BLOCK_CHECK_H

#include <dittofs/block_store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether c may stand in a part of a key: [A-Za-z0-9._-]. */
static inline int
dfs_key_char(unsigned char c)
{
	/* One bit a character: a table of 16 bytes that the compiler keeps in registers. */
	const uint64_t low = UINT64_C(0x03ff600000000000), high = UINT64_C(0x07fffffe87fffffe);

	return c < 64 ? (int)(low >> c & 1) : c < 128 ? (int)(high >> (c - 64) & 1) : 0;
}

/* The length of a text whose parts are well-formed so far, and in *part that of its last one; over
 * DFS_KEY_MAX when no key begins so. */
static inline uint32_t
dfs_key_scan(const char *text, uint32_t *part)
{
	const uint32_t none = DFS_KEY_MAX + 1;
	uint32_t i;

	*part = 0;
	for (i = 0; text[i] != '\0'; i++) {
		unsigned char c = (unsigned char)text[i];

		/* One that ends in '/' needs a byte more to become a key. */
		if (i == DFS_KEY_MAX - (c == '/' ? 1u : 0u))
			return none;
		if (c == '/') {
			if (*part == 0)
				return none;
			*part = 0;
			continue;
		}
		if (!dfs_key_char(c) || (*part == 0 && c == '.') || *part == 255)
			return none;
		++*part;
	}
	return i;
}

/* The length of a well-formed key; 0 when it is none. */
static inline uint32_t
dfs_key_length(const char *key)
{
	uint32_t part, len = dfs_key_scan(key, &part);

	return len > DFS_KEY_MAX || part == 0 ? 0 : len;
}

/* Whether some well-formed key begins with prefix, which may end inside a part or with '/'.
 * "" is such a prefix. */
static inline int
dfs_key_prefix(const char *prefix)
{
	uint32_t part;

	return dfs_key_scan(prefix, &part) <= DFS_KEY_MAX;
}

/* The spans of a put: *length, their sum, with DFS_OK; DFS_INVAL for a number of spans outside 1
 * to 1024 or no byte at all; DFS_TOOBIG above DFS_OBJECT_MAX. */
static inline enum dfs_status
dfs_spans_check(const struct dfs_span *spans, uint32_t n, uint64_t *length)
{
	uint64_t sum = 0;
	uint32_t i;

	*length = 0;
	if (n < 1 || n > 1024)
		return DFS_INVAL;
	for (i = 0; i < n; i++) {
		if (spans[i].len > DFS_OBJECT_MAX - sum)
			return DFS_TOOBIG;
		sum += spans[i].len;
	}
	*length = sum;
	return sum > 0 ? DFS_OK : DFS_INVAL;
}

#ifdef __cplusplus
}
#endif
#endif
