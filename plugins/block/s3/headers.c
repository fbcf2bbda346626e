/* SPDX-License-Identifier: MIT
 *
 * The header lines of an answer: see headers.h.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "date.h"
#include "headers.h"

void
headers_reset(struct answer *a)
{
	struct text body = a->body;

	text_reset(&body);
	*a = (struct answer){
		.length = -1, .range_first = -1, .range_total = -1, .date = -1, .body = body};
}

/* Digits only, as many as fit in 18. */
static bool
number(const char **at, int64_t *value)
{
	size_t len = strspn(*at, "0123456789");

	if (len == 0 || len > 18)
		return false;
	*value = strtoll(*at, NULL, 10);
	*at += len;
	return true;
}

static void
take_length(struct answer *a, const char *value)
{
	if (!number(&value, &a->length) || *value)
		a->length = -1;
}

static void
take_date(struct answer *a, const char *value)
{
	if (!date_http(value, &a->date))
		a->date = -1;
}

/* "bytes 0-9/443", or with a star for the first two (RFC 9110 14.4). */
static void
take_range(struct answer *a, const char *value)
{
	int64_t first = -1, last = -1, total;

	if (strncasecmp(value, "bytes ", 6) != 0)
		return;
	value += 6;
	if (*value == '*')
		value++;
	else if (!number(&value, &first) || *value++ != '-' || !number(&value, &last))
		return;
	if (*value++ != '/' || !number(&value, &total) || *value || last >= total || first > last)
		return;
	a->range_first = first;
	a->range_total = total;
}

#define TEXT(name, field)                                                                          \
	{                                                                                          \
		name, NULL, offsetof(struct answer, field), sizeof((struct answer *)0)->field      \
	}

static const struct {
	const char *name;
	void (*take)(struct answer *a, const char *value);
	size_t offset, size; /* of a text to copy; too long a one is as none */
} table[] = {
	{"content-length", take_length, 0, 0},
	{"content-range", take_range, 0, 0},
	{"date", take_date, 0, 0},
	TEXT("etag", etag),
	TEXT("location", location),
	TEXT("x-amz-bucket-region", region),
	TEXT("x-amz-checksum-crc32c", checksum),
	TEXT("x-amz-meta-crc32c", crc),
	TEXT("x-amz-meta-crc32c-64k", crc_table),
	TEXT("x-amz-meta-crc32c-64k-2", crc_table_2),
	TEXT("x-amz-request-id", request_id),
};

static void
take_header(struct answer *a, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcasecmp(name, table[i].name) != 0)
			continue;
		if (table[i].take)
			table[i].take(a, value);
		else if (strlen(value) < table[i].size)
			strcpy((char *)a + table[i].offset, value);
		return;
	}
}

/* Of "HTTP/1.1 200 OK"; 0 when it is none. */
static int
status_of(const char *line)
{
	const char *space = strchr(line, ' ');

	if (strncmp(line, "HTTP/", 5) != 0 || !space || strspn(space + 1, "0123456789") != 3)
		return 0;
	return atoi(space + 1);
}

bool
headers_line(struct answer *a, const char *line, size_t len)
{
	char copy[1024], *colon, *value;

	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len == 0)
		return a->status >= 200;
	/* A line that long, or with a NUL in it, is none that we look for. */
	if (len >= sizeof copy || memchr(line, '\0', len))
		return false;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (strncmp(copy, "HTTP/", 5) == 0) {
		headers_reset(a);
		a->status = status_of(copy);
		return false;
	}
	colon = strchr(copy, ':');
	if (!colon)
		return false;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	while (len > 0 && (copy[len - 1] == ' ' || copy[len - 1] == '\t') && copy + len > value)
		copy[--len] = '\0';
	take_header(a, copy, value);
	return false;
}
