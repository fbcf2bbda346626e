/* SPDX-License-Identifier: MIT
 *
 * Copying an object inside the bucket: CopyObject, which takes our metadata, the check values, along.
 *
 * The server may answer 200 before it has copied and tell of a failure in the body: only a body that
 * is a result is one.
 */
#include <stdio.h>
#include <string.h>

#include "store.h"
#include "xml.h"

struct result {
	bool copied;
	char code[64], message[256];
};

static bool
take_leaf(void *arg, const char *path, const char *text)
{
	struct result *r = arg;

	if (strcmp(path, "CopyObjectResult/ETag") == 0)
		r->copied = true;
	else if (strcmp(path, "Error/Code") == 0)
		snprintf(r->code, sizeof r->code, "%s", text);
	else if (strcmp(path, "Error/Message") == 0)
		snprintf(r->message, sizeof r->message, "%s", text);
	return true;
}

static enum dfs_status
check_result(struct store *s, const char *from, const char *to, const struct text *body)
{
	struct result result = {.copied = false};

	if (xml_read(text_string(body), body->len, take_leaf, &result) && result.copied)
		return DFS_OK;
	if (!result.code[0])
		return s->host->fail(s->host->ctx, DFS_IO,
				     "copying %.200s to %.200s: the answer is none to CopyObject",
				     from, to);
	return s->host->fail(s->host->ctx, error_status(200, result.code, false),
			     "copying %.200s to %.200s: %s, %s", from, to, result.code,
			     result.message);
}

enum dfs_status
store_copy(void *inst, const char *from, const char *to, uint32_t flags)
{
	struct store *s = inst;
	REQUEST_AUTO r = {.what = "copying to", .method = "PUT", .key = to, .patient = true};
	TEXT_AUTO source = {0};
	enum dfs_status st = store_check_key(s, from);

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (st == DFS_OK)
		st = store_check_key(s, to);
	if (st != DFS_OK)
		return st;
	/* Keys hold nothing that a URL would have to escape. */
	text_format(&source, "/%s/%s%s", s->bucket, s->key_prefix, from);
	if (source.failed)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "copying %.200s: out of memory",
				     from);
	request_header(&r, "x-amz-copy-source", text_string(&source));
	put_encryption(s, &r);
	st = request_run(s, &r);
	return st == DFS_OK ? check_result(s, from, to, &r.transfer.answer.body) : st;
}
