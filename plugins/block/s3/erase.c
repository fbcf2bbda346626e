/* SPDX-License-Identifier: MIT
 *
 * Erasing one object, or all below a prefix: a page of the list at a time, with DeleteObjects.
 */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "encode.h"
#include "store.h"
#include "xml.h"

/* 1000 keys of 1024 bytes, and the tags around them. */
#define BODY_MAX (2u << 20)

static bool
gone(int status)
{
	return (status >= 200 && status < 300) || status == 404;
}

static enum dfs_status
erase_one(struct store *s, const char *key)
{
	REQUEST_AUTO r = {.what = "erasing", .method = "DELETE", .key = key, .accepts = gone};
	enum dfs_status st = request_run(s, &r);

	/* An object that is absent is erased; a bucket that is absent is an error. */
	if (st == DFS_OK && strcmp(r.code, "NoSuchBucket") == 0)
		return error_fail(s, &r);
	return st;
}

enum dfs_status
store_erase(void *inst, const char *key, uint32_t flags)
{
	struct store *s = inst;
	enum dfs_status st = store_check_key(s, key);

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	return st != DFS_OK ? st : erase_one(s, key);
}

/* The first object that could not be erased. */
struct refusal {
	char key[DFS_KEY_MAX + 1], code[64], message[256];
	bool found, whole;
};

static bool
take_leaf(void *arg, const char *path, const char *text)
{
	struct refusal *f = arg;

	if (strcmp(path, "DeleteResult") == 0)
		f->whole = true;
	if (f->found)
		return true;
	if (strcmp(path, "DeleteResult/Error/Key") == 0)
		error_copy(f->key, sizeof f->key, text);
	else if (strcmp(path, "DeleteResult/Error/Code") == 0)
		error_copy(f->code, sizeof f->code, text);
	else if (strcmp(path, "DeleteResult/Error/Message") == 0)
		error_copy(f->message, sizeof f->message, text);
	else if (strcmp(path, "DeleteResult/Error") == 0)
		f->found = strcmp(f->code, "NoSuchKey") != 0;
	return true;
}

static bool
deleted_or_unknown(int status)
{
	return status == 200 || status == 501 || status == 405;
}

static enum dfs_status
erase_singly(struct store *s, char *const *keys, uint32_t n)
{
	enum dfs_status st = DFS_OK;

	for (uint32_t i = 0; i < n && st == DFS_OK; i++)
		st = erase_one(s, keys[i]);
	return st;
}

/* Keys hold nothing that XML would have to escape. */
static void
make_body(struct text *body, struct store *s, char *const *keys, uint32_t n)
{
	body->max = BODY_MAX;
	text_put(body, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		       "<Quiet>true</Quiet>");
	for (uint32_t i = 0; i < n; i++)
		text_format(body, "<Object><Key>%s%s</Key></Object>", s->key_prefix, keys[i]);
	text_put(body, "</Delete>");
}

/* At most 1000 keys. */
static enum dfs_status
erase_batch(struct store *s, char *const *keys, uint32_t n)
{
	REQUEST_AUTO r = {.what = "erasing objects of",
			  .method = "POST",
			  .accepts = deleted_or_unknown,
			  .patient = true, /* some servers erase one after the other */
			  .body_max = BODY_MAX};
	struct refusal refusal = {.found = false};
	unsigned char digest[MD5_SIZE];
	char md5[25];
	TEXT_AUTO body = {0};
	struct dfs_span span;
	enum dfs_status st;

	if (atomic_load(&s->no_delete_objects))
		return erase_singly(s, keys, n);
	make_body(&body, s, keys, n);
	span = (struct dfs_span){text_string(&body), body.len, NULL};
	if (body.failed || !digest_md5_spans(&span, 1, digest))
		return s->host->fail(s->host->ctx, DFS_NOMEM, "erasing: out of memory");
	encode_base64(md5, digest, sizeof digest);
	r.spans = &span;
	r.n_spans = 1;
	r.length = body.len;
	request_query(&r, "delete", "");
	request_header(&r, "content-md5", md5);
	request_header(&r, "content-type", "application/xml");
	st = request_run(s, &r);
	if (st != DFS_OK)
		return st;
	if (r.transfer.answer.status != 200) {
		atomic_store(&s->no_delete_objects, true);
		return erase_singly(s, keys, n);
	}
	if (!xml_read(text_string(&r.transfer.answer.body), r.transfer.answer.body.len, take_leaf,
		      &refusal) ||
	    !refusal.whole)
		return s->host->fail(s->host->ctx, DFS_IO,
				     "erasing objects of %s: the answer is none to DeleteObjects",
				     s->bucket);
	if (refusal.found)
		return s->host->fail(s->host->ctx, error_status(200, refusal.code, false),
				     "erasing %s/%.200s: %s, %s", s->bucket, refusal.key,
				     refusal.code, refusal.message);
	return DFS_OK;
}

enum dfs_status
store_erase_prefix(void *inst, const char *prefix)
{
	struct store *s = inst;
	uint32_t len = (uint32_t)strnlen(prefix, DFS_KEY_MAX + 1);
	struct page *page;
	enum dfs_status st;

	if (len == 0 || !dfs_key_prefix(prefix) || prefix[len - 1] != '/')
		return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" is no prefix to erase",
				     prefix);
	page = calloc(1, sizeof *page);
	if (!page)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "erasing: out of memory");
	do {
		st = list_page(s, prefix, "", page);
		if (st == DFS_OK && page->n > 0)
			st = erase_batch(s, page->key, page->n);
	} while (st == DFS_OK && page->more);
	page_clear(page);
	free(page);
	return st;
}
