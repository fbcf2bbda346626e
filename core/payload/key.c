/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "payload/key.h"

#define BLOCKS_PER_CHUNK 16

static const char digits[] = "0123456789abcdef";

static char *
put_text(char *p, const char *text)
{
	return stpcpy(p, text);
}

static char *
put_decimal(char *p, uint64_t v)
{
	char tmp[20];
	int n = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		*p++ = tmp[--n];
	return p;
}

static char *
put_hex(char *p, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--)
		*p++ = digits[v >> (4 * i) & 15];
	return p;
}

static char *
put_content(char *p, const char *prefix, const struct dfs_content_id *content)
{
	p = put_text(p, prefix);
	*p++ = '/';
	p = put_hex(p, content->bytes[0], 2);
	*p++ = '/';
	for (int i = 0; i < 16; i++)
		p = put_hex(p, content->bytes[i], 2);
	*p++ = '/';
	return p;
}

void
dfs_block_prefix(char *key, const char *prefix, const struct dfs_content_id *content)
{
	*put_content(key, prefix, content) = '\0';
}

void
dfs_block_key(char *key, const char *prefix, const struct dfs_content_id *content, uint64_t block,
	      uint64_t version)
{
	char *p = put_text(put_content(key, prefix, content), "chunk-");

	p = put_decimal(p, block / BLOCKS_PER_CHUNK);
	p = put_text(p, "/block-");
	p = put_decimal(p, block % BLOCKS_PER_CHUNK);
	*p++ = '.';
	p = put_hex(p, version, 16);
	*p = '\0';
}

static bool
take_text(const char **p, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

/* Exactly n digits, lower case. */
static bool
take_hex(const char **p, int n, uint64_t *v)
{
	*v = 0;
	for (; n > 0; n--, ++*p) {
		const char *d = **p ? strchr(digits, **p) : NULL;

		if (!d)
			return false;
		*v = *v << 4 | (uint64_t)(d - digits);
	}
	return true;
}

/* Without leading zeros, up to max. */
static bool
take_decimal(const char **p, uint64_t max, uint64_t *v)
{
	const char *first = *p;

	*v = 0;
	for (; **p >= '0' && **p <= '9'; ++*p) {
		uint64_t d = (uint64_t)(**p - '0');

		if (*v > (max - d) / 10)
			return false;
		*v = *v * 10 + d;
	}
	return *p > first && (*first != '0' || *p == first + 1);
}

bool
dfs_block_key_parse(const char *key, const char *prefix, struct dfs_content_id *content,
		    uint64_t *block, uint64_t *version)
{
	uint64_t fan, byte, chunk, in_chunk;

	if (!take_text(&key, prefix) || !take_text(&key, "/") || !take_hex(&key, 2, &fan) ||
	    !take_text(&key, "/"))
		return false;
	for (int i = 0; i < 16; i++) {
		if (!take_hex(&key, 2, &byte))
			return false;
		content->bytes[i] = (uint8_t)byte;
	}
	if (fan != content->bytes[0] || !take_text(&key, "/chunk-") ||
	    !take_decimal(&key, UINT64_MAX / BLOCKS_PER_CHUNK, &chunk) ||
	    !take_text(&key, "/block-") || !take_decimal(&key, BLOCKS_PER_CHUNK - 1, &in_chunk) ||
	    !take_text(&key, ".") || !take_hex(&key, 16, version) || *key != '\0')
		return false;
	*block = chunk * BLOCKS_PER_CHUNK + in_chunk;
	return true;
}
