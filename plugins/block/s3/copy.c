/* SPDX-License-Identifier: MIT
 *
 * Copying an object inside the bucket: CopyObject, which takes our metadata, the check values, along.
 *
 * The server may answer 200 before it has copied and tell of a failure in the body: only a body that
 * is a result is one.
 */
#include "store.h"

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
	return request_leaf(s, &r, "CopyObjectResult/ETag", NULL, 0);
}
