/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: what the S3 store reads of bytes that others chose.  The first byte says which
 * parser: lists, errors, header lines, dates, credentials files, JSON with keys, endpoints,
 * encodings, check values.
 */
#include <stdlib.h>
#include <string.h>

#include "plugins/block/s3/credentials.h"
#include "plugins/block/s3/date.h"
#include "plugins/block/s3/encode.h"
#include "plugins/block/s3/headers.h"
#include "plugins/block/s3/site.h"
#include "plugins/block/s3/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_page(const char *text, size_t size)
{
	struct page *page = calloc(1, sizeof *page);
	const char *last = "";

	if (page_parse(page, text, size, "p/", "a", "a.", "") == PAGE_GOOD)
		for (uint32_t i = 0; i < page->n; i++) {
			if (!dfs_key_length(page->key[i]) || page->key[i][0] != 'a' ||
			    strcmp(page->key[i], last) <= 0)
				abort();
			last = page->key[i];
		}
	page_clear(page);
	free(page);
}

static void
fuzz_error(const char *text, size_t size)
{
	REQUEST_AUTO r = {.what = "reading"};

	r.transfer.ending = END_ANSWERED;
	r.transfer.answer.status = 500;
	text_add(&r.transfer.answer.body, text, size);
	error_read(&r);
	for (const char *p = r.message; *p; p++)
		if ((unsigned char)*p < ' ')
			abort();
}

static void
fuzz_headers(const char *text, size_t size)
{
	struct answer a = {.status = 0};

	headers_reset(&a);
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t len = end ? (size_t)(end - text) + 1 : size;

		headers_line(&a, text, len);
		text += len;
		size -= len;
	}
	if (a.length < -1 || a.range_first > a.range_total || a.status < 0 || a.status > 999)
		abort();
}

static void
fuzz_dates(const char *text, size_t size)
{
	int64_t seconds;
	char out[17];

	if (date_http(text, &seconds) || date_iso(text, &seconds))
		date_amz(seconds, out);
}

static void
fuzz_ini(const char *text, size_t size)
{
	TEXT_AUTO out = {0};

	if (ini_find(text, size, "default", "aws_access_key_id", &out) &&
	    strlen(text_string(&out)) != out.len)
		abort();
}

static void
fuzz_json(const char *text, size_t size)
{
	TEXT_AUTO why = {0};
	struct credentials *c = NULL;

	if ((credentials_parse(text, size, &c, &why) == FOUND) != (c != NULL))
		abort();
	credentials_unref(c);
}

static void
fuzz_site(const char *text, size_t size)
{
	struct site site;
	TEXT_AUTO host = {0};

	if (site_init(&site, text, "us-east-1", "bucket", PATH_STYLE_NO) == NULL) {
		site_host(&host, &site, "bucket");
		if (host.failed || strpbrk(text_string(&host), " \r\n/@?#"))
			abort();
	}
}

static void
fuzz_encodings(const char *text, size_t size)
{
	char *copy = strdup(text);
	TEXT_AUTO encoded = {0};
	unsigned char bytes[64];
	char again[100];
	int len;

	if (decode_uri(copy, false)) {
		encode_uri(&encoded, copy, true);
		if (!encoded.failed && encoded.data &&
		    (!decode_uri(encoded.data, false) || strcmp(encoded.data, copy) != 0))
			abort();
	}
	free(copy);
	len = decode_base64(bytes, sizeof bytes, text);
	if (len >= 0)
		encode_base64(again, bytes, (size_t)len);
}

static void
fuzz_check(const char *text, size_t size)
{
	struct checking c;
	unsigned char byte[300] = {0};
	const char *table = strchr(text, ' ');
	char crc[16] = "";

	if (table && table - text < (long)sizeof crc)
		memcpy(crc, text, (size_t)(table - text));
	if (checking_begin(&c, crc, table ? table + 1 : text, size % 7, 300, 300 + size % 9))
		checking_feed(&c, byte, sizeof byte);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parser[])(const char *text, size_t size) = {
		fuzz_page, fuzz_error, fuzz_headers,   fuzz_dates, fuzz_ini,
		fuzz_json, fuzz_site,  fuzz_encodings, fuzz_check};
	char *copy;

	if (size == 0)
		return 0;
	/* Ended by a NUL, for those that take a string; its end is watched. */
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	parser[data[0] % (sizeof parser / sizeof parser[0])](copy, size - 1);
	free(copy);
	return 0;
}
