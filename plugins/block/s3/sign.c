/* SPDX-License-Identifier: MIT
 *
 * Signature Version 4: see sign.h.
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "digest.h"
#include "encode.h"
#include "sign.h"

#define QUERY_MAX 16u

static int
by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

void
sign_query(struct text *out, const struct pair *query, uint32_t n)
{
	struct text encoded[QUERY_MAX][2] = {0};
	struct pair sorted[QUERY_MAX];

	if (n > QUERY_MAX) {
		out->failed = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		encode_uri(&encoded[i][0], query[i].name, true);
		encode_uri(&encoded[i][1], query[i].value, true);
		out->failed |= encoded[i][0].failed || encoded[i][1].failed;
		sorted[i] = (struct pair){text_string(&encoded[i][0]), text_string(&encoded[i][1])};
	}
	/* The order is that of the encoded names. */
	qsort(sorted, n, sizeof sorted[0], by_name);
	for (uint32_t i = 0; i < n; i++)
		text_format(out, "%s%s=%s", i ? "&" : "", sorted[i].name, sorted[i].value);
	for (uint32_t i = 0; i < n; i++) {
		text_clear(&encoded[i][0]);
		text_clear(&encoded[i][1]);
	}
}

/* Trimmed, and runs of spaces as one. */
static void
add_value(struct text *out, const char *value)
{
	value += strspn(value, " \t");
	while (*value) {
		size_t word = strcspn(value, " \t");
		size_t gap = strspn(value + word, " \t");

		text_add(out, value, word);
		value += word + gap;
		if (gap > 0 && *value)
			text_put(out, " ");
	}
}

static bool
derive_key(const struct signer *s, const char *day, unsigned char key[SHA256_SIZE])
{
	const char *const scope[] = {day, s->region, s->service, "aws4_request"};
	TEXT_AUTO secret = {0};
	bool ok;

	text_format(&secret, "AWS4%s", s->secret_key);
	if (secret.failed)
		return false;
	ok = digest_hmac_sha256(secret.data, secret.len, day, strlen(day), key);
	for (int i = 1; i < 4 && ok; i++)
		ok = digest_hmac_sha256(key, SHA256_SIZE, scope[i], strlen(scope[i]), key);
	return ok;
}

void
sign_authorization(struct text *out, const struct signer *s, const char *method, const char *path,
		   const char *query, struct pair *headers, uint32_t n, const char *payload_hash)
{
	TEXT_AUTO names = {0};
	TEXT_AUTO canonical = {0};
	TEXT_AUTO to_sign = {0};
	unsigned char digest[SHA256_SIZE], key[SHA256_SIZE];
	char when[17], day[9], hex[2 * SHA256_SIZE + 1];
	bool ok;

	date_amz(s->now, when);
	memcpy(day, when, 8);
	day[8] = '\0';
	qsort(headers, n, sizeof headers[0], by_name);
	text_format(&canonical, "%s\n%s\n%s\n", method, path, query);
	for (uint32_t i = 0; i < n; i++) {
		text_format(&canonical, "%s:", headers[i].name);
		add_value(&canonical, headers[i].value);
		text_put(&canonical, "\n");
		text_format(&names, "%s%s", i ? ";" : "", headers[i].name);
	}
	text_format(&canonical, "\n%s\n%s", text_string(&names), payload_hash);
	ok = !canonical.failed && digest_sha256(canonical.data, canonical.len, digest);
	encode_hex(hex, digest, sizeof digest);
	text_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", when, day,
		    s->region, s->service, hex);
	ok = ok && !to_sign.failed && derive_key(s, day, key) &&
	     digest_hmac_sha256(key, sizeof key, to_sign.data, to_sign.len, digest);
	explicit_bzero(key, sizeof key);
	if (!ok) {
		out->failed = true;
		return;
	}
	encode_hex(hex, digest, sizeof digest);
	text_format(out,
		    "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, "
		    "Signature=%s",
		    s->access_key, day, s->region, s->service, text_string(&names), hex);
}
