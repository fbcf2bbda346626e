/* SPDX-License-Identifier: MIT
 *
 * A page of ListObjectsV2, from bytes that a server chose.
 *
 * Keys come percent-encoded, since XML cannot hold every byte of a key.  What lies in the bucket
 * under our prefix and can be no key of ours was put by somebody else and is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "store.h"
#include "xml.h"

struct parsing {
	const char *key_prefix, *prefix, *after;
	size_t prefix_len;
	struct page *page;
	char key[3 * DFS_KEY_MAX + 1];
	int64_t length;
	bool whole, no_memory, out_of_order;
	char last[DFS_KEY_MAX + 1];
};

static bool
add_object(struct parsing *p)
{
	const char *key;

	if (!dfs_key_length(p->key + p->prefix_len))
		return true;
	key = p->key + p->prefix_len;
	if (strncmp(key, p->prefix, strlen(p->prefix)) != 0 || strcmp(key, p->after) <= 0)
		return true;
	if (strcmp(key, p->last) <= 0) {
		p->out_of_order = true;
		return false;
	}
	if (p->page->n == sizeof p->page->key / sizeof p->page->key[0])
		return false;
	strcpy(p->last, key);
	p->page->length[p->page->n] = (uint64_t)p->length;
	p->page->key[p->page->n] = strdup(key);
	p->no_memory = !p->page->key[p->page->n];
	p->page->n += !p->no_memory;
	return !p->no_memory;
}

static bool
take_leaf(void *arg, const char *path, const char *text)
{
	struct parsing *p = arg;
	static const char root[] = "ListBucketResult";

	if (strncmp(path, root, sizeof root - 1) != 0)
		return false;
	path += sizeof root - 1;
	if (strcmp(path, "/IsTruncated") == 0) {
		p->page->more = strcmp(text, "true") == 0;
	} else if (strcmp(path, "/NextContinuationToken") == 0) {
		text_reset(&p->page->token);
		text_put(&p->page->token, text);
	} else if (strcmp(path, "/Contents/Key") == 0) {
		if (strlen(text) >= sizeof p->key)
			return false;
		strcpy(p->key, text);
	} else if (strcmp(path, "/Contents/Size") == 0) {
		p->length = strtoll(text, NULL, 10);
	} else if (strcmp(path, "/Contents") == 0) {
		/* Of a server that does not encode, our keys come through unchanged. */
		bool ours = decode_uri(p->key, true) && p->length >= 0 &&
			    strncmp(p->key, p->key_prefix, p->prefix_len) == 0;
		bool ok = !ours || add_object(p);

		p->key[0] = '\0';
		p->length = 0;
		return ok;
	} else if (path[0] == '\0') {
		p->whole = true;
	}
	return true;
}

enum page_trouble
page_parse(struct page *page, const char *data, size_t len, const char *key_prefix,
	   const char *prefix, const char *after, const char *last)
{
	struct parsing p = {.key_prefix = key_prefix,
			    .prefix_len = strlen(key_prefix),
			    .prefix = prefix,
			    .after = after,
			    .page = page};
	bool ok;

	strcpy(p.last, last);
	ok = xml_read(data, len, take_leaf, &p);
	if (p.no_memory || page->token.failed)
		return PAGE_NOMEM;
	if (p.out_of_order)
		return PAGE_OUT_OF_ORDER;
	return ok && p.whole && (!page->more || page->token.len > 0) ? PAGE_GOOD : PAGE_MALFORMED;
}

void
page_clear(struct page *page)
{
	for (uint32_t i = 0; i < page->n; i++)
		free(page->key[i]);
	page->n = 0;
	page->more = false;
	text_clear(&page->token);
}
