/* SPDX-License-Identifier: MIT
 *
 * Sending answers, and what the rules do to them on the way.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "faultd.h"

static const char *
reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 206:
		return "Partial Content";
	default:
		return "Trouble";
	}
}

static void
http_date(char out[32])
{
	time_t now = (time_t)clock_now();
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 32, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static bool
send_head(struct exchange *x, int status, const char *headers, uint64_t length)
{
	static _Atomic uint64_t number;
	g_autofree char *head = NULL;
	char date[32];

	http_date(date);
	head = g_strdup_printf("HTTP/1.1 %d %s\r\nDate: %s\r\nServer: faultd\r\n"
			       "x-amz-request-id: F%012" G_GINT64_MODIFIER
			       "X\r\nContent-Length: %" G_GUINT64_FORMAT "\r\n%s\r\n",
			       status, reason_of(status), date, (guint64)++number, length, headers);
	return conn_write(x->conn, head, strlen(head));
}

/* A reset, not an end: what is on its way is thrown away. */
static void
reset(struct conn *c)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static bool
send_slowly(struct conn *c, const unsigned char *data, uint64_t length, uint64_t rate)
{
	uint64_t step = MAX(1, rate / 20);

	while (length > 0) {
		uint64_t part = MIN(step, length);

		if (!conn_write(c, data, part))
			return false;
		data += part;
		length -= part;
		g_usleep(50000);
	}
	return true;
}

static bool
send_body(struct exchange *x, const unsigned char *body, uint64_t length)
{
	uint64_t arg = MIN((uint64_t)x->rule.arg, length);
	g_autofree unsigned char *changed = NULL;

	switch (x->rule.fault) {
	case FAULT_RESET:
	case FAULT_TRUNCATE:
	case FAULT_HANG:
		conn_write(x->conn, body, arg);
		if (x->rule.fault == FAULT_RESET)
			reset(x->conn);
		if (x->rule.fault == FAULT_HANG)
			conn_wait_gone(x->conn);
		return false;
	case FAULT_SLOW:
		return send_slowly(x->conn, body, length, (uint64_t)x->rule.arg);
	case FAULT_CORRUPT:
		changed = g_memdup2(body, length);
		if (arg < length)
			changed[arg] ^= 1;
		return conn_write(x->conn, changed, length);
	default:
		return conn_write(x->conn, body, length);
	}
}

void
answer(struct exchange *x, int status, const char *headers, const void *body, uint64_t length)
{
	x->keep = send_head(x, status, headers, length) && send_body(x, body, length);
}

void
answer_head(struct exchange *x, int status, const char *headers, uint64_t length)
{
	x->keep = send_head(x, status, headers, length);
}

void
answer_error(struct exchange *x, int status, const char *code, const char *more)
{
	g_autofree char *xml = g_strdup_printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
					       "<Error><Code>%s</Code><Message>faultd says %s"
					       "</Message>%s</Error>",
					       code, code, more);

	if (strcmp(x->request.method, "HEAD") == 0)
		answer_head(x, status, "", 0);
	else
		answer(x, status, "Content-Type: application/xml\r\n", xml, strlen(xml));
}

void
answer_xml(struct exchange *x, GString *xml)
{
	answer(x, 200, "Content-Type: application/xml\r\n", xml->str, xml->len);
}

const char *
query_of(const struct exchange *x, const char *name)
{
	return g_hash_table_lookup(x->query, name);
}
