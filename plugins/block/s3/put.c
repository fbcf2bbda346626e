/* SPDX-License-Identifier: MIT
 *
 * Putting an object: one PUT, which S3 makes visible whole or not at all and durable before it
 * answers.
 *
 * If-None-Match: * keeps a put that was given up, and that arrives late, from replacing what is
 * there.  When it is refused because the object is there, an earlier try of the same put has
 * succeeded as a rule: length and checksum tell.
 */
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "encode.h"
#include "store.h"

struct putting {
	const char *key;
	const struct dfs_span *spans;
	uint32_t n;
	uint64_t length;
	struct check check;
	char crc[9], table[CHECK_TABLE_TEXT], table_2[CHECK_TABLE_TEXT], checksum[9], md5[25];
};

static bool
prepare(struct putting *p, bool md5)
{
	unsigned char bytes[MD5_SIZE];
	uint32_t crc;

	check_spans(&p->check, p->spans, p->n, p->length);
	check_print(&p->check, p->crc, p->table);
	if (strlen(p->table) > CHECK_TABLE_CUT) {
		strcpy(p->table_2, p->table + CHECK_TABLE_CUT);
		p->table[CHECK_TABLE_CUT] = '\0';
	}
	crc = p->check.crc;
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(crc >> (24 - 8 * i));
	encode_base64(p->checksum, bytes, 4);
	if (md5) {
		if (!digest_md5_spans(p->spans, p->n, bytes))
			return false;
		encode_base64(p->md5, bytes, MD5_SIZE);
	}
	return true;
}

void
put_encryption(struct store *s, struct request *r)
{
	if (s->encryption == ENCRYPTION_AES256)
		request_header(r, "x-amz-server-side-encryption", "AES256");
	if (s->encryption == ENCRYPTION_KMS)
		request_header(r, "x-amz-server-side-encryption", "aws:kms");
	if (s->encryption == ENCRYPTION_KMS && s->kms_key)
		request_header(r, "x-amz-server-side-encryption-aws-kms-key-id", s->kms_key);
}

static bool
stored_or_refused(int status)
{
	return (status >= 200 && status < 300) || status == 400 || status == 412 || status == 501;
}

/* Send it once with some features; the answer is in r. */
static enum dfs_status
send_put(struct store *s, const struct putting *p, uint32_t features, struct request *r)
{
	*r = (struct request){.what = "putting",
			      .method = "PUT",
			      .key = p->key,
			      .spans = p->spans,
			      .n_spans = p->n,
			      .length = p->length,
			      .accepts = stored_or_refused};
	request_header(r, "content-type", "application/octet-stream");
	request_header(r, "x-amz-meta-crc32c", p->crc);
	if (p->table[0])
		request_header(r, "x-amz-meta-crc32c-64k", p->table);
	if (p->table_2[0])
		request_header(r, "x-amz-meta-crc32c-64k-2", p->table_2);
	if (features & FEATURE_CONDITIONAL)
		request_header(r, "if-none-match", "*");
	if (features & FEATURE_CHECKSUM)
		request_header(r, "x-amz-checksum-crc32c", p->checksum);
	if ((features & FEATURE_MD5) && p->md5[0])
		request_header(r, "content-md5", p->md5);
	put_encryption(s, r);
	return request_run(s, r);
}

/* Whether the answer may be about a feature that the server does not know.  Which one it does not
 * say, so they go one by one. */
static bool
may_be_feature(const struct request *r)
{
	static const char *const codes[] = {"NotImplemented", "InvalidRequest", "InvalidArgument",
					    "MethodNotAllowed", "UnsupportedArgument"};

	if (r->transfer.answer.status == 501)
		return true;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (r->transfer.answer.status == 400 && strcmp(r->code, codes[i]) == 0)
			return true;
	return false;
}

static void
learn(struct store *s, uint32_t used, uint32_t dropped, const struct putting *p,
      const struct request *r)
{
	if (dropped) {
		atomic_fetch_and(&s->features, ~dropped);
		s->host->log(s->host->ctx, DFS_LOG_INFO, "s3: bucket %s is written without%s%s",
			     s->bucket, dropped & FEATURE_CONDITIONAL ? " If-None-Match" : "",
			     dropped & FEATURE_CHECKSUM ? " x-amz-checksum-crc32c" : "");
	}
	/* A server that echoes the checksum has compared it: MD5 would prove nothing more. */
	if ((used & FEATURE_CHECKSUM) && (s->optional & FEATURE_MD5) &&
	    strcmp(r->transfer.answer.checksum, p->checksum) == 0)
		atomic_fetch_and(&s->features, ~(uint32_t)FEATURE_MD5);
}

/* 412: DFS_OK when an earlier try of this put has succeeded; DFS_EXIST: there are other bytes. */
static enum dfs_status
compare(struct store *s, const struct putting *p)
{
	REQUEST_AUTO r = {.what = "looking at", .method = "HEAD", .key = p->key};
	enum dfs_status st = request_run(s, &r);

	if (st != DFS_OK)
		return st == DFS_NOENT ? DFS_EXIST : st;
	if (r.transfer.answer.length != (int64_t)p->length ||
	    strcmp(r.transfer.answer.crc, p->crc) != 0)
		return DFS_EXIST;
	s->host->count(s->host->ctx, "s3_put_was_there", 1);
	return DFS_OK;
}

static enum dfs_status
put_once(struct store *s, const struct putting *p)
{
	/* What is left out of the features in turn, until the server takes the put. */
	static const uint32_t drops[] = {0, FEATURE_CONDITIONAL, FEATURE_CHECKSUM,
					 FEATURE_CONDITIONAL | FEATURE_CHECKSUM};
	uint32_t features = atomic_load(&s->features);
	enum dfs_status st = DFS_OK;

	for (size_t i = 0; i < sizeof drops / sizeof drops[0]; i++) {
		REQUEST_AUTO r = {.what = NULL};
		bool last = i + 1 == sizeof drops / sizeof drops[0];
		int status;

		if ((drops[i] & features & s->optional) != drops[i])
			continue;
		st = send_put(s, p, features & ~drops[i], &r);
		status = r.transfer.answer.status;
		if (st == DFS_OK && status >= 200 && status < 300) {
			learn(s, features & ~drops[i], drops[i], p, &r);
			return DFS_OK;
		}
		if (st == DFS_OK && status == 412) {
			st = compare(s, p);
			if (st != DFS_EXIST)
				return st;
			/* To be replaced, as the contract has it. */
			features &= ~(uint32_t)FEATURE_CONDITIONAL;
			i = (size_t)-1;
			continue;
		}
		if (st == DFS_OK)
			st = error_fail(s, &r);
		if (last || !may_be_feature(&r))
			return st;
	}
	return st;
}

enum dfs_status
put_object(struct store *s, const char *key, const struct dfs_span *spans, uint32_t n,
	   uint64_t length)
{
	struct putting p = {.key = key, .spans = spans, .n = n, .length = length};

	if (!prepare(&p, (atomic_load(&s->features) & FEATURE_MD5) && length <= s->part_size))
		return s->host->fail(s->host->ctx, DFS_NOMEM, "putting %.200s: out of memory", key);
	return length > s->part_size ? multipart_put(s, key, spans, n, length, &p.check)
				     : put_once(s, &p);
}

enum dfs_status
store_put(void *inst, const char *key, const struct dfs_span *spans, uint32_t n, uint32_t flags)
{
	struct store *s = inst;
	uint64_t length;
	enum dfs_status st = store_check_key(s, key);

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (st != DFS_OK)
		return st;
	st = dfs_spans_check(spans, n, &length);
	if (st != DFS_OK)
		return s->host->fail(s->host->ctx, st,
				     st == DFS_TOOBIG
					     ? "the object %.200s is larger than 4 MiB"
					     : "the object %.200s is empty or of too many spans",
				     key);
	return put_object(s, key, spans, n, length);
}
