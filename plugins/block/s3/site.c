/* SPDX-License-Identifier: MIT
 *
 * Where the bucket is: see site.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "site.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool
site_region_ok(const char *region)
{
	size_t len = strspn(region, LETTERS CAPITALS DIGITS "-_");

	return len > 0 && len < sizeof((struct site *)0)->region && region[len] == '\0';
}

bool
site_bucket_ok(const char *bucket)
{
	size_t len = strspn(bucket, LETTERS CAPITALS DIGITS ".-_");

	return len >= 1 && len <= 255 && bucket[len] == '\0' && strcmp(bucket, ".") != 0 &&
	       strcmp(bucket, "..") != 0;
}

/* Whether a bucket can be a host's first label: the certificate of a wildcard covers no dot. */
static bool
bucket_is_label(const char *bucket)
{
	size_t len = strspn(bucket, LETTERS DIGITS "-");

	return len >= 3 && len <= 63 && bucket[len] == '\0' && bucket[0] != '-' &&
	       bucket[len - 1] != '-';
}

/* The length of a host name or of an address in brackets at the start of text. */
static size_t
host_length(const char *text)
{
	size_t len;

	if (text[0] != '[')
		return strspn(text, LETTERS CAPITALS DIGITS ".-_");
	len = 1 + strspn(text + 1, DIGITS "abcdefABCDEF:.");
	return text[len] == ']' && len > 2 ? len + 1 : 0;
}

const char *
site_parse(struct site *site, const char *endpoint)
{
	const char *at = endpoint;
	size_t len;
	long port = 0;

	*site = (struct site){.tls = true};
	if (strncasecmp(at, "https://", 8) == 0) {
		at += 8;
	} else if (strncasecmp(at, "http://", 7) == 0) {
		at += 7;
		site->tls = false;
	} else if (strstr(at, "://")) {
		return "it begins with neither http:// nor https://";
	}
	len = host_length(at);
	if (len == 0 || len > 240)
		return "it has no host name or address";
	memcpy(site->host, at, len);
	at += len;
	if (*at == ':') {
		size_t digits = strspn(at + 1, DIGITS);

		port = digits >= 1 && digits <= 5 ? strtol(at + 1, NULL, 10) : 0;
		if (port < 1 || port > 65535)
			return "its port is no number from 1 to 65535";
		at += 1 + digits;
	}
	if (*at == '/')
		at++;
	if (*at)
		return "behind the host there is more than a port";
	/* As the HTTP library writes Host, which is signed. */
	if (port && port != (site->tls ? 443 : 80))
		snprintf(site->host + len, sizeof site->host - len, ":%ld", port);
	return NULL;
}

void
site_move(struct site *site, const char *region)
{
	bool china = strncmp(region, "cn-", 3) == 0;

	snprintf(site->region, sizeof site->region, "%s", region);
	if (site->amazon)
		snprintf(site->host, sizeof site->host, "s3.%s.amazonaws.com%s", site->region,
			 china ? ".cn" : "");
}

static bool
is_address(const char *host)
{
	return host[0] == '[' || host[strspn(host, DIGITS ".:")] == '\0';
}

const char *
site_init(struct site *site, const char *endpoint, const char *region, const char *bucket,
	  enum path_style style)
{
	const char *wrong = NULL;

	if (endpoint[0])
		wrong = site_parse(site, endpoint);
	else
		*site = (struct site){.tls = true, .amazon = true};
	if (wrong)
		return wrong;
	site->path_style = style == PATH_STYLE_YES ||
			   (style == PATH_STYLE_AUTO && (endpoint[0] || !bucket_is_label(bucket)));
	site_move(site, region);
	if (!site->path_style && endpoint[0] && is_address(site->host))
		return "a bucket's name cannot stand before an address: path_style = \"no\" needs "
		       "a "
		       "host name";
	return NULL;
}

void
site_host(struct text *out, const struct site *site, const char *bucket)
{
	if (!site->path_style)
		text_format(out, "%s.", bucket);
	text_put(out, site->host);
}

void
site_path(struct text *out, const struct site *site, const char *bucket, const char *key)
{
	text_put(out, "/");
	if (site->path_style) {
		encode_uri(out, bucket, true);
		if (key[0])
			text_put(out, "/");
	}
	encode_uri(out, key, false);
}
