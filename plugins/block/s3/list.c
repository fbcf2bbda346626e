/* SPDX-License-Identifier: MIT
 *
 * Visiting objects in byte order of their keys: ListObjectsV2, a page of 1000 after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* A page of 1000 keys of 1024 bytes, percent-encoded, with all that S3 tells of them. */
#define PAGE_MAX (8u << 20)

/* `after` may hold any bytes and S3 takes only text: its part before the first byte that no key has.
 * The keys between the two are left out when the page is read. */
static void
add_after(struct text *out, const struct store *s, const char *after)
{
	size_t len = 0;

	while (len < DFS_KEY_MAX - s->prefix_len &&
	       (dfs_key_char((unsigned char)after[len]) || after[len] == '/'))
		len++;
	text_put(out, s->key_prefix);
	text_add(out, after, len);
}

enum dfs_status
list_page(struct store *s, const char *prefix, const char *after, struct page *page)
{
	REQUEST_AUTO r = {.what = "listing", .method = "GET", .body_max = PAGE_MAX};
	TEXT_AUTO full_prefix = {0};
	TEXT_AUTO start_after = {0};
	TEXT_AUTO token = {0};
	char last[DFS_KEY_MAX + 1] = "";
	enum dfs_status st;

	text_format(&full_prefix, "%s%s", s->key_prefix, prefix);
	add_after(&start_after, s, after);
	text_put(&token, text_string(&page->token));
	if (full_prefix.failed || start_after.failed || token.failed)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "listing: out of memory");
	if (page->n > 0)
		strcpy(last, page->key[page->n - 1]);
	page_clear(page);
	request_query(&r, "list-type", "2");
	request_query(&r, "encoding-type", "url");
	request_query(&r, "max-keys", "1000");
	request_query(&r, "prefix", full_prefix.data);
	if (token.len > 0)
		request_query(&r, "continuation-token", token.data);
	else if (after[0])
		request_query(&r, "start-after", start_after.data);
	st = request_run(s, &r);
	if (st != DFS_OK)
		return st;
	switch (page_parse(page, text_string(&r.transfer.answer.body), r.transfer.answer.body.len,
			   s->key_prefix, prefix, after, last)) {
	case PAGE_GOOD:
		return DFS_OK;
	case PAGE_NOMEM:
		return s->host->fail(s->host->ctx, DFS_NOMEM, "listing: out of memory");
	case PAGE_OUT_OF_ORDER:
		return s->host->fail(
			s->host->ctx, DFS_IO,
			"listing %s/%s: the server's answer is not in order of the keys", s->bucket,
			full_prefix.data);
	default:
		return s->host->fail(s->host->ctx, DFS_IO,
				     "listing %s/%s: the answer is no list of objects", s->bucket,
				     full_prefix.data);
	}
}

enum dfs_status
store_list(void *inst, const char *prefix, const char *after, dfs_object_fn fn, void *arg)
{
	struct store *s = inst;
	struct page *page;
	enum dfs_status st;
	bool stop = false;

	if (!dfs_key_prefix(prefix))
		return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" begins no object key",
				     prefix);
	page = calloc(1, sizeof *page);
	if (!page)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "listing: out of memory");
	do {
		st = list_page(s, prefix, after, page);
		for (uint32_t i = 0; i < page->n && st == DFS_OK && !stop; i++)
			stop = !fn(arg, page->key[i], page->length[i]);
	} while (st == DFS_OK && !stop && page->more);
	page_clear(page);
	free(page);
	return st;
}
