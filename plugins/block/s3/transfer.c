/* SPDX-License-Identifier: MIT
 *
 * One transfer: what libcurl is told, and what it calls back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "headers.h"

/* Large enough that 4 MiB need few turns; each running transfer has one of each kind. */
#define BUFFER_SIZE (256L << 10)

static size_t
read_body(char *to, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t room = size * n, done = 0;

	while (done < room && t->sent < t->length) {
		const struct dfs_span *s = &t->spans[t->span];
		size_t part = s->len - t->in_span < room - done ? s->len - t->in_span : room - done;

		memcpy(to + done, (const char *)s->data + t->in_span, part);
		done += part;
		t->sent += part;
		t->in_span += part;
		if (t->in_span == s->len) {
			t->span++;
			t->in_span = 0;
		}
	}
	t->moved += done;
	t->last_sent = monotonic_ns();
	return done;
}

/* To send the body again over another connection: only from its start. */
static int
seek_body(void *arg, curl_off_t offset, int origin)
{
	struct transfer *t = arg;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	t->span = t->in_span = t->sent = 0;
	return CURL_SEEKFUNC_OK;
}

static int
note_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *t = arg;

	t->connected = monotonic_ns();
	t->answered = false;
	watch_phase(t, t->connected);
	return CURL_PREREQFUNC_OK;
}

static bool
succeeded(const struct transfer *t)
{
	return t->answer.status >= 200 && t->answer.status < 300;
}

static size_t
read_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	if (!t->answered) {
		t->answered = true;
		watch_phase(t, monotonic_ns());
	}
	t->moved += size * n;
	if (headers_line(&t->answer, line, size * n) && succeeded(t) && t->begin && !t->begin(t)) {
		t->ending = END_REFUSED;
		return 0;
	}
	return size * n;
}

static size_t
read_data(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	t->moved += len;
	if (succeeded(t) && t->take) {
		if (t->take(t, (const unsigned char *)data, len))
			return len;
		t->ending = END_REFUSED;
		return 0;
	}
	text_add(&t->answer.body, data, len);
	/* The text of a failure is as good when it is cut. */
	if (t->answer.body.failed && succeeded(t)) {
		snprintf(t->why, sizeof t->why, "the answer is too long");
		return 0;
	}
	return len;
}

static long
milliseconds(uint64_t ns)
{
	return ns < 1000000 ? 1 : (long)(ns / 1000000);
}

static void
set_callbacks(struct transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_error);
	curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, note_connected);
	curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, read_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, read_data);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, read_body);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
}

static CURLcode
set_connection(struct transfer *t, const struct engine_options *o)
{
	CURLcode rc = CURLE_OK;

	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "dittofs");
	/* Amazon closes what idles for some 20 s; a younger connection is seldom found dead. */
	curl_easy_setopt(t->easy, CURLOPT_MAXAGE_CONN, 15L);
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(t->limits.connect));
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, milliseconds(t->limits.total));
	curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(t->easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, o->tls_verify ? 1L : 0L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, o->tls_verify ? 2L : 0L);
	/* "" is no proxy whatever the environment says. */
	rc = curl_easy_setopt(t->easy, CURLOPT_PROXY, t->direct ? "" : o->proxy);
	if (rc == CURLE_OK && o->ca_file)
		rc = curl_easy_setopt(t->easy, CURLOPT_CAINFO, o->ca_file);
	return rc;
}

static CURLcode
set_request(struct transfer *t)
{
	CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_URL, t->url);

	curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	if (t->spans || strcmp(t->method, "PUT") == 0) {
		curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->length);
	}
	if (strcmp(t->method, "HEAD") == 0)
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	else if (rc == CURLE_OK)
		rc = curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
	return rc;
}

bool
transfer_prepare(struct transfer *t, const struct engine_options *options)
{
	t->easy = curl_easy_init();
	if (!t->easy)
		return false;
	headers_reset(&t->answer);
	set_callbacks(t);
	return set_connection(t, options) == CURLE_OK && set_request(t) == CURLE_OK;
}

static enum ending
ending_of(const struct transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return END_ANSWERED;
	case CURLE_PARTIAL_FILE:
		return END_TRUNCATED;
	case CURLE_OPERATION_TIMEDOUT:
		return END_TIMED_OUT;
	case CURLE_OUT_OF_MEMORY:
		return END_NOMEM;
	default:
		return END_FAILED;
	}
}

void
transfer_conclude(struct transfer *t, CURLcode code)
{
	long connects = 1;

	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	t->reused = connects == 0;
	if (t->ending == END_REFUSED)
		return;
	t->ending = ending_of(t, code);
	if (code == CURLE_OPERATION_TIMEDOUT)
		watch_passed(t, t->connected ? "not finished" : "no connection",
			     t->connected ? t->limits.total : t->limits.connect);
	else if (!t->why[0])
		snprintf(t->why, sizeof t->why, "%s",
			 t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
}

void
transfer_clear(struct transfer *t)
{
	text_clear(&t->answer.body);
}
