/* SPDX-License-Identifier: MIT
 *
 * Reading an object, or only its length.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store.h"

/* A bucket that answered so lately is there: what is absent is the object. */
#define BUCKET_SEEN (60 * SECOND)

enum trouble { NONE, BEYOND, NO_ROOM, CHANGED, NO_RANGE };

struct reading {
	uint64_t offset, length; /* wanted */
	uint64_t skip;           /* bytes of the answer before them */
	uint64_t left;           /* of them to come */
	uint64_t total;          /* length of the object */
	const struct dfs_sink *sink;
	unsigned char *room;
	uint64_t room_len;
	struct checking checking;
	enum trouble trouble;
};

/* On the engine's thread: nothing is delivered before this has looked at the headers. */
static bool
begin(struct transfer *t)
{
	struct reading *g = t->arg;
	const struct answer *a = &t->answer;
	int64_t total = a->status == 206 ? a->range_total : a->length;
	char table[sizeof a->crc_table + sizeof a->crc_table_2];

	if (total < 0 || (a->status == 206 && a->range_first != (int64_t)g->offset)) {
		g->trouble = NO_RANGE;
		return false;
	}
	g->total = (uint64_t)total;
	if (g->offset > g->total || g->length > g->total - g->offset) {
		g->trouble = BEYOND;
		return false;
	}
	/* A server without ranges sends all of it. */
	g->skip = a->status == 206 ? 0 : g->offset;
	snprintf(table, sizeof table, "%s%s", a->crc_table, a->crc_table_2);
	if (!checking_begin(&g->checking, a->crc, table, g->offset, g->length, g->total)) {
		g->trouble = CHANGED;
		return false;
	}
	return true;
}

static bool
take(struct transfer *t, const unsigned char *data, size_t size)
{
	struct reading *g = t->arg;
	uint64_t len = size, skip = g->skip < len ? g->skip : len;

	g->skip -= skip;
	data += skip;
	len -= skip;
	if (len > g->left)
		len = g->left;
	if (!checking_feed(&g->checking, data, len)) {
		g->trouble = CHANGED;
		return false;
	}
	while (len > 0) {
		uint64_t part;

		if (g->room_len == 0)
			g->room = g->sink->space(g->sink->ctx, &g->room_len);
		if (!g->room || g->room_len == 0) {
			g->trouble = NO_ROOM;
			return false;
		}
		part = len < g->room_len ? len : g->room_len;
		memcpy(g->room, data, part);
		g->room += part;
		g->room_len -= part;
		data += part;
		len -= part;
		g->left -= part;
	}
	/* The rest of a whole object is of no use. */
	return g->left > 0 || t->answer.status == 206;
}

static enum dfs_status
beyond(struct store *s, const struct reading *g, const char *key)
{
	return s->host->fail(s->host->ctx, DFS_INVAL,
			     "bytes %" PRIu64 "+%" PRIu64
			     " of the object %.200s, which has %" PRIu64,
			     g->offset, g->length, key, g->total);
}

static enum dfs_status
explain(struct store *s, const struct reading *g, const char *key)
{
	switch (g->trouble) {
	case BEYOND:
		return beyond(s, g, key);
	case NO_ROOM:
		return s->host->fail(s->host->ctx, DFS_NOMEM, "the reader has no room for %.200s",
				     key);
	case CHANGED:
		s->host->count(s->host->ctx, "s3_corrupt", 1);
		return s->host->fail(s->host->ctx, DFS_CORRUPT,
				     "reading %s/%s%.200s: the bytes are not those that were put "
				     "(CRC32C)",
				     s->bucket, s->key_prefix, key);
	default:
		return s->host->fail(s->host->ctx, DFS_IO,
				     "reading %s/%s%.200s: the answer does not tell which bytes it "
				     "holds",
				     s->bucket, s->key_prefix, key);
	}
}

static enum dfs_status
read_range(struct store *s, const char *key, struct reading *g)
{
	char range[64];
	REQUEST_AUTO r = {.what = "reading",
			  .method = "GET",
			  .key = key,
			  .begin = begin,
			  .take = take,
			  .arg = g};
	enum dfs_status st;

	snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, g->offset,
		 g->offset + g->length - 1);
	request_header(&r, "range", range);
	st = request_run(s, &r);
	if (r.transfer.ending == END_REFUSED && g->trouble == NONE && g->left == 0)
		return DFS_OK;
	if (r.transfer.ending == END_REFUSED)
		return explain(s, g, key);
	if (st == DFS_OK && g->left > 0)
		st = s->host->fail(s->host->ctx, DFS_CORRUPT,
				   "reading %s/%s%.200s: %" PRIu64 " of %" PRIu64
				   " bytes are missing",
				   s->bucket, s->key_prefix, key, g->left, g->length);
	return st;
}

enum dfs_status
store_get(void *inst, const char *key, uint64_t offset, uint64_t length,
	  const struct dfs_sink *sink, uint32_t flags)
{
	struct store *s = inst;
	struct reading g = {.offset = offset, .length = length, .left = length, .sink = sink};
	enum dfs_status st = store_check_key(s, key);

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (st != DFS_OK)
		return st;
	/* Ranges that HTTP cannot say, and those that no object has. */
	if (length == 0 || length > INT64_MAX || offset > INT64_MAX - length) {
		st = store_head(s, key, &g.total, 0);
		if (st == DFS_OK && (offset > g.total || length > g.total - offset))
			st = beyond(s, &g, key);
		return st;
	}
	return read_range(s, key, &g);
}

static enum dfs_status
bucket_is_there(struct store *s, uint64_t timeout)
{
	REQUEST_AUTO r = {.what = "looking at", .method = "HEAD", .timeout = timeout};

	return request_run(s, &r);
}

static bool
found_or_not(int status)
{
	return status == 200 || status == 404;
}

enum dfs_status
store_head(void *inst, const char *key, uint64_t *length, uint32_t flags)
{
	struct store *s = inst;
	REQUEST_AUTO r = {
		.what = "looking at", .method = "HEAD", .key = key, .accepts = found_or_not};
	uint64_t seen = atomic_load(&s->bucket_seen);
	enum dfs_status st = store_check_key(s, key);

	if (flags & DFS_NONBLOCK)
		return DFS_AGAIN;
	if (st == DFS_OK)
		st = request_run(s, &r);
	if (st != DFS_OK)
		return st;
	if (r.transfer.answer.status == 404) {
		/* An answer to HEAD has no body that would tell a bucket from an object. */
		if (seen == 0 || monotonic_ns() - seen > BUCKET_SEEN)
			st = bucket_is_there(s, 0);
		return st != DFS_OK ? st : error_fail(s, &r);
	}
	if (r.transfer.answer.length < 0)
		return s->host->fail(s->host->ctx, DFS_IO,
				     "looking at %s/%s%.200s: the answer has no length", s->bucket,
				     s->key_prefix, key);
	*length = (uint64_t)r.transfer.answer.length;
	return DFS_OK;
}

enum dfs_status
store_health(void *inst)
{
	/* The contract's 5 s, with some of them for the caller. */
	return bucket_is_there(inst, 4500 * UINT64_C(1000000));
}
