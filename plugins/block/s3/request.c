/* SPDX-License-Identifier: MIT
 *
 * One signed request, and the few reasons to send it again at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "date.h"
#include "digest.h"
#include "encode.h"
#include "store.h"

#define TRIES 5

/* What has been tried again already: each reason counts once. */
struct tries {
	bool reconnected, moved, redirected, clock_set;
	struct credentials *refused;
	struct site site; /* of this request: a temporary redirect is not for the others */
};

void
request_query(struct request *r, const char *name, const char *value)
{
	if (r->n_query < QUERY_ROOM)
		r->query[r->n_query++] = (struct pair){name, value};
}

void
request_header(struct request *r, const char *name, const char *value)
{
	if (r->n_headers < HEADER_ROOM)
		r->header[r->n_headers++] = (struct pair){name, value};
}

void
request_clear(struct request *r)
{
	transfer_clear(&r->transfer);
}

static bool
payload_hash(const struct request *r, bool tls, char hex[2 * SHA256_SIZE + 1])
{
	unsigned char digest[SHA256_SIZE];

	/* TLS keeps the payload whole by itself, and hashing it costs six times its sending. */
	if (tls && r->length > 0) {
		strcpy(hex, SIGN_UNSIGNED);
		return true;
	}
	if (!digest_sha256_spans(r->spans, r->n_spans, digest))
		return false;
	encode_hex(hex, digest, sizeof digest);
	return true;
}

static bool
add_line(struct curl_slist **list, const char *name, const char *value)
{
	TEXT_AUTO line = {0};
	struct curl_slist *longer;

	text_format(&line, "%s: %s", name, value);
	longer = line.failed ? NULL : curl_slist_append(*list, line.data);
	if (longer)
		*list = longer;
	return longer != NULL;
}

/* The header lines, signed. */
static bool
make_headers(struct store *s, const struct request *r, const struct site *site,
	     const struct credentials *keys, const char *path, const char *query,
	     struct curl_slist **list)
{
	struct pair signed_header[HEADER_ROOM + 4];
	char hash[2 * SHA256_SIZE + 1], when[17];
	TEXT_AUTO host = {0};
	TEXT_AUTO authorization = {0};
	struct signer signer = {.access_key = keys->access_key,
				.secret_key = keys->secret_key,
				.region = site->region,
				.service = "s3",
				.now = time(NULL) + atomic_load(&s->skew)};
	uint32_t n = r->n_headers;
	bool ok;

	date_amz(signer.now, when);
	site_host(&host, site, s->bucket);
	if (host.failed || !payload_hash(r, site->tls, hash))
		return false;
	memcpy(signed_header, r->header, n * sizeof r->header[0]);
	signed_header[n++] = (struct pair){"host", host.data};
	signed_header[n++] = (struct pair){"x-amz-date", when};
	signed_header[n++] = (struct pair){"x-amz-content-sha256", hash};
	if (keys->session_token[0])
		signed_header[n++] = (struct pair){"x-amz-security-token", keys->session_token};
	sign_authorization(&authorization, &signer, r->method, path, query, signed_header, n, hash);
	ok = !authorization.failed && add_line(list, "Authorization", authorization.data);
	for (uint32_t i = 0; i < n && ok; i++)
		ok = add_line(list, signed_header[i].name, signed_header[i].value);
	/* Without waiting for leave to send the body: that would cost each put a round trip. */
	ok = ok && add_line(list, "Expect", "");
	return ok;
}

/* Send it once, until `end` (monotonic ns) at the latest.  False: no memory. */
static bool
send_once(struct store *s, struct request *r, const struct site *site,
	  const struct credentials *keys, uint64_t end)
{
	struct transfer *t = &r->transfer;
	struct curl_slist *headers = NULL;
	uint64_t now;
	TEXT_AUTO key = {0};
	TEXT_AUTO path = {0};
	TEXT_AUTO query = {0};
	TEXT_AUTO url = {0};
	bool ok;

	if (r->key)
		text_format(&key, "%s%s", s->key_prefix, r->key);
	site_path(&path, site, s->bucket, text_string(&key));
	sign_query(&query, r->query, r->n_query);
	text_put(&url, site->tls ? "https://" : "http://");
	site_host(&url, site, s->bucket);
	text_format(&url, "%s%s%s", text_string(&path), query.len ? "?" : "", text_string(&query));
	if (key.failed || path.failed || query.failed || url.failed)
		return false;
	ok = make_headers(s, r, site, keys, path.data, text_string(&query), &headers);
	if (ok) {
		transfer_clear(t);
		now = monotonic_ns();
		*t = (struct transfer){.method = r->method,
				       .url = url.data,
				       .headers = headers,
				       .spans = r->spans,
				       .length = r->length,
				       .limits = s->limits,
				       .arg = r->arg,
				       .begin = r->begin,
				       .take = r->take};
		t->answer.body.max = r->body_max;
		t->limits.total = now < end ? end - now : 1;
		if (r->patient)
			t->limits.response = t->limits.total;
		engine_run(s->engine, t);
		error_read(r);
	}
	curl_slist_free_all(headers);
	return ok;
}

static bool
accepted(const struct request *r)
{
	const struct transfer *t = &r->transfer;

	if (t->ending != END_ANSWERED)
		return false;
	return r->accepts ? r->accepts(t->answer.status)
			  : t->answer.status >= 200 && t->answer.status < 300;
}

/* Amazon refuses a clock that is 15 minutes wrong; an answer to HEAD does not say why it is 403. */
static bool
set_clock(struct store *s, const struct request *r)
{
	const struct answer *a = &r->transfer.answer;
	int64_t now = time(NULL), skew = a->date - now, change = skew - atomic_load(&s->skew);

	if (a->date < 0 || (strcmp(r->code, "RequestTimeTooSkewed") != 0 &&
			    (a->status != 403 || r->code[0] || (change > -300 && change < 300))))
		return false;
	atomic_store(&s->skew, skew);
	s->host->log(s->host->ctx, DFS_LOG_WARN,
		     "s3: this machine's clock and that of bucket %s differ by %lld s", s->bucket,
		     (long long)skew);
	return true;
}

/* The answer names another region than the request. */
static bool
follow_region(struct store *s, struct request *r, struct tries *tries)
{
	const struct answer *a = &r->transfer.answer;
	const char *region = a->region[0] ? a->region : r->region;

	if ((a->status != 301 && a->status != 307 && a->status != 400 && a->status != 403) ||
	    !site_region_ok(region) || strcmp(region, tries->site.region) == 0)
		return false;
	site_move(&tries->site, region);
	pthread_mutex_lock(&s->mu);
	site_move(&s->site, region);
	pthread_mutex_unlock(&s->mu);
	s->host->log(s->host->ctx, DFS_LOG_INFO, "s3: bucket %s is in region %s", s->bucket,
		     region);
	return true;
}

/* A temporary redirect to another host of the same service; never from TLS to plain HTTP. */
static bool
follow_location(const struct store *s, const struct request *r, struct tries *tries)
{
	const char *location = r->transfer.answer.location;
	size_t scheme = strncmp(location, "https://", 8) == 0 ? 8 : 7;
	TEXT_AUTO host = {0};
	struct site to;

	if (r->transfer.answer.status != 307 || !strstr(location, "://"))
		return false;
	text_add(&host, location, scheme + strcspn(location + scheme, "/?#"));
	if (host.failed || site_parse(&to, host.data) || (tries->site.tls && !to.tls))
		return false;
	/* The host that is named has the bucket in it already where that is the style. */
	if (!tries->site.path_style) {
		size_t len = strlen(s->bucket);

		if (strncmp(to.host, s->bucket, len) != 0 || to.host[len] != '.')
			return false;
		memmove(to.host, to.host + len + 1, strlen(to.host + len));
	}
	memcpy(tries->site.host, to.host, sizeof to.host);
	tries->site.tls = to.tls;
	return true;
}

static bool
keys_have_ended(const struct request *r)
{
	static const char *const codes[] = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken",
					    "TokenRefreshRequired", "ExpiredTokenException"};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(r->code, codes[i]) == 0)
			return true;
	/* To HEAD there is no body that would say it. */
	return strcmp(r->method, "HEAD") == 0 && r->transfer.answer.status == 403;
}

/* Whether to send it again at once, with what has been learnt. */
static bool
again(struct store *s, struct request *r, struct tries *tries, struct credentials *keys)
{
	const struct transfer *t = &r->transfer;

	if (t->ending == END_FAILED && t->reused && t->answer.status == 0 && !tries->reconnected)
		return tries->reconnected = true;
	if (t->ending != END_ANSWERED || t->answer.status < 300)
		return false;
	if (!tries->clock_set && set_clock(s, r))
		return tries->clock_set = true;
	if (!tries->moved && follow_region(s, r, tries))
		return tries->moved = true;
	if (!tries->redirected && follow_location(s, r, tries))
		return tries->redirected = true;
	if (!tries->refused && keys_have_ended(r)) {
		tries->refused = keys;
		keys->refs++;
		return true;
	}
	return false;
}

enum dfs_status
request_run(struct store *s, struct request *r)
{
	struct tries tries = {.reconnected = false};
	uint64_t end = monotonic_ns() + (r->timeout ? r->timeout : s->limits.total);
	struct credentials *keys = NULL;
	bool sent = true, more = true;

	pthread_mutex_lock(&s->mu);
	tries.site = s->site;
	pthread_mutex_unlock(&s->mu);
	for (int i = 0; i < TRIES && more && sent; i++) {
		TEXT_AUTO why = {0};
		struct credentials *fresh = chain_get(s->chain, tries.refused, &why);

		if (!fresh && !keys && r->quiet)
			return DFS_ACCESS;
		if (!fresh && !keys)
			return s->host->fail(s->host->ctx, DFS_ACCESS,
					     "%s %s/%s%.200s: no keys for the server: %s", r->what,
					     s->bucket, s->key_prefix, r->key ? r->key : "",
					     text_string(&why));
		if (!fresh || fresh == tries.refused) {
			/* No others are to be had: what the server said stands. */
			credentials_unref(fresh);
			break;
		}
		credentials_unref(keys);
		keys = fresh;
		s->host->count(s->host->ctx, i == 0 ? "s3_requests" : "s3_requests_again", 1);
		sent = send_once(s, r, &tries.site, keys, end);
		more = sent && again(s, r, &tries, keys) && monotonic_ns() < end;
	}
	credentials_unref(keys);
	credentials_unref(tries.refused);
	if (!sent && r->quiet)
		return DFS_NOMEM;
	if (!sent)
		return s->host->fail(s->host->ctx, DFS_NOMEM, "%s %s: out of memory", r->what,
				     r->key ? r->key : s->bucket);
	if (!accepted(r))
		return error_fail(s, r);
	atomic_store(&s->bucket_seen, monotonic_ns());
	return DFS_OK;
}
