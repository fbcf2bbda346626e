/* SPDX-License-Identifier: MIT
 *
 * Objects above part_size, in parts, one after the other.
 *
 * Objects are at most 4 MiB today and parts at least 5 MiB, so a server takes this way only when
 * objects grow.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define PARTS_MAX 10000u

struct upload {
	struct store *s;
	const char *key;
	char id[1024];
	struct text complete; /* the body that will end it */
};

static enum dfs_status
start_upload(struct upload *u, const struct check *check)
{
	REQUEST_AUTO r = {.what = "beginning the upload of", .method = "POST", .key = u->key};
	char crc[9];

	check_print(check, crc, NULL);
	request_query(&r, "uploads", "");
	request_header(&r, "content-type", "application/octet-stream");
	request_header(&r, "x-amz-meta-crc32c", crc);
	put_encryption(u->s, &r);
	return request_leaf(u->s, &r, "InitiateMultipartUploadResult/UploadId", u->id,
			    sizeof u->id);
}

static enum dfs_status
send_part(struct upload *u, uint32_t number, const struct dfs_span *spans, uint32_t n,
	  uint64_t length)
{
	REQUEST_AUTO r = {.what = "putting a part of",
			  .method = "PUT",
			  .key = u->key,
			  .spans = spans,
			  .n_spans = n,
			  .length = length};
	char text[16];
	enum dfs_status st;

	snprintf(text, sizeof text, "%u", number);
	request_query(&r, "partNumber", text);
	request_query(&r, "uploadId", u->id);
	st = request_run(u->s, &r);
	if (st != DFS_OK)
		return st;
	if (!r.transfer.answer.etag[0] || strpbrk(r.transfer.answer.etag, "<>&"))
		return u->s->host->fail(u->s->host->ctx, DFS_IO,
					"putting a part of %.200s: the answer has no ETag", u->key);
	text_format(&u->complete, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", number,
		    r.transfer.answer.etag);
	return DFS_OK;
}

/* Cuts the spans into parts of part_size; cut: room for n spans. */
static enum dfs_status
send_parts(struct upload *u, const struct dfs_span *spans, uint32_t n, struct dfs_span *cut)
{
	uint32_t number = 0, i = 0;
	uint64_t in_span = 0;
	enum dfs_status st = DFS_OK;

	while (i < n && st == DFS_OK) {
		uint64_t length = 0;
		uint32_t n_cut = 0;

		while (i < n && length < u->s->part_size) {
			uint64_t left = spans[i].len - in_span, room = u->s->part_size - length;
			uint64_t take = left < room ? left : room;

			if (take > 0)
				cut[n_cut++] = (struct dfs_span){
					(const char *)spans[i].data + in_span, take, NULL};
			length += take;
			in_span += take;
			if (in_span == spans[i].len) {
				i++;
				in_span = 0;
			}
		}
		if (length > 0)
			st = send_part(u, ++number, cut, n_cut, length);
	}
	return st;
}

static enum dfs_status
complete(struct upload *u)
{
	struct dfs_span span = {text_string(&u->complete), u->complete.len, NULL};
	REQUEST_AUTO r = {.what = "ending the upload of",
			  .method = "POST",
			  .key = u->key,
			  .spans = &span,
			  .n_spans = 1,
			  .length = span.len,
			  .patient = true};

	request_query(&r, "uploadId", u->id);
	request_header(&r, "content-type", "application/xml");
	return request_leaf(u->s, &r, "CompleteMultipartUploadResult/ETag", NULL, 0);
}

bool
multipart_abort(struct store *s, const char *key, const char *id)
{
	REQUEST_AUTO r = {
		.what = "giving up the upload of", .method = "DELETE", .key = key, .quiet = true};

	request_query(&r, "uploadId", id);
	return request_run(s, &r) == DFS_OK;
}

enum dfs_status
multipart_put(struct store *s, const char *key, const struct dfs_span *spans, uint32_t n,
	      uint64_t length, const struct check *check)
{
	struct upload u = {.s = s, .key = key, .complete = {.max = PARTS_MAX * 200}};
	struct dfs_span *cut;
	enum dfs_status st;

	if ((length + s->part_size - 1) / s->part_size > PARTS_MAX)
		return s->host->fail(s->host->ctx, DFS_TOOBIG,
				     "%.200s has more than %u parts: part_size is too small", key,
				     PARTS_MAX);
	cut = malloc((n + 1) * sizeof *cut);
	if (!cut)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "putting %.200s: out of memory", key);
	st = start_upload(&u, check);
	if (st == DFS_OK) {
		text_put(&u.complete, "<CompleteMultipartUpload>");
		st = send_parts(&u, spans, n, cut);
		text_put(&u.complete, "</CompleteMultipartUpload>");
		if (st == DFS_OK && u.complete.failed)
			st = s->host->fail(s->host->ctx, DFS_NOMEM, "putting %.200s: out of memory",
					   key);
		if (st == DFS_OK)
			st = complete(&u);
		/* What this leaves is cleaned one day. */
		if (st != DFS_OK)
			multipart_abort(s, key, u.id);
	}
	text_clear(&u.complete);
	free(cut);
	return st;
}
