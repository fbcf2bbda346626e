/* SPDX-License-Identifier: MIT
 *
 * From an answer, or the lack of one, to a status of ours and a sentence for people.
 *
 * The status tells the core what to do: DFS_TIMEDOUT and DFS_IO may pass by trying again, DFS_DELAY
 * asks for fewer requests, DFS_ACCESS needs somebody to change something first.
 */
#include <stdio.h>
#include <string.h>

#include "store.h"
#include "xml.h"

static const struct {
	const char *code;
	enum dfs_status status;
	const char *advice;
} codes[] = {
	{"NoSuchKey", DFS_NOENT, ""},
	/* Not NOENT: no object is known to be gone. */
	{"NoSuchBucket", DFS_ACCESS, "; the bucket does not exist: make it, or name another"},
	{"AccessDenied", DFS_ACCESS, "; the keys in use do not allow it"},
	{"InvalidAccessKeyId", DFS_ACCESS, "; the server does not know the access key"},
	{"SignatureDoesNotMatch", DFS_ACCESS, "; the secret key is another one's"},
	{"ExpiredToken", DFS_ACCESS, "; the keys in use have ended"},
	{"InvalidToken", DFS_ACCESS, "; the keys in use have ended"},
	{"AccountProblem", DFS_ACCESS, ""},
	{"AllAccessDisabled", DFS_ACCESS, ""},
	{"RequestTimeTooSkewed", DFS_ACCESS, "; set this machine's clock"},
	{"KMS.DisabledException", DFS_ACCESS, ""},
	{"KMS.NotFoundException", DFS_ACCESS, "; kms_key names no key"},
	{"InvalidRange", DFS_INVAL, ""},
	{"SlowDown", DFS_DELAY, ""},
	{"Throttling", DFS_DELAY, ""},
	{"ThrottlingException", DFS_DELAY, ""},
	{"RequestLimitExceeded", DFS_DELAY, ""},
	{"TooManyRequests", DFS_DELAY, ""},
	{"ServiceUnavailable", DFS_DELAY, ""},
	{"RequestTimeout", DFS_TIMEDOUT, ""},
	{"BadDigest", DFS_CORRUPT, "; the bytes were changed on their way"},
	{"InvalidDigest", DFS_CORRUPT, ""},
	{"XAmzContentSHA256Mismatch", DFS_CORRUPT, "; the bytes were changed on their way"},
	{"IncompleteBody", DFS_IO, ""},
	{"EntityTooLarge", DFS_TOOBIG, ""},
	{"KeyTooLongError", DFS_TOOBIG, ""},
	{"QuotaExceeded", DFS_NOSPC, "; raise the quota of the bucket or the account"},
	{"XMinioStorageFull", DFS_NOSPC, "; the server's disks are full"},
	{"NotImplemented", DFS_NOTSUP, ""},
};

static const struct {
	int http;
	enum dfs_status status;
} statuses[] = {
	{401, DFS_ACCESS},   {403, DFS_ACCESS}, {404, DFS_NOENT},  {408, DFS_TIMEDOUT},
	{416, DFS_INVAL},    {429, DFS_DELAY},  {501, DFS_NOTSUP}, {503, DFS_DELAY},
	{504, DFS_TIMEDOUT}, {507, DFS_NOSPC},
};

static const char *
advice_of(const char *code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].advice;
	return "";
}

enum dfs_status
error_status(int http, const char *code, bool bucket)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].status;
	/* A request of the whole bucket has no object that could be absent. */
	if (http == 404 && bucket)
		return DFS_ACCESS;
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].http == http)
			return statuses[i].status;
	return DFS_IO;
}

void
error_copy(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++)
		to[n++] = (unsigned char)*from < ' ' || *from == 0x7f ? ' ' : *from;
	to[n] = '\0';
}

static bool
take_error(void *arg, const char *path, const char *text)
{
	struct request *r = arg;

	if (strcmp(path, "Error/Code") == 0)
		error_copy(r->code, sizeof r->code, text);
	else if (strcmp(path, "Error/Message") == 0)
		error_copy(r->message, sizeof r->message, text);
	else if (strcmp(path, "Error/Region") == 0)
		error_copy(r->region, sizeof r->region, text);
	return true;
}

void
error_read(struct request *r)
{
	const struct answer *a = &r->transfer.answer;

	r->code[0] = r->message[0] = r->region[0] = '\0';
	if (r->transfer.ending == END_ANSWERED && a->status >= 300 && a->body.len > 0 &&
	    !xml_read(a->body.data, a->body.len, take_error, r) && !r->code[0])
		error_copy(r->message, sizeof r->message, a->body.data);
}

static enum dfs_status
status_of_ending(enum ending ending)
{
	switch (ending) {
	case END_TIMED_OUT:
		return DFS_TIMEDOUT;
	case END_TRUNCATED:
		return DFS_CORRUPT;
	case END_STOPPED:
		return DFS_SHUTDOWN;
	case END_NOMEM:
		return DFS_NOMEM;
	default:
		return DFS_IO;
	}
}

enum dfs_status
error_fail(struct store *s, struct request *r)
{
	const struct answer *a = &r->transfer.answer;
	const char *key = r->key ? r->key : "";
	char id[sizeof a->request_id];

	enum dfs_status st = r->transfer.ending == END_ANSWERED
				     ? error_status(a->status, r->code, !r->key)
				     : status_of_ending(r->transfer.ending);

	if (r->quiet)
		return st;
	if (r->transfer.ending != END_ANSWERED)
		return s->host->fail(
			s->host->ctx, st, "%s %s/%s%.200s: %s%s", r->what, s->bucket, s->key_prefix,
			key, r->transfer.why,
			r->transfer.ending == END_TRUNCATED ? "; the answer was cut short" : "");
	error_copy(id, sizeof id, a->request_id);
	return s->host->fail(s->host->ctx, st, "%s %s/%s%.200s: HTTP %d%s%s%s%s%s%s%s", r->what,
			     s->bucket, s->key_prefix, key, a->status, r->code[0] ? " " : "",
			     r->code, r->message[0] ? ", " : "", r->message,
			     id[0] ? ", request " : "", id, advice_of(r->code));
}

struct leaf {
	struct request *request;
	const char *path;
	char *to;
	size_t size;
	bool seen;
};

static bool
take_leaf(void *arg, const char *path, const char *text)
{
	struct leaf *l = arg;

	if (strcmp(path, l->path) == 0 && (!l->to || strlen(text) < l->size)) {
		if (l->to)
			strcpy(l->to, text);
		l->seen = true;
	}
	return take_error(l->request, path, text);
}

enum dfs_status
request_leaf(struct store *s, struct request *r, const char *path, char *to, size_t size)
{
	const struct text *body = &r->transfer.answer.body;
	struct leaf leaf = {r, path, to, size, false};
	enum dfs_status st = request_run(s, r);

	if (st != DFS_OK)
		return st;
	if (xml_read(text_string(body), body->len, take_leaf, &leaf) && leaf.seen)
		return DFS_OK;
	if (!r->code[0])
		snprintf(r->message, sizeof r->message, "the answer has no %s", path);
	return error_fail(s, r);
}

enum dfs_status
store_check_key(struct store *s, const char *key)
{
	uint32_t len = dfs_key_length(key);

	if (len == 0)
		return s->host->fail(s->host->ctx, DFS_INVAL, "\"%.200s\" is no object key", key);
	if (s->prefix_len + len > DFS_KEY_MAX)
		return s->host->fail(s->host->ctx, DFS_TOOBIG,
				     "%.200s... with key_prefix before it is longer than the %d "
				     "bytes of an S3 key",
				     key, DFS_KEY_MAX);
	return DFS_OK;
}
