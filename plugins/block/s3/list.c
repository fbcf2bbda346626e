/* SPDX-License-Identifier: MIT
 *
 * Visiting objects in byte order of their keys: ListObjectsV2, a page of 1000 after the other.
 *
 * Keys come percent-encoded, since XML cannot hold every byte of a key.  What lies in the bucket
 * under our prefix and can be no key of ours was put by somebody else and is not shown.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "store.h"
#include "xml.h"

/* A page of 1000 keys of 1024 bytes, percent-encoded, with all that S3 tells of them. */
#define PAGE_MAX (8u << 20)

struct parsing {
	struct store *s;
	const char *prefix, *after;
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

	if (!dfs_key_length(p->key + p->s->prefix_len))
		return true;
	key = p->key + p->s->prefix_len;
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
			    strncmp(p->key, p->s->key_prefix, p->s->prefix_len) == 0;
		bool ok = !ours || add_object(p);

		p->key[0] = '\0';
		p->length = 0;
		return ok;
	} else if (path[0] == '\0') {
		p->whole = true;
	}
	return true;
}

/* A text that S3 takes and that no key lies between and `after`: its part before the first byte
 * that no key has. */
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
	struct parsing p = {.s = s, .prefix = prefix, .after = after, .page = page};
	REQUEST_AUTO r = {.what = "listing", .method = "GET", .body_max = PAGE_MAX};
	TEXT_AUTO full_prefix = {0};
	TEXT_AUTO start_after = {0};
	TEXT_AUTO token = {0};
	enum dfs_status st;
	bool ok;

	text_format(&full_prefix, "%s%s", s->key_prefix, prefix);
	add_after(&start_after, s, after);
	text_put(&token, text_string(&page->token));
	if (full_prefix.failed || start_after.failed || token.failed)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "listing: out of memory");
	if (page->n > 0)
		strcpy(p.last, page->key[page->n - 1]);
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
	ok = xml_read(text_string(&r.transfer.answer.body), r.transfer.answer.body.len, take_leaf,
		      &p);
	if (p.no_memory)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "listing: out of memory");
	if (p.out_of_order)
		return s->host->fail(
			s->host->ctx, DFS_IO,
			"listing %s/%s: the server's answer is not in order of the keys", s->bucket,
			full_prefix.data);
	if (!ok || !p.whole || page->token.failed || (page->more && page->token.len == 0))
		return s->host->fail(s->host->ctx, DFS_IO,
				     "listing %s/%s: the answer is no list of objects", s->bucket,
				     full_prefix.data);
	return DFS_OK;
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
