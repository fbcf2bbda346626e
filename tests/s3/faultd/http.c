/* SPDX-License-Identifier: MIT
 *
 * HTTP/1.1 as far as S3's clients use it: a head, a body of known length, connections kept.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faultd.h"

static ssize_t
receive(struct conn *c, void *to, size_t len)
{
	ssize_t n;

	if (c->ssl)
		return SSL_read(c->ssl, to, (int)MIN(len, 1u << 20));
	do
		n = read(c->fd, to, len);
	while (n < 0 && errno == EINTR);
	return n;
}

bool
conn_write(struct conn *c, const void *data, uint64_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, p, (int)MIN(len, 1u << 20))
				   : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && !c->ssl && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (uint64_t)n;
		settings.bytes_sent += (uint64_t)n;
	}
	return true;
}

void
conn_wait_gone(struct conn *c)
{
	char byte;

	while (receive(c, &byte, 1) > 0)
		;
}

/* The head up to its empty line, at the start of the buffer; 0: the connection is over. */
static size_t
read_head(struct conn *c)
{
	memmove(c->buf, c->buf + c->begin, c->end - c->begin);
	c->end -= c->begin;
	c->begin = 0;
	for (;;) {
		char *empty = memmem(c->buf, c->end, "\r\n\r\n", 4);
		ssize_t n;

		if (empty)
			return (size_t)(empty - c->buf) + 4;
		if (c->end == sizeof c->buf)
			return 0;
		n = receive(c, c->buf + c->end, sizeof c->buf - c->end);
		if (n <= 0)
			return 0;
		c->end += (size_t)n;
	}
}

static bool
read_body(struct conn *c, struct request *r)
{
	uint64_t got = MIN(r->length, c->end - c->begin);

	r->body = g_malloc(r->length + 1);
	memcpy(r->body, c->buf + c->begin, got);
	c->begin += got;
	while (got < r->length) {
		ssize_t n = receive(c, r->body + got, r->length - got);

		if (n <= 0)
			return false;
		got += (uint64_t)n;
	}
	r->body[r->length] = '\0';
	return true;
}

static bool
parse_head(struct request *r)
{
	char *save = NULL, *line = strtok_r(r->head, "\r\n", &save), *target, *version;

	if (!line || !(target = strchr(line, ' ')) || !(version = strrchr(target + 1, ' ')))
		return false;
	*target++ = *version = '\0';
	r->method = line;
	/* To a proxy, the whole URL: we are the server behind it, too. */
	if (g_str_has_prefix(target, "http://"))
		target += strcspn(target + 7, "/") + 7;
	r->path = target;
	r->query = "";
	if (strchr(target, '?')) {
		char *mark = strchr(target, '?');

		*mark = '\0';
		r->query = mark + 1;
	}
	while ((line = strtok_r(NULL, "\r\n", &save)) && r->n_headers < G_N_ELEMENTS(r->name)) {
		char *colon = strchr(line, ':');

		if (!colon)
			return false;
		*colon = '\0';
		for (char *p = line; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		r->name[r->n_headers] = line;
		r->value[r->n_headers++] = g_strstrip(colon + 1);
	}
	r->host = request_header(r, "host");
	return r->host != NULL;
}

bool
conn_read_request(struct conn *c, struct request *r)
{
	size_t len = read_head(c);
	const char *length, *expect;

	*r = (struct request){.head = NULL};
	if (len == 0)
		return false;
	r->head = g_strndup(c->buf, len);
	c->begin = len;
	if (!parse_head(r))
		return false;
	length = request_header(r, "content-length");
	r->length = length ? g_ascii_strtoull(length, NULL, 10) : 0;
	expect = request_header(r, "expect");
	if (r->length > BODY_MAX || (expect && expect[0]))
		return false;
	return read_body(c, r);
}

void
request_free(struct request *r)
{
	g_free(r->head);
	g_free(r->body);
}

const char *
request_header(const struct request *r, const char *name)
{
	for (unsigned i = 0; i < r->n_headers; i++)
		if (strcmp(r->name[i], name) == 0)
			return r->value[i];
	return NULL;
}
