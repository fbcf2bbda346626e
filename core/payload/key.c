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
